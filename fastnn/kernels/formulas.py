"""What activations and losses are, in NumPy: the equations that every backend follows, and that evaluation uses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .records import (
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    LEAKY_RELU,
    LEAKY_SLOPE,
    MEAN_SQUARED_ERROR,
    QUADRATIC,
    RELU,
    SIGMOID,
    SOFTMAX,
    TANH,
)
from .spec import FloatArray


def sigmoid(z: FloatArray) -> FloatArray:
    """1 / (1 + exp(-z)), without overflow and accurate in both tails."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def activate(z: FloatArray, activation: int) -> FloatArray:
    """The activation of z (m, outputs), row by row for softmax."""
    if activation == SIGMOID:
        return sigmoid(z)
    if activation == TANH:
        return np.tanh(z)
    if activation == RELU:
        return np.maximum(z, 0)
    if activation == LEAKY_RELU:
        return np.where(z > 0, z, z.dtype.type(LEAKY_SLOPE) * z)
    if activation == SOFTMAX:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return z


def times_derivative(g: FloatArray, a: FloatArray, activation: int) -> FloatArray:
    """Turn dL/da into dL/dz, given a = activation(z)."""
    if activation == SIGMOID:
        return g * (a * (1 - a))
    if activation == TANH:
        return g * (1 - a * a)
    if activation == RELU:
        return g * (a > 0)
    if activation == LEAKY_RELU:
        return np.where(a > 0, g, g.dtype.type(LEAKY_SLOPE) * g)
    if activation == SOFTMAX:
        return a * (g - (g * a).sum(axis=1, keepdims=True))
    return g


def losses(z: FloatArray, a: FloatArray, y: FloatArray, loss: int) -> NDArray[np.float64]:
    """Every row's loss (m,), from z, a = activation(z) and targets y, each (m, outputs).

    The two cross-entropies come from z, so that neither log(0) nor 0 * inf can occur; they imply their own output
    activation (sigmoid, softmax).
    """
    if loss == QUADRATIC:
        return 0.5 * np.square(a - y, dtype=np.float64).sum(axis=1)
    if loss == MEAN_SQUARED_ERROR:
        return np.square(a - y, dtype=np.float64).mean(axis=1)
    if loss == BINARY_CROSS_ENTROPY:
        # -y log a - (1 - y) log(1 - a) = max(z, 0) - z y + log(1 + exp(-|z|))
        return (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).sum(axis=1, dtype=np.float64)
    assert loss == CROSS_ENTROPY
    # -sum_j y_j log a_j = sum_j y_j (logsumexp(z) - z_j)
    shifted = z - z.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return (y * (log_sum - shifted)).sum(axis=1, dtype=np.float64)


def output_error(a: FloatArray, y: FloatArray, loss: int) -> FloatArray:
    """dL/da (m, outputs) of the batch's mean loss L, for losses that are computed from a."""
    m, outputs = a.shape
    return (a - y) * a.dtype.type(1 / m if loss == QUADRATIC else 2 / (m * outputs))


def output_delta(a: FloatArray, y: FloatArray, loss: int, activation: int) -> FloatArray:
    """dL/dz (m, outputs) of the batch's mean loss L."""
    if loss == CROSS_ENTROPY:
        return (a * y.sum(axis=1, keepdims=True) - y) / len(a)
    if loss == BINARY_CROSS_ENTROPY:
        return (a - y) / len(a)
    return times_derivative(output_error(a, y, loss), a, activation)


def count_correct(a: FloatArray, y: FloatArray) -> int:
    """Rows whose largest output is their class; with one output, rows on the right side of 0.5."""
    if a.shape[1] == 1:
        return int(((a > 0.5) == (y > 0.5)).sum())
    return int((a.argmax(axis=1) == y.argmax(axis=1)).sum())


def target_rows(y: NDArray[Any], rows: Any, outputs: int, dtype: np.dtype[Any]) -> FloatArray:
    """The targets (m, outputs) of some rows: labels become one-hot."""
    return np.eye(outputs, dtype=dtype)[y[rows]] if y.ndim == 1 else y[rows]
