"""Files that fastnn writes for Keras and Keras for fastnn, metrics and callbacks, beside Keras itself where it is.

Not for the suite's own environment, which has no Keras; see docs/testing.md.
"""

from __future__ import annotations

import os
import re
import warnings

import keras_files
import numpy as np
import pytest
from keras_files import LABELS, X

import fastnn.dropin.keras as ours

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it and its backend warn of while they are imported
    theirs = pytest.importorskip("keras")  # installed by hand, CI does without it

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras' own, and its backend's
WAYS = [(ours, theirs), (theirs, ours)]
IDS = ["written by fastnn", "written by Keras"]


def same(first, second):
    for array, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize(("writer", "reader"), WAYS, ids=IDS)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", keras_files.MODELS)
def test_whole_models(tmp_path, name, ending, writer, reader):
    _, x, _ = keras_files.MODELS[name]
    model = keras_files.trained(writer, name)
    model.save(tmp_path / f"m{ending}")
    loaded = reader.models.load_model(tmp_path / f"m{ending}")
    assert type(loaded).__name__ == {"sequential": "Sequential", "functional": type(loaded).__name__}[name]
    same(loaded, model)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-7)
    assert int(loaded.optimizer.iterations) == 6
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize(("writer", "reader"), WAYS, ids=IDS)
@pytest.mark.parametrize("name", keras_files.MODELS)
def test_weights_and_json(tmp_path, name, writer, reader):
    model = keras_files.trained(writer, name)
    model.save_weights(tmp_path / "m.weights.h5")
    loaded = reader.models.model_from_json(model.to_json())
    loaded.load_weights(tmp_path / "m.weights.h5")
    same(loaded, model)


@pytest.mark.parametrize(("writer", "reader"), WAYS, ids=IDS)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_numbers_of_activations(tmp_path, ending, writer, reader):
    """Trained alike, and the same in the other's files."""
    predictions = []
    for keras in (writer, reader):
        kinds = keras.layers
        hidden = [kinds.Dense(5, activation=kinds.LeakyReLU(0.15)), kinds.Dense(4), kinds.LeakyReLU()]
        hidden += [kinds.Dense(4, "leaky_relu"), kinds.Dense(3), kinds.ELU(0.7)]
        model = keras.Sequential([kinds.Input((4,)), *hidden, kinds.Dense(1)])
        rng = np.random.default_rng(1)
        model.set_weights([rng.normal(size=w.shape) * 0.5 for w in model.get_weights()])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        model.fit(X, X[:, :1], batch_size=4, epochs=3, shuffle=False, verbose=0)
        predictions.append(model.predict(X, verbose=0))
        if keras is writer:
            model.save(tmp_path / f"m{ending}")
    predictions.append(reader.models.load_model(tmp_path / f"m{ending}").predict(X, verbose=0))
    np.testing.assert_allclose(predictions[1:], predictions[:1] * 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", keras_files.MODELS)
def test_weights_as_keras_2_wrote_them(tmp_path, name):
    model = keras_files.trained(ours, name)
    model.save_weights(tmp_path / "m.h5")
    loaded = keras_files.MODELS[name][0](theirs)
    loaded.load_weights(tmp_path / "m.h5")
    same(loaded, model)


OPTIMIZERS = {
    "sgd": lambda k: k.optimizers.SGD(0.1),
    "momentum": lambda k: k.optimizers.SGD(0.1, 0.9),
    "nesterov": lambda k: k.optimizers.SGD(0.1, 0.9, nesterov=True),
    "rmsprop": lambda k: k.optimizers.RMSprop(0.01),
    "rmsprop with momentum": lambda k: k.optimizers.RMSprop(0.01, momentum=0.5, clipnorm=1.0),
    "adam": lambda k: k.optimizers.Adam(0.01),
    "adamw": lambda k: k.optimizers.AdamW(0.01, weight_decay=0.01),
    "nadam": lambda k: k.optimizers.Nadam(0.01),
    "adagrad": lambda k: k.optimizers.Adagrad(0.1),
    "schedule": lambda k: k.optimizers.Adam(k.optimizers.schedules.CosineDecay(0.1, 20)),
}


@pytest.mark.parametrize(("writer", "reader"), WAYS, ids=IDS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_in_the_other(tmp_path, optimizer, writer, reader):
    writer.utils.set_random_seed(2)
    model = writer.Sequential([writer.layers.Input((4,)), writer.layers.Dense(3, "tanh"), writer.layers.Dense(1)])
    model.compile(OPTIMIZERS[optimizer](writer), "mse", metrics=["mae"])
    run = {"batch_size": 2, "verbose": 0, "shuffle": False, "epochs": 3}
    model.fit(X, LABELS, **run)
    model.save(tmp_path / "m.keras")
    loaded = reader.models.load_model(tmp_path / "m.keras")
    histories = [each.fit(X, LABELS, **run).history for each in (model, loaded)]
    assert list(histories[0]) == list(histories[1])
    for name, figures in histories[0].items():
        np.testing.assert_allclose(histories[1][name], figures, rtol=2e-5, err_msg=name)


def test_a_decay_becomes_a_schedule(tmp_path):
    model = ours.Sequential([ours.layers.Dense(1, input_shape=(4,))])
    model.compile(ours.optimizers.SGD(0.1, decay=0.5), "mse")
    model.fit(X, LABELS, batch_size=2, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = theirs.models.load_model(tmp_path / "m.keras")
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.1 / 2.5)


WATCHED = {
    "classes": (
        3,
        "softmax",
        "categorical_crossentropy",
        np.eye(3)[LABELS],
        lambda k: ["acc", "mae", k.metrics.AUC(), k.metrics.Precision(), k.metrics.TopKCategoricalAccuracy(2)],
    ),
    "labels": (3, "softmax", "sparse_categorical_crossentropy", LABELS, lambda k: ["accuracy", "acc"]),
    "binary": (
        1,
        "sigmoid",
        "binary_crossentropy",
        (LABELS > 0)[:, None] * 1,
        lambda k: ["accuracy", "AUC", k.metrics.Recall(name="r"), k.metrics.BinaryAccuracy(threshold=0.3), "mse"],
    ),
    "reals": (
        2,
        "linear",
        "mse",
        X[:, :2] * 3,
        lambda k: ["mae", "mape", "msle", "cosine_similarity", k.metrics.RootMeanSquaredError(), "accuracy"],
    ),
}


@pytest.mark.parametrize("problem", WATCHED)
def test_metrics_of_training_and_evaluation(problem):
    units, output, loss, y, watched = WATCHED[problem]
    found = []
    for keras in (ours, theirs):
        layers = [keras.layers.Input((4,)), keras.layers.Dense(units, activation=output)]
        model = keras.Sequential(layers)
        model.set_weights([np.linspace(-1, 1, 4 * units).reshape(4, units), np.zeros(units)])
        weighted = ["mse"] if y.ndim == 2 else ["accuracy"]
        model.compile(keras.optimizers.SGD(0.1), loss, metrics=watched(keras), weighted_metrics=weighted)
        data = {"batch_size": 4, "verbose": 0, "sample_weight": np.linspace(0.5, 2, 6)}
        history = model.fit(X, y, shuffle=False, epochs=2, validation_data=(X, y), **data).history
        plain = {re.sub(r"auc_\d+", "auc", re.sub(r"precision_\d+", "precision", k)): v for k, v in history.items()}
        found.append((plain, model.evaluate(X, y, return_dict=True, **data)))
    (history, evaluated), (expected, expected_evaluated) = found
    assert list(history) == list(expected)
    for name, figures in expected.items():
        np.testing.assert_allclose(history[name], figures, rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_allclose([*evaluated.values()], [*expected_evaluated.values()], rtol=1e-5, atol=1e-6)


CALLBACKS = {
    "plateau": lambda k: k.callbacks.ReduceLROnPlateau(
        "loss", factor=0.5, patience=1, min_delta=0.05, cooldown=1, verbose=1
    ),
    "schedule": lambda k: k.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5**epoch, verbose=1),
    "epochs alone": lambda k: k.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch, verbose=1),
    "batches": lambda k: k.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: print(batch, sorted(logs))),
    "checkpoints": lambda k: k.callbacks.ModelCheckpoint("{epoch}-{batch}.keras", save_freq=3, verbose=1),
    "weights": lambda k: k.callbacks.ModelCheckpoint("{epoch}.weights.h5", save_weights_only=True, verbose=1),
}


@pytest.mark.parametrize("callback", CALLBACKS)
def test_callbacks(capsys, tmp_path, monkeypatch, callback):
    monkeypatch.chdir(tmp_path)
    said, histories = [], []
    for keras in (ours, theirs):
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
        model.set_weights([np.ones((4, 1)), np.zeros(1)])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        given = [CALLBACKS[callback](keras)]
        histories.append(model.fit(X, LABELS, 4, 6, 0, given, shuffle=False).history)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert list(histories[0]) == list(histories[1])
    for name, figures in histories[1].items():
        np.testing.assert_allclose(histories[0][name], figures, rtol=1e-5)
