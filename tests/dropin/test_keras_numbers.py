"""fastnn.dropin.keras against keras_oracle, in float64: weights after 100 updates, figures, masks."""

from __future__ import annotations

import re
from collections import Counter

import keras_oracle as oracle
import numpy as np
import pytest
import script_runner

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import hooks
from fastnn.nn import dropout

COUNT, WIDTH, CLASSES = 160, 11, 4
RNG = np.random.default_rng(5)
X = RNG.normal(size=(COUNT, WIDTH))
LABELS = (X @ RNG.normal(size=(WIDTH, CLASSES))).argmax(axis=1)
ONE_HOT = np.eye(CLASSES)[LABELS]

# loss: (output, units, targets)
PROBLEMS = {
    "sparse_categorical_crossentropy": ("softmax", CLASSES, LABELS),
    "categorical_crossentropy": ("softmax", CLASSES, ONE_HOT * 0.9 + 0.025),
    "binary_crossentropy": ("sigmoid", CLASSES, ONE_HOT),
    "mean_squared_error": ("tanh", 3, X[:, :3] * 0.3),
}
OPTIMIZERS = {
    "sgd": lambda k: "sgd",
    "momentum": lambda k: k.optimizers.SGD(0.05, momentum=0.9),
    "nesterov": lambda k: k.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda k: k.optimizers.Adam(0.01),
}


@pytest.fixture(autouse=True)
def _float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


@pytest.fixture(params=["native", "numba", "numpy"])
def any_backend(request):
    with fastnn.use(request.param):
        yield


def twins(make, seed=4):
    """The model that ``make`` makes of each module, from equal draws."""
    models = []
    for module in (keras, oracle):
        module.utils.set_random_seed(seed)
        models.append(make(module))
    return models


def both(make, train, seed=4):
    """The same after training from equal draws, and what ``train`` has returned."""
    models, results = [], []
    for module in (keras, oracle):
        module.utils.set_random_seed(seed)
        models.append(make(module))
        results.append(train(models[-1]))
    return models, results


def stack(module, output, units, dropped=True):
    layers = module.layers
    middle = [layers.Dropout(0.2), layers.Dense(9, "relu"), layers.Dropout(0.5), layers.Dense(6, "tanh")]
    if not dropped:
        middle = [layer for layer in middle if not isinstance(layer, layers.Dropout)]
    return module.models.Sequential([layers.Input((WIDTH,)), *middle, layers.Dense(units, output)])


def disagreement(ours, theirs):
    pairs = zip(ours.get_weights(), theirs.get_weights(), strict=True)
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


def assert_same_figures(found, expected, tolerance=1e-10):
    assert list(found) == list(expected)
    for name, figures in expected.items():
        np.testing.assert_allclose(found[name], figures, rtol=tolerance)


@pytest.mark.usefixtures("any_backend")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", PROBLEMS)
def test_a_hundred_updates(loss, optimizer):
    output, units, y = PROBLEMS[loss]

    def make(module):
        model = stack(module, output, units)
        model.compile(OPTIMIZERS[optimizer](module), loss, ["accuracy"] * (loss != "mean_squared_error"))
        return model

    options = {"batch_size": 14, "epochs": 10, "verbose": 0, "validation_split": 0.2}
    weights = np.linspace(0, 2, COUNT)
    (ours, theirs), histories = both(make, lambda model: model.fit(X, y, sample_weight=weights, **options))
    assert ours.optimizer.iterations == 100
    assert disagreement(ours, theirs) < 1e-10
    assert_same_figures(histories[0].history, histories[1].history)
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), rtol=1e-9, atol=1e-12)


def compiled(module, dropped=True, loss="sparse_categorical_crossentropy", optimizer="adam"):
    output, units, _ = PROBLEMS[loss]
    model = stack(module, output, units, dropped)
    model.compile(optimizer, loss, ["accuracy"])
    return model


def test_logits_are_what_goes_into_the_softmax():
    def make(module):
        model = stack(module, None if module is keras else "softmax", CLASSES)
        theirs = "sparse_categorical_crossentropy"
        ours = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", ours if module is keras else theirs, ["accuracy"])
        return model

    (ours, theirs), histories = both(make, lambda model: model.fit(X, LABELS, epochs=3, verbose=0))
    assert disagreement(ours, theirs) < 1e-12
    assert_same_figures(histories[0].history, histories[1].history)
    logits = ours.predict(X, verbose=0)
    e = np.exp(logits)
    np.testing.assert_allclose(e / e.sum(axis=1, keepdims=True), theirs.predict(X, verbose=0), rtol=1e-9)


@pytest.mark.parametrize("y", [LABELS, LABELS[:, np.newaxis], LABELS.astype(np.float32), LABELS.tolist()])
def test_classes_are_weighted_but_not_in_validation(y):
    options = {"class_weight": {0: 3.0, 2: 0.25}, "validation_split": 0.3, "epochs": 4, "verbose": 0}

    def train(model):
        return model.fit(X, y if isinstance(model, keras.Sequential) else LABELS, **options)

    (ours, theirs), histories = both(compiled, train)
    assert disagreement(ours, theirs) < 1e-12
    assert_same_figures(histories[0].history, histories[1].history)


def test_weights_of_the_validation_data():
    held_out = X[:50], LABELS[:50], np.linspace(0, 3, 50)
    _, histories = both(compiled, lambda model: model.fit(X, LABELS, validation_data=held_out, verbose=0))
    assert_same_figures(histories[0].history, histories[1].history)


def test_fits_and_batches_go_on_where_the_last_ended():
    def train(model):
        model.fit(X, LABELS, epochs=2, verbose=0)
        if isinstance(model, keras.Sequential):
            return [model.train_on_batch(X[:30], LABELS[:30]), model.train_on_batch(X[30:], LABELS[30:])]
        whole = {"verbose": 0, "shuffle": False}
        runs = [model.fit(X[rows], LABELS[rows], batch_size=200, **whole) for rows in (slice(30), slice(30, None))]
        return [[run.history["loss"][0], run.history["accuracy"][0]] for run in runs]

    (ours, theirs), (found, expected) = both(compiled, train)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert disagreement(ours, theirs) < 1e-12
    assert ours.optimizer.iterations == 12
    np.testing.assert_allclose(ours.evaluate(X, LABELS, verbose=0), theirs.evaluate(X, LABELS, verbose=0), rtol=1e-12)
    assert ours.test_on_batch(X, LABELS) == ours.evaluate(X, LABELS, verbose=0, batch_size=7)


def test_two_dropouts_on_the_same_outputs():
    def make(module):
        layers = module.layers
        rates = [layers.Dropout(0.3), layers.Dropout(0.0), layers.Dropout(0.4)]
        middle = [layers.Dense(9, "relu"), *rates, layers.Dense(CLASSES, "softmax")]
        model = module.models.Sequential([layers.Input((WIDTH,)), *middle])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    (ours, theirs), histories = both(make, lambda model: model.fit(X, LABELS, epochs=3, verbose=0))
    assert disagreement(ours, theirs) < 1e-12
    assert_same_figures(histories[0].history, histories[1].history)


def images(dtype):
    pixels = np.random.default_rng(1).integers(0, 9, (60, 4, 5)).astype(dtype)
    return pixels, (pixels.sum(axis=(1, 2)) % 3).astype(np.uint8)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_images_of_any_type_stand_for_their_numbers(dtype, dropped):
    def make(module):
        layers = module.layers
        drops = [layers.Dropout(0.25)] * dropped  # before Flatten
        last = [layers.Flatten(), layers.Dense(7, "relu"), layers.Dense(3, "softmax")]
        model = module.models.Sequential([layers.Input((4, 5)), *drops, *last])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    (ours, theirs), _ = both(make, lambda model: model.fit(*images(dtype), epochs=3, verbose=0))
    assert disagreement(ours, theirs) < 1e-10


class Listener(keras.callbacks.Callback):
    def __init__(self):
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


def test_batch_by_batch_are_the_same_bits(monkeypatch):
    monkeypatch.setattr(hooks, "_warned", set())
    (whole, apart), listener = [twins(compiled)[0] for _ in range(2)], Listener()
    keras.utils.set_random_seed(9)
    expected = whole.fit(X, LABELS, epochs=3, verbose=0, validation_split=0.3).history
    keras.utils.set_random_seed(9)
    with pytest.warns(UserWarning, match=r"Listener\.on_train_batch_end makes every batch a call of its own"):
        found = apart.fit(X, LABELS, epochs=3, verbose=0, validation_split=0.3, callbacks=listener).history
    assert all((a == b).all() for a, b in zip(whole.get_weights(), apart.get_weights(), strict=True))
    assert_same_figures(found, expected, 1e-13)
    assert len(listener.losses) == 12
    np.testing.assert_allclose(listener.losses[3::4], expected["loss"], rtol=1e-13)


@pytest.mark.parametrize("most_bytes", [1, 20 * WIDTH, 10**6])
def test_masks_that_would_be_too_large_are_drawn_in_parts(monkeypatch, most_bytes):
    """Without shuffling, and with one Dropout, the parts' draws are the whole's, and so are all bits."""

    def run():
        keras.utils.set_random_seed(3)
        middle = [keras.layers.Dense(9, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(CLASSES, "softmax")]
        model = keras.Sequential([keras.Input((WIDTH,)), *middle])
        model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
        history = model.fit(X, LABELS, 12, epochs=2, verbose=0, shuffle=False, sample_weight=np.linspace(0, 2, COUNT))
        return history.history, model.get_weights()

    expected_figures, expected = run()
    monkeypatch.setattr(dropout, "MOST_BYTES", most_bytes)
    monkeypatch.setattr(dropout, "BLOCK", 5)
    figures, weights = run()
    assert all((a == b).all() for a, b in zip(weights, expected, strict=True))
    assert_same_figures(figures, expected_figures, 1e-13)


def test_shuffled_parts_take_every_row_once(monkeypatch):
    monkeypatch.setattr(dropout, "MOST_BYTES", 5000)
    model = compiled(keras)
    data = model.trainer().data(keras.data.samples(X, LABELS, None, ("x", "y", "w")), ("x", "y")).data
    rng = np.random.default_rng(2)
    net, rates = model.network.net, model.network.plan.rates[:-1]
    parts = list(dropout.parts(net, rates, data, rng.permutation(COUNT), 16, rng))
    assert len(parts) > 2
    assert all(len(part.order) % 16 == 0 for part in parts[:-1])
    rows = np.concatenate([part.data.y[part.order] for part in parts])
    assert sorted(rows) == sorted(LABELS)
    assert (rows != LABELS).any()
    assert {part.masks.kept.nbytes <= 5000 for part in parts} == {True}


def test_float32_is_the_default():
    keras.config.set_floatx("float32")
    (ours, theirs), histories = both(compiled, lambda model: model.fit(X, LABELS, epochs=5, verbose=0))
    assert {array.dtype for array in ours.get_weights()} == {np.dtype(np.float32)}
    assert ours.predict(X, verbose=0).dtype == np.float32
    assert disagreement(ours, theirs) < 1e-4
    assert_same_figures(histories[0].history, histories[1].history, 1e-5)


IMPORTS = ("from keras import callbacks, layers, models, optimizers, utils", "from keras.datasets import mnist")
TIMES = re.compile(r"\d+s( -)? \d+(s|ms|us)/step")


@pytest.mark.parametrize(("floatx", "places", "tolerance"), [("float64", 0, 1e-10), ("float32", 1, 1e-4)])
def test_a_program_of_a_tutorials_reader(monkeypatch, floatx, places, tolerance):
    """The same lines, with the same figures, in float32 to one unit of the last place, and the same weights.

    There are 360 updates, over which rounding grows to 1e-14 of the weights in float64 and 1e-6 in float32.
    """
    keras.config.set_floatx(floatx)
    monkeypatch.setattr(keras.layer, "_names", Counter())
    monkeypatch.setattr(oracle, "FLOAT_BYTES", int(floatx[-2:]) // 8)
    runs = []
    for datasets, package in (("from keras import mnist", "keras_oracle"), (IMPORTS[1], "fastnn.dropin.keras")):
        imports = [line.replace("from keras", f"from {package}") for line in (IMPORTS[0], datasets)]
        run = script_runner.run("keras_mnist.py", dict(zip(IMPORTS, imports, strict=True)))
        runs.append(run._replace(lines=[TIMES.sub(r"T\1", line) for line in run.lines]))
    (expected, theirs), (found, ours) = runs
    script_runner.assert_same_lines(found, expected, places=places)
    for name in ("first_weights", "second_weights"):
        for array, other in zip(ours[name], theirs[name], strict=True):
            assert np.abs(array - other).max() <= tolerance * np.abs(other).max()
