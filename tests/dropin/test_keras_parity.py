"""fastnn.dropin.keras beside Keras itself, where that is installed: from equal weights, without shuffling.

Not for the suite's own environment, which has no Keras. Losses agree to 1e-5 (both compute in float32); callbacks are
called, lines printed and tables laid out in the same way.
"""

from __future__ import annotations

import os
import re
import warnings

import numpy as np
import pytest

import fastnn.dropin.keras as ours
from fastnn.dropin.keras import summary

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it and its backend warn of while they are imported
    theirs = pytest.importorskip("keras")  # installed by hand, CI does without it

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras' own, and its backend's
COUNT, WIDTH, CLASSES = 150, 12, 4
RNG = np.random.default_rng(0)
X = RNG.random((COUNT, WIDTH), np.float32)
LABELS = (X @ RNG.normal(size=(WIDTH, CLASSES)).astype(np.float32)).argmax(axis=1)
ONE_HOT = np.eye(CLASSES)[LABELS]
BINARY = (LABELS % 2).astype(np.float32)
WEIGHTS = RNG.random(COUNT).astype(np.float32) * 2


def model_of(keras, output="softmax", units=CLASSES, dropout=False):
    layers = [keras.layers.Dense(9, activation="relu", name="first"), keras.layers.Dense(7, "tanh", name="second")]
    layers += [keras.layers.Dropout(0.5, name="dropped")] * dropout
    layers = [keras.layers.Input((WIDTH,)), *layers, keras.layers.Dense(units, activation=output, name="last")]
    model = keras.models.Sequential(layers, name="net")
    shapes = [(WIDTH, 9), (9,), (9, 7), (7,), (7, units), (units,)]
    assert [w.shape for w in model.get_weights()] == shapes
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(size=shape) * 0.4 for shape in shapes])
    return model


# name: (loss, whether a string, output activation, units, targets, metrics)
PROBLEMS = {
    "sparse": (lambda k: "sparse_categorical_crossentropy", "softmax", CLASSES, LABELS, ["accuracy"]),
    "sparse columns": (lambda k: "sparse_categorical_crossentropy", "softmax", CLASSES, LABELS[:, None], ["acc"]),
    "sparse floats": (
        lambda k: k.losses.SparseCategoricalCrossentropy(),
        "softmax",
        CLASSES,
        LABELS.astype(np.float32),
        ["sparse_categorical_accuracy"],
    ),
    "sparse logits": (
        lambda k: k.losses.SparseCategoricalCrossentropy(from_logits=True),
        None,
        CLASSES,
        LABELS,
        ["accuracy"],
    ),
    "one-hot": (lambda k: "categorical_crossentropy", "softmax", CLASSES, ONE_HOT, ["categorical_accuracy"]),
    "one-hot logits": (
        lambda k: k.losses.CategoricalCrossentropy(from_logits=True),
        "linear",
        CLASSES,
        ONE_HOT,
        ["accuracy"],
    ),
    "binary": (lambda k: "binary_crossentropy", "sigmoid", 1, BINARY, ["accuracy"]),
    "binary columns": (lambda k: "binary_crossentropy", "sigmoid", 1, BINARY[:, None], ["binary_accuracy"]),
    "binary logits": (lambda k: k.losses.BinaryCrossentropy(from_logits=True), None, 1, BINARY, None),
    "several binary": (lambda k: "binary_crossentropy", "sigmoid", CLASSES, ONE_HOT, ["accuracy"]),
    "mse": (lambda k: "mse", "linear", 2, X[:, :2] * 3, None),
    "mse of one": (lambda k: k.losses.MeanSquaredError(), None, 1, X[:, 0] * 3, []),
    "mse of one column": (lambda k: "mean_squared_error", "tanh", 1, X[:, :1], None),
    "mse of classes": (lambda k: "mean_squared_error", "softmax", CLASSES, ONE_HOT, ["accuracy"]),
    "mse of one class": (lambda k: "mean_squared_error", "sigmoid", 1, BINARY, ["accuracy"]),
}
OPTIMIZERS = {
    "sgd": lambda k: "sgd",
    "SGD": lambda k: k.optimizers.SGD(0.05),
    "momentum": lambda k: k.optimizers.SGD(learning_rate=0.02, momentum=0.9),
    "nesterov": lambda k: k.optimizers.SGD(learning_rate=0.02, momentum=0.8, nesterov=True),
    "adam": lambda k: "adam",
    "Adam": lambda k: k.optimizers.Adam(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-5),
}
OPTIONS = {
    "plain": {},
    "split": {"validation_split": 0.3},
    "sample_weight": {"sample_weight": WEIGHTS, "validation_split": 0.2},
    "validation_data": {"batch_size": 17},
    "class_weight": {"class_weight": {0: 2.0, 1: 0.5}, "initial_epoch": 1, "validation_split": 0.2},
}


def figures(keras, problem, optimizer, options):
    """All that fit, evaluate and predict return."""
    loss, output, units, y, metrics = PROBLEMS[problem]
    model = model_of(keras, output, units)
    model.compile(optimizer=OPTIMIZERS[optimizer](keras), loss=loss(keras), metrics=metrics)
    extra = {"validation_data": (X[:40], y[:40], WEIGHTS[:40])} if options == "validation_data" else {}
    found = {}
    for run in range(2):  # the optimizer's state goes on
        history = model.fit(X, y, epochs=3, shuffle=False, verbose=0, **OPTIONS[options], **extra)
        found |= {f"{name} {run}": values for name, values in history.history.items()}
        found[f"epochs {run}"] = history.epoch
        found[f"steps {run}"] = [history.params[name] for name in ("epochs", "steps", "verbose")]
    found["batch"] = model.train_on_batch(X[:20], y[:20], sample_weight=WEIGHTS[:20])
    found["evaluate"] = model.evaluate(X, y, verbose=0)
    found["weighted"] = model.evaluate(X, y, sample_weight=WEIGHTS, verbose=0)
    found |= model.evaluate(X, y, batch_size=64, verbose=0, return_dict=True)
    found["predict"] = model.predict(X, verbose=0)
    return found, model.get_weights()


def compare(first, second, tolerance=1e-5):
    assert list(first) == list(second)
    for name, values in second.items():
        np.testing.assert_allclose(first[name], values, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_losses(problem, optimizer):
    (found, weights), (expected, expected_weights) = (figures(k, problem, optimizer, "split") for k in (ours, theirs))
    compare(found, expected)
    for array, other in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer):
    compare(figures(ours, "one-hot", optimizer, "split")[0], figures(theirs, "one-hot", optimizer, "split")[0])


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("problem", ["sparse", "one-hot", "binary", "several binary", "mse of one class"])
def test_weights_of_samples_and_held_out_data(problem, options):
    compare(figures(ours, problem, "adam", options)[0], figures(theirs, problem, "adam", options)[0])


def compiled(keras, rate=0.01, **options):
    model = model_of(keras, **options)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def spoken(text):
    """Printed lines as they look in the end, without colours; times become T."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\b", "")
    lines = [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return [re.sub(r"\d+s( -)? \d+(s|ms|us)/step", r"T\1", line) for line in lines]


def both_say(capsys, run):
    said = []
    for keras in (ours, theirs):
        run(keras)
        said.append(spoken(capsys.readouterr().out))
    return said


def no_figures(lines):
    return [re.sub(r"\d+\.\d+(e[-+]\d+)?", "F", line) for line in lines]


@pytest.mark.parametrize("verbose", ["auto", 0, 1, 2])
@pytest.mark.parametrize("epochs", [1, 2])
def test_printed_lines(capsys, verbose, epochs):
    def run(keras):
        model = compiled(keras)
        model.fit(X, LABELS, epochs=epochs, verbose=verbose, shuffle=False, validation_split=0.2)
        model.fit(X, LABELS, epochs=epochs, verbose=verbose, shuffle=False, batch_size=7)
        model.evaluate(X, LABELS, verbose=verbose)
        model.predict(X, verbose=verbose)

    found, expected = both_say(capsys, run)
    assert no_figures(found) == no_figures(expected)
    numbers = [[float(x) for line in lines for x in re.findall(r"\d+\.\d+", line)] for lines in (found, expected)]
    np.testing.assert_allclose(*numbers, atol=2e-4)


@pytest.mark.parametrize("length", [None, 50, 60, 77, 88, 100])
def test_summary(capsys, monkeypatch, length):
    monkeypatch.setenv("COLUMNS", "110")
    if theirs.backend.backend() == "jax":  # where the number of updates is an int32
        monkeypatch.setattr(summary, "UPDATES_SIZE", 4)

    def run(keras):
        model = compiled(keras, dropout=True)
        model.summary(line_length=length)
        model.fit(X, LABELS, verbose=0)
        model.summary(line_length=length)
        more = [keras.layers.Dense(3, name="a_name_that_is_far_too_long_for_any_column_of_the_table_that_is_printed")]
        more += [keras.layers.Dense(123_456, name="some words make it long")]
        sgd = keras.models.Sequential([keras.layers.Input((4, 5)), keras.layers.Flatten(name="flat"), *more], name="b")
        sgd.compile(keras.optimizers.SGD(0.1, 0.9), "mse")
        sgd.summary(line_length=length)
        keras.models.Sequential([keras.layers.Flatten(name="f"), keras.layers.Dense(3, name="d")], name="c").summary(
            length
        )

    found, expected = both_say(capsys, run)
    assert found == expected


def heard_by_callbacks(keras, listens):
    """Every hook that a callback hears and what it is given."""
    heard = []

    def hook(name):
        def call(self, *given, logs=None):
            *numbers, last = given if given and not isinstance(given[-1], int) else (*given, logs)
            heard.append((name, numbers, dict(last)))

        return call

    hooks = [name for name in dir(ours.callbacks.Callback) if name.startswith("on_")]
    hooks = {name: hook(name) for name in hooks if listens or "batch" not in name}
    callback = type("Listener", (keras.callbacks.Callback,), hooks)()
    model = compiled(keras)
    model.fit(X, LABELS, 64, 2, 0, [callback], validation_split=0.3, shuffle=False)
    heard.append(("fit", [], dict(callback.params)))
    model.evaluate(X, LABELS, verbose=0, callbacks=[callback])
    heard.append(("evaluate", [], dict(callback.params)))
    # In a list: of a callback that is in none, Keras on JAX calls the ends of batches in other threads, in any order.
    model.predict(X, verbose=0, callbacks=[callback])
    assert callback.model is model
    return heard


@pytest.mark.parametrize("listens", [False, True])
def test_callbacks_are_called_alike(listens):
    found, expected = (heard_by_callbacks(keras, listens) for keras in (ours, theirs))
    assert [entry[:2] for entry in found] == [entry[:2] for entry in expected]
    for (name, _, logs), (_, _, other) in zip(found, expected, strict=True):
        assert list(logs) == list(other), name
        for key, value in other.items():
            np.testing.assert_allclose(logs[key], value, rtol=1e-5, atol=1e-5, err_msg=f"{name} {key}")


STOPPING = [
    {"monitor": "loss", "min_delta": 0.02, "patience": 1, "verbose": 1},
    {"monitor": "val_loss", "patience": 2, "verbose": 1, "restore_best_weights": True},
    {"monitor": "val_accuracy", "min_delta": 0.01, "patience": 2, "verbose": 1, "restore_best_weights": True},
    {"monitor": "val_loss", "mode": "max", "patience": 1, "verbose": 1, "start_from_epoch": 3},
    {"monitor": "accuracy", "baseline": 0.99, "patience": 3, "verbose": 1, "restore_best_weights": True},
    {"monitor": "val_loss", "baseline": 1.2, "patience": 4},
    {},
]


@pytest.mark.parametrize("options", STOPPING)
def test_early_stopping(capsys, options):
    models = {}

    def run(keras):
        models[keras] = model = compiled(keras, rate=0.1)
        stopping = keras.callbacks.EarlyStopping(**options)
        data = {"verbose": 0, "shuffle": False, "validation_split": 0.4, "callbacks": [stopping]}
        history = model.fit(X, LABELS, epochs=25, **data)
        again = model.fit(X, LABELS, epochs=3, **data)
        print(history.epoch, again.epoch, stopping.best_epoch, stopping.stopped_epoch, stopping.wait)

    found, expected = both_say(capsys, run)
    assert found == expected
    for array, other in zip(models[ours].get_weights(), models[theirs].get_weights(), strict=True):
        np.testing.assert_allclose(array, other, atol=5e-3)  # 25 epochs at a great rate


CHECKPOINTS = [
    {"verbose": 1},
    {"verbose": 1, "save_best_only": True},
    {"verbose": 1, "save_best_only": True, "monitor": "val_accuracy", "initial_value_threshold": 0.4},
    {"save_best_only": True, "monitor": "loss", "mode": "max"},
]


@pytest.mark.parametrize("options", CHECKPOINTS)
def test_checkpoints(capsys, tmp_path, monkeypatch, options):
    files = {}

    def run(keras):
        (tmp_path / keras.__name__).mkdir()
        monkeypatch.chdir(tmp_path / keras.__name__)
        checkpoint = keras.callbacks.ModelCheckpoint("kept/{epoch:02d}-{val_loss:.3f}.keras", **options)
        compiled(keras, 0.05).fit(
            X, LABELS, epochs=8, verbose=2, shuffle=False, validation_split=0.4, callbacks=[checkpoint]
        )
        files[keras] = sorted(os.listdir("kept"))

    found, expected = both_say(capsys, run)
    assert no_figures(found) == no_figures(expected)
    assert files[ours] == files[theirs]
    assert files[ours]


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_csv_logger(tmp_path, append, share):
    written = []
    for keras in (ours, theirs):
        path = tmp_path / f"{keras.__name__}.csv"
        model = compiled(keras)
        for _ in range(2):
            logger = keras.callbacks.CSVLogger(path, separator=";", append=append)
            model.fit(X, LABELS, epochs=2, verbose=0, shuffle=False, validation_split=share, callbacks=[logger])
        written.append(re.split("([;\r\n])", path.read_bytes().decode()))
    for field, other in zip(*written, strict=True):
        assert field == other or float(field) == pytest.approx(float(other), abs=1e-5)


def test_to_categorical():
    for x in ([0, 3, 1], [[2], [0]], [[1, 2], [0, 1]], 2, np.array([1.0, 2.0])):
        for classes in (None, 5):
            found, expected = (keras.utils.to_categorical(x, classes) for keras in (ours, theirs))
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_dropout_alike_in_distribution():
    """Not the same masks, but the same distribution of the loss before any update."""
    losses = {}
    for keras in (ours, theirs):
        losses[keras] = []
        for _ in range(12):
            model = model_of(keras, dropout=True)
            model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
            losses[keras] += model.fit(X, LABELS, epochs=5, verbose=0).history["loss"]
    found, expected = np.array(losses[ours]), np.array(losses[theirs])
    error = np.hypot(found.std(), expected.std()) / np.sqrt(60)
    assert abs(found.mean() - expected.mean()) < 4 * error
    assert found.std() == pytest.approx(expected.std(), rel=0.5)


REGULAR = {
    "l2": lambda k: {"kernel_regularizer": k.regularizers.L2(0.05)},
    "l1": lambda k: {"kernel_regularizer": "l1"},
    "l1_l2": lambda k: {"kernel_regularizer": k.regularizers.L1L2(0.01, 0.02)},
    "no bias": lambda k: {"use_bias": False},
    "plain": lambda k: {},
}
FOLLOWED = {
    "clipnorm": lambda k: k.optimizers.SGD(0.5, clipnorm=0.1),
    "clipvalue": lambda k: k.optimizers.Adam(0.01, clipvalue=0.01),
    "global_clipnorm": lambda k: k.optimizers.RMSprop(0.01, global_clipnorm=0.1),
    "weight_decay": lambda k: k.optimizers.SGD(0.1, weight_decay=0.1),
    "exponential": lambda k: k.optimizers.SGD(k.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)),
    "cosine": lambda k: k.optimizers.Adam(k.optimizers.schedules.CosineDecay(0.1, 10)),
    "pieces": lambda k: k.optimizers.SGD(k.optimizers.schedules.PiecewiseConstantDecay([3, 7], [0.1, 0.05, 0.01]), 0.9),
}


def functional(keras, optimizer, options):
    inputs = keras.Input((WIDTH,))
    hidden = keras.layers.Activation("tanh")(keras.layers.Dense(7, **REGULAR[options](keras))(inputs))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax", kernel_regularizer=None)(hidden))
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(size=w.shape) * 0.4 for w in model.get_weights()])
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    model.compile(FOLLOWED[optimizer](keras), loss, metrics=["accuracy"])
    history = model.fit(X, ONE_HOT, batch_size=16, epochs=3, shuffle=False, verbose=0, validation_split=0.2).history
    return history | {"predict": model.predict(X, verbose=0), "names": [type(layer).__name__ for layer in model.layers]}


@pytest.mark.parametrize("options", REGULAR)
@pytest.mark.parametrize("optimizer", FOLLOWED)
def test_functional_models(optimizer, options):
    found, expected = (functional(k, optimizer, options) for k in (ours, theirs))
    assert found.pop("names") == expected.pop("names")
    compare(found, expected)
