"""Rows of reals that are images become bytes for a training: to a rounding, and only where every value is one."""

import re

import layers_oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from layer_twins import distance

import fastnn
from fastnn import MLP
from fastnn.dropin import keras, layers, scratch
from fastnn.errors import DivergenceError
from fastnn.kernels import native
from fastnn.kernels.spec import Data
from fastnn.nn import fit as training

REALS = [np.float32, np.float64]
RULES = {"k / 255": 1 / 255, "k / 256": 1 / 256, "k": 1.0}
NET = MLP([784, 64, 10]).net


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (1400, 784), np.uint8) * (rng.random((1400, 784)) < 0.2).astype(np.uint8)


@pytest.fixture(scope="module")
def strokes():
    """Images whose active pixels lie together."""
    rng = np.random.default_rng(0)
    active = np.repeat(rng.random((1400, 196)) < 0.25, 4, axis=1)
    return rng.integers(0, 256, (1400, 784), np.uint8) * active.astype(np.uint8)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(1).integers(0, 10, 1400)


def data(X):
    return Data(X, 1.0, np.zeros(len(X), np.int64))


# ---- which rows are packed


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", REALS)
@settings(deadline=None)
@given(pixels=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 130))))
def test_rows_of_bytes_are_found_again(dtype, rule, pixels):
    factor = round(1 / RULES[rule])
    for X in (pixels.astype(dtype) / dtype(factor), (pixels / factor).astype(dtype)):
        packed, scale = native.pack_rows(X)
        assert packed.dtype == np.uint8
        assert packed.shape == X.shape
        np.testing.assert_allclose(packed * scale, X.astype(np.float64), rtol=2 * np.finfo(dtype).eps, atol=0)
        if pixels.max() > 1:  # otherwise another rule holds too
            np.testing.assert_array_equal(packed, pixels)
            assert scale == RULES[rule]


@pytest.mark.parametrize("dtype", REALS)
def test_black_and_white_and_blank_images(dtype):
    for X in (np.eye(5, 70, dtype=dtype), np.zeros((3, 4), dtype), -np.zeros((3, 4), dtype)):
        packed, scale = native.pack_rows(X)
        np.testing.assert_array_equal((packed * scale).astype(dtype), X)


@pytest.mark.parametrize("place", [(0, 0), (36, 17), (59, 69)])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", REALS)
def test_one_other_value_is_enough_to_decline(dtype, rule, place):
    pixels = np.random.default_rng(1).integers(1, 256, (60, 70)).astype(dtype)
    step = dtype(RULES[rule])
    near = pixels[place] * step * (1 + 4 * np.finfo(dtype).eps)
    for value in (near, 0.5 * step, 256 * step, -step, np.nan, np.inf, -np.inf, 1e30, 1e-30):
        X = pixels * step
        assert native.pack_rows(X) is not None
        X[place] = value
        assert native.pack_rows(X) is None


def test_a_single_row_of_any_stride():
    X = np.arange(256.0).reshape(1, 256)
    for row in (
        X,
        np.lib.stride_tricks.as_strided(X, strides=(0, 8)),
        np.lib.stride_tricks.as_strided(X, strides=(-8, 8)),
    ):
        np.testing.assert_array_equal(native.pack_rows(row)[0][0], np.arange(256))


def test_rules_are_not_mixed():
    pixels = np.arange(1, 251).reshape(2, 125)
    assert native.pack_rows(np.vstack([pixels[:1] / 255, pixels[1:] / 256])) is None


@pytest.mark.parametrize("dtype", REALS)
@settings(deadline=None)
@given(pixels=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 130))))
def test_whole_numbers_become_bytes(dtype, pixels):
    X = pixels.astype(dtype)
    X.flags.writeable = False
    found = native.whole_bytes(X)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("place", [(0, 0), (36, 17), (59, 69)])
@pytest.mark.parametrize("dtype", REALS)
def test_numbers_that_are_not_quite_whole_become_no_bytes(dtype, place):
    X = np.random.default_rng(1).integers(0, 256, (60, 70)).astype(dtype)
    assert native.whole_bytes(-0.0 * X) is not None
    below, above = np.nextafter(dtype(200), dtype(0)), np.nextafter(dtype(0), dtype(1))
    for value in (below, above, -above, 0.5, 256, -1, np.nan, np.inf, -np.inf, 1e30):
        X[place] = value
        assert native.whole_bytes(X) is None


def test_rows_of_other_trainings_stay_as_they_are(images, tmp_path):
    X = images / 255
    assert training.packed(data(X), NET, 4).X.dtype == np.uint8
    few, short, noisy = data(X[:100]), data(X), data(X + 0.001)
    X.tofile(tmp_path / "X")
    on_disk = data(np.asarray(np.memmap(tmp_path / "X", X.dtype, "r", shape=X.shape))[10:])
    read = data(np.frombuffer((tmp_path / "X").read_bytes()).reshape(X.shape))  # read-only, but in memory
    assert training.packed(few, NET, 4) is few
    assert training.packed(short, NET, 3) is short
    assert training.packed(noisy, NET, 4) is noisy
    assert training.packed(on_disk, NET, 4) is on_disk
    assert training.packed(read, NET, 4).X.dtype == np.uint8
    as_bytes = data(images)
    assert training.packed(as_bytes, NET, 4) is as_bytes
    for backend in ("numba", "numpy"):
        with fastnn.use(backend):
            assert training.packed(data(X), NET, 4).X is X


def test_batches_that_come_again_get_block_csc(images, strokes, tmp_path):
    for X, scale in ((strokes, 1.0), (strokes / 255, 1 / 255)):
        found = training.packed(data(X), NET, 5, 32)
        assert found.X is X
        assert found.block_csc.scale == scale
        for epochs, batch_size in ((5, None), (5, 31), (4, 32)):
            assert training.packed(data(X), NET, epochs, batch_size).block_csc is None
        assert training.packed(data(X[:100]), NET, 5, 32).block_csc is None
        for backend in ("numba", "numpy"):
            with fastnn.use(backend):
                assert training.packed(data(X), NET, 5, 32).block_csc is None
    assert training.packed(data(images / 255), NET, 5, 32).X.dtype == np.uint8  # most groups of pixels are active
    strokes.tofile(tmp_path / "X")
    on_disk = data(np.memmap(tmp_path / "X", np.uint8, "r", shape=strokes.shape))
    assert training.packed(on_disk, NET, 5, 32) is on_disk


# ---- what trains on them


@pytest.mark.parametrize("batch_size", [33, 1400])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_in_order_is_fit_on_block_csc(strokes, labels, dtype, batch_size):
    found = set()
    for rows in ("bytes", "block-CSC"):
        native.override_plan(rows=rows)
        try:
            for X in (strokes, (strokes / 255).astype(dtype)):
                model = MLP([784, 64, 10], dtype=dtype, seed=3)
                history = model.fit(X, labels, epochs=5, batch_size=batch_size, shuffle=False)
                found.add((model.params.tobytes(), *history.loss))
        finally:
            native.override_plan(rows=None)
    assert len(found) == 1


def test_a_fit_on_block_csc_that_diverges_keeps_the_last_finite_weights(strokes, labels):
    found = {}
    for backend in ("native", "numpy"):
        model = MLP([784, 64, 10], activation="relu", dtype="float64", seed=3)
        with fastnn.use(backend), pytest.raises(DivergenceError) as error:
            model.fit(strokes, labels, epochs=5, batch_size=32, learning_rate=1e100, shuffle=False)
        found[backend] = (re.search(r"epoch 1: .* after (\d+) of 44 batches", str(error.value))[1], model.params)
    assert found["native"][0] == found["numpy"][0] != "0"
    np.testing.assert_allclose(found["native"][1], found["numpy"][1], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_on_images_of_reals_is_fit_on_their_bytes(images, labels, dtype):
    found = []
    for X in (images, (images / 255).astype(dtype)):
        model = MLP([784, 64, 10], dtype=dtype, seed=3)
        kept = X.copy()
        history = model.fit(X, labels, epochs=4, batch_size=20)
        np.testing.assert_array_equal(X, kept)
        found.append((model.params.copy(), history.loss))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


@pytest.mark.parametrize("pixels", ["images", "strokes"])  # the latter are listed
def test_layers_train_on_packed_images_as_the_original(request, pixels, labels, capsys):
    images = request.getfixturevalue(pixels)
    targets, networks = np.eye(10)[labels], []
    for module in (layers, layers_oracle):
        np.random.seed(4)
        networks.append(module.SimpleNetwork(784, 10))
        networks[-1].train(images / 255, targets, num_epochs=5, batch_size=70)  # 100 updates
    assert capsys.readouterr().out.count("Epoch") == 10
    assert distance(*networks) <= 1e-10


def test_scratch_fits_listed_images_as_the_reference(strokes, labels, capsys):
    found = []
    for backend in ("native", "numpy"):
        np.random.seed(4)
        with fastnn.use(backend):
            found.append(scratch.fit(strokes, labels, 0.1, 10, 64))
    printed = capsys.readouterr().out.splitlines()
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]
    for mine, expected in zip(*found, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-10, atol=1e-13)


def test_keras_trains_on_packed_images_as_on_reals(images, labels):
    found = []
    for backend in ("native", "numpy"):  # which packs none
        keras.utils.set_random_seed(5)
        model = keras.Sequential([keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")])
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        with fastnn.use(backend):
            history = model.fit((images / 255).astype(np.float32), labels, epochs=4, verbose=0)
        found.append(history.history["loss"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
