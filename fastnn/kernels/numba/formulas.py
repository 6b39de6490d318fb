"""Activations, losses and their derivatives, as ../formulas.py defines them, of one sample in plain loops.

z, a, y, g and delta are (outputs,).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..records import (
    BINARY_CROSS_ENTROPY,
    CLIPPED_BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    ELU,
    EXPONENTIAL,
    GELU,
    HARD_SIGMOID,
    HARD_SLOPE,
    HUBER,
    LEAKY_RELU,
    MEAN_ABSOLUTE_ERROR,
    MEAN_POISSON,
    MEAN_SQUARED_ERROR,
    NORMALISED_CROSS_ENTROPY,
    POISSON,
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
from .compiling import compiled

SELU_SLOPE = SELU_SCALE * SELU_ALPHA
ROOT_HALF, ROOT_TWO_PI = math.sqrt(0.5), math.sqrt(2 * math.pi)


@compiled
def sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z)), without overflow and accurate in both tails."""
    one = type(z)(1)
    e = math.exp(-abs(z))
    return (e if z < 0 else one) / (one + e)


@compiled
def normal_share(z: Any) -> Any:
    """P(z) = erfc(-z / sqrt(2)) / 2, the share of a standard normal distribution below z."""
    return type(z)(math.erfc(-ROOT_HALF * np.float64(z)) / 2)


@compiled
def probability(p: Any) -> Any:
    """p, but no less than 1e-7 and no more than 1 - 1e-7."""
    one, least = type(p)(1), type(p)(SMALLEST_PROBABILITY)
    return min(max(p, least), one - least)


@compiled
def activate(z: Any, activation: int, alpha: float, a: Any) -> None:
    """a = activation(z)"""
    zero, one, slope = z.dtype.type(0), z.dtype.type(1), z.dtype.type(alpha)
    if activation == SIGMOID:
        for j in range(len(z)):
            a[j] = sigmoid(z[j])
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
    elif activation == ELU:
        for j in range(len(z)):
            a[j] = z[j] if z[j] > zero else slope * math.expm1(z[j])
    elif activation == SELU:
        for j in range(len(z)):
            a[j] = SELU_SCALE * z[j] if z[j] > zero else SELU_SLOPE * math.expm1(z[j])
    elif activation == GELU:
        for j in range(len(z)):
            a[j] = z[j] * normal_share(z[j])
    elif activation == SILU:
        for j in range(len(z)):
            a[j] = z[j] * sigmoid(z[j])
    elif activation == SOFTPLUS:
        for j in range(len(z)):
            a[j] = max(z[j], zero) + math.log1p(math.exp(-abs(z[j])))
    elif activation == SOFTSIGN:
        for j in range(len(z)):
            a[j] = z[j] / (one + abs(z[j]))
    elif activation == HARD_SIGMOID:
        for j in range(len(z)):
            a[j] = min(max(z[j] * z.dtype.type(HARD_SLOPE) + z.dtype.type(0.5), zero), one)
    elif activation == EXPONENTIAL:
        for j in range(len(z)):
            a[j] = math.exp(z[j])
    else:
        for j in range(len(z)):
            a[j] = z[j]


@compiled
def times_derivative(g: Any, z: Any, a: Any, activation: int, alpha: float) -> None:
    """Turn dL/da into dL/dz in place, given z and a = activation(z)."""
    zero, one, slope = a.dtype.type(0), a.dtype.type(1), a.dtype.type(alpha)
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
    elif activation == ELU:
        for j in range(len(g)):
            g[j] *= one if a[j] > zero else a[j] + slope
    elif activation == SELU:
        for j in range(len(g)):
            g[j] *= a.dtype.type(SELU_SCALE) if a[j] > zero else a[j] + a.dtype.type(SELU_SLOPE)
    elif activation == GELU:
        for j in range(len(g)):
            g[j] *= normal_share(z[j]) + z[j] * a.dtype.type(math.exp(-z[j] * z[j] / 2) / ROOT_TWO_PI)
    elif activation == SILU:
        for j in range(len(g)):
            s = sigmoid(z[j])
            g[j] *= s * (one + z[j] * (one - s))
    elif activation == SOFTPLUS:
        for j in range(len(g)):
            g[j] *= -math.expm1(-a[j])
    elif activation == SOFTSIGN:
        for j in range(len(g)):
            g[j] *= (one - abs(a[j])) ** 2
    elif activation == HARD_SIGMOID:
        for j in range(len(g)):
            g[j] *= a.dtype.type(HARD_SLOPE) if a[j] > zero and a[j] < one else zero
    elif activation == EXPONENTIAL:
        for j in range(len(g)):
            g[j] *= a[j]


@compiled
def sample_loss(z: Any, a: Any, y: Any, loss: int, least_probability: float) -> float:
    """The loss of one sample, as a float64; the fused ones come from z. For ``least_probability`` see spec.Net."""
    zero, total = z.dtype.type(0), 0.0
    if least_probability > 0:
        least = a.dtype.type(least_probability)
        for j in range(len(a)):
            p = min(max(a[j], least), a.dtype.type(1) - least) if a[j] == a[j] else a[j]
            total -= y[j] * math.log(p)
            if loss == BINARY_CROSS_ENTROPY:
                total -= (1 - y[j]) * math.log(1 - p)
        return total
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
    if loss == POISSON:
        # y log(y / a) - y + a, where a = exp(z) and 0 log 0 = 0
        for j in range(len(a)):
            total += (y[j] * math.log(y[j]) if y[j] > zero else zero) - y[j] * z[j] - y[j] + a[j]
        return total
    if loss == NORMALISED_CROSS_ENTROPY:
        a_total = zero
        for j in range(len(a)):
            a_total += a[j]
        for j in range(len(a)):
            total -= y[j] * math.log(probability(a[j] / a_total))
        return total
    if loss == MEAN_ABSOLUTE_ERROR:
        for j in range(len(a)):
            total += abs(np.float64(a[j] - y[j]))
    elif loss == HUBER:
        for j in range(len(a)):
            e = abs(np.float64(a[j] - y[j]))
            total += e * e / 2 if e <= 1 else e - 0.5
    elif loss == MEAN_POISSON:
        for j in range(len(a)):
            total += a[j] - y[j] * math.log(a[j] + a.dtype.type(SMALLEST_PROBABILITY))
    elif loss == CLIPPED_BINARY_CROSS_ENTROPY:
        for j in range(len(a)):
            p = probability(a[j])
            total -= y[j] * math.log(p) + (a.dtype.type(1) - y[j]) * math.log(a.dtype.type(1) - p)
    else:
        for j in range(len(a)):
            total += np.float64(a[j] - y[j]) ** 2
        return total / len(a) if loss == MEAN_SQUARED_ERROR else total / 2
    return total / len(a)


@compiled
def output_error(a: Any, y: Any, m: int, loss: int, error: Any) -> None:
    """error = dL/da of the mean loss L over m samples, for losses that are computed from a."""
    zero, one = a.dtype.type(0), a.dtype.type(1)
    mean, mean_of_all = a.dtype.type(1 / m), a.dtype.type(1 / (m * len(a)))
    if loss == MEAN_ABSOLUTE_ERROR:
        for j in range(len(a)):
            e = a[j] - y[j]
            error[j] = mean_of_all if e > zero else -mean_of_all if e < zero else e  # NaN stays NaN
    elif loss == HUBER:
        for j in range(len(a)):
            error[j] = min(max(a[j] - y[j], -one), one) * mean_of_all
    elif loss == MEAN_POISSON:
        for j in range(len(a)):
            error[j] = (one - y[j] / (a[j] + a.dtype.type(SMALLEST_PROBABILITY))) * mean_of_all
    elif loss == NORMALISED_CROSS_ENTROPY:
        # Where p_j is not clipped, dp_j/da_k = ((1 where j = k, else 0) - p_j) / sum a.
        total = y_total = zero
        for j in range(len(a)):
            total += a[j]
        for j in range(len(a)):
            p = probability(a[j] / total)
            error[j] = y[j] if p == a[j] / total else zero
            y_total += error[j]
        for j in range(len(a)):
            error[j] = (y_total - error[j] / probability(a[j] / total)) / total * mean
    elif loss == CLIPPED_BINARY_CROSS_ENTROPY:
        for j in range(len(a)):
            p = probability(a[j])
            error[j] = ((one - y[j]) / (one - p) - y[j] / p) * mean_of_all if p == a[j] else zero
    else:
        factor = a.dtype.type(2 / (m * len(a))) if loss == MEAN_SQUARED_ERROR else mean
        for j in range(len(a)):
            error[j] = (a[j] - y[j]) * factor


@compiled
def output_delta(z: Any, a: Any, y: Any, m: int, loss: int, activation: int, alpha: float, delta: Any) -> None:
    """delta = dL/dz of the mean loss L over m samples."""
    if loss == CROSS_ENTROPY:
        y_total = a.dtype.type(0)
        for j in range(len(a)):
            y_total += y[j]
        for j in range(len(a)):
            delta[j] = (a[j] * y_total - y[j]) / a.dtype.type(m)
    elif loss in (BINARY_CROSS_ENTROPY, POISSON):
        for j in range(len(a)):
            delta[j] = (a[j] - y[j]) / a.dtype.type(m)
    else:
        output_error(a, y, m, loss, delta)
        times_derivative(delta, z, a, activation, alpha)


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
