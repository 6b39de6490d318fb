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
    edition: str = ""  # of the original, where there are several


def neural_network(oracle: str, module: str) -> dict[str, tuple[str, str]]:
    lines = f"from rashid_oracle import {oracle}", f"from fastnn.dropin.{module} import neuralNetwork"
    return {"from neural_network import neuralNetwork": lines}


MNIST_LOADER = {
    "import mnist_loader": ("import mnist_oracle as mnist_loader", "import fastnn.dropin.mnist_loader as mnist_loader")
}
PORTED_LOADER = {
    "import mnist_loader": (
        "from mnist_oracle import PortedLoader as mnist_loader",
        "import fastnn.dropin.mnist_loader as mnist_loader",
    )
}
NETWORK = {"import network": ("import book_oracle as network", "import fastnn.dropin.nielsen as network")}
NETWORK2 = {"import network2": ("from book_oracle import network2", "import fastnn.dropin.nielsen2 as network2")}
PORTED_NETWORK = {
    "import network": ("from book_oracle import network_py3 as network", "import fastnn.dropin.nielsen_py3 as network")
}
PORTED_NETWORK2 = {
    "import network2": (
        "from book_oracle import network2_py3 as network2",
        "import fastnn.dropin.nielsen2_py3 as network2",
    )
}
MNIST = {"import mnist": ("import mnist_oracle as mnist", "import fastnn.dropin.mnist as mnist")}


def book_weights(*nets: str) -> Callable[[dict[str, Any]], Sequence[Any]]:
    return lambda names: [array for net in nets for array in names[net].weights + names[net].biases]


def layer_weights(*nets: str) -> Callable[[dict[str, Any]], Sequence[Any]]:
    return lambda names: [array for net in nets for layer in names[net].layers for array in (layer.W, layer.b)]


SCRIPTS = [
    # 600 updates of one sample
    Script(
        "rashid.py",
        neural_network("neuralNetwork", "rashid"),
        lambda names: [names["n"].wih, names["n"].who],
        1e-12,
    ),
    Script(
        "rashid.py",
        neural_network("neuralNetwork2017 as neuralNetwork", "rashid2017"),
        lambda names: [names["n"].wih, names["n"].who],
        1e-12,
        edition="2017",
    ),
    # 200 to 300 mini-batches each
    Script("nielsen.py", MNIST_LOADER | NETWORK, book_weights("net"), 1e-11),
    Script("nielsen_py3.py", PORTED_LOADER | PORTED_NETWORK, book_weights("net", "deeper"), 1e-11),
    Script("nielsen2.py", MNIST_LOADER | NETWORK2, book_weights("net", "stopped"), 1e-11),
    Script("nielsen2.py", PORTED_LOADER | PORTED_NETWORK2, book_weights("net", "stopped"), 1e-11, edition="py3"),
    Script(
        "perceptron.py",
        MNIST_LOADER | NETWORK,
        book_weights("net"),
        1e-12,
        warning="Perceptrons computes sample by sample in NumPy, which is slower: feedforward is replaced",
    ),
    # 300 updates by 30 images, and 100 by hand
    Script(
        "layers.py",
        MNIST
        | {
            f"from {file} import {name}": (
                f"from layers_oracle import {name}",
                f"from fastnn.dropin.layers import {name}",
            )
            for file, name in (
                ("fully_connected_layer", "FullyConnectedLayer"),
                ("neuron", "Neuron"),
                ("simple_network", "SimpleNetwork"),
            )
        },
        layer_weights("mnist_classifier", "network"),
        1e-11,
    ),
    # 840 updates by 30 images, and 60
    Script(
        "layers_notebook.py",
        MNIST
        | {
            "from notebook import SimpleNetwork, binary_cross_entropy, derivated_binary_cross_entropy": (
                "from layers_oracle import NotebookNetwork as SimpleNetwork, cross_entropy as binary_cross_entropy, "
                "derivated_cross_entropy as derivated_binary_cross_entropy",
                "from fastnn.dropin.layers_notebook import SimpleNetwork, binary_cross_entropy, "
                "derivated_binary_cross_entropy",
            )
        },
        layer_weights("mnist_classifier", "network"),
        1e-11,
    ),
    # 100 updates by all images
    Script(
        "scratch.py",
        {
            "import scratch": ("import scratch_oracle as scratch", "import fastnn.dropin.scratch as scratch"),
            "from scratch import conver2one_hot, fit, knn, predict, pt_image, read_pic, set_random_seed": (
                "from scratch_oracle import conver2one_hot, fit, knn, predict, pt_image, read_pic, set_random_seed",
                "from fastnn.dropin.scratch import *",
            ),
        },
        lambda names: [names["w1"], names["b1"], names["w2"], names["b2"]],
        1e-12,
    ),
    # the same, and ten by hand
    Script(
        "scratch_mse.py",
        {
            "from scratch_mse import conver2one_hot, fit, get_gradient, predict, read_pic, set_randon_seed": (
                "from scratch_oracle import *; fit, predict = fit_mse, predict_mse",
                "from fastnn.dropin.scratch_mse import *",
            )
        },
        lambda names: names["wbs"],
        1e-12,
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that scripts read."""
    path = tmp_path_factory.mktemp("mnist")
    (path / "mnist_dataset").mkdir()
    mnist_oracle.write_csv(path / "mnist_dataset" / "mnist_train.csv", "train", 300)
    mnist_oracle.write_csv(path / "mnist_dataset" / "mnist_test.csv", "t10k", 50)
    (path / "mnist").mkdir()
    for part in ("train", "t10k"):
        mnist_oracle.write_idx(path / "mnist", part)
    return path


@pytest.mark.usefixtures("said_nothing_yet")
@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name + script.edition for script in SCRIPTS])
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
        ("Cost: 0.1234567890123456", "Cost: 0.1234567890133456", 1),
        ("Cost: 0.1234567890123456", "Cost: 0.12345678901", 1),
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


def test_the_comparison_allows_other_times():
    script_runner.assert_same_lines(["12 s", "in 0.5 seconds, 3 of 4"], ["9.25 s", "in 1e-05 seconds, 3 of 4"])
    for printed, other in (("12 steps", "9 steps"), ("12s", "9s"), ("1 s, 2", "1 s, 3"), ("1 s", "1 second")):
        with pytest.raises(AssertionError):
            script_runner.assert_same_lines([printed], [other])


def test_the_comparison_allows_what_it_is_told_to():
    script_runner.assert_same_lines(["Loss: 0.1234"], ["Loss: 0.1235"])
    script_runner.assert_same_lines(["Cost: 1234.567890123456"], ["Cost: 1234.56789012346"])
    script_runner.assert_same_lines(["Loss: 0.1234, 5 of 9"], ["Loss: 0.1244, 7 of 9"], places=10, counts=2)
