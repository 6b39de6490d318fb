"""The server of the page: HTTP on 127.0.0.1 for one person, and what is refused there.

A page of another origin cannot use it: the names in Host and Origin must be its own, whatever name was looked up, and
every request but that for the page needs the token of this start, which only the address that was printed has. Requests
are JSON in bodies of a bounded size, sent by POST; nothing in a path names a file.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import socket
import sys
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..errors import FastnnError
from .page import page
from .side import FRAME_INTERVAL
from .studio import Json, Studio, client_name

# A request has at most so many bytes of body: a drawing has 1,536 in base64, the longest settings some hundred.
MOST_BYTES = 1 << 16
# A browser opens up to six connections to a server, one of them for the stream: enough for half a dozen pages.
MOST_CONNECTIONS, MOST_STREAMS = 40, 8
# A connection may be silent for so many seconds, between two requests or in the middle of one or of its response.
TIMEOUT = 10.0
# The whole of a request comes within so many seconds from its first byte, however slowly a client sends it.
DEADLINE = 20.0
# The rest of a request that was refused is read for so many seconds, before the connection is closed.
DRAIN_TIMEOUT = 0.5


class RefusedError(Exception):
    """A request that is not answered: its status, and why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Server(ThreadingHTTPServer):
    """Answers on 127.0.0.1. ``port`` 0 takes a free one.

    Attributes
    ----------
    url : of the page, with the token of this start.
    hosts : by which the page may name the server.
    """

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"  # where it would let others listen on the same port
    request_queue_size = 64

    def __init__(self, studio: Studio, port: int = 0) -> None:
        self.studio, self.token = studio, secrets.token_urlsafe(24)
        self._connections = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.streams = threading.BoundedSemaphore(MOST_STREAMS)
        self._deadlines: dict[socket.socket, float] = {}
        super().__init__(("127.0.0.1", port), Handler)
        names = [f"127.0.0.1:{self.server_port}", f"localhost:{self.server_port}"]
        self.hosts = frozenset(names + ["127.0.0.1", "localhost"] if self.server_port == 80 else names)
        self.url = f"http://{names[0]}/#{self.token}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, unless there are too many."""
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The same in a thread of its own."""
        try:
            with self.studio.kernels():
                super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def set_deadline(self, request: socket.socket, seconds: float | None) -> None:
        """A connection is closed after so many seconds, unless another deadline comes, or None."""
        if seconds is None:
            self._deadlines.pop(request, None)
        else:
            self._deadlines[request] = time.monotonic() + seconds

    def service_actions(self) -> None:
        """Close the connections of those who take too long over a request."""
        now = time.monotonic()
        for request, deadline in list(self._deadlines.items()):
            if now > deadline:
                self.set_deadline(request, None)
                with suppress(OSError):  # it is closed
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless it is the connection alone."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = default_request_version = "HTTP/1.1"
    server_version, sys_version = "fastnn", ""
    timeout = TIMEOUT
    disable_nagle_algorithm = True
    wbufsize = -1  # a response goes out in one piece
    server: Server

    def handle_one_request(self) -> None:
        """Answer a request, which has to be read within a time from its first byte on."""
        try:
            self.close_connection = not self.rfile.peek(1)  # type: ignore[attr-defined]  # a BufferedReader
        except TimeoutError:
            self.close_connection = True
        if self.close_connection:
            return
        self.server.set_deadline(self.connection, DEADLINE)
        try:
            super().handle_one_request()
        finally:
            self.server.set_deadline(self.connection, None)

    def do_GET(self) -> None:  # as http.server calls it
        """The page."""
        try:
            self._check_host()
            if self.path != "/":
                raise RefusedError(HTTPStatus.NOT_FOUND, "there is one page, /")
            found = page()
            policy = found.policy + "; connect-src 'self'; frame-ancestors 'none'"
            self._send(HTTPStatus.OK, "text/html; charset=utf-8", found.text.encode(), policy)
        except RefusedError as refusal:
            self._refuse(refusal)

    def do_POST(self) -> None:
        """A response to a request of the page. What the program did not foresee is told here, and to the page."""
        try:
            self._check_host()
            self._check_sender()
            values = self._read()
            self.server.set_deadline(self.connection, None)
            if self.path == "/api/stream":
                self._stream(client_name(values))
                return
            handler = self.server.studio.handlers.get(self.path.removeprefix("/api/"))
            if handler is None or not self.path.startswith("/api/"):
                raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such request")
            try:
                body = _dumped(handler(values)).encode()
            except FastnnError:
                raise
            except Exception:
                self.close_connection = True
                reason = "fastnn has failed: what went wrong is written where it was started"
                self._send_json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": reason})
                raise
            self._send(HTTPStatus.OK, "application/json", body)
        except FastnnError as error:
            self._send_json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except RefusedError as refusal:
            self._refuse(refusal)

    # What is refused

    def _check_host(self) -> None:
        if self._header("Host") not in self.server.hosts:
            raise RefusedError(HTTPStatus.FORBIDDEN, "expected the name of this server in Host")

    def _check_sender(self) -> None:
        if self._header("Origin") != f"http://{self._header('Host')}":
            raise RefusedError(HTTPStatus.FORBIDDEN, "expected a request of the page itself")
        token = self._header("X-Fastnn-Token").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(token, self.server.token.encode()):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "expected the token of this start: open the address that was printed"
            )
        if self._header("Content-Type") != "application/json":
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected application/json")

    def _header(self, name: str) -> str:
        """A header that must be there once; else empty, which is no name of anything."""
        values = self.headers.get_all(name, [])
        return values[0] if len(values) == 1 else ""

    def _read(self) -> Json:
        if "Transfer-Encoding" in self.headers or "Expect" in self.headers:
            raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, "expected a body of a known length")
        length = self._header("Content-Length")
        if not re.fullmatch(r"[0-9]{1,9}", length, re.ASCII):
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "expected the length of the body")
        if int(length) > MOST_BYTES:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {MOST_BYTES} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            raise ConnectionAbortedError
        try:
            values = json.loads(body.decode("utf-8"), parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "expected JSON") from None
        if not isinstance(values, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "expected a JSON object")
        return values

    def handle_expect_100(self) -> bool:
        """Nobody is asked to go on."""
        return True

    # What is sent

    def _stream(self, client: str) -> None:
        """Server-sent events: a frame whenever something has changed, and a comment where nothing has."""
        if not self.server.streams.acquire(blocking=False):
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, f"expected at most {MOST_STREAMS} open pages")
        try:
            self.close_connection = True
            self.send_response(HTTPStatus.OK)
            self._send_safety("text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for frame in self.server.studio.frames(client):
                line = f"data: {_dumped(frame)}\n\n" if frame else ": still here\n\n"
                self.wfile.write(line.encode())
                self.wfile.flush()
                time.sleep(FRAME_INTERVAL)
        finally:
            self.server.streams.release()

    def _refuse(self, refusal: RefusedError) -> None:
        """Answer, and close the connection: what is left of a body is no request.

        It is read, within bounds, as closing a connection with something unread takes the response back.
        """
        self.close_connection = True
        self._send_json(refusal.status, {"error": refusal.reason})
        self.wfile.flush()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(DRAIN_TIMEOUT)
            for _ in range(4):
                if not self.connection.recv(MOST_BYTES):
                    break

    def _send_json(self, status: HTTPStatus, values: Json) -> None:
        self._send(status, "application/json", _dumped(values).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes, policy: str = "default-src 'none'") -> None:
        self.send_response(status)
        self._send_safety(kind, policy)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _send_safety(self, kind: str, policy: str = "default-src 'none'") -> None:
        for name, value in (
            ("Content-Type", kind),
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server refuses by itself: methods that there are not, lines that are too long."""
        self._refuse(RefusedError(HTTPStatus(code), "expected a request of the page"))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


def _dumped(values: Json) -> str:
    return json.dumps(values, allow_nan=False, separators=(",", ":"))


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
