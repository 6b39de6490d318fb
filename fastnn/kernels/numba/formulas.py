"""Activations, losses and their derivatives, as ../formulas.py defines them, of one sample in plain loops.

z, a, y, g and delta are (outputs,).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..records import (
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    LEAKY_RELU,
    LEAKY_SLOPE,
    MEAN_SQUARED_ERROR,
    RELU,
    SIGMOID,
    SOFTMAX,
    TANH,
)
from .compiling import compiled


@compiled
def activate(z: Any, activation: int, a: Any) -> None:
    """a = activation(z)"""
    zero, one, slope = z.dtype.type(0), z.dtype.type(1), z.dtype.type(LEAKY_SLOPE)
    if activation == SIGMOID:
        for j in range(len(z)):  # 1 / (1 + exp(-z)), without overflow and accurate in both tails
            e = math.exp(-abs(z[j]))
            a[j] = (e if z[j] < zero else one) / (one + e)
    elif activation == TANH:
        for j in range(len(z)):
            a[j] = math.tanh(z[j])
    elif activation == RELU:
        for j in range(len(z)):
            a[j] = zero if z[j] <= zero else z[j]  # NaN stays NaN
    elif activation == LEAKY_RELU:
        for j in range(len(z)):
            a[j] = z[j] if z[j] > zero else slope * z[j]
    elif activation == SOFTMAX:
        largest, total = z[argmax(z)], zero
        for j in range(len(z)):
            a[j] = math.exp(z[j] - largest)
            total += a[j]
        for j in range(len(z)):
            a[j] /= total
    else:
        for j in range(len(z)):
            a[j] = z[j]


@compiled
def times_derivative(g: Any, a: Any, activation: int) -> None:
    """Turn dL/da into dL/dz in place, given a = activation(z)."""
    zero, one, slope = a.dtype.type(0), a.dtype.type(1), a.dtype.type(LEAKY_SLOPE)
    if activation == SIGMOID:
        for j in range(len(g)):
            g[j] *= a[j] * (one - a[j])
    elif activation == TANH:
        for j in range(len(g)):
            g[j] *= one - a[j] * a[j]
    elif activation == RELU:
        for j in range(len(g)):
            g[j] *= one if a[j] > zero else zero
    elif activation == LEAKY_RELU:
        for j in range(len(g)):
            g[j] *= one if a[j] > zero else slope
    elif activation == SOFTMAX:
        mean = zero
        for j in range(len(g)):
            mean += g[j] * a[j]
        for j in range(len(g)):
            g[j] = a[j] * (g[j] - mean)


@compiled
def sample_loss(z: Any, a: Any, y: Any, loss: int) -> float:
    """The loss of one sample, as a float64; the two cross-entropies come from z."""
    zero, total = z.dtype.type(0), 0.0
    if loss == BINARY_CROSS_ENTROPY:
        # -y log a - (1 - y) log(1 - a) = max(z, 0) - z y + log(1 + exp(-|z|))
        for j in range(len(z)):
            total += max(z[j], zero) - z[j] * y[j] + math.log1p(math.exp(-abs(z[j])))
        return total
    if loss == CROSS_ENTROPY:
        # -sum_j y_j log a_j = sum_j y_j (logsumexp(z) - z_j)
        largest, e_total = z[argmax(z)], zero
        for j in range(len(z)):
            e_total += math.exp(z[j] - largest)
        log_sum = math.log(e_total)
        for j in range(len(z)):
            total += y[j] * (log_sum - (z[j] - largest))
        return total
    # sum_j (a_j - y_j)^2 / 2 or / outputs
    for j in range(len(a)):
        total += np.float64(a[j] - y[j]) ** 2
    return total / len(a) if loss == MEAN_SQUARED_ERROR else total / 2


@compiled
def output_error(a: Any, y: Any, m: int, loss: int, error: Any) -> None:
    """error = dL/da of the mean loss L over m samples, for losses that are computed from a."""
    factor = a.dtype.type(2 / (m * len(a)) if loss == MEAN_SQUARED_ERROR else 1 / m)
    for j in range(len(a)):
        error[j] = (a[j] - y[j]) * factor


@compiled
def output_delta(a: Any, y: Any, m: int, loss: int, activation: int, delta: Any) -> None:
    """delta = dL/dz of the mean loss L over m samples."""
    if loss == CROSS_ENTROPY:
        y_total = a.dtype.type(0)
        for j in range(len(a)):
            y_total += y[j]
        for j in range(len(a)):
            delta[j] = (a[j] * y_total - y[j]) / a.dtype.type(m)
    elif loss == BINARY_CROSS_ENTROPY:
        for j in range(len(a)):
            delta[j] = (a[j] - y[j]) / a.dtype.type(m)
    else:
        output_error(a, y, m, loss, delta)
        times_derivative(delta, a, activation)


@compiled
def is_correct(a: Any, y: Any) -> bool:
    """Whether the largest output is the class; with one output, whether it is on the right side of 0.5."""
    if len(a) == 1:
        return (a[0] > 0.5) == (y[0] > 0.5)
    return argmax(a) == argmax(y)


@compiled
def argmax(x: Any) -> int:
    """The index of the largest, the first of equals."""
    index, value = 0, x[0]
    for j in range(1, len(x)):
        if x[j] > value:
            index, value = j, x[j]
    return index


@compiled
def target_row(y: Any, row: int, target: Any) -> None:
    """The targets of a row: a label becomes one-hot."""
    for j in range(len(target)):
        if y.ndim == 1:
            target[j] = y[row] == j
        else:
            target[j] = y[row, j]
