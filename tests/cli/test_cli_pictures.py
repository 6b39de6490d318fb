"""What --plot and --picture draw, and fastnn sweep, in-process, on small sets."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bars import bars, write_bars
from PIL import Image

import fastnn
from fastnn import cli, plots
from fastnn.cli import arguments as options
from fastnn.cli.sweep import KINDS


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_bars(tmp_path_factory.mktemp("idx"))


@pytest.fixture
def drawn(monkeypatch):
    """The pictures that are asked for."""
    names: list[str] = []
    for name in [name for name in vars(plots) if name.startswith("plot_")]:
        call = getattr(plots, name)

        def noted(*arguments, call=call, name=name, **keywords):
            names.append(name)
            return call(*arguments, **keywords)

        monkeypatch.setattr(plots, name, noted)
    return names


def is_picture(path) -> bool:
    with Image.open(path) as picture:
        return picture.format == "PNG" and len(picture.convert("RGB").getcolors(1 << 22)) > 10


def run(*flags: str) -> int:
    return cli.main([*flags, "--backend", "numpy"])


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """One that makes mistakes."""
    path = str(tmp_path_factory.mktemp("model") / "model")
    fastnn.MLP([784, 8, 10], seed=1).save(path)
    return path


@pytest.mark.parametrize("picture", options.EVALUATION_PICTURES)
def test_evaluate(data, model, tmp_path, capsys, drawn, picture):
    path = tmp_path / "a.png"
    assert run("evaluate", model, "--data", data, "--plot", str(path), "--picture", picture) == 0
    assert capsys.readouterr().err == ""
    assert drawn == [f"plot_{picture}"]
    assert is_picture(path)


def test_train(data, tmp_path, capsys, drawn):
    path = tmp_path / "a.png"
    assert run("train", "--data", data, "--epochs", "2", "--plot", str(path)) == 0
    assert drawn == ["plot_history"] * 2
    assert is_picture(path)
    assert run("train", "--data", data, "--epochs", "1", "--plot", str(path), "--output", "identity") == 0
    assert drawn == ["plot_history"] * 3  # a regressor has no accuracy


@pytest.mark.parametrize(
    ("flags", "called"),
    [
        (["--k", "1"], "plot_confusion"),
        (["--k", "1,3"], "plot_error_by_k"),
        (["--k", "1,3", "--picture", "confusion"], "plot_confusion"),
        (["--picture", "mistakes"], "plot_mistakes"),
        (["--picture", "k"], "plot_error_by_k"),
    ],
)
def test_knn(tmp_path, capsys, drawn, flags, called):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        labels = rng.integers(0, 3, 60)
        pixels = np.clip(rng.normal(100 + 20 * labels[:, np.newaxis], 40, (60, 4)), 0, 255).astype(int)
        lines = [",".join(map(str, [label, *row])) for label, row in zip(labels, pixels.tolist(), strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    path, files = tmp_path / "a.png", ["--train", str(tmp_path / "a.csv"), "--query", str(tmp_path / "b.csv")]
    assert run("knn", *files, "--plot", str(path), *flags) == 0
    assert capsys.readouterr().err == ""
    assert drawn == [called]
    assert is_picture(path)


def test_the_boundary_of_two_columns(tmp_path, capsys, drawn):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    rows = (rng.integers(0, 100, (60, 2)) + 80 * labels[:, np.newaxis]).tolist()
    lines = [f"{label},{x},{y}" for label, (x, y) in zip(labels, rows, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    path, file = tmp_path / "a.png", str(tmp_path / "a.csv")
    assert run("knn", "--train", file, "--query", file, "--plot", str(path), "--picture", "boundary") == 0
    assert drawn == ["plot_decision_boundary"]
    assert is_picture(path)


def test_a_boundary_needs_two_columns(data, tmp_path, capsys):
    assert run("knn", "--data", data, "--plot", str(tmp_path / "a.png"), "--picture", "boundary") == 2
    assert "X: expected shape (n, 2)" in capsys.readouterr().err


def test_sweep(data, tmp_path, capsys, drawn):
    flags = ["--data", data, "--epochs", "2", "--seeds", "2", "--sizes", "784,6,10"]
    path = tmp_path / "a.png"
    assert run("sweep", "learning-rate", "0.01,0.5", *flags, "--plot", str(path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert drawn == ["plot_sweep"]
    assert is_picture(path)
    assert run("sweep", "learning-rate", "0.01", "0.5", *flags, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    images, labels = bars(600, 0)
    test, truth = bars(200, 1)
    with fastnn.use("numpy"):
        for row, rate in enumerate((0.01, 0.5)):
            for column, seed in enumerate((1, 2)):
                model = fastnn.MLP([784, 6, 10], seed=seed)
                model.fit(images.reshape(-1, 784), labels, epochs=2, batch_size=10, learning_rate=rate)
                assert found["scores"][row][column] == model.score(test.reshape(-1, 784), truth)
    assert found["values"] == ["0.01", "0.5"]
    assert lines[0].split() == ["learning_rate", "accuracy", "seconds"]
    assert [line.split()[0] for line in lines[1:]] == ["0.01", "0.5"]
    assert lines[1].split()[1] == f"{np.mean(found['scores'][0]):.2%}"


def test_what_is_swept(data, capsys):
    assert set(KINDS) == set(options.SWEPT)
    flags = ["--data", data, "--epochs", "1", "--seeds", "1", "--json"]
    for name, values, shown in (
        ("hidden", "4,5", ["784-4-10", "784-5-10"]),
        ("optimizer", "adam,sgd", ["adam", "sgd"]),
        ("batch-size", "20,30", ["20", "30"]),
    ):
        assert run("sweep", name, values, *flags) == 0
        assert json.loads(capsys.readouterr().out)["values"] == shown
    assert run("sweep", "hidden", "a", *flags) == 2
    assert "VALUES: expected whole numbers for hidden, found 'a'" in capsys.readouterr().err
    assert run("sweep", "sizes", "4", *flags) == 2
    assert "invalid choice: 'sizes'" in capsys.readouterr().err
