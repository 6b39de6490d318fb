"""MLP's predictions and scores, and the answers that it can be held to."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from fastnn import MLP
from fastnn.errors import FastnnError, InvalidArgumentError


def test_classifier(backend):
    model = MLP([4, 8, 3], activation="relu", seed=0)
    X = np.random.default_rng(0).normal(size=(50, 4))
    probabilities, classes = model.predict_proba(X), model.predict(X)
    assert (probabilities == model.forward(X)).all()
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-6
    assert classes.dtype == np.int64
    assert classes.tolist() == [row.index(max(row)) for row in probabilities.tolist()]
    assert len(set(classes.tolist())) > 1
    y = (classes + (np.arange(50) % 5 == 0)) % 3  # a fifth wrong
    assert model.score(X, y) == 0.8
    assert model.score(X, np.eye(3)[y]) == 0.8
    assert model.predict(X[7]) == classes[7]
    assert model.predict(X[7]).shape == ()
    assert model.predict_proba(X[7]).shape == (3,)


def test_binary_classifier(backend):
    model = MLP([4, 8, 1], seed=0)
    X = np.random.default_rng(0).normal(size=(50, 4))
    p = model.forward(X)
    assert p.shape == (50, 1)
    assert (model.predict_proba(X) == np.hstack([1 - p, p])).all()
    classes = model.predict(X)
    assert classes.tolist() == [int(row[0] > 0.5) for row in p.tolist()]
    assert len(set(classes.tolist())) == 2
    y = classes.copy()
    y[:10] = 1 - y[:10]
    assert model.score(X, y) == 0.8
    assert model.score(X, y[:, np.newaxis].astype(float)) == 0.8
    assert model.predict_proba(X[7]).shape == (2,)
    assert model.predict(X[7]).shape == ()


def test_several_sigmoids_are_one_probability_each():
    model = MLP([4, 3], output="sigmoid", seed=0)
    X = np.random.default_rng(0).normal(size=(5, 4))
    assert (model.predict_proba(X) == model.forward(X)).all()
    assert (model.predict(X) == model.forward(X).argmax(axis=1)).all()


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_regressor(backend, dtype, outputs):
    model = MLP([4, 8, outputs], output="identity", dtype=dtype, seed=0)
    X = np.random.default_rng(0).normal(size=(50, 4))
    y = (X[:, :outputs] * 2 + 5).astype(dtype)
    predicted = model.predict(X)
    assert predicted.shape == ((50,) if outputs == 1 else (50, 3))
    assert (predicted.reshape(50, outputs) == model.forward(X)).all()
    for targets in (y, y[:, 0]) if outputs == 1 else (y,):
        assert model.score(X, targets) == pytest.approx(r2_score(y, model.forward(X)), rel=1e-6)
    with pytest.raises(FastnnError, match="predict_proba: expected a softmax or sigmoid output, found identity"):
        model.predict_proba(X)


def test_r2_of_a_constant_target_is_scikit_learns():
    model = MLP([2, 3], output="identity", seed=0)
    X = np.random.default_rng(0).normal(size=(20, 2))
    y = model.forward(X)
    y[:, 1] = 4.0  # constant and missed
    assert model.score(X, y) == pytest.approx(r2_score(y, model.forward(X)))
    model.weights, model.biases = [np.zeros((2, 3))], [[0, 0, 7]]
    y[:, 2] = 7.0  # constant and hit
    assert model.score(X, y) == pytest.approx(r2_score(y, model.forward(X)))


def test_r2_of_labels_is_that_of_one_hot_targets():
    model = MLP([2, 3], output="identity", seed=0)
    X = np.random.default_rng(0).normal(size=(20, 2))
    y = np.arange(20) % 3
    assert model.score(X, y) == model.score(X, np.eye(3)[y])
    assert model.score(X[:3], y[:3]) == model.score(X[:3], np.eye(3)[y[:3]])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 2], "y: expected 4 rows, as many as X, found shape (3,)"),
        (1, "y: expected 4 rows, as many as X, found shape ()"),
        (np.zeros((4, 2)), "y: expected labels (4,) or targets (4, 3), found (4, 2)"),
        (np.zeros((4, 3, 1)), "y: expected labels (4,) or targets (4, 3), found (4, 3, 1)"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("method", ["score", "fit"])
def test_bad_answers_are_named(method, y, message):
    model = MLP([5, 3], seed=0)
    before = model.params.copy()
    with pytest.raises(FastnnError) as caught:
        getattr(model, method)(np.ones((4, 5)), y)
    assert str(caught.value).startswith(message)
    assert (model.params == before).all()


@pytest.mark.parametrize("y", [[1, 2, 3, 2], [-1.5, 1, -1, 1], [0.5, 1.5, 0, 0]])
def test_binary_targets_lie_between_zero_and_one(y):
    wrong = next(i for i, value in enumerate(y) if not 0 <= value <= 1)
    message = rf"y: expected targets from 0 to 1, found {float(y[wrong])} at index \({wrong}, 0\)"
    with pytest.raises(InvalidArgumentError, match=message):
        MLP([5, 1], loss="binary_cross_entropy", seed=0).fit(np.ones((4, 5)), y)


def test_no_rows_have_no_score():
    with pytest.raises(InvalidArgumentError, match="X: expected at least one row, found none"):
        MLP([5, 3]).score(np.ones((0, 5)), np.zeros(0, int))
