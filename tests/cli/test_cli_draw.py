"""``fastnn draw``: the server from its address to Ctrl-C, and the page in a file."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import cli


@pytest.fixture(scope="module")
def small_csv(tmp_path_factory):
    (X, y), _ = fastnn.datasets.load_mnist()
    path = tmp_path_factory.mktemp("draw") / "small.csv"
    np.savetxt(path, np.column_stack([y[:300], X[:300]]), "%d", ",")
    return str(path)


@pytest.mark.parametrize("while_training", [False, True])
def test_it_serves_until_ctrl_c(small_csv, while_training):
    words = [sys.executable, "-m", "fastnn", "draw", "--no-open", "--port", "0", "--json", "--data", small_csv]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        served = json.loads(process.stdout.readline())
        url, token = served["url"].split("/#")
        with urllib.request.urlopen(url, timeout=10) as reply:
            assert b"<title>fastnn draw</title>" in reply.read()
        if while_training:
            headers = {"Origin": url, "X-Fastnn-Token": token, "Content-Type": "application/json"}
            request = urllib.request.Request(url + "/api/run", b"{}", headers)
            with urllib.request.urlopen(request, timeout=10) as reply:
                assert json.load(reply) == {}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_it_opens_a_browser_with_the_address_that_it_prints(small_csv, monkeypatch, capsys):
    """By a file that only this user can read: the arguments of a browser, which all can, do not tell the token."""
    opened = queue.Queue()
    monkeypatch.setattr("webbrowser.open", opened.put)
    seen = []

    def interrupted(server, poll_interval):
        address = opened.get(timeout=30)
        path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(address).path))
        seen.extend([address, path, path.read_text(), stat.S_IMODE(path.stat().st_mode)])
        raise KeyboardInterrupt

    monkeypatch.setattr("fastnn.draw.server.Server.serve_forever", interrupted)
    assert cli.main(["draw", "--port", "0", "--data", small_csv]) == 0
    out = capsys.readouterr().out
    url = re.search("Draw at (.*)\n", out)[1]
    address, path, text, mode = seen
    assert url.startswith("http://127.0.0.1:")
    assert address.startswith("file://")
    assert url.partition("#")[2] not in address
    assert f'content="0; url={url}"' in text
    assert mode == 0o600
    assert not path.exists()
    assert out.endswith("Stopped.\n")


def test_export_with_a_model(small_csv, tmp_path, capsys):
    (X, y), _ = fastnn.datasets.load_mnist()
    model = fastnn.MLP([784, 12, 10], seed=1)
    model.fit(X[:300], y[:300], epochs=1)
    model.save(tmp_path / "m.safetensors")
    path = tmp_path / "page.html"
    words = ["draw", str(tmp_path / "m.safetensors"), "--export", str(path), "--data", small_csv]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.startswith(
        f"Wrote page.html, {path.stat().st_size:,} bytes: 784-12-10, test accuracy"
    )
    text = path.read_text()
    assert 'http-equiv="Content-Security-Policy"' in text
    assert cli.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == len(text.encode())


def test_export_trains_a_network_where_there_is_none(small_csv, tmp_path, capsys):
    assert cli.main(["draw", "--export", str(tmp_path / "page.html"), "--data", small_csv]) == 0
    assert "784-30-10" in capsys.readouterr().out


def test_errors(small_csv, tmp_path, capsys, monkeypatch):
    fastnn.MLP([64, 10]).save(tmp_path / "m.safetensors")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        wrong = [
            (["--port", "70000"], 2, "a number up to 65535"),
            (["--port", "-1"], 2, "--port"),
            (["--port", port, "--data", small_csv], 1, f"--port {port}: Address already in use; 0 takes a free one"),
            ([str(tmp_path / "none")], 1, "no such file"),
            (
                [str(tmp_path / "m.safetensors"), "--data", small_csv],
                1,
                "m.safetensors: expected a model with 784 inputs",
            ),
            (["--data", str(tmp_path / "none.csv")], 1, "none.csv"),
            (["--export", str(tmp_path / "none" / "x.html")], 1, "there is no such folder"),
            (["--export", str(tmp_path)], 1, "a regular file to replace"),
        ]
        for words, code, message in wrong:
            assert cli.main(["draw", "--no-open", *words]) == code, words
            assert message in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert cli.main(["draw", "--no-open", "--data", small_csv]) == 1
    assert "needs Pillow" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["m.safetensors"]
