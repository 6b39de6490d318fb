"""What Keras' losses and metrics are of targets and outputs, row by row: the one place of these equations in NumPy.

Each function takes ``y_true`` and ``y_pred`` (n, ...), and returns (n,) figures in the float type of ``y_pred``.
Targets (n,) go with outputs (n, 1). What keeps logarithms and quotients finite is ``config.EPSILON``, as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InvalidArgumentError
from ...kernels.spec import FloatArray
from .config import EPSILON

Array = NDArray[Any]
Score = Callable[..., FloatArray]


def floats(array: ArrayLike) -> FloatArray:
    """An array of a float type: its own, or float32 as Keras has it for lists and integers."""
    found = np.asarray(array)
    return found if found.dtype in (np.float32, np.float64) and not isinstance(array, list) else found.astype("f4")


def aligned(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both in the float type of ``y_pred``, of which one gets or loses a last axis of 1 where the other has no such.

    Raises InvalidArgumentError where they do not have one shape then.
    """
    a = floats(y_pred)
    y = np.asarray(y_true).astype(a.dtype)
    if y.ndim == a.ndim + 1 and y.shape[-1] == 1:
        y, a = (y, a[:, None]) if a.ndim == 1 else (y[..., 0], a)
    elif a.ndim == y.ndim + 1 and a.shape[-1] == 1:
        y, a = (y[:, None], a) if y.ndim == 1 else (y, a[..., 0])
    if y.shape != a.shape:
        raise InvalidArgumentError("y_true", f"the shape {a.shape} of y_pred", y.shape)
    return y, a


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """mean_j (y_j - a_j)^2."""
    y, a = aligned(y_true, y_pred)
    return np.square(y - a).mean(axis=-1)


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """mean_j |y_j - a_j|."""
    y, a = aligned(y_true, y_pred)
    return np.abs(y - a).mean(axis=-1)


def mean_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """100 mean_j |(y_j - a_j) / max(|y_j|, epsilon)|."""
    y, a = aligned(y_true, y_pred)
    return 100 * np.abs((y - a) / np.maximum(np.abs(y), a.dtype.type(EPSILON))).mean(axis=-1)


def mean_squared_logarithmic_error(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """mean_j (log(1 + max(y_j, epsilon)) - log(1 + max(a_j, epsilon)))^2."""
    y, a = aligned(y_true, y_pred)
    least = a.dtype.type(EPSILON)
    return np.square(np.log(np.maximum(a, least) + 1) - np.log(np.maximum(y, least) + 1)).mean(axis=-1)


def cosine_similarity(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """sum_j y_j a_j / (|y| |a|), 0 where a norm is 0."""
    y, a = aligned(y_true, y_pred)

    def unit(rows: FloatArray) -> FloatArray:
        norms = np.linalg.norm(rows, axis=-1, keepdims=True)
        return rows / np.maximum(norms, rows.dtype.type(1e-12))

    return (unit(y) * unit(a)).sum(axis=-1)


def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> FloatArray:
    """mean_j of e^2 / 2 for errors |e| up to ``delta``, and of delta |e| - delta^2 / 2 beyond."""
    y, a = aligned(y_true, y_pred)
    error = np.abs(a - y)
    return np.where(error <= delta, np.square(error) / 2, delta * error - delta**2 / 2).mean(axis=-1, dtype=a.dtype)


def log_cosh(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """mean_j log(cosh(a_j - y_j))."""
    y, a = aligned(y_true, y_pred)
    error = a - y
    return (error + np.logaddexp(0, -2 * error) - a.dtype.type(np.log(2))).mean(axis=-1)


def poisson(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """mean_j a_j - y_j log(a_j + epsilon)."""
    y, a = aligned(y_true, y_pred)
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN for a below -epsilon, as Keras
        return (a - y * np.log(a + a.dtype.type(EPSILON))).mean(axis=-1)


def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """sum_j y_j log(y_j / a_j), both kept in [epsilon, 1]."""
    y, a = (np.clip(array, EPSILON, 1) for array in aligned(y_true, y_pred))
    return (y * np.log(y / a)).sum(axis=-1)


def _plus_minus(y: FloatArray) -> FloatArray:
    """-1 and 1 for 0 and 1, where there is nothing else."""
    return 2 * y - 1 if ((y == 0) | (y == 1)).all() else y


def hinge(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """mean_j max(1 - y_j a_j, 0) for y of -1 and 1, for which 0 and 1 will do."""
    y, a = aligned(y_true, y_pred)
    return np.maximum(1 - _plus_minus(y) * a, 0).mean(axis=-1)


def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """mean_j max(1 - y_j a_j, 0)^2 for y of -1 and 1, for which 0 and 1 will do."""
    y, a = aligned(y_true, y_pred)
    return np.square(np.maximum(1 - _plus_minus(y) * a, 0)).mean(axis=-1)


def categorical_hinge(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """max(max_j (1 - y_j) a_j - sum_j y_j a_j + 1, 0)."""
    y, a = aligned(y_true, y_pred)
    return np.maximum(((1 - y) * a).max(axis=-1) - (y * a).sum(axis=-1) + 1, 0)


def binary_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> FloatArray:
    """-mean_j (y_j log a_j + (1 - y_j) log(1 - a_j)), a kept in [epsilon, 1 - epsilon], or the sigmoid of logits."""
    y, a = aligned(y_true, y_pred)
    if label_smoothing:
        y = y * (1 - label_smoothing) + label_smoothing / 2
    if from_logits:
        return (np.logaddexp(0, a) - y * a).mean(axis=-1)
    a = np.clip(a, EPSILON, 1 - EPSILON)
    return -(y * np.log(a) + (1 - y) * np.log(1 - a)).mean(axis=-1)


def categorical_crossentropy(
    y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False, label_smoothing: float = 0.0
) -> FloatArray:
    """-sum_j y_j log(a_j / sum_k a_k), the quotient kept in [epsilon, 1 - epsilon], or that of logits' softmax."""
    y, a = aligned(y_true, y_pred)
    if label_smoothing:
        y = y * (1 - label_smoothing) + label_smoothing / a.shape[-1]
    return -(y * _log_shares(a, from_logits)).sum(axis=-1)


def sparse_categorical_crossentropy(y_true: ArrayLike, y_pred: ArrayLike, from_logits: bool = False) -> FloatArray:
    """:func:`categorical_crossentropy` of labels (n,) or (n, 1)."""
    a = floats(y_pred)
    labels = _labels(y_true, a)
    if ((labels < 0) | (labels >= a.shape[-1])).any():
        raise InvalidArgumentError("y_true", f"labels from 0 to {a.shape[-1] - 1}", "others")
    return -np.take_along_axis(_log_shares(a, from_logits), labels[..., None], axis=-1)[..., 0]


def _log_shares(a: FloatArray, from_logits: bool) -> FloatArray:
    if from_logits:
        shifted = a - a.max(axis=-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.log(np.clip(a / a.sum(axis=-1, keepdims=True), EPSILON, 1 - EPSILON))


def _labels(y_true: ArrayLike, a: FloatArray) -> Array:
    y = np.asarray(y_true)
    if y.ndim == a.ndim and y.shape[-1] == 1:
        y = y[..., 0]
    if y.shape != a.shape[:-1]:
        raise InvalidArgumentError("y_true", f"labels {a.shape[:-1]} for y_pred {a.shape}", y.shape)
    return y.astype(np.int64)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """The share of j with y_j = a_j."""
    y, a = aligned(y_true, y_pred)
    return (y == a).mean(axis=-1) if y.ndim > 1 else (y == a).astype(a.dtype)


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> FloatArray:
    """The share of j with y_j = (a_j > threshold)."""
    y, a = aligned(y_true, y_pred)
    right = y == (a > threshold)
    return right.mean(axis=-1) if right.ndim > 1 else right.astype(a.dtype)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """Whether the largest y_j is where the largest a_j is."""
    y, a = aligned(y_true, y_pred)
    return (y.argmax(axis=-1) == a.argmax(axis=-1)).astype(a.dtype)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> FloatArray:
    """Whether the label y is where the largest a_j is."""
    a = floats(y_pred)
    return (_labels(y_true, a) == a.argmax(axis=-1)).astype(a.dtype)


def top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> FloatArray:
    """Whether less than ``k`` outputs are larger than that where the largest y_j is."""
    y, a = aligned(y_true, y_pred)
    return _among_largest(y.argmax(axis=-1), a, k)


def sparse_top_k_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike, k: int = 5) -> FloatArray:
    """Whether less than ``k`` outputs are larger than that of the label y."""
    a = floats(y_pred)
    return _among_largest(_labels(y_true, a), a, k)


def _among_largest(labels: Array, a: FloatArray, k: int) -> FloatArray:
    known = (labels >= 0) & (labels < a.shape[-1])
    own = np.take_along_axis(a, np.where(known, labels, 0)[..., None], axis=-1)
    return (known & ((a > own).sum(axis=-1) < k)).astype(a.dtype)
