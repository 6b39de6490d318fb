"""Scripts as a tutorial's reader writes them, run with the original's modules and with fastnn's.

Nothing but the imports differs. The originals are the oracles of this folder's other tests.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mnist_oracle
import pytest
import script_runner


class Script(NamedTuple):
    name: str
    imports: dict[str, tuple[str, str]]  # a line of the script: what it becomes for the oracle and for fastnn
    weights: Callable[[dict[str, Any]], Sequence[Any]]  # of the script's names
    tolerance: float  # of the weights, relative to each array's largest
    places: int = 1  # by how much printed figures may differ, in units of their last decimal place
    warning: str = ""  # what fastnn says


MNIST_LOADER = {
    "import mnist_loader": ("import mnist_oracle as mnist_loader", "import fastnn.dropin.mnist_loader as mnist_loader")
}
NETWORK = {"import network": ("import book_oracle as network", "import fastnn.dropin.nielsen as network")}

SCRIPTS = [
    # 600 updates of one sample
    Script(
        "rashid.py",
        {
            "from neural_network import neuralNetwork": (
                "from rashid_oracle import neuralNetwork",
                "from fastnn.dropin.rashid import neuralNetwork",
            )
        },
        lambda names: [names["n"].wih, names["n"].who],
        1e-12,
    ),
    # 300 and 200 mini-batches
    Script("nielsen.py", MNIST_LOADER | NETWORK, lambda names: names["net"].weights + names["net"].biases, 1e-11),
    Script(
        "perceptron.py",
        MNIST_LOADER | NETWORK,
        lambda names: names["net"].weights + names["net"].biases,
        1e-12,
        warning="Perceptrons computes sample by sample in NumPy, which is slower: feedforward is replaced",
    ),
    # 300 updates by 30 images, and 100 by hand
    Script(
        "layers.py",
        {
            "from fully_connected import FullyConnectedLayer, Neuron, SimpleNetwork": (
                "from layers_oracle import FullyConnectedLayer, Neuron, SimpleNetwork",
                "from fastnn.dropin.layers import FullyConnectedLayer, Neuron, SimpleNetwork",
            )
        },
        lambda names: [
            values
            for network in (names["mnist_classifier"], names["network"])
            for layer in network.layers
            for values in (layer.W, layer.b)
        ],
        1e-11,
    ),
    # 100 updates by all images
    Script(
        "scratch.py",
        {
            "from scratch import conver2one_hot, fit, knn, predict, pt_image, read_pic": (
                "from scratch_oracle import conver2one_hot, fit, knn, predict, pt_image, read_pic",
                "from fastnn.dropin.scratch import conver2one_hot, fit, knn, predict, pt_image, read_pic",
            )
        },
        lambda names: [names["w1"], names["b1"], names["w2"], names["b2"]],
        1e-12,
    ),
    Script(
        "scratch_mse.py",
        {
            "from scratch_mse import fit, predict, read_pic": (
                "from scratch_oracle import fit_mse as fit, predict_mse as predict, read_pic",
                "from fastnn.dropin.scratch import fit_mse as fit, predict_mse as predict, read_pic",
            )
        },
        lambda names: [names["w1"], names["b1"], names["w2"], names["b2"]],
        1e-12,
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that scripts read."""
    path = tmp_path_factory.mktemp("mnist")
    mnist_oracle.write_csv(path / "mnist_train.csv", "train", 300)
    mnist_oracle.write_csv(path / "mnist_test.csv", "t10k", 50)
    for part in ("train", "t10k"):
        mnist_oracle.write_idx(path, part)
    return path


@pytest.mark.usefixtures("said_nothing_yet")
@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_only_the_imports_differ(script, folder, monkeypatch):
    monkeypatch.chdir(folder)
    theirs = script_runner.run(script.name, {line: others[0] for line, others in script.imports.items()})
    with pytest.warns(UserWarning, match=script.warning) if script.warning else contextlib.nullcontext():
        ours = script_runner.run(script.name, {line: others[1] for line, others in script.imports.items()})
    script_runner.assert_same_lines(ours.lines, theirs.lines, places=script.places)
    assert script_runner.disagreement(script.weights(ours.names), script.weights(theirs.names)) < script.tolerance


@pytest.mark.parametrize(
    ("printed", "other", "places"),
    [
        ("Loss: 0.1234", "Loss: 0.1236", 1),
        ("Loss: 0.1234", "Loss: 0.123", 1),
        ("Loss: 0.1234", "Loss: 0.12340", 1),
        ("Loss: 0.1234", "loss: 0.1234", 1),
        ("Loss: 0.1234", "Loss:  0.1234", 1),
        ("Loss: 0.1234", "Loss: -0.1234", 1),
        ("Loss: 0.1234", "Loss: nan", 1),
        ("912 / 1000", "913 / 1000", 1),
        ("91.0 %", "91.2 %", 1),
        ("a", "a\n", 1),
    ],
)
def test_the_comparison_sees_what_differs(printed, other, places):
    script_runner.assert_same_lines([printed], [printed], places=places)
    with pytest.raises(AssertionError):
        script_runner.assert_same_lines(printed.split("\n"), other.split("\n"), places=places)


def test_the_comparison_allows_what_it_is_told_to():
    script_runner.assert_same_lines(["Loss: 0.1234"], ["Loss: 0.1235"])
    script_runner.assert_same_lines(["Loss: 0.1234, 5 of 9"], ["Loss: 0.1244, 7 of 9"], places=10, counts=2)
