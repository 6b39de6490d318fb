"""keras.utils beyond one-hot targets and the seed: pictures, norms, files that are there."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import layers, utils
from fastnn.dropin.keras.utils import vis_utils, visualize_util


def small():
    return keras.Sequential([keras.Input((4, 2)), layers.Flatten(), layers.Dense(3, "relu"), layers.Dense(2)])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"show_shapes": True, "show_layer_names": True},
        {"rankdir": "LR", "show_layer_activations": True, "show_dtype": True, "dpi": 96},
    ],
)
def test_a_picture_of_a_model(tmp_path, options, monkeypatch):
    pytest.importorskip("matplotlib")  # an extra
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    path = tmp_path / "model.png"
    assert utils.plot_model(small(), path, **options) is None
    assert path.read_bytes().startswith(b"\x89PNG")


def test_what_a_picture_says(tmp_path):
    pytest.importorskip("matplotlib")  # an extra
    path = tmp_path / "model.svg"
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        vis_utils.plot_model(small(), path, show_shapes=True, show_layer_activations=True, show_dtype=True)
        text = path.read_text()
        for said in ("Flatten", "Activation: relu", "Activation: linear", "Output dtype: float32"):
            assert said in text
        assert "Input shape: (None, 4, 2)   Output shape: (None, 8)" in text.replace("&#160;", " ")
        visualize_util.plot(small(), to_file=path, show_layer_names=True)
        assert "(Flatten)" in path.read_text()


def test_a_functional_model_has_its_input_in_the_picture(tmp_path):
    pytest.importorskip("matplotlib")  # an extra
    import matplotlib

    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(2)(inputs))
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        utils.plot_model(model, tmp_path / "m.svg", show_shapes=True)
    assert "InputLayer" in (tmp_path / "m.svg").read_text()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: utils.plot_model(3, path), "model: expected a Sequential or a Model"),
        (lambda path: utils.plot_model(keras.Sequential([layers.Dense(2)]), path), "model: expected one that is built"),
        (lambda path: utils.plot_model(small(), path, rankdir="BT"), "rankdir: expected one of TB, LR"),
        (lambda path: utils.plot_model(small(), path, expand_nested=True), "expand_nested: expected no such option"),
        (lambda path: utils.plot_model(small(), path / "a.xyz"), "path: expected a name ending in"),
        (lambda path: utils.normalize("a"), "x: expected an array of real numbers"),
        (lambda path: utils.get_file("a", "http://b/a", extract=True), "extract: expected no such option"),
    ],
)
def test_unusable_arguments(call, message, tmp_path):
    pytest.importorskip("matplotlib")  # an extra
    with pytest.raises(fastnn.FastnnError, match=message):
        call(tmp_path)


def test_rows_are_divided_by_their_norms():
    x = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, -1.0]])
    assert np.allclose(utils.normalize(x), [[0.6, 0.8], [0, 0], [0.5**0.5, -(0.5**0.5)]])
    assert np.allclose(utils.normalize(x, axis=0, order=1), [[0.75, 0.8], [0, 0], [0.25, -0.2]])
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    assert np.allclose((utils.normalize(images, axis=1) ** 2).sum(axis=1), 1)


def test_files_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "auto-mpg.data").touch()
    path = str(tmp_path / "datasets" / "auto-mpg.data")
    assert utils.get_file("auto-mpg.data", "http://archive/auto-mpg.data") == path
    assert utils.get_file(origin="http://archive/auto-mpg.data") == path
    with pytest.raises(FileNotFoundError, match=r"mine/a\.csv: .* put it there from http://archive/a\.csv"):
        utils.get_file("a.csv", "http://archive/a.csv", cache_subdir="mine")
