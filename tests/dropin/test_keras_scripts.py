"""Programs in the manner of Keras' examples and of its readers' tutorials, with nothing but their imports changed.

Each has learned when it ends: its ``score`` is better than what the best constant prediction would have. Where Keras is
installed, it runs the same programs and comes to the same scores, as far as other random numbers let it.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from typing import NamedTuple

import pytest
import script_runner

from fastnn.dropin.keras.datasets import mnist
from fastnn.dropin.keras.utils import set_random_seed

LOSS, ACCURACY = ["loss", "val_loss"], ["accuracy", "loss", "val_accuracy", "val_loss"]
OLD = "Keras 3 has not these names of older ones"
TENSORFLOW = "asks for TensorFlow, which is not installed"


class Script(NamedTuple):
    name: str
    keys: list[str]  # of the last history, in order
    worst: float  # score at which the program has learned: an accuracy, or an error where ``error`` is true
    spread: float  # by how much Keras' score may differ from ours
    error: bool = False
    needs: str = ""  # a module beyond those of the test extra
    outside: str = ""  # why Keras does not run it
    lines: tuple[str, ...] = ()  # some of those that it prints

    def learned(self, score: float) -> bool:
        return score <= self.worst if self.error else score >= self.worst


# The constant prediction's score is said beside each bound.
SCRIPTS = [
    Script("xor_keras1.py", ["binary_accuracy", "loss"], 1.0, 0.0, outside=OLD, lines=("classes: [0 1 1 0]",)),  # 0.5
    Script("pima_first_network.py", ["accuracy", "loss"], 0.75, 0.12),  # 0.5
    Script("pima_json.py", ["accuracy", "loss"], 0.85, 0.1, needs="h5py", lines=("Loaded model from disk",)),  # 0.5
    Script("iris_wrapper.py", [], 0.75, 0.15, outside=OLD),  # 0.33
    Script("sonar_dropout.py", ACCURACY, 0.7, 0.15),  # 0.5
    Script("ionosphere_decay.py", [*ACCURACY, "learning_rate"], 0.8, 0.12, outside=OLD),  # 0.5
    Script("wine_functional.py", ["loss", "sparse_categorical_accuracy"], 0.95, 0.05),  # 0.4
    Script("wine_quality.py", ["loss", "mae", "val_loss", "val_mae"], 0.9, 0.08),  # 0
    Script("housing_kfold.py", ["loss", "mae", "val_loss", "val_mae"], 1.5, 0.4, error=True),  # 2.7
    Script("mnist_mlp_keras1.py", ACCURACY, 0.8, 0.05, outside=OLD),  # 0.1
    Script(
        "mnist_mlp_keras2.py",
        ["categorical_accuracy", "loss", "val_categorical_accuracy", "val_loss"],
        0.85,
        0.03,
        lines=("Keras 3.15.1",),
    ),  # 0.1
    Script("tf_quickstart.py", ["accuracy", "loss"], 0.85, 0.03, outside=TENSORFLOW),  # 0.1
    Script(
        "tf_classification.py", ["accuracy", "loss"], 0.9, 0.03, outside=TENSORFLOW, lines=("seven is seven",)
    ),  # 0.1
    Script(
        "tf_fuel_efficiency.py",
        ["loss", "mae", "mse", "val_loss", "val_mae", "val_mse"],
        2.5,
        1.0,
        error=True,
        outside=TENSORFLOW,
    ),  # 4.0
    Script("tf_celsius.py", ["loss"], 10.0, 3.0, error=True, outside=TENSORFLOW),  # 179
    Script(
        "overfit_underfit.py",
        ["accuracy", "binary_crossentropy", "loss", "val_accuracy", "val_binary_crossentropy", "val_loss"],
        0.6,
        0.12,
    ),  # 0.5
    Script("reviews.py", ["binary_accuracy", "loss", "val_binary_accuracy", "val_loss"], 0.9, 0.08),  # 0.5
    Script("topics_selu.py", ACCURACY, 0.9, 0.05),  # 0.17
    Script("autoencoder.py", LOSS, 0.22, 0.02, error=True),  # 0.26
    Script("many_callbacks.py", [*ACCURACY, "learning_rate"], 0.85, 0.1),  # 0.55
    Script(
        "rare_class.py",
        sorted(f"{of}{name}" for of in ("", "val_") for name in ("accuracy", "auc", "loss", "precision", "recall")),
        0.9,
        0.05,
    ),  # 0.5
    Script("line_by_batches.py", ["loss", "mean_absolute_error"], 0.15, 0.1, error=True),  # 0.25
]
NAMES = [script.name for script in SCRIPTS]


def run(script: Script, imports: dict[str, str]) -> script_runner.Run:
    for module in script.needs.split():
        pytest.importorskip(module, reason=f"{script.name} asks for {module}")
    return script_runner.run(f"keras/{script.name}", imports)


@pytest.mark.usefixtures("said_nothing_yet")
@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_only_the_imports_differ(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    set_random_seed(1)  # most of them seed NumPy alone
    ran = run(script, script_runner.fastnn_imports(f"keras/{script.name}"))
    assert script.learned(ran.names["score"]), ran.names["score"]
    if script.keys:
        assert list(ran.names["history"].history) == script.keys
    assert set(script.lines) <= set(ran.lines)


@pytest.mark.filterwarnings("ignore")  # Keras' own, and its backend's
@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_keras_comes_to_the_same_score(script, tmp_path, monkeypatch):
    if script.outside and not (script.outside == TENSORFLOW and find_spec("tensorflow")):
        pytest.skip(script.outside)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras", reason="Keras is not installed")
    monkeypatch.setattr(keras.datasets.mnist, "load_data", mnist.load_data)  # the same images, without a download
    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(1)
    set_random_seed(1)
    theirs = run(script, {})
    ours = run(script, script_runner.fastnn_imports(f"keras/{script.name}"))
    assert abs(ours.names["score"] - theirs.names["score"]) <= script.spread
    if script.keys:
        assert list(ours.names["history"].history) == list(theirs.names["history"].history)
