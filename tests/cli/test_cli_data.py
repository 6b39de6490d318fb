"""``--data`` of other images than MNIST's: another size, and labels that are no places of outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastnn
from fastnn import cli

LABELS = (3, 7, 26)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    """A CSV file of images of 8 x 8 pixels, a bright row each, with a header and the labels 3, 7 and 26."""
    rng = np.random.default_rng(0)
    places = rng.integers(0, len(LABELS), 210)
    images = rng.integers(0, 40, (210, 8, 8))
    images[np.arange(210), 2 * places + 1] = 255
    table = np.column_stack([np.take(LABELS, places), images.reshape(210, 64)])
    path = tmp_path_factory.mktemp("data") / "letters.csv"
    np.savetxt(path, table, "%d", ",", header="label," + ",".join(f"p{i}" for i in range(64)), comments="")
    return str(path)


def run(capsys, *words: str) -> list[dict]:
    assert cli.main([*words, "--json", "--backend", "numpy"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_networks_take_their_ends_from_the_images(path, tmp_path, capsys):
    saved = str(tmp_path / "letters.safetensors")
    result = run(capsys, "train", "--data", path, "--epochs", "30", "--learning-rate", "0.5", "--save", saved)[-1]
    assert result["test_accuracy"] == 1
    model = fastnn.load(saved)
    assert model.sizes == (64, 30, 3)
    assert model.classes_.tolist() == list(LABELS)

    (tested,) = run(capsys, "evaluate", saved, "--data", path)
    assert tested["classes"] == list(LABELS)
    confusion = np.array(tested["confusion"])
    assert confusion.trace() == confusion.sum() == tested["images"]


def test_evaluate_names_the_labels_that_are_confused(path, tmp_path, capsys):
    saved = str(tmp_path / "letters.safetensors")
    assert run(capsys, "train", "--data", path, "--epochs", "30", "--learning-rate", "0.5", "--save", saved)
    model = fastnn.load(saved)
    model.weights[-1][:, [0, 1]] = model.weights[-1][:, [1, 0]]
    model.biases[-1][[0, 1]] = model.biases[-1][[1, 0]]
    model.save(saved)
    assert cli.main(["evaluate", saved, "--data", path, "--backend", "numpy"]) == 0
    _, *pairs = capsys.readouterr().out.splitlines()
    assert {pair.split(":")[0].strip() for pair in pairs} == {"3 taken for 7", "7 taken for 3"}


def test_sweep_and_lr_find_too(path, capsys):
    (swept,) = run(capsys, "sweep", "hidden", "4,8", "--seeds", "1", "--epochs", "30", "--data", path)
    assert swept["values"] == [4, 8]
    (found,) = run(capsys, "lr-find", "--data", path, "--sizes", "64,8,3")
    assert found["suggestion"] > 0


def test_knn_shows_what_it_confuses_by_label(path, capsys):
    (found,) = run(capsys, "knn", "--data", path)
    assert found["classes"] == list(LABELS)
    assert np.shape(found["confusion"]) == (3, 3)


@pytest.mark.parametrize(
    ("sizes", "is_fitting"), [("64,8,3", True), ("64,8,27", True), ("64,8,10", False), ("784,30,10", False)]
)
def test_sizes_fit_the_images(path, capsys, sizes, is_fitting):
    """27 outputs are those of the labels 0 to 26, of which most occur nowhere."""
    words = ["train", "--data", path, "--sizes", sizes, "--epochs", "1", "--backend", "numpy"]
    assert cli.main(words) == (0 if is_fitting else 2)
    message = f"--sizes: expected 64 inputs and 3 outputs for these images, found {sizes.replace(',', '-')}"
    assert (message in capsys.readouterr().err) is not is_fitting


def test_evaluate_refuses_a_network_of_other_images(path, tmp_path, capsys):
    saved = tmp_path / "digits.safetensors"
    fastnn.MLP([784, 10]).save(saved)
    assert cli.main(["evaluate", str(saved), "--data", path, "--backend", "numpy"]) == 1
    assert "expected 64 inputs for these images, found 784-10\n" in capsys.readouterr().err
    fastnn.MLP([64, 3]).save(saved)
    assert cli.main(["evaluate", str(saved), "--data", path, "--backend", "numpy"]) == 1
    assert "a network that knows the labels 3, 7, 26, found one of 0, 1, 2\n" in capsys.readouterr().err
