"""The page's server in a thread, with few images, and a person who asks it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from fastnn.draw.image_set import ImageSet
from fastnn.draw.server import Server
from fastnn.draw.studio import Studio


class Visitor:
    """Asks as the page does."""

    def __init__(self, server: Server) -> None:
        self.port, self.token = server.server_port, server.token
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def headers(self) -> dict[str, str]:
        return {
            "Origin": f"http://127.0.0.1:{self.port}",
            "X-Fastnn-Token": self.token,
            "Content-Type": "application/json",
        }

    def request(self, name: str, **values: Any) -> tuple[int, Any]:
        self._connection.request("POST", f"/api/{name}", json.dumps(values), self.headers())
        reply = self._connection.getresponse()
        return reply.status, json.load(reply)

    def ask(self, name: str, **values: Any) -> Any:
        status, response = self.request(name, **values)
        assert status == 200, response
        return response

    def close(self) -> None:
        self._connection.close()


@contextmanager
def serving(studio: Studio) -> Iterator[Server]:
    with Server(studio) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def small_csv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """1,400 images of MNIST in a CSV file."""
    from fastnn.datasets import load_mnist

    (X, y), _ = load_mnist()
    path = tmp_path_factory.mktemp("draw") / "small.csv"
    np.savetxt(path, np.column_stack([y[:1400], X[:1400]]), "%d", ",")
    return str(path)


@pytest.fixture(scope="module")
def studio(small_csv: str) -> Iterator[Studio]:
    with Studio(ImageSet(small_csv)) as running:
        yield running


@pytest.fixture(scope="module")
def server(studio: Studio) -> Iterator[Server]:
    with serving(studio) as running:
        yield running


@pytest.fixture
def visitor(server: Server) -> Iterator[Visitor]:
    person = Visitor(server)
    yield person
    person.close()
