"""fastnn.metrics against scikit-learn's functions of the same names."""

import numpy as np
import pytest
import sklearn.metrics

import fastnn
from fastnn import metrics
from fastnn.metrics import accuracy_score, confusion_matrix, cost, precision_recall_fscore_support


def answers(kind, count=200, classes=5, seed=0):
    """True and predicted labels, of which two thirds agree; the last class is never predicted."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, count)
    predicted = np.where(rng.random(count) < 0.67, truth, rng.integers(0, classes, count)) % (classes - 1)
    return kind(truth), kind(predicted)


KINDS = {
    "int64": lambda labels: labels,
    "uint8": lambda labels: labels.astype(np.uint8),
    "whole floats": lambda labels: labels.astype(float),
    "list": lambda labels: labels.tolist(),
    "column": lambda labels: labels[:, np.newaxis],
    "names": lambda labels: np.array(["ant", "bee", "cat", "dog", "eel"])[labels],
    "negative": lambda labels: labels - 3,
    "bool": lambda labels: labels > 2,
}


@pytest.mark.quick
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_results_are_scikit_learns(kind):
    truth, predicted = answers(kind)
    assert accuracy_score(truth, predicted) == sklearn.metrics.accuracy_score(truth, predicted)
    matrix = confusion_matrix(truth, predicted)
    np.testing.assert_array_equal(matrix, sklearn.metrics.confusion_matrix(truth, predicted))
    assert matrix.dtype == np.int64
    for zero_division in (0, 1.0, np.nan):
        found = precision_recall_fscore_support(truth, predicted, zero_division=zero_division)
        expected = sklearn.metrics.precision_recall_fscore_support(truth, predicted, zero_division=zero_division)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-15)


@pytest.mark.parametrize("labels", [[3, 1], [4, 3, 2, 1, 0], range(8), [7, 2]])
def test_chosen_labels_in_their_order(labels):
    truth, predicted = answers(KINDS["int64"])
    np.testing.assert_array_equal(
        confusion_matrix(truth, predicted, labels=labels),
        sklearn.metrics.confusion_matrix(truth, predicted, labels=labels),
    )
    found = precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    expected = sklearn.metrics.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-15)


def test_an_undefined_figure_is_zero_and_warned_of():
    # Class 1 is never predicted and class 2 never true; class 3 is neither.
    with pytest.warns(UserWarning, match="nothing to divide by") as caught:
        found = precision_recall_fscore_support([0, 0, 1], [0, 2, 0], labels=[0, 1, 2, 3])
    assert [str(warning.message).split(",")[0] for warning in caught] == [
        "precision is 0.0 for 2 of 4 labels",
        "recall is 0.0 for 2 of 4 labels",
        "F-score is 0.0 for 1 of 4 labels",
    ]
    assert found.precision.tolist() == [0.5, 0, 0, 0]
    assert found.recall.tolist() == [0.5, 0, 0, 0]
    assert found.fscore.tolist() == [0.5, 0, 0, 0]
    assert found.support.tolist() == [2, 1, 0, 0]


def test_cost_is_the_loss_of_the_model():
    rng = np.random.default_rng(0)
    X, y = rng.random((30, 4)), rng.integers(0, 3, 30)
    model = fastnn.MLP([4, 5, 3], dtype="float64", seed=0)
    expected = -np.mean(np.log(model.predict_proba(X)[np.arange(30), y]))
    np.testing.assert_allclose(cost(model, X, y), expected, rtol=1e-14)
    model = fastnn.MLP([4, 5, 3], loss="mean_squared_error", dtype="float64", seed=0)
    T = rng.random((30, 3))
    np.testing.assert_allclose(cost(model, X, T), np.mean((model.forward(X) - T) ** 2), rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy_score([1, 2], [1]), r"y_pred: expected shape \(2,\), one label per row of y_true"),
        (lambda: accuracy_score([], []), "y_true: expected at least one row"),
        (lambda: accuracy_score([[1, 2], [3, 4]], [1, 2]), r"y_true: expected shape \(n,\)"),
        (lambda: accuracy_score(1, 1), r"y_true: expected shape \(n,\)"),
        (lambda: accuracy_score([1, 0], ["1", "0"]), "y_pred: expected labels of the type of y_true, int64"),
        (lambda: accuracy_score([1, 0], [0.9, 0.2]), "y_pred: expected class labels, .* found fractions"),
        (lambda: accuracy_score([1, np.nan], [1, 0]), "y_true: expected finite labels"),
        (lambda: accuracy_score([1, [2]], [1, 0]), "y_true: expected labels or a rectangular array, found"),
        (lambda: confusion_matrix([1, 0], [1, 0], labels=[2, 3]), "labels: expected at least one label of y_true"),
        (lambda: confusion_matrix([1, 0], [1, 0], labels=[]), "labels: expected at least one label, and each only"),
        (lambda: confusion_matrix([1, 0], [1, 0], labels=[1, 1]), "labels: expected at least one label, and each only"),
        (lambda: confusion_matrix([1, 0], [1, 0], labels=["1"]), "labels: expected labels of the type of y_true"),
        (lambda: precision_recall_fscore_support([1], [1], zero_division=2), "zero_division: expected 'warn', 0.0"),
        (lambda: precision_recall_fscore_support([1], [1], zero_division="0"), "zero_division: expected 'warn', 0.0"),
        (lambda: cost("model", [[1.0]], [1]), "model: expected an MLP, found str"),
        (lambda: cost(fastnn.MLP([1, 2]), np.empty((0, 1)), np.empty(0, int)), "X: expected at least one row"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(fastnn.FastnnError, match=f"^{message}"):
        call()


def test_the_module_is_an_attribute_of_the_package():
    assert fastnn.metrics is metrics
