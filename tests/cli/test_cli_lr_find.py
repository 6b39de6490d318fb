"""fastnn lr-find, in-process, on a small set of IDX files."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from bars import bars, idx, write_bars
from PIL import Image

import fastnn
from fastnn import cli


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_bars(tmp_path_factory.mktemp("idx"))


def lr_find(data: str, *flags: str) -> int:
    return cli.main(["lr-find", "--data", data, "--backend", "numpy", *flags])


def test_it_suggests_what_the_library_does(data, tmp_path, capsys):
    images, labels = bars(600, 0)
    model = fastnn.MLP([784, 12, 10], seed=1)
    with fastnn.use("numpy"):
        expected = model.lr_find(images.reshape(-1, 784), labels, optimizer="adam", batch_size=20)
    flags = ["--sizes", "784,12,10", "--optimizer", "adam", "--batch-size", "20"]
    assert lr_find(data, *flags, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("seconds") > 0
    assert found == {
        "suggestion": expected.suggestion,
        "rates": expected.rates.tolist(),
        "losses": expected.losses.tolist(),
        "smoothed": expected.smoothed.tolist(),
        "diverged": expected.diverged,
        "backend": "numpy",
    }
    assert lr_find(data, *flags, "--plot", str(tmp_path / "rates.png")) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "784-12-10 sigmoid-softmax, cross_entropy, adam, batches of 20"
    assert lines[1].startswith(f"{len(expected)} steps from 1")
    assert lines[2] == f"Suggestion: --learning-rate {expected.suggestion:.2g}"
    with Image.open(tmp_path / "rates.png") as picture:
        assert picture.format == "PNG"


def test_where_no_rate_helps_it_says_so_once_and_fails(tmp_path, capsys):
    for name, count in (("train", 200), ("t10k", 100)):
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(np.zeros((count, 28, 28), np.uint8)))
        (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8) % 10))
    picture = tmp_path / "rates.png"
    assert lr_find(str(tmp_path), "--sizes", "784,10", "--plot", str(picture)) == 1
    out, err = capsys.readouterr()
    assert re.fullmatch(r"fastnn: error: no rate from \S+ to \S+ lowers the loss of 2.3026\n", err)
    assert "Suggestion" not in out
    assert out.splitlines()[-1] == f"Drawn in {picture}"
    assert picture.exists()
    assert lr_find(str(tmp_path), "--sizes", "784,10", "--json") == 1
    assert json.loads(capsys.readouterr().out)["suggestion"] is None


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--plot", "rates.doc"], "--plot: expected a name ending in"),
        (["--batch-size", "0"], "--batch-size: expected an integer of at least 1"),
        (["--sizes", "784,30,9"], "--sizes: expected 784 inputs and 10 outputs"),
        (["--epochs", "3"], "unrecognized arguments: --epochs 3"),
    ],
)
def test_unusable_values(data, capsys, flags, message):
    assert lr_find(data, *flags) == 2
    assert message in capsys.readouterr().err
