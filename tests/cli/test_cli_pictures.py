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
    means = np.mean(found["scores"], axis=1)
    best = (0.01, 0.5)[int(np.argmax(means))]
    assert (found["name"], found["values"], found["best"], found["score"]) == (
        "learning-rate",
        [0.01, 0.5],
        best,
        "accuracy",
    )
    assert lines[0].split() == ["learning-rate", "accuracy", "spread", "seconds"]
    assert [line.split()[:2] for line in lines[1:3]] == [["0.01", f"{means[0]:.2%}"], ["0.5", f"{means[1]:.2%}"]]
    assert lines[3].startswith(f"Best on the test images: {best}. ")
    assert lines[4:] == [f"Drawn in {path}"]


def test_what_is_swept(data, capsys):
    assert set(KINDS) == set(options.SWEPT)
    flags = ["--data", data, "--epochs", "1", "--seeds", "1", "--json"]
    for name, values, shown in (
        ("hidden", "4,5", [4, 5]),
        ("optimizer", "adam,sgd", ["adam", "sgd"]),
        ("batch-size", "20,30", [20, 30]),
        ("learning-rate", "0.123456789", [0.123456789]),
    ):
        assert run("sweep", name, values, *flags) == 0
        assert json.loads(capsys.readouterr().out)["values"] == shown
    assert run("sweep", "hidden", "a", *flags) == 2
    assert "VALUES: expected whole numbers for hidden, found 'a'" in capsys.readouterr().err
    assert run("sweep", "hidden", "30,0", *flags) == 2
    assert "error: VALUES: expected an integer of at least 1 for hidden, found 0\n" in capsys.readouterr().err
    assert run("sweep", "learning-rate", "-1", *flags) == 2
    assert run("sweep", "learning-rate", "0", *flags) == 2
    assert "error: VALUES: expected a finite number above 0 for learning-rate, found 0.0\n" in capsys.readouterr().err
    assert run("sweep", "sizes", "4", *flags) == 2
    assert "invalid choice: 'sizes'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "flag", "given"),
    [
        ("hidden", "4", "--sizes", "784,5,10"),
        ("activation", "relu", "--activation", "tanh"),
        ("optimizer", "adam", "--optimizer", "sgd"),
        ("init", "he", "--init", "glorot"),
        ("learning-rate", "0.1", "--learning-rate", "0.5"),
        ("momentum", "0.1", "--momentum", "0.5"),
        ("l2", "0.1", "--l2", "0"),
        ("epochs", "1", "--epochs", "10"),
        ("batch-size", "10", "--batch-size", "10"),
    ],
)
def test_a_swept_argument_has_no_flag_beside_it(data, capsys, name, value, flag, given):
    assert run("sweep", name, value, "--data", data, flag, given) == 2
    expected = f"fastnn: error: {flag}: expected no such flag beside the values of {name}, found {flag} too\n"
    assert capsys.readouterr() == ("", expected)


def test_trainings_that_diverge_are_told_apart(data, tmp_path, capsys):
    words = ["sweep", "learning-rate", "1e38,0.01", "--data", data, "--epochs", "1", "--output", "identity"]
    assert run(*words, "--json", "--seeds", "2") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scores"][0] == [None, None]
    assert all(isinstance(score, float) for score in found["scores"][1])
    assert (found["score"], found["best"]) == ("R2", 0.01)
    assert run(*words, "--seeds", "2", "--plot", str(tmp_path / "a.png")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["learning-rate", "R2", "spread", "seconds"]
    assert lines[1].split()[:2] == ["1e+38", "diverged"]
    assert lines[2].split()[1] == f"{np.mean(found['scores'][1]):.4f}"
    assert is_picture(tmp_path / "a.png")
    assert run("sweep", "learning-rate", "1e38", *words[3:], "--seeds", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["best"] is None
    assert run("sweep", "learning-rate", "1e38", *words[3:], "--seeds", "1") == 0
    assert capsys.readouterr().out.endswith("No value is best, as each diverged with some seed.\n")


@pytest.mark.parametrize("columns", [24, 40, 80])
def test_the_table_of_a_sweep_fits_the_terminal(data, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("fastnn.cli.terminal.is_terminal", lambda stream: True)
    assert run("sweep", "learning-rate", "0.01,0.1", "--data", data, "--epochs", "1", "--seeds", "2") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= columns


@pytest.mark.parametrize("picture", ["mistakes", "backquery"])
def test_results_are_printed_also_where_a_picture_cannot_be_drawn(data, tmp_path, capsys, picture):
    path = str(tmp_path / "model")
    flags = ["--learning-rate", "0.5", "--epochs", "20"] if picture == "mistakes" else ["--activation", "softplus"]
    assert run("train", "--data", data, "--save", path, *flags) == 0
    capsys.readouterr()
    words = ["evaluate", path, "--data", data, "--plot", str(tmp_path / "a.png"), "--picture", picture]
    code = run(*words)
    out, err = capsys.readouterr()
    assert out.startswith("Test accuracy ")
    if picture == "mistakes":
        assert (code, err) == (2, "fastnn: error: MODEL: expected one that makes mistakes, found none in 200 rows\n")


def test_a_picture_does_not_replace_the_model(data, tmp_path, capsys):
    path = tmp_path / "a.png"
    assert run("train", "--data", data, "--epochs", "1", "--save", str(path), "--plot", f"{tmp_path}/./a.png") == 2
    assert "--plot: expected another file than --save writes" in capsys.readouterr().err
    assert not path.exists()


def test_no_epochs_have_no_curves(data, tmp_path, capsys):
    assert run("train", "--data", data, "--epochs", "0", "--plot", str(tmp_path / "a.png")) == 2
    assert "--epochs: expected at least 1 for the curves of --plot, found 0" in capsys.readouterr().err
