"""What activations and losses are, in NumPy: the equations that every backend follows, and that evaluation uses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .params import weight_views
from .records import (
    BINARY_CROSS_ENTROPY,
    CLIPPED_BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    ELU,
    EXPONENTIAL,
    GELU,
    HARD_SIGMOID,
    HARD_SLOPE,
    HUBER,
    IDENTITY,
    LEAKY_RELU,
    MEAN_ABSOLUTE_ERROR,
    MEAN_POISSON,
    MEAN_SQUARED_ERROR,
    NORMALISED_CROSS_ENTROPY,
    POISSON,
    QUADRATIC,
    RELU,
    SELU,
    SELU_ALPHA,
    SELU_SCALE,
    SIGMOID,
    SILU,
    SMALLEST_PROBABILITY,
    SOFTMAX,
    SOFTPLUS,
    SOFTSIGN,
    TANH,
)
from .spec import FloatArray, Net, Rule


def sigmoid(z: FloatArray) -> FloatArray:
    """1 / (1 + exp(-z)), without overflow and accurate in both tails."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def normal_share(z: FloatArray) -> FloatArray:
    """P(z) = erfc(-z / sqrt(2)) / 2, the share of a standard normal distribution below z."""
    shares = np.array([math.erfc(x) / 2 for x in (z.ravel() * -math.sqrt(0.5)).tolist()])
    return shares.astype(z.dtype).reshape(z.shape)


def activate(z: FloatArray, activation: int, alpha: float) -> FloatArray:
    """The activation of z (m, outputs), row by row for softmax; ``alpha`` is its record's, for those that have one."""
    if activation == SIGMOID:
        return sigmoid(z)
    if activation == TANH:
        return np.tanh(z)
    if activation == RELU:
        return np.maximum(z, 0)
    if activation == LEAKY_RELU:
        return np.where(z > 0, z, z.dtype.type(alpha) * z)
    if activation == SOFTMAX:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    if activation == ELU:
        return np.where(z > 0, z, z.dtype.type(alpha) * np.expm1(np.minimum(z, 0)))
    if activation == SELU:
        scale, slope = z.dtype.type(SELU_SCALE), z.dtype.type(SELU_SCALE * SELU_ALPHA)
        return np.where(z > 0, scale * z, slope * np.expm1(np.minimum(z, 0)))
    if activation == GELU:
        return z * normal_share(z)
    if activation == SILU:
        return z * sigmoid(z)
    if activation == SOFTPLUS:
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    if activation == SOFTSIGN:
        return z / (1 + np.abs(z))
    if activation == HARD_SIGMOID:
        return np.clip(z * z.dtype.type(HARD_SLOPE) + z.dtype.type(0.5), 0, 1)
    if activation == EXPONENTIAL:
        return np.exp(z)
    assert activation == IDENTITY
    return z


def times_derivative(
    g: FloatArray, a: FloatArray, activation: int, alpha: float, z: FloatArray | None = None
) -> FloatArray:
    """Turn dL/da into dL/dz, given a = activation(z) and, where the activation's record says ``of_z``, z as well."""
    one = a.dtype.type(1)
    if activation == SIGMOID:
        return g * (a * (1 - a))
    if activation == TANH:
        return g * (1 - a * a)
    if activation == RELU:
        return g * (a > 0)
    if activation == LEAKY_RELU:
        return np.where(a > 0, g, g.dtype.type(alpha) * g)
    if activation == SOFTMAX:
        return a * (g - (g * a).sum(axis=1, keepdims=True))
    if activation == ELU:
        return g * np.where(a > 0, one, a + a.dtype.type(alpha))
    if activation == SELU:
        return g * np.where(a > 0, a.dtype.type(SELU_SCALE), a + a.dtype.type(SELU_SCALE * SELU_ALPHA))
    if activation == GELU:
        assert z is not None
        density = np.exp(-z * z / 2) * z.dtype.type(1 / math.sqrt(2 * math.pi))
        return g * (normal_share(z) + z * density)
    if activation == SILU:
        assert z is not None
        s = sigmoid(z)
        return g * (s * (1 + z * (1 - s)))
    if activation == SOFTPLUS:
        return g * -np.expm1(-a)
    if activation == SOFTSIGN:
        return g * np.square(1 - np.abs(a))
    if activation == HARD_SIGMOID:
        return g * np.where((a > 0) & (a < 1), a.dtype.type(HARD_SLOPE), 0 * one)
    if activation == EXPONENTIAL:
        return g * a
    assert activation == IDENTITY
    return g


def probabilities(a: FloatArray, loss: int) -> FloatArray:
    """The probabilities p of a loss that clips them, from the outputs a (m, outputs)."""
    p = a / a.sum(axis=1, keepdims=True) if loss == NORMALISED_CROSS_ENTROPY else a
    least = a.dtype.type(SMALLEST_PROBABILITY)
    return np.clip(p, least, 1 - least)


def losses(
    z: FloatArray, a: FloatArray, y: FloatArray, loss: int, least_probability: float = 0.0
) -> NDArray[np.float64]:
    """Every row's loss (m,), from z, a = activation(z) and targets y, each (m, outputs).

    The fused ones come from z, so that neither log(0) nor 0 * inf can occur; they imply their own output activation.
    For ``least_probability`` see :class:`.spec.Net`.
    """
    if least_probability > 0:
        least = a.dtype.type(least_probability)
        p = np.clip(a, least, 1 - least)
        each = y * np.log(p) + ((1 - y) * np.log(1 - p) if loss == BINARY_CROSS_ENTROPY else 0)
        return -each.sum(axis=1, dtype=np.float64)
    if loss == QUADRATIC:
        return 0.5 * np.square(a - y, dtype=np.float64).sum(axis=1)
    if loss == MEAN_SQUARED_ERROR:
        return np.square(a - y, dtype=np.float64).mean(axis=1)
    if loss == BINARY_CROSS_ENTROPY:
        # -y log a - (1 - y) log(1 - a) = max(z, 0) - z y + log(1 + exp(-|z|))
        return (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).sum(axis=1, dtype=np.float64)
    if loss == CROSS_ENTROPY:
        # -sum_j y_j log a_j = sum_j y_j (logsumexp(z) - z_j)
        shifted = z - z.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return (y * (log_sum - shifted)).sum(axis=1, dtype=np.float64)
    if loss == MEAN_ABSOLUTE_ERROR:
        return np.abs(a - y).mean(axis=1, dtype=np.float64)
    if loss == HUBER:
        e = np.abs(a - y).astype(np.float64)
        return np.where(e <= 1, e * e / 2, e - 0.5).mean(axis=1)
    if loss == POISSON:
        # y log(y / a) - y + a, where a = exp(z) and 0 log 0 = 0
        return (y * np.log(np.where(y > 0, y, 1)) - y * z - y + a).sum(axis=1, dtype=np.float64)
    if loss == MEAN_POISSON:
        return (a - y * np.log(a + a.dtype.type(SMALLEST_PROBABILITY))).mean(axis=1, dtype=np.float64)
    p = probabilities(a, loss)
    if loss == NORMALISED_CROSS_ENTROPY:
        return -(y * np.log(p)).sum(axis=1, dtype=np.float64)
    assert loss == CLIPPED_BINARY_CROSS_ENTROPY
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=1, dtype=np.float64)


def output_error(a: FloatArray, y: FloatArray, loss: int) -> FloatArray:
    """dL/da (m, outputs) of the batch's mean loss L, for losses that are computed from a."""
    m, outputs = a.shape
    mean, mean_of_all = a.dtype.type(1 / m), a.dtype.type(1 / (m * outputs))
    if loss == QUADRATIC:
        return (a - y) * mean
    if loss == MEAN_SQUARED_ERROR:
        return (a - y) * (2 * mean_of_all)
    if loss == MEAN_ABSOLUTE_ERROR:
        return np.sign(a - y) * mean_of_all
    if loss == HUBER:
        return np.clip(a - y, -1, 1) * mean_of_all
    if loss == MEAN_POISSON:
        return (1 - y / (a + a.dtype.type(SMALLEST_PROBABILITY))) * mean_of_all
    p = probabilities(a, loss)
    if loss == NORMALISED_CROSS_ENTROPY:
        # Where p_j is not clipped, dp_j/da_k = ((1 where j = k, else 0) - p_j) / sum a.
        total = a.sum(axis=1, keepdims=True)
        y = np.where(p == a / total, y, 0)
        return (y.sum(axis=1, keepdims=True) - y / p) / total * mean
    assert loss == CLIPPED_BINARY_CROSS_ENTROPY
    return np.where(p == a, ((1 - y) / (1 - p) - y / p) * mean_of_all, a.dtype.type(0))


def output_delta(z: FloatArray, a: FloatArray, y: FloatArray, loss: int, activation: int, alpha: float) -> FloatArray:
    """dL/dz (m, outputs) of the batch's mean loss L."""
    if loss == CROSS_ENTROPY:
        return (a * y.sum(axis=1, keepdims=True) - y) / len(a)
    if loss in (BINARY_CROSS_ENTROPY, POISSON):
        return (a - y) / len(a)
    return times_derivative(output_error(a, y, loss), a, activation, alpha, z)


def count_correct(a: FloatArray, y: FloatArray) -> int:
    """Rows whose largest output is their class; with one output, rows on the right side of 0.5."""
    if a.shape[1] == 1:
        return int(((a > 0.5) == (y > 0.5)).sum())
    return int((a.argmax(axis=1) == y.argmax(axis=1)).sum())


def target_rows(y: NDArray[Any], rows: Any, outputs: int, dtype: np.dtype[Any]) -> FloatArray:
    """The targets (m, outputs) of some rows: labels become one-hot."""
    return np.eye(outputs, dtype=dtype)[y[rows]] if y.ndim == 1 else y[rows]


def penalty(net: Net, params: FloatArray, rule: Rule) -> float:
    """What the rule's l1 and l2 add to the loss: of each layer's weights l1 sum |w| + l2 / 2 sum w^2."""
    total, layers = 0.0, len(net.activations)
    by_layer = rule.by_layer(rule.l1, layers), rule.by_layer(rule.l2, layers)
    if not any(map(any, by_layer)):
        return total
    factors = zip(weight_views(net, params), *by_layer, strict=True)
    with np.errstate(over="ignore"):  # what is beyond float64 is infinite
        for weights, l1, l2 in factors:
            if l1:
                total += l1 * float(np.abs(weights).sum(dtype=np.float64))
            if l2:
                total += 0.5 * l2 * float(np.einsum("ij,ij->i", weights, weights).sum(dtype=np.float64))
    return total
