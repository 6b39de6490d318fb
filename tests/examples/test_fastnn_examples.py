"""Each script of examples/ that imports fastnn runs, with small settings, and draws its picture."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastnn
from fastnn.digit_image import load_digit

FOLDER = Path(__file__).parents[2] / "examples"
DIGITS = [FOLDER / "digits" / f"{digit}.png" for digit in range(10)]
# Arguments that keep them short, and what they print at last.
SMALL = {
    "best_k.py": (["--rows", "1000", "--folds", "3", "--most", "4"], r"the best is k = \d; test accuracy 0\.[89]\d+"),
    "best_rate.py": (["--rows", "2000", "--epochs", "1"], r"rate \S+: accuracy 0\.\d+"),
    "handwriting.py": (["--epochs", "5"], r"9\.png: 9 \(\d+%\)"),
    "hidden_sizes.py": (
        ["--rows", "1000", "--hidden", "5", "20", "--seeds", "2", "--epochs", "2"],
        r" 20 hidden: accuracy 0\.\d+ \+- 0\.\d+, \d\.\d+ s",
    ),
    "mnist.py": (["--rows", "2000", "--epochs", "3", "--save", "digits.safetensors"], r"test accuracy 0\.8\d+"),
    "table_regression.py": (["--rows", "600", "--epochs", "100"], r"network: R2 0\.9\d+"),
    "xor.py": ([], r"1 xor 1: 1 with probability 0\.00\d"),
}


def environment() -> dict[str, str]:
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FASTNN_")}
    return {**inherited, "PYTHONPATH": path, "MPLBACKEND": "agg"}


def test_every_example_of_fastnn_is_here():
    assert {path.name for path in FOLDER.glob("*.py") if not path.name.startswith("sklearn_")} == {*SMALL, "serve.py"}


@pytest.mark.parametrize("script", SMALL)
def test_it_runs_and_draws(tmp_path, script):
    words, last = SMALL[script]
    line = [sys.executable, "-W", "error", str(FOLDER / script), *words, "--out", "picture.png"]
    done = subprocess.run(
        line, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(last, done.stdout.splitlines()[-1])
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 10
    if "--save" in words:
        assert fastnn.load(tmp_path / "digits.safetensors").sizes == (784, 100, 10)


def test_where_no_rate_helps_best_rate_says_so():
    program = (
        "import runpy, sys; import numpy as np, fastnn\n"
        "dark = np.zeros((100, 784), np.uint8), np.arange(100) % 10\n"
        "fastnn.datasets.load_mnist = lambda: (dark, dark)\n"
        "del sys.argv[0]; runpy.run_path(sys.argv[0])"
    )
    line = [sys.executable, "-c", program, str(FOLDER / "best_rate.py")]
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.endswith("\nno rate lowers the loss\n")


@pytest.mark.parametrize("script", [*SMALL, "serve.py"])
def test_help_has_the_options_of_each(script):
    line = [sys.executable, str(FOLDER / script), "--help"]
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=120, check=True)
    for word in ("MODEL", "PORT") if script == "serve.py" else ("--out PICTURE",):
        assert word in done.stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of serve.py, and the network behind it."""
    folder = tmp_path_factory.mktemp("served")
    (X, y), _ = fastnn.datasets.load_mnist()
    model = fastnn.MLP([784, 20, 10], seed=1)
    model.fit(X, np.array(list("abcdefghij"))[y], epochs=2, learning_rate=0.5, batch_size=10)
    model.save(folder / "digits.safetensors")
    line = [sys.executable, str(FOLDER / "serve.py"), "digits.safetensors", "0"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, cwd=folder, env=environment(), **streams) as process:
        try:
            yield process.stdout.readline().removeprefix("listening on ").strip(), model
        finally:
            process.kill()


def post(address: str, body: bytes) -> tuple[int, dict]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body), timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_served_network_answers_as_it_does_here(served):
    address, model = served
    pixels = np.array([load_digit(path) for path in DIGITS])
    status, answer = post(address, json.dumps({"pixels": pixels.tolist()}).encode())
    assert status == 200
    assert answer["classes"] == model.predict(pixels).tolist()
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(pixels), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "pixels"),
        (b"no JSON", "Expecting value"),
        (b"[1]", "list indices"),
        (b'{"pixels": [[1, 2]]}', "784"),
        (b'{"pixels": "abc"}', "could not convert"),
    ],
)
def test_a_served_network_says_what_is_wrong(served, body, message):
    status, answer = post(served[0], body)
    assert status == 400
    assert message in answer["error"]
