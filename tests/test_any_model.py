"""What models and histories of any program say, asked by one function each."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import any_model
from fastnn.dropin.keras import layers, models
from fastnn.dropin.rashid import neuralNetwork
from fastnn.errors import InvalidArgumentError, InvalidTypeError

X, Y = np.random.default_rng(0).random((12, 4)), np.arange(12) % 3


def keras(outputs: int, activation: str) -> models.Sequential:
    model = models.Sequential([layers.Dense(outputs, activation)])
    model.build((None, 4))
    return model


def test_labels_in_any_form():
    for y in (Y, Y.tolist(), Y[:, np.newaxis], np.eye(3)[Y]):
        np.testing.assert_array_equal(any_model.labels(y, 12), Y)
    for y in (Y[:5], np.zeros((2, 2, 2))):
        with pytest.raises(InvalidArgumentError, match=r"y: expected shape \(12,\), one label per row of X, found"):
            any_model.labels(y, 12)


@pytest.mark.parametrize(
    "history",
    [
        fastnn.History([2.0, 1.0], [0.5, 0.75], [3.0, 2.0]),
        {"loss": [2, 1], "accuracy": [0.5, 0.75], "val_loss": [3, 2]},
        {"loss": np.array([2.0, 1.0]), "acc": np.array([0.5, 0.75]), "val_loss": np.array([3.0, 2.0]), "lr": None},
    ],
)
def test_histories(history):
    found = any_model.history_of(history)
    assert (found.loss, found.accuracy, found.val_loss, found.val_accuracy) == ([2, 1], [0.5, 0.75], [3, 2], [])


def test_predictions_are_one_for_each_row():
    softmax, sigmoid = keras(3, "softmax"), keras(1, "sigmoid")
    np.testing.assert_array_equal(any_model.predictions(softmax, X, Y), softmax.predict(X, verbose=0).argmax(axis=1))
    said = sigmoid.predict(X, verbose=0)[:, 0]
    np.testing.assert_array_equal(any_model.predictions(sigmoid, X, Y % 2), said > 0.5)
    np.testing.assert_allclose(any_model.predictions(sigmoid, X, X[:, 0]), said)
    regressor = fastnn.MLP([4, 3], output="identity", seed=1)
    np.testing.assert_array_equal(any_model.predictions(regressor, X, Y), regressor.predict(X).argmax(axis=1))
    index = fastnn.Neighbors().fit(X, Y)
    np.testing.assert_array_equal(any_model.predictions(index.classify, X, Y), index.classify(X))
    with pytest.raises(InvalidArgumentError, match=r"model: expected one prediction for each row, found shape \(2,\)"):
        any_model.predictions(lambda _: [1, 2], X, Y)


def test_certainty_where_there_are_probabilities():
    model, sigmoid = fastnn.MLP([4, 3], seed=1), keras(1, "sigmoid")
    np.testing.assert_allclose(any_model.certainty(model, X), model.predict_proba(X).max(axis=1))
    p = sigmoid.predict(X, verbose=0)[:, 0]
    np.testing.assert_allclose(any_model.certainty(sigmoid, X), np.maximum(p, 1 - p))
    assert any_model.certainty(fastnn.MLP([4, 3], output="identity"), X) is None
    assert any_model.certainty(len, X) is None


def test_first_weights():
    rashid, model = neuralNetwork(4, 5, 3, 0.1), fastnn.MLP([4, 5, 3])
    np.testing.assert_array_equal(any_model.first_weights(rashid), rashid.wih.T)
    np.testing.assert_array_equal(any_model.first_weights(model), model.weights[0])
    with pytest.raises(InvalidArgumentError, match="model: expected one that is built, found one without weights"):
        any_model.first_weights(models.Sequential([layers.Dense(5)]))
    with pytest.raises(InvalidTypeError, match="model: expected a network, fitted"):
        any_model.first_weights(len)


def test_backqueries():
    rashid, model = neuralNetwork(4, 5, 3, 0.1), fastnn.MLP([4, 5, 3], seed=1)
    model.fit(X, np.array(["ash", "elm", "oak"])[Y], epochs=1)
    for asked, names in ((rashid, ["0", "1", "2"]), (model, ["ash", "elm", "oak"])):
        found, named = any_model.backqueries(asked)
        assert (found.shape, named) == ((3, 4), names)
    np.testing.assert_allclose(any_model.backqueries(rashid)[0][1], rashid.backquery([0.01, 0.99, 0.01])[:, 0])
    with pytest.raises(InvalidTypeError, match="model: expected an MLP, or Rashid's neuralNetwork"):
        any_model.backqueries(len)


@pytest.mark.parametrize("values", [["a", "b"], [None], 5])
def test_figures_of_a_history_are_numbers(values):
    with pytest.raises(InvalidTypeError, match=r"^history"):
        any_model.history_of({"loss": values})


def test_predictions_are_of_the_type_of_the_labels():
    with pytest.raises(InvalidTypeError, match=r"^model: expected predictions of the type of y, int64, found <U1"):
        any_model.predictions(lambda X: np.full(len(X), "1"), X, Y)
    found = any_model.predictions(lambda X: np.array(["ash"] * len(X), object), X, np.array(["ash", "elm"] * 6))
    assert found.tolist() == ["ash"] * 12


def test_a_single_number_is_no_rows():
    with pytest.raises(InvalidTypeError, match=r"^X: expected an array of rows, found int"):
        any_model.count_of(3)
