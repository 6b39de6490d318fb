"""Metrics of fastnn.dropin.keras: alone, beside what Keras finds of the same arrays, and of models."""

from __future__ import annotations

import json
from pathlib import Path

import keras_metrics
import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import hooks, layers, losses, metrics, models, optimizers

FOUND = json.loads((Path(__file__).parents[1] / "data" / "keras_metrics.json").read_text())
RNG = np.random.default_rng(0)
X = RNG.random((70, 6), np.float32)
LABELS = np.arange(70) % 3
ONE_HOT = np.eye(3)[LABELS]
BINARY = (LABELS > 0) * 1
REALS = X @ RNG.random((6, 2))
WEIGHTS = RNG.random(70)


@pytest.mark.parametrize("case", keras_metrics.CASES)
def test_figures_are_keras(case):
    name, options, data = keras_metrics.CASES[case]
    for weighted, expected in enumerate(FOUND[case]):
        metric = getattr(metrics, name)(**options)
        figure = keras_metrics.found(metric, data, weighted)
        np.testing.assert_allclose(figure, expected, rtol=3e-5, atol=3e-6)
        again = metrics.deserialize(metrics.serialize(metric))
        metric.reset_state()
        for other in (again, metric):
            np.testing.assert_array_equal(keras_metrics.found(other, data, weighted), figure)


def test_metrics_alone():
    metric = metrics.AUC(name="mine")
    assert metric([0, 1, 1], [0.2, 0.6, 0.1]).numpy() == np.float32(0.5)
    assert (repr(metric), metric.result().dtype) == ("<AUC name=mine>", np.float32)
    metric.reset_states()
    assert float(metric.result()) == 0
    mean = metrics.Mean()
    mean.update_state([1, 2, 3])
    mean.update_state([[1, 2], [3, 4]], sample_weight=[1, 0.5])
    assert float(mean.result()) == pytest.approx((6 + 1.5 + 1.75) / 4.5)
    total = metrics.Sum()
    total.update_state([1, 2, 3], [1, 0, 2])
    assert float(total(4)) == 11


def test_functions_give_figures_of_rows():
    figures = metrics.mean_absolute_error([[0, 1], [2, 2]], [[0.5, 0], [2, 2]])
    assert figures.numpy().tolist() == [0.75, 0]
    assert metrics.sparse_categorical_accuracy([1, 0], [[0, 1], [0, 1]]).numpy().tolist() == [1, 0]
    assert metrics.mae is metrics.MAE is metrics.mean_absolute_error


def test_names_of_metrics():
    for name, kind in [
        ("mse", metrics.MeanSquaredError),
        ("AUC", metrics.AUC),
        ("true_positives", metrics.TruePositives),
    ]:
        assert type(metrics.get(name)) is kind
    assert metrics.get("log_cosh") is metrics.get("logcosh") is metrics.log_cosh
    described = {"module": "keras.metrics", "class_name": "Precision", "config": {"name": "p", "thresholds": 0.25}}
    assert metrics.get(described).thresholds == [0.25]
    with pytest.raises(fastnn.FastnnError, match="expected the arguments of its kind"):
        metrics.get({"class_name": "AUC", "config": {"k": 3}})


class F1(metrics.Metric):
    """As tutorials write it, out of two other metrics."""

    def __init__(self, name="f1", **options):
        super().__init__(name=name, **options)
        self.precision, self.recall = metrics.Precision(), metrics.Recall()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.precision.update_state(y_true, y_pred, sample_weight)
        self.recall.update_state(y_true, y_pred, sample_weight)

    def result(self):
        p, r = self.precision.result(), self.recall.result()
        return 2 * ((p * r) / (p + r + 1e-7))

    def reset_state(self):
        self.precision.reset_state()
        self.recall.reset_state()


class Hits(metrics.Metric):
    """As Keras' documentation writes it, with variables."""

    def __init__(self, **options):
        super().__init__(**options)
        self.hits = self.add_weight(name="hits", shape=(), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.hits.assign_add(np.sum((y_true == 1) & (y_pred > 0.5)))

    def result(self):
        return self.hits


def rmse(y_true, y_pred):
    """One figure a batch."""
    assert y_true.shape == y_pred.shape
    return np.sqrt(np.mean(np.square(y_true - y_pred)))


def model_of(output="softmax", units=3, loss="categorical_crossentropy", rate=0.0, **options):
    keras.utils.set_random_seed(3)
    model = models.Sequential([layers.Input((6,)), layers.Dense(5, "tanh"), layers.Dense(units, output)])
    model.compile(optimizers.SGD(rate), loss, **options)
    return model


PROBLEMS = {
    "classes": (lambda **o: model_of(**o), ONE_HOT),
    "labels": (lambda **o: model_of(loss="sparse_categorical_crossentropy", **o), LABELS),
    "binary": (lambda **o: model_of("sigmoid", 1, "binary_crossentropy", **o), BINARY),
    "several": (lambda **o: model_of("sigmoid", 3, "binary_crossentropy", **o), ONE_HOT),
    "reals": (lambda **o: model_of("linear", 2, "mse", **o), REALS),
    "a real": (lambda **o: model_of("linear", 1, "mse", **o), REALS[:, 0]),
    "margins": (lambda **o: model_of("tanh", 1, "mse", **o), 2 * BINARY - 1),
}


def expected_accuracy(problem, outputs, y):
    if outputs.shape[1] == 1:
        return np.mean((outputs[:, 0] > 0.5) == y)
    return np.mean(outputs.argmax(axis=1) == (y if y.ndim == 1 else y.argmax(axis=1)))


@pytest.mark.parametrize("name", ["accuracy", "acc"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_accuracy_of_any_loss_and_targets(problem, name):
    make, y = PROBLEMS[problem]
    model = make(metrics=[name])
    expected = expected_accuracy(problem, model.predict(X, verbose=0), y)
    history = model.fit(X, y, batch_size=16, verbose=0, validation_data=(X, y)).history
    assert list(history) == [name, "loss", f"val_{name}", "val_loss"]
    assert history[name] == history[f"val_{name}"] == [pytest.approx(expected)]
    assert model.evaluate(X, y, verbose=0)[1] == pytest.approx(expected)


WATCHED = {
    "classes": ["mae", metrics.AUC(), metrics.AUC(curve="PR"), metrics.TopKCategoricalAccuracy(2), metrics.F1Score()],
    "labels": ["accuracy", metrics.SparseTopKCategoricalAccuracy(2, name="top"), "sparse_categorical_crossentropy"],
    "binary": [
        "AUC",
        metrics.Precision(),
        "recall",
        F1(),
        Hits(name="hits"),
        rmse,
        "accuracy",
        metrics.TruePositives(),
    ],
    "several": ["binary_accuracy", "accuracy", metrics.Precision(class_id=1), "kl_divergence"],
    "reals": ["mae", "mape", "msle", "cosine_similarity", metrics.RootMeanSquaredError(), "logcosh", rmse, "r2_score"],
    "a real": [metrics.mean_squared_error, "accuracy", metrics.MeanAbsoluteError(), rmse],
    "margins": ["hinge", "squared_hinge"],
}
NAMES = {
    "classes": ["mae", "auc", "auc_1", "top_k_categorical_accuracy", "f1_score"],
    "labels": ["accuracy", "top", "sparse_categorical_crossentropy"],
    "binary": ["AUC", "precision", "recall", "f1", "hits", "rmse", "accuracy", "true_positives"],
    "several": ["binary_accuracy", "accuracy", "precision", "kl_divergence"],
    "reals": ["mae", "mape", "msle", "cosine_similarity", "root_mean_squared_error", "logcosh", "rmse", "r2_score"],
    "a real": ["mean_squared_error", "accuracy", "mean_absolute_error", "rmse"],
    "margins": ["hinge", "squared_hinge"],
}


def own_names(names):
    """Without the numbers that count objects of a kind."""
    return [name.rstrip("0123456789").rstrip("_") if "score" not in name and name != "f1" else name for name in names]


@pytest.mark.parametrize("batchwise", [False, True])
@pytest.mark.parametrize("problem", WATCHED)
def test_metrics_of_training_are_those_of_the_weights_before_each_update(problem, batchwise, monkeypatch):
    """With a rate of 0 they are those of evaluate, whether the epoch is one call or a call for every batch."""
    make, y = PROBLEMS[problem]
    model = make(metrics=WATCHED[problem], weighted_metrics=["mse"] if problem != "labels" else None)
    names = [*NAMES[problem], *["mse"] * (problem != "labels")]  # which no other of them is
    assert own_names(model.metrics_names) == own_names(["loss", *names])
    monkeypatch.setattr(hooks, "_warned", {"batches"})
    heard = [keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: None)] * batchwise
    fitted = model.fit(X, y, batch_size=16, verbose=0, sample_weight=WEIGHTS, shuffle=False, callbacks=heard)
    found = model.evaluate(X, y, batch_size=16, verbose=0, sample_weight=WEIGHTS, return_dict=True)
    assert list(found) == list(fitted.history) == sorted(model.metrics_names)
    for name, figure in found.items():
        np.testing.assert_allclose(fitted.history[name][0], figure, rtol=1e-5, err_msg=name)
    listed = model.evaluate(X, y, batch_size=16, verbose=0, sample_weight=WEIGHTS)
    assert len(listed) == len(model.metrics_names)
    for name, figure in zip(model.metrics_names, listed, strict=True):
        np.testing.assert_allclose(figure, found[name], err_msg=name)


def test_figures_are_those_of_the_outputs():
    make, y = PROBLEMS["a real"]
    model = make(metrics=["mse", "mae", rmse], weighted_metrics=["mse"])
    error = model.predict(X, verbose=0)[:, 0] - y
    model.compile("sgd", "mse", metrics=["mae", rmse], weighted_metrics=[metrics.MeanSquaredError(name="weighted")])
    found = model.evaluate(X, y, batch_size=64, verbose=0, sample_weight=WEIGHTS, return_dict=True)
    expected = {
        "loss": np.mean(WEIGHTS * error**2),
        "mae": np.mean(np.abs(error)),
        "rmse": np.mean([np.sqrt(np.mean(part**2)) for part in (error[:64], error[64:])]),
        "weighted": np.sum(WEIGHTS * error**2) / WEIGHTS.sum(),
    }
    assert found == pytest.approx(expected, rel=1e-5)
    model.compile("sgd", "mse", metrics="mae")
    assert model.train_on_batch(X, y, return_dict=True) == pytest.approx(
        {"loss": np.mean(error**2), "mae": expected["mae"]}, rel=1e-5
    )


def test_metrics_under_dropout_are_of_the_outputs_that_were_trained():
    model = models.Sequential([layers.Input((6,)), layers.Dense(64, "relu"), layers.Dropout(0.5), layers.Dense(2)])
    model.compile(optimizers.SGD(0), "mse", metrics=["mse", "mae"])
    history = model.fit(X, REALS, batch_size=8, verbose=0).history
    assert history["mse"] == pytest.approx(history["loss"], rel=1e-5)
    assert history["mae"] != pytest.approx(model.evaluate(X, REALS, verbose=0)[2], rel=1e-3)


def test_metrics_of_one_output_by_its_name_and_in_nested_lists():
    make, _ = PROBLEMS["binary"]
    for given in ({"out": ["acc", "mae"]}, [["acc", "mae"]], ("acc", "mae"), {"out": "acc", "other": "mae"}):
        assert make(metrics=given).metrics_names == ["loss", "acc", "mae"]


def test_figures_of_one_name_get_others():
    model = model_of(metrics=["mae", "mae", "acc", "mae"], weighted_metrics=["mae", "mse", "mae"])
    assert model.metrics_names[1:] == ["mae", "mae_1", "acc", "mae_2", "weighted_mae", "mse", "weighted_mae_1"]
    assert len(model.evaluate(X, ONE_HOT, verbose=0)) == 8


def test_metrics_of_logits():
    logits = losses.BinaryCrossentropy(from_logits=True)
    model = model_of("linear", 1, logits, metrics=["accuracy", metrics.AUC(from_logits=True), metrics.Precision()])
    history = model.fit(X, BINARY, verbose=0).history
    z = model.predict(X, verbose=0)[:, 0]
    assert history["accuracy"] == [pytest.approx(np.mean((z > 0.5) == BINARY))]
    for name, figure in model.evaluate(X, BINARY, verbose=0, return_dict=True).items():
        assert history[name] == [pytest.approx(figure, rel=1e-5)]
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True)
    entropy = metrics.SparseCategoricalCrossentropy(from_logits=True, name="entropy")
    model = model_of("linear", 3, sparse, metrics=["accuracy", entropy, metrics.SparseTopKCategoricalAccuracy(2)])
    history = model.fit(X, LABELS, verbose=0).history
    assert history["entropy"] == pytest.approx(history["loss"], rel=1e-5)
    model.compile("sgd", losses.CategoricalCrossentropy(from_logits=True), metrics=["mae"])
    assert len(model.evaluate(X, ONE_HOT, verbose=0)) == 2
    with pytest.raises(fastnn.FastnnError, match="metrics: expected accuracies alone while a loss of from_logits"):
        model.fit(X, ONE_HOT, verbose=0)


def test_directions_are_told_by_the_metrics(capsys):
    for watched, best in (("mae", "min"), (metrics.AUC(name="area"), "max")):
        model = PROBLEMS["binary"][0](metrics=[watched], rate=0.1)
        stopping = keras.callbacks.EarlyStopping(metrics.name_of(watched), patience=10)
        history = model.fit(X, BINARY, epochs=4, verbose=0, callbacks=stopping).history
        figures = history[metrics.name_of(watched)]
        assert stopping.best == {"min": min, "max": max}[best](figures)
    model = PROBLEMS["a real"][0](metrics=[rmse])
    with pytest.raises(fastnn.FastnnError, match="mode: expected 'min' or 'max', which rmse does not tell"):
        model.fit(X, REALS[:, 0], verbose=0, callbacks=keras.callbacks.EarlyStopping("rmse"))


def test_figures_are_printed(capsys):
    model = PROBLEMS["classes"][0](metrics=["mae", metrics.F1Score()])
    model.fit(X, ONE_HOT, verbose=2)
    figures = dict(part.split(": ") for part in capsys.readouterr().out.strip().split(" - ")[3:])
    assert list(figures) == ["f1_score", "loss", "mae"]
    assert float(figures["f1_score"]) == pytest.approx(np.mean(model.evaluate(X, ONE_HOT, verbose=0)[2]), abs=1e-4)
