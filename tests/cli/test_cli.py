"""The command, mostly in-process, on a small set of IDX files; signals and pipes in real processes."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bars import TESTING, bars, idx, write_bars
from PIL import Image

import fastnn
from fastnn import cli, digit_image
from fastnn.cli import arguments as options
from fastnn.cli import train as training_command
from fastnn.cli.output import accuracy_line, print_json
from fastnn.nn.initializers import INITIALIZERS

ROOT = str(Path(fastnn.__file__).parents[1])


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return write_bars(tmp_path_factory.mktemp("idx"))


@pytest.fixture(scope="module")
def model(data, tmp_path_factory) -> str:
    path = str(tmp_path_factory.mktemp("model") / "bars.safetensors")
    assert cli.main(["train", "--data", data, "--backend", "numpy", "--save", path]) == 0
    return path


@pytest.fixture(scope="module")
def hopeless(tmp_path_factory) -> str:
    """A set whose labels are drawn by lot: what is learnt of some images makes the loss of others rise."""
    folder = tmp_path_factory.mktemp("hopeless")
    for name, count, seed in (("train", 200, 0), ("t10k", 100, 1)):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(bars(count, seed)[0]))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(bars(count, seed + 2)[1]))
    return str(folder)


def train(data: str, *flags: str) -> int:
    return cli.main(["train", "--data", data, "--backend", "numpy", *flags])


def command(*arguments: str, **options) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.Popen([sys.executable, "-m", "fastnn", *arguments], env=environment, **options)


def json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_train_prints_a_line_an_epoch_and_the_test_accuracy(data, capsys):
    assert train(data, "--epochs", "3") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("784-30-10 sigmoid-softmax, cross_entropy, sgd, learning rate 0.1, batches of 10")
    assert lines[1] == "600 training images; val_loss and val_accuracy are of the 200 test images"
    for epoch, line in enumerate(lines[2:5], 1):
        assert line.startswith(f"Epoch {epoch}/3  loss ")
        for word in (" accuracy ", " val_loss ", " val_accuracy ", " samples/s"):
            assert word in line
    assert lines[5].startswith("Test accuracy ")
    assert len(lines) == 6
    assert err == ""


@pytest.mark.quick
def test_train_is_repeatable_and_learns(data, capsys):
    results = []
    for seed in ("1", "1", "2"):
        assert train(data, "--json", "--seed", seed) == 0
        results.append(json_lines(capsys.readouterr().out)[-1])
    assert results[0]["test_loss"] == results[1]["test_loss"] != results[2]["test_loss"]
    assert results[0]["test_accuracy"] > 0.95


def test_train_json(data, capsys, tmp_path):
    path = str(tmp_path / "model")
    assert train(data, "--json", "--epochs", "2", "--save", path, "--validation", "0.25") == 0
    first, second, result = json_lines(capsys.readouterr().out)
    assert (first["event"], first["epoch"], second["epoch"]) == ("epoch", 1, 2)
    figures = {"loss", "accuracy", "val_loss", "val_accuracy", "samples_per_second", "seconds"}
    assert set(first) == figures | {"event", "epoch"}
    assert all(isinstance(first[name], float) for name in figures)
    assert result["event"] == "result"
    assert result["backend"] == "numpy"
    assert result["model"] == path
    images, labels = bars(TESTING, 1)
    assert fastnn.load(path).score(images.reshape(-1, 784), labels) == result["test_accuracy"]


def test_an_undefined_figure_is_null_in_json(data, capsys):
    assert train(data, "--json", "--output", "identity", "--epochs", "1", "--learning-rate", "0.01") == 0
    epoch, result = json_lines(capsys.readouterr().out)
    assert epoch["accuracy"] is None
    assert result["test_accuracy"] > 0


def test_held_out_images_are_not_trained_on(data, capsys):
    assert train(data, "--validation", "0.25", "--epochs", "1") == 0
    assert "450 training images; val_loss and val_accuracy are of the 150 images held out" in capsys.readouterr().out
    X = np.arange(40, dtype=np.uint8).reshape(20, 2)
    (rest, _), held_out = training_command._hold_out((X, np.arange(20, dtype=np.uint8)), 0.3, seed=1)
    assert held_out is not None
    assert (len(rest), len(held_out[0])) == (14, 6)
    assert sorted(np.concatenate([rest, held_out[0]]).tolist()) == X.tolist()
    np.testing.assert_array_equal(held_out[0], X[held_out[1]])


@pytest.mark.parametrize(
    ("flags", "sizes", "activations", "dtype"),
    [
        (["--sizes", "784 12,10"], (784, 12, 10), ("sigmoid", "softmax"), "float32"),
        (["--sizes", "784", "8", "10", "--output", "sigmoid"], (784, 8, 10), ("sigmoid", "sigmoid"), "float32"),
        (
            ["--sizes", "784,9,8,10", "--activation", "relu,tanh"],
            (784, 9, 8, 10),
            ("relu", "tanh", "softmax"),
            "float32",
        ),
        (["--sizes", "784,9,8,10", "--activation", "relu"], (784, 9, 8, 10), ("relu", "relu", "softmax"), "float32"),
        (["--sizes", "784,10", "--dtype", "float64"], (784, 10), ("softmax",), "float64"),
        (["--optimizer", "adam", "--l2", "1e-4", "--init", "he"], (784, 30, 10), ("sigmoid", "softmax"), "float32"),
        (["--loss", "quadratic", "--momentum", "0.8"], (784, 30, 10), ("sigmoid", "sigmoid"), "float32"),
    ],
)
def test_flags_reach_the_model(data, tmp_path, capsys, flags, sizes, activations, dtype):
    assert train(data, "--epochs", "1", "--save", str(tmp_path / "model"), *flags) == 0
    loaded = fastnn.load(tmp_path / "model")
    assert (loaded.sizes, loaded.activations, str(loaded.dtype)) == (sizes, activations, dtype)


def test_the_default_rate_follows_the_optimizer(data, capsys):
    for flags, rate in (
        (["--optimizer", "adam"], "0.001"),
        (["--momentum", "0.5"], "0.01"),
        (["--optimizer", "nesterov", "--learning-rate", "0.5"], "0.5"),
    ):
        assert train(data, "--epochs", "1", *flags) == 0
        assert f"learning rate {rate}, " in capsys.readouterr().out


def test_names_in_help_are_the_librarys():
    assert set(options.INITIALIZERS) == set(INITIALIZERS)


def test_plots(data, model, tmp_path, capsys):
    assert train(data, "--epochs", "2", "--plot", str(tmp_path / "curves.png")) == 0
    assert cli.main(["evaluate", model, "--data", data, "--backend", "numpy", "--plot", str(tmp_path / "c.png")]) == 0
    for name in ("curves.png", "c.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"


def test_evaluate(data, model, capsys):
    flags = [model, "--data", data, "--backend", "numpy"]
    assert cli.main(["evaluate", *flags]) == 0
    assert capsys.readouterr().out.startswith("Test accuracy ")
    assert cli.main(["evaluate", *flags, "--json"]) == 0
    (result,) = json_lines(capsys.readouterr().out)
    confusion = np.array(result["confusion"])
    _, labels = bars(TESTING, 1)
    np.testing.assert_array_equal(confusion.sum(axis=1), np.bincount(labels, minlength=10))
    assert np.trace(confusion) == round(result["test_accuracy"] * TESTING)
    assert result["images"] == TESTING


def test_evaluate_names_the_worst_pairs(data, tmp_path, capsys):
    with fastnn.use("numpy"):
        fastnn.MLP([784, 10], seed=1).save(tmp_path / "model")
    assert cli.main(["evaluate", str(tmp_path / "model"), "--data", data, "--backend", "numpy"]) == 0
    mistakes = capsys.readouterr().out.splitlines()[1:]
    assert 1 <= len(mistakes) <= 5
    counts = [int(line.split(": ")[1].split(" of ")[0]) for line in mistakes]
    assert counts == sorted(counts, reverse=True)
    assert " taken for " in mistakes[0]


def picture(path: Path, column: int = 100) -> str:
    pixels = np.full((200, 200), 255, np.uint8)
    pixels[40:160, column - 10 : column + 10] = 0
    Image.fromarray(pixels).save(path)
    return str(path)


def test_predict(model, tmp_path, capsys):
    paths = [picture(tmp_path / "one.png"), picture(tmp_path / "two.png", 60)]
    assert cli.main(["predict", model, *paths, "--backend", "numpy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == paths
    assert cli.main(["predict", "--json", model, *paths, "--backend", "numpy"]) == 0
    results = json_lines(capsys.readouterr().out)
    for path, line, result in zip(paths, lines, results, strict=True):
        assert result["image"] == path
        assert sum(result["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert result["class"] == np.argmax(result["probabilities"])
        assert line.startswith(f"{path}: {result['class']}  (0: 0.")
        assert line.count(": ") == 11


def test_predict_shows_what_the_network_sees(model, tmp_path, capsys):
    path = picture(tmp_path / "one.png")
    assert cli.main(["predict", model, path, "--show", "--backend", "numpy"]) == 0
    answer, title, *rows = capsys.readouterr().out.splitlines()
    assert answer.startswith(f"{path}: ")
    assert title == f"{path}, 28 x 28 as the network sees it:"
    digit = digit_image.load_digit(path).reshape(28, 28)
    assert len(rows) == 28
    assert [row.strip() != "" for row in rows] == digit.any(axis=1).tolist()
    assert max(map(len, rows)) == 2 * (1 + np.flatnonzero((digit >= 26).any(axis=0))[-1])
    assert cli.main(["predict", "--json", "--show", model, path, "--backend", "numpy"]) == 0
    assert json.loads(capsys.readouterr().out)["pixels"] == digit.ravel().tolist()


def test_predict_goes_on_after_a_bad_picture(model, tmp_path, capsys):
    good = picture(tmp_path / "good.png")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture")
    assert cli.main(["predict", model, str(bad), str(tmp_path / "missing.png"), good, "--backend", "numpy"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(good)
    assert out.count("\n") == 1
    assert [line.startswith("fastnn: error: ") for line in err.splitlines()] == [True, True]
    assert "missing.png: there is no such file" in err


@pytest.mark.parametrize("names", [np.arange(1, 11), np.array(list("abcdefghij")), np.arange(1, 27)])
def test_predict_answers_in_the_models_own_labels(data, tmp_path, capsys, names):
    path, saved = picture(tmp_path / "one.png"), str(tmp_path / "model")
    images, labels = bars(300, 0)
    labels[: len(names)] = np.arange(len(names))  # so that each class occurs
    model = fastnn.MLP([784, len(names)], seed=1)
    with fastnn.use("numpy"):
        model.fit(images.reshape(-1, 784), names[labels], epochs=2)
        model.save(saved)
        (expected,) = model.predict(digit_image.load_digit(path)[np.newaxis]).tolist()
    assert cli.main(["predict", saved, path, "--backend", "numpy"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{path}: {expected}  (")
    assert re.findall(r"(\w+): 0\.", out) == list(map(str, names.tolist()))
    assert cli.main(["predict", saved, path, "--backend", "numpy", "--json"]) == 0
    (found,) = json_lines(capsys.readouterr().out)
    assert (found["class"], found["classes"]) == (expected, names.tolist())
    assert found["classes"][int(np.argmax(found["probabilities"]))] == expected


def test_predict_refuses_a_regressor(tmp_path, capsys):
    fastnn.MLP([784, 10], output="identity").save(tmp_path / "model")
    assert cli.main(["predict", str(tmp_path / "model"), picture(tmp_path / "one.png"), "--backend", "numpy"]) == 1
    assert "model: expected a classifier, found a regressor\n" in capsys.readouterr().err


def test_evaluate_refuses_a_network_of_other_classes(data, tmp_path, capsys):
    images, labels = bars(100, 0)
    model = fastnn.MLP([784, 10], seed=1)
    with fastnn.use("numpy"):
        model.fit(images.reshape(-1, 784), labels + 1, epochs=1)
    model.save(tmp_path / "model")
    assert cli.main(["evaluate", str(tmp_path / "model"), "--data", data, "--backend", "numpy"]) == 1
    expected = "model: expected a network that knows the labels 0, found one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10\n"
    assert capsys.readouterr().err.endswith(expected)


@pytest.mark.parametrize(("loss", "shown"), [(0.01234, "0.0123"), (1e73, "1e+73"), (math.inf, "inf")])
def test_losses_are_short(loss, shown):
    assert accuracy_line(loss, 0.5, 10) == f"Test accuracy 50.00% (5 of 10 images), loss {shown}"


def test_figures_that_json_lacks_are_null_at_any_depth(capsys):
    print_json(a=[[math.nan, 1.0], (math.inf, 2)], b={"c": -math.inf, "d": "x"}, e=None)
    assert json.loads(capsys.readouterr().out) == {"a": [[None, 1.0], [None, 2]], "b": {"c": None, "d": "x"}, "e": None}


def test_backends(capsys, monkeypatch):
    assert cli.main(["backends", "--json"]) == 0
    (found,) = json_lines(capsys.readouterr().out)
    assert list(found) == ["native", "numba", "numpy"]
    assert found["numpy"]["available"] is True
    assert all(set(status) == {"available", "detail"} and status["detail"] for status in found.values())
    monkeypatch.setattr("fastnn.kernels._loaded", {})
    monkeypatch.setitem(sys.modules, "fastnn.kernels.native", None)  # its import then fails
    assert cli.main(["backends"]) == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:2] == ["native", "missing"]
    assert lines[2][:2] == ["numpy", "available"]
    assert cli.main(["train", "--backend", "native"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("fastnn: error: ")
    assert lines[0][2] in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            [""],
            "command (train, lr-find, sweep, evaluate, predict, draw, knn, accel, backends, completion), found none",
        ),
        (["--plot=x.png"], "completion), found --plot; --plot is a flag of train, lr-find, sweep, evaluate, knn\n"),
        (["--epochs", "3", "train"], "completion), found --epochs; --epochs is a flag of train, sweep\n"),
        (["-q"], "completion), found -q\n"),
        (
            ["evaluate", "model", "--epochs", "3"],
            "unrecognized arguments: --epochs 3; --epochs is a flag of train, sweep\n",
        ),
        (["completion", "fisch"], "; did you mean fish?\n"),
        (["fit"], "invalid choice: 'fit'"),
        (["tain"], "; did you mean train?\n"),
        (["EVALUATE"], "; did you mean evaluate?\n"),
        (["train", "--epoch", "3"], "unrecognized arguments: --epoch 3; did you mean --epochs?\n"),
        (["knn", "--matric=cosine"], "unrecognized arguments: --matric=cosine; did you mean --metric?\n"),
        (["train", "more"], "unrecognized arguments: more\n"),
        (["train", "--activation", "rellu"], "found 'rellu'; did you mean relu?\n"),
        (["train", "--loss", "quadradic"], "did you mean quadratic?\n"),
        (["train", "--epochs", "three"], "invalid int value"),
        (["train", "--sizes", "784,x"], "expected layer sizes such as 784,30,10, found '784,x'"),
        (["train", "--activation", "softmax"], "expected one of identity"),
        (["train", "--loss", "hinge"], "invalid choice: 'hinge'"),
        (["train", "--backend", "cuda"], "invalid choice: 'cuda'"),
        (["predict", "model"], "required: IMAGE"),
    ],
)
def test_wrong_usage(capsys, flags, message):
    assert cli.main(flags) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.startswith("usage: fastnn")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sizes", "784,30,9"], "--sizes: expected 784 inputs and 10 outputs for these images, found 784-30-9"),
        (["--sizes", "30"], "--sizes: expected 784 inputs"),
        (["--sizes", ","], "--sizes: expected 784 inputs"),
        (["--sizes", "784,0,10"], "--sizes[1]: expected an integer of at least 1, found 0"),
        (["--activation", "relu,relu"], "--activation: expected 1 names"),
        (["--output", "sigmoid", "--loss", "cross_entropy"], "--output: expected 'softmax'"),
        (["--learning-rate", "-1"], "--learning-rate: expected a finite number above 0, found -1.0"),
        (["--learning-rate", "nan"], "--learning-rate: expected a finite number"),
        (["--batch-size", "0"], "--batch-size: expected an integer of at least 1"),
        (["--epochs", "-1"], "--epochs: expected an integer of at least 0"),
        (["--momentum", "1"], "--momentum: expected"),
        (["--l2", "-1"], "--l2: expected"),
        (["--seed", "-1"], "--seed: expected "),
        (["--threads", "0"], "--threads: expected a positive integer"),
        (["--early-stopping", "0"], "--early-stopping: expected an integer of at least 1"),
        (["--validation", "1"], "--validation: expected a finite number at least 0 and below 1"),
        (["--validation", "0.0001"], "--validation: expected a share of the 600 images"),
        (["--plot", "curves.doc"], "--plot: expected a name ending in"),
    ],
)
def test_unusable_values_are_wrong_usage_too(data, capsys, flags, message):
    assert train(data, *flags) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"fastnn: error: {message}")
    assert err.count("\n") == 1
    assert "Epoch" not in out


def test_failures(data, model, tmp_path, capsys):
    damaged, other = tmp_path / "damaged", tmp_path / "other"
    damaged.write_bytes(Path(model).read_bytes()[:-1])
    fastnn.MLP([3, 2]).save(other)
    for flags, message in (
        (["evaluate", str(tmp_path / "missing")], "missing: there is no such file\n"),
        (["evaluate", str(damaged)], "bytes of tensors"),
        (["evaluate", str(other)], "expected 784 inputs for these images, found 3-2"),
        (["predict", str(other), "x.png"], "expected a model with 784 inputs, found 3"),
        (["evaluate", model, "--data", str(tmp_path / "none")], "none: there is no such file or folder\n"),
        (["train", "--data", str(tmp_path)], "found none of them in this folder"),
        (
            ["train", "--data", data, "--save", str(tmp_path / "no" / "model")],
            f"--save: {tmp_path / 'no'}: there is no such folder\n",
        ),
        (
            ["train", "--data", data, "--plot", str(tmp_path / "no" / "plot.png")],
            f"--plot: {tmp_path / 'no'}: there is no such folder\n",
        ),
        (["train", "--data", data, "--learning-rate", "1e38", "--output", "identity"], "training diverged"),
    ):
        assert cli.main([*flags, "--backend", "numpy"]) == 1
        out, err = capsys.readouterr()
        assert err.startswith("fastnn: error: ")
        assert message in err
        assert err.count("\n") == 1
        assert "Epoch" not in out


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "fastnn: interrupted\n"),
        (MemoryError(), 1, "fastnn: error: not enough memory\n"),
        (OSError(28, "No space left on device"), 1, "fastnn: error: [Errno 28] No space left on device\n"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_exit_codes_of_interruptions(monkeypatch, capsys, error, code, message):
    def fail(_arguments: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr("fastnn.cli.backends.run", fail)
    assert cli.main(["backends"]) == code
    assert capsys.readouterr().err == message


def test_a_warning_is_one_line_on_stderr(data, monkeypatch, capsys):
    def slow(_arguments: argparse.Namespace) -> int:
        import warnings

        warnings.simplefilter("always")
        warnings.warn("fastnn runs on the slower numpy backend", stacklevel=1)
        return 0

    monkeypatch.setattr("fastnn.cli.backends.run", slow)
    assert cli.main(["backends"]) == 0
    assert capsys.readouterr() == ("", "fastnn: warning: fastnn runs on the slower numpy backend\n")


def test_version_is_quick_and_right():
    script = (
        "import sys; from fastnn import cli; cli.main(['--version']); print([m for m in sys.modules if m == 'numpy'])"
    )
    environment = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"fastnn {fastnn.__version__}\n[]\n"
    with command("--version", stdout=subprocess.PIPE, text=True) as process:
        assert process.communicate()[0] == f"fastnn {fastnn.__version__}\n"
        assert process.returncode == 0


def test_backends_and_core_commands_need_neither_pillow_nor_matplotlib(data):
    script = (
        "import sys; sys.modules['PIL'] = sys.modules['matplotlib'] = None\n"
        "from fastnn import cli\n"
        f"flags = ['--data', {data!r}, '--backend', 'numpy', '--epochs', '1']\n"
        "print(cli.main(['train', *flags]), cli.main(['train', *flags, '--plot', 'x.png']))"
    )
    environment = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 1"
    assert 'pip install "fastnn-cpu[plot]"' in done.stderr
    assert done.stderr.count("\n") == 1


def endless_training(data, *flags):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return command("train", "--data", data, "--backend", "numpy", "--epochs", "1000000", *flags, **options)


def interrupted(process: subprocess.Popen, epoch: int) -> tuple[str, str]:
    """Stdout and stderr of a training that gets Ctrl-C once it has printed an epoch."""
    lines = []
    while not (lines and lines[-1].startswith(f"Epoch {epoch}/")):
        assert process.poll() is None
        lines.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    return "".join(lines) + out, err


def test_ctrl_c_without_a_file_to_save_to(data):
    with endless_training(data) as process:
        out, err = interrupted(process, 1)
    assert re.fullmatch(
        r"fastnn: interrupted in epoch \d+ of 1000000; the network is lost, as --save names no file\n", err
    )
    assert out.splitlines()[-1].startswith("Test accuracy ")


@pytest.mark.parametrize("backend", ["native", "numpy"])
def test_ctrl_c_saves_the_network(data, tmp_path, backend):
    path, plot = tmp_path / "model", tmp_path / "curves.png"
    path.write_bytes(b"an older file")
    with endless_training(data, "--save", str(path), "--plot", str(plot), "--backend", backend) as process:
        out, err = interrupted(process, 5)
    found = re.fullmatch(
        r"fastnn: interrupted in epoch (\d+) of 1000000; the network, as it was then, is saved to (.*)\n", err
    )
    assert found, err
    assert int(found[1]) >= 5
    assert found[2] == str(path)
    images, labels = bars(TESTING, 1)
    accuracy = fastnn.load(path).score(images.reshape(-1, 784), labels)
    assert accuracy > 0.9
    assert f"Test accuracy {accuracy:.2%} " in out
    assert sorted(os.listdir(tmp_path)) == ["curves.png", "model"]


def stop_training(monkeypatch, when: Callable[[fastnn.MLP, fastnn.History], bool]) -> None:
    """Let Ctrl-C come in the middle of an epoch: after the callbacks of one for which ``when`` is true."""
    fit = fastnn.MLP.fit

    def interrupted_fit(self, X, y, *, callbacks, **options):
        def stop(model, history):
            if when(model, history):
                model.params[:] *= 1.5  # what the next epoch has done so far
                raise KeyboardInterrupt

        return fit(self, X, y, callbacks=[*callbacks, stop], **options)

    monkeypatch.setattr(fastnn.MLP, "fit", interrupted_fit)


def test_ctrl_c_with_early_stopping_saves_the_best_network(hopeless, tmp_path, capsys, monkeypatch):
    path, kept = str(tmp_path / "model"), {}

    def worse(model: fastnn.MLP, history: fastnn.History) -> bool:
        if history.kept_epoch == len(history) - 1:
            kept[len(history)] = model.params.copy()
        return len(history) > 1 + history.kept_epoch

    stop_training(monkeypatch, worse)
    flags = ["--early-stopping", "50", "--epochs", "1000", "--learning-rate", "0.5", "--save", path]
    assert train(hopeless, *flags) == 130
    out, err = capsys.readouterr()
    best = max(kept)
    which = f"the network, as it was after epoch {best}, is saved to {path}"
    assert err == f"fastnn: interrupted in epoch {best + 2} of 1000; {which}\n"
    assert f"The weights are those of epoch {best}, the best\n" in out
    np.testing.assert_array_equal(fastnn.load(path).params, kept[best])
    assert train(hopeless, "--json", *flags) == 130
    result = json_lines(capsys.readouterr().out)[-1]
    assert (result["interrupted"], result["epochs"], result["kept_epoch"]) == (True, best + 1, best)


def test_a_divergence_saves_the_network_and_fails(data, tmp_path, capsys, monkeypatch):
    path, picture, seen = str(tmp_path / "model"), tmp_path / "curves.png", []
    fit = fastnn.MLP.fit

    def diverging_fit(self, X, y, *, callbacks, **options):
        def note(model, history):
            seen.append(model.params.copy())

        options["schedule"] = lambda epoch, rate: rate if epoch < 2 else 1e37
        return fit(self, X, y, callbacks=[*callbacks, note], **options)

    monkeypatch.setattr(fastnn.MLP, "fit", diverging_fit)
    flags = ["--output", "identity", "--learning-rate", "0.01", "--epochs", "9", "--save", path, "--plot", str(picture)]
    assert train(data, *flags) == 1
    out, err = capsys.readouterr()
    assert re.fullmatch(rf"fastnn: error: epoch 3: training diverged .*; the network is saved to {path}\n", err), err
    assert "Epoch 2/9" in out
    assert np.isfinite(fastnn.load(path).params).all()
    assert picture.exists()
    assert train(data, "--json", *flags) == 1
    result = json_lines(capsys.readouterr().out)[-1]
    assert (result["diverged"], result["interrupted"], result["epochs"]) == (True, False, 2)
    assert train(data, *flags[:6]) == 1
    assert capsys.readouterr().err.endswith("; the network is lost, as --save names no file\n")
    seen.clear()
    assert train(data, *flags, "--early-stopping", "5") == 1
    out, err = capsys.readouterr()
    best = int(re.search(r"weights of epoch (\d+) are restored; the network is saved", err)[1])
    np.testing.assert_array_equal(fastnn.load(path).params, seen[best - 1])


def test_ctrl_c_before_anything_is_learnt_saves_nothing(data, tmp_path, capsys, monkeypatch):
    def fit(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(fastnn.MLP, "fit", fit)
    assert train(data, "--save", str(tmp_path / "model")) == 130
    assert capsys.readouterr().err == "fastnn: interrupted\n"
    assert os.listdir(tmp_path) == []


def test_early_stopping(hopeless, tmp_path, capsys):
    path = str(tmp_path / "model")
    flags = ["--early-stopping", "3", "--epochs", "200", "--learning-rate", "1", "--save", path]
    assert train(hopeless, *flags) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1] == "180 training images; val_loss and val_accuracy are of the 20 images held out"
    losses = [float(re.search(r"val_loss (\S+)", line)[1]) for line in out if line.startswith("Epoch ")]
    assert out[-4] == f"Stopped after epoch {len(losses)}: val_loss has not improved for 3 epochs"
    best = len(losses) - 3
    assert out[-3] == f"The weights are those of epoch {best}, the best"
    assert losses[best - 1] == min(losses)
    assert train(hopeless, "--json", *flags, "--validation", "0.1") == 0
    *epochs, result = json_lines(capsys.readouterr().out)
    assert (result["epochs"], result["kept_epoch"], result["interrupted"]) == (len(epochs), best, False)
    assert train(hopeless, *flags, "--validation", "0") == 2
    assert (
        "--validation: expected a share of the images above 0 with --early-stopping, found 0" in capsys.readouterr().err
    )


def test_a_closed_pipe_ends_it_quietly(data):
    with endless_training(data) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 141


def test_a_closed_pipe_saves_the_network(data, tmp_path):
    path = str(tmp_path / "model")
    with endless_training(data, "--save", path) as process:
        while not process.stdout.readline().startswith("Epoch "):
            assert process.poll() is None
        process.stdout.close()
        words = process.stderr.read()
        assert process.wait(timeout=60) == 141
    expected = rf"fastnn: the reader of the output has gone in epoch \d+ of \d+; .*, is saved to {re.escape(path)}\n"
    assert re.fullmatch(expected, words), words
    assert np.isfinite(fastnn.load(path).params).all()


@pytest.mark.parametrize("words", [["evaluate", "MODEL"], ["knn"]])
def test_a_picture_without_a_file_is_refused(data, model, capsys, words):
    words = [model if word == "MODEL" else word for word in words]
    assert cli.main([*words, "--data", data, "--picture", "mistakes"]) == 2
    assert "--picture: expected --plot beside it, which names the file, found 'mistakes'" in capsys.readouterr().err


def redirected(redirections: str, *arguments: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    """The command as a shell runs it with these redirections; its stdout and stderr as far as they are left."""
    line = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-m", "fastnn", *arguments]
    environment = {**os.environ, "PYTHONPATH": ROOT, "PYTHONUNBUFFERED": unbuffered}
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"], ["backends"]], ids=" ".join)
def test_a_full_disk_behind_stdout_is_reported(arguments, unbuffered):
    done = redirected(">/dev/full", *arguments, unbuffered=unbuffered)
    assert done.returncode == 1
    assert done.stderr.endswith("fastnn: error: [Errno 28] No space left on device\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("arguments", "code"), [(["evaluate", "missing"], 1), (["tain"], 2), (["--version"], 0)])
def test_a_full_disk_behind_stderr_changes_no_exit_code(arguments, code, unbuffered):
    assert redirected("2>/dev/full", *arguments, unbuffered=unbuffered).returncode == code


COMMANDS = {
    "train": ["train", "--epochs", "1", "--data", "DATA"],
    "evaluate": ["evaluate", "MODEL", "--data", "DATA"],
    "predict": ["predict", "MODEL", "PICTURE"],
    "knn": ["knn", "--k", "1", "--data", "DATA"],
    "backends": ["backends"],
    "help": ["--help"],
    "help of a command": ["train", "--help"],
    "version": ["--version"],
    "nothing": [],
    "misspelt": ["tain"],
}


@pytest.fixture(params=COMMANDS)
def arguments(request, data, model, tmp_path):
    names = {"DATA": data, "MODEL": model, "PICTURE": picture(tmp_path / "one.png")}
    return [names.get(word, word) for word in COMMANDS[request.param]]


def test_a_closed_stdout_is_a_failure(arguments):
    done = redirected(">&-", *arguments)
    assert done.returncode == 1
    assert done.stderr == "fastnn: error: stdout is closed; /dev/null takes results that are not wanted\n"
    silent = redirected(">&- 2>&- <&-", *arguments)
    assert (silent.returncode, silent.stdout, silent.stderr) == (1, "", "")


def test_a_closed_stderr_changes_neither_results_nor_exit_code(arguments):
    done, usual = redirected("2>&-", *arguments), redirected("", *arguments)
    assert done.returncode == usual.returncode
    assert bool(done.stdout) == bool(usual.stdout) == (usual.returncode == 0)


def test_no_file_takes_the_place_of_a_closed_stream():
    program = "import os\nfrom fastnn import cli\ncli.main(['--version'])\nprint(os.open('/dev/null', os.O_RDONLY) > 2)"
    line = ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", sys.executable, "-c", program]
    done = subprocess.run(line, env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"fastnn {fastnn.__version__}\nTrue\n"


def test_swapped_arguments_of_predict(model, tmp_path, capsys):
    photo = picture(tmp_path / "photo.png")
    assert cli.main(["predict", photo, model]) == 1
    found = "expected a fastnn model, found a PNG picture; the model comes first, then the pictures"
    assert capsys.readouterr() == ("", f"fastnn: error: {photo}, byte 0: {found}\n")


def test_an_instruction_set_that_cannot_be_had(data):
    environment = {**os.environ, "PYTHONPATH": ROOT, "FASTNN_SIMD": "bogus"}
    reason = "FASTNN_SIMD: expected generic, avx2, avx512 or amx, as far as this CPU has it, found 'bogus'\n"
    options = {"env": environment, "capture_output": True, "text": True, "timeout": 60}
    line = [sys.executable, "-P", "-m", "fastnn"]  # not the sources in the working directory
    for backend in ("auto", "native"):
        done = subprocess.run([*line, "train", "--data", data, "--backend", backend], **options)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"fastnn: error: {reason}")
    done = subprocess.run([*line, "backends"], **options)
    assert done.returncode == 0
    assert done.stdout.startswith(f"native  missing    {reason}")


def test_any_file_name_can_be_printed(model, tmp_path):
    name = picture(tmp_path / "n\udce9.png")
    with command("predict", model, name, "--backend", "numpy", stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert rb"n\udce9.png: " in out


def test_the_installed_command_is_this_one():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="fastnn")
    assert script.load() is cli.main


def test_train_explain_says_what_would_run_and_trains_nothing(data, capsys, tmp_path):
    saved = tmp_path / "model"
    flags = ["--data", data, "--sizes", "784,20,10", "--save", str(saved), "--backend", "native", "--explain"]
    assert cli.main(["train", *flags]) == 0
    text = capsys.readouterr().out
    assert text.startswith("784-20-10, float32: ")
    assert "\nUpdate: fused SGD: " in text
    assert not saved.exists()
    assert cli.main(["train", *flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["event"] == "explain"
    assert found["plan"]["update"] == "fused SGD"
    assert f"{found['text']}\n" == text
