"""How right a classifier is, for those who do not have scikit-learn: the same names, arguments and results as there.

    from fastnn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

Labels are of any one type; the classes are all that occur, ascending, or ``labels``.
"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .errors import InvalidArgumentError, InvalidTypeError
from .kernels.spec import IntArray
from .nn.evaluate import evaluate
from .nn.mlp import MLP

__all__ = ["accuracy_score", "confusion_matrix", "cost", "precision_recall_fscore_support"]


class ClassScores(NamedTuple):
    """What :func:`precision_recall_fscore_support` returns, one entry a class."""

    precision: NDArray[np.float64]  # of the rows taken for the class, the share that is of it
    recall: NDArray[np.float64]  # of the rows of the class, the share that is taken for it
    fscore: NDArray[np.float64]  # the harmonic mean of both
    support: IntArray  # rows of the class


def accuracy_score(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """The share of rows whose label y_pred (n,) is that of y_true (n,)."""
    coded = _coded(y_true, y_pred, None)
    return float(np.mean(coded.truth == coded.predicted))


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, *, labels: ArrayLike | None = None) -> IntArray:
    """How often the class of the row was taken for that of the column, (classes, classes).

    With ``labels``, rows of another class, or taken for one, do not count; at least one must be in y_true.
    """
    coded = _coded(y_true, y_pred, labels)
    if not np.isin(coded.classes, coded.truth).any():
        raise InvalidArgumentError("labels", "at least one label of y_true", "none")
    size = len(coded.classes)
    truth, predicted = coded.places[coded.truth], coded.places[coded.predicted]
    counted = (truth >= 0) & (predicted >= 0)
    return np.bincount(truth[counted] * size + predicted[counted], minlength=size * size).reshape(size, size)


def precision_recall_fscore_support(
    y_true: ArrayLike, y_pred: ArrayLike, *, labels: ArrayLike | None = None, zero_division: str | float = "warn"
) -> ClassScores:
    """Precision, recall, F1 and support of every class, or of ``labels``, each (classes,).

    Where there is nothing to divide by, the figure is ``zero_division``: 0.0, 1.0 or NaN; "warn" is 0.0 and a warning.
    """
    is_known = isinstance(zero_division, str | int | float) and zero_division in ("warn", 0, 1)
    if not (is_known or (isinstance(zero_division, float) and math.isnan(zero_division))):
        raise InvalidArgumentError("zero_division", "'warn', 0.0, 1.0 or NaN", repr(zero_division))
    coded = _coded(y_true, y_pred, labels)

    def count(codes: IntArray) -> IntArray:
        return np.bincount(codes, minlength=len(coded.places))[coded.classes]

    right = count(coded.truth[coded.truth == coded.predicted])
    taken, support = count(coded.predicted), count(coded.truth)
    return ClassScores(
        _ratio("precision", right, taken, zero_division),
        _ratio("recall", right, support, zero_division),
        _ratio("F-score", 2 * right, taken + support, zero_division),
        support,
    )


def cost(model: MLP, X: ArrayLike, y: ArrayLike) -> float:
    """The model's mean loss for rows X (n, inputs) and labels or targets y, as ``fit`` takes them, without penalty."""
    if not isinstance(model, MLP):
        checks.unsupported("model", "an MLP", model)
    data = model.check_data(X, y)
    checks.nonempty("X", len(data.X))
    return evaluate(model.net, model.params, data)[0]


class _Coded(NamedTuple):
    """Labels by their rank among all that occur."""

    truth: IntArray  # (n,)
    predicted: IntArray  # (n,)
    classes: IntArray  # those that are asked for
    places: IntArray  # where in ``classes`` each rank is, or -1


def _coded(y_true: ArrayLike, y_pred: ArrayLike, labels: ArrayLike | None) -> _Coded:
    truth = checks.labels("y_true", y_true, None)
    predicted = checks.labels("y_pred", y_pred, len(truth), rows_of="y_true")
    checks.nonempty("y_true", len(truth))
    asked = truth[:0] if labels is None else checks.labels("labels", labels, None)
    for name, array in (("y_true", truth), ("y_pred", predicted), ("labels", asked)):
        if not checks.are_comparable(array, truth):
            raise InvalidTypeError(name, f"labels of the type of y_true, {truth.dtype}", array.dtype)
        if array.dtype.kind == "f" and (array != np.floor(array)).any():
            raise InvalidArgumentError(name, "class labels, which are whole numbers or names", "fractions")
    values, codes = np.unique(np.concatenate([truth, predicted, asked]), return_inverse=True)
    of_truth, of_predicted, classes = np.split(codes.ravel(), [len(truth), 2 * len(truth)])
    if labels is None:
        classes = np.arange(len(values))
    elif not len(classes) or len(np.unique(classes)) < len(classes):
        raise InvalidArgumentError("labels", "at least one label, and each only once", asked.tolist())
    places = np.full(len(values), -1)
    places[classes] = np.arange(len(classes))
    return _Coded(of_truth, of_predicted, classes, places)


def _ratio(name: str, part: IntArray, whole: IntArray, zero_division: str | float) -> NDArray[np.float64]:
    undefined = whole == 0
    if zero_division == "warn" and undefined.any():
        message = f"{name} is 0.0 for {undefined.sum()} of {len(whole)} labels, where there is nothing to divide by"
        warnings.warn(message, stacklevel=3)
    otherwise = 0.0 if zero_division == "warn" else float(zero_division)
    return np.where(undefined, otherwise, part / np.where(undefined, 1, whole))
