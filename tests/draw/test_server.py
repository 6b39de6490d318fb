"""What the server refuses, and that it goes on answering."""

from __future__ import annotations

import random
import socket
import threading
import time

import pytest

from fastnn.draw import server as module
from fastnn.draw.page import page
from fastnn.draw.server import MOST_BYTES, MOST_STREAMS


def send(port: int, data: bytes, seconds: float = 5.0) -> bytes:
    """What comes back for these bytes until the server closes the connection or is silent."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        except OSError:
            pass
    return received


def raw_request(server, path=b"/api/state", body=b"{}", method=b"POST", version=b"HTTP/1.1", **changes) -> bytes:
    """A request as the page sends it, but for the headers that change; None leaves one out."""
    name = f"127.0.0.1:{server.server_port}".encode()
    headers = {
        b"Host": name,
        b"Origin": b"http://" + name,
        b"X-Fastnn-Token": server.token.encode(),
        b"Content-Type": b"application/json",
        b"Content-Length": str(len(body)).encode(),
    }
    for key, value in changes.items():
        headers[key.replace("_", "-").encode()] = value
    lines = [b"%s: %s\r\n" % (key, value) for key, value in headers.items() if value is not None]
    return method + b" " + path + b" " + version + b"\r\n" + b"".join(lines) + b"\r\n" + body


def status(reply: bytes) -> int:
    return int(reply.split()[1])


@pytest.mark.quick
def test_the_page_and_a_request_are_answered(server):
    reply = send(server.server_port, raw_request(server, method=b"GET", path=b"/", body=b"", Content_Length=None))
    head, _, body = reply.partition(b"\r\n\r\n")
    assert status(reply) == 200
    assert body.decode() == page().text
    policy = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Security-Policy"))
    assert b"default-src 'none'" in policy
    assert b"connect-src 'self'" in policy
    assert b"unsafe" not in policy
    assert policy.count(b"'sha256-") == 2
    for header in (b"X-Content-Type-Options: nosniff", b"X-Frame-Options: DENY", b"Referrer-Policy: no-referrer"):
        assert header in head
    assert status(send(server.server_port, raw_request(server))) == 200
    assert server.server_address[0] == "127.0.0.1"


def test_the_page_asks_for_nothing_from_elsewhere():
    text = page().text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert "innerHTML" not in text
    assert "outerHTML" not in text
    assert "insertAdjacentHTML" not in text
    assert "eval(" not in text
    assert "style=" not in text.split("<script>")[0].split("</style>")[1]  # the policy forbids it


HOSTILE = {
    "a Host that was rebound": (403, {"Host": b"evil.example"}),
    "a Host of another port": (403, {"Host": b"127.0.0.1:1"}),
    "no Host": (403, {"Host": None}),
    "an empty Host": (403, {"Host": b""}),
    "an Origin of another site": (403, {"Origin": b"http://evil.example"}),
    "an Origin that begins like ours": (403, {"Origin": b"http://127.0.0.1.evil.example"}),
    "an Origin of null": (403, {"Origin": b"null"}),
    "no Origin": (403, {"Origin": None}),
    "no token": (403, {"X_Fastnn_Token": None}),
    "a wrong token": (403, {"X_Fastnn_Token": b"a" * 32}),
    "a token of other bytes": (403, {"X_Fastnn_Token": b"\xff\x00\xe9"}),
    "a form": (415, {"Content_Type": b"application/x-www-form-urlencoded"}),
    "text": (415, {"Content_Type": b"text/plain"}),
    "no Content-Type": (415, {"Content_Type": None}),
    "no length": (411, {"Content_Length": None}),
    "a length below 0": (411, {"Content_Length": b"-1"}),
    "a length that is no number": (411, {"Content_Length": b"0x10"}),
    "digits of another script": (411, {"Content_Length": "٣".encode()}),
    "a huge length": (413, {"Content_Length": b"999999999"}),
    "a body that is too large": (413, {"body": b" " * (MOST_BYTES + 1)}),
    "chunks": (501, {"Transfer_Encoding": b"chunked"}),
    "an Expect": (501, {"Expect": b"100-continue"}),
    "no JSON": (400, {"body": b"{"}),
    "JSON that is no object": (400, {"body": b"[1]"}),
    "bytes that are no text": (400, {"body": b"\xff\xfe{}"}),
    "a tower of brackets": (400, {"body": b"[" * 60000}),
    "NaN": (400, {"body": b'{"rate": NaN}'}),
    "a number of many digits": (400, {"body": b'{"a": ' + b"9" * 10000 + b"}"}),
    "a request that there is not": (404, {"path": b"/api/__init__"}),
    "a path of a file": (404, {"path": b"/api/../../etc/passwd"}),
    "a page that there is not": (404, {"path": b"/page.html", "method": b"GET"}),
    "a path upwards": (404, {"path": b"/../../../etc/passwd", "method": b"GET"}),
    "an encoded path upwards": (404, {"path": b"/%2e%2e/%2e%2e/etc/passwd", "method": b"GET"}),
    "another server's address": (404, {"path": b"http://evil.example/", "method": b"GET"}),
    "the page of another Host": (403, {"path": b"/", "method": b"GET", "Host": b"evil.example"}),
    "PUT": (501, {"method": b"PUT"}),
    "OPTIONS of a preflight": (501, {"method": b"OPTIONS"}),
    "TRACE": (501, {"method": b"TRACE"}),
    "CONNECT": (501, {"method": b"CONNECT"}),
    "HTTP/2": (505, {"version": b"HTTP/2.0"}),
    "no version": (400, {"version": b"HTTP/x"}),
    "a path without end": (414, {"path": b"/" + b"a" * 70000}),
    "a header without end": (431, {"Cookie": b"a" * 70000}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_are_refused(server, name):
    expected, changes = HOSTILE[name]
    reply = send(server.server_port, raw_request(server, **changes))
    assert status(reply) == expected, reply[:300]
    assert b"nosniff" in reply
    assert b"<" not in reply.partition(b"\r\n\r\n")[2]
    assert b"Access-Control" not in reply
    assert status(send(server.server_port, raw_request(server))) == 200


def test_a_header_twice_is_refused(server):
    for twice in (b"Host: evil.example\r\n", b"Origin: http://evil.example\r\n", b"Content-Length: 3\r\n"):
        lines = raw_request(server).split(b"\r\n")
        lines.insert(1, twice.rstrip())
        assert status(send(server.server_port, b"\r\n".join(lines))) in (403, 411)


def test_too_many_headers_are_refused(server):
    lines = raw_request(server).split(b"\r\n")
    lines[1:1] = [b"X-%d: 1" % i for i in range(200)]
    assert status(send(server.server_port, b"\r\n".join(lines))) == 431


def test_a_body_that_is_cut_short_ends_the_connection(server):
    assert send(server.server_port, raw_request(server, Content_Length=b"100")) == b""
    assert status(send(server.server_port, raw_request(server))) == 200


def test_a_request_that_takes_too_long_ends(server, monkeypatch):
    monkeypatch.setattr(module, "DEADLINE", 0.3)
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as connection:
        connection.sendall(b"POST /api/state HT")
        assert connection.recv(1) == b""


def test_the_deadline_is_one_for_the_request_alone(server, visitor, monkeypatch):
    """Neither the time before a request nor that of its response counts."""
    monkeypatch.setattr(module, "DEADLINE", 0.3)
    monkeypatch.setitem(server.studio.handlers, "state", lambda values: time.sleep(1) or {"slow": True})
    assert visitor.ask("state") == {"slow": True}
    time.sleep(0.5)
    assert visitor.ask("state") == {"slow": True}


@pytest.fixture
def told(server, monkeypatch, capfd):
    """What the server has written of an error, once it has."""
    written, handle = threading.Event(), server.handle_error
    monkeypatch.setattr(server, "handle_error", lambda *connection: (handle(*connection), written.set()))

    def wait():
        assert written.wait(30)
        return capfd.readouterr().err

    return wait


@pytest.mark.parametrize("error", [ValueError, UnicodeError, KeyError, MemoryError])
def test_what_was_not_foreseen_is_told(server, visitor, monkeypatch, told, error):
    """With status 500, and with its trace on stderr, also where it looks like one of http.server's own errors."""

    def fail(values):
        raise error("which nobody foresaw")

    with monkeypatch.context() as changes:
        changes.setitem(server.studio.handlers, "state", fail)
        status, response = visitor.request("state")
        assert (status, "where it was started" in response["error"]) == (500, True)
        assert f"{error.__name__}: " in (trace := told())
        assert "which nobody foresaw" in trace
    assert visitor.ask("state")["labels"]


def test_values_that_are_no_json_are_told(server, visitor, monkeypatch, told):
    monkeypatch.setitem(server.studio.handlers, "state", lambda values: {"rate": float("nan")})
    assert visitor.request("state")[0] == 500
    assert "Traceback" in told()


def test_values_that_make_no_sense_are_refused(visitor):
    settings = visitor.ask("state")["sides"]["a"]["settings"]
    wrong = [
        ("draw", {"client": "x"}),
        ("draw", {"client": "x", "ink": "!"}),
        ("draw", {"client": "x", "ink": "AAAA"}),
        ("draw", {"client": "x" * 41, "ink": ""}),
        ("draw", {"client": 3, "ink": ""}),
        ("load", {"client": "x", "index": -1}),
        ("load", {"client": "x", "index": 10**9}),
        ("load", {"client": "x", "index": True}),
        ("rate", {"side": "a", "rate": 0}),
        ("rate", {"side": "a", "rate": 1e999}),
        ("rate", {"side": "c", "rate": 1}),
        ("rate", {"side": ["a"], "rate": 1}),
        ("learn", {"client": "x", "label": "11"}),
        ("learn", {"client": "x", "label": 1}),
        ("learn", {"client": "nobody", "label": "1"}),
        ("neuron", {"side": "a", "layer": 9, "unit": 0}),
        ("neuron", {"side": "a", "layer": 0, "unit": 30}),
        ("slowly", {"slowly": 1}),
        ("mistakes", {"side": None}),
        ("set", {"side": "a", "settings": {}}),
        ("set", {"side": "a", "settings": {**settings, "more": 1}}),
        *(
            ("set", {"side": "a", "settings": {**settings, key: value}})
            for key, value in [
                ("hidden", [0]),
                ("hidden", [1001]),
                ("hidden", [1] * 5),
                ("hidden", [700]),  # too many weights
                ("hidden", [500, 500]),
                ("hidden", "30"),
                ("hidden", [1.5]),
                ("activation", "softmax"),
                ("activation", None),
                ("optimizer", "SGD"),
                ("learning_rate", -1),
                ("learning_rate", "1"),
                ("batch_size", 0),
                ("batch_size", 1001),
                ("momentum", 1),
                ("momentum", "0.5"),
                ("seed", -1),
                ("seed", 2**32),
            ]
        ),
    ]
    for name, values in wrong:
        code, response = visitor.request(name, **values)
        assert code == 400, (name, values, response)
        assert "expected" in response["error"]
    assert visitor.ask("state")["sides"]["a"]["settings"] == settings


def test_pages_that_stay_open_are_few(server, visitor):
    open_ = []
    try:
        body = b'{"client": "a"}'
        for _ in range(MOST_STREAMS + 1):
            connection = socket.create_connection(("127.0.0.1", server.server_port), timeout=10)
            connection.sendall(raw_request(server, path=b"/api/stream", body=body))
            open_.append(connection)
            reply = connection.recv(100)
        assert status(reply) == 503
    finally:
        for connection in open_:
            connection.close()
    deadline = time.monotonic() + 20
    while server.streams._value < MOST_STREAMS and time.monotonic() < deadline:  # those that closed are noticed
        time.sleep(0.05)
    assert server.streams._value == MOST_STREAMS
    assert visitor.ask("state")


def test_ten_at_once(server):
    failed = []

    def ask_often() -> None:
        for _ in range(30):
            reply = send(server.server_port, raw_request(server), 20)
            if not reply.startswith(b"HTTP/1.1 200"):
                failed.append(reply)

    threads = [threading.Thread(target=ask_often) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with some of them changed, left out, put in, or doubled."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(result) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            result[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del result[at : at + rng.randrange(1, 20)]
        elif kind == 2:
            result[at:at] = rng.randbytes(rng.randrange(1, 30))
        elif kind == 3:
            result[at:at] = rng.choice((b"\r\n", b"\n", b"\0", b": ", b"{", b"\xff", b'"', b"/", b"%00", b"1e999"))
        elif kind == 4:
            result[at:at] = result[at : at + rng.randrange(1, 200)]
        else:
            del result[at:]
    return bytes(result)


def test_ten_thousand_fuzzed_requests(server, visitor, capfd):
    rng = random.Random(31)
    settings = b'{"side":"b","settings":{"hidden":[3],"activation":"relu","optimizer":"adam","learning_rate":0.01,'
    settings += b'"batch_size":100,"momentum":null,"seed":1}}'
    bodies = {
        b"state": b"{}",
        b"draw": b'{"client":"fuzz","ink":"' + b"A" * 1536 + b'"}',
        b"load": b'{"client":"fuzz","index":7}',
        b"set": settings,
        b"remove": b"{}",
        b"rate": b'{"side":"a","rate":0.1}',
        b"pause": b"{}",
        b"learn": b'{"client":"fuzz","label":"3"}',
        b"mistakes": b'{"side":"a"}',
        b"neuron": b'{"side":"a","layer":1,"unit":2}',
    }
    answered = [0] * 4

    def fuzz(number: int, pieces: list[bytes]) -> None:
        for piece in pieces:
            answered[number] += bool(send(server.server_port, piece, 10))

    pieces = []
    for _ in range(10_000):
        name, body = rng.choice(list(bodies.items()))
        if rng.random() < 0.1:
            pieces.append(rng.randbytes(rng.randrange(1, 600)))
        elif rng.random() < 0.5:  # a whole request whose body is not what it was
            pieces.append(raw_request(server, path=b"/api/" + name, body=mutated(body, rng)))
        else:
            pieces.append(mutated(raw_request(server, path=b"/api/" + name, body=body), rng))
    threads = [threading.Thread(target=fuzz, args=[i, pieces[i::4]]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answered) > 5000  # most are answered, if only by a refusal
    visitor.ask("remove")
    assert visitor.ask("state")["labels"] == [str(digit) for digit in range(10)]
    assert visitor.ask("load", client="after", index=0)["sides"]["a"]["outputs"]
    assert server.studio._trainer.is_alive()
    assert capfd.readouterr().err == ""  # where what was not foreseen would be told
