"""The Numba kernels' steps through one layer, for a block of rows.

z, a, delta and the lists of nonzero inputs are (block, ...); row s is the block's s-th.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from .. import spec
from ..spec import ALIGNMENT
from . import lanes

TILE = 1 << 17  # bytes of weight rows that a block's rows share while they are in the cache

_options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"contract"}, "error_model": "numpy"}
_njit: Any = numba.njit  # Any: numba's own annotations do not know no_cpython_wrapper
compiled = _njit(**_options)  # called from Python
inner = _njit(**_options, no_cpython_wrapper=True)


@inner
def compress(
    x: Any, rows: Any, size: int, scale: Any, weights: int, biases: int, stride: int, work: Any, layer: int
) -> None:
    """List each row's nonzero inputs: values[s, t] = scale * x[rows[s], i], offsets[s, t] the place of i's weights.

    A bias is one more input, always 1.
    """
    offsets, values, counts = work.offsets[layer], work.values[layer], work.counts[layer]
    for s in range(len(rows)):
        row, count = rows[s], np.uint64(0)  # unsigned, or Numba would look for negative indices
        lanes.prefetch(x, rows[min(s + 1, len(rows) - 1)])
        for i in range(size):  # no branch: which inputs are zero cannot be predicted
            offsets[s, count] = i
            count += np.uint64(x[row, i] != 0)
        for t in range(count):
            i = offsets[s, t]
            values[s, t] = scale * values.dtype.type(x[row, i])
            offsets[s, t] = weights + i * stride
        if biases >= 0:
            values[s, count] = 1
            offsets[s, count] = biases
            count += np.uint64(1)
        values[s, count] = 0  # add_rows takes two at a time
        offsets[s, count] = weights
        counts[s] = count


@inner
def _tile(params: Any, stride: int) -> Any:
    """How many rows of weights fit TILE, an even number."""
    return max(2, TILE // (stride * params.itemsize) // 2 * 2)


@inner
def _add_rows_strip(
    zero: Any, z: Any, s: int, j: int, params: Any, offsets: Any, values: Any, first: int, stop: int
) -> None:
    even, odd = zero, zero  # two sums, because one would wait for itself
    if first > 0:
        even = lanes.load(z, s * z.shape[1] + j, zero)
    for t in range(first, stop, 2):
        even = lanes.add_multiple(even, values[s, t], lanes.load(params, offsets[s, t] + j, zero))
        odd = lanes.add_multiple(odd, values[s, t + 1], lanes.load(params, offsets[s, t + 1] + j, zero))
    lanes.store(z, s * z.shape[1] + j, lanes.add_multiple(even, z.dtype.type(1), odd))


@inner
def add_rows(z: Any, stride: int, params: Any, offsets: Any, values: Any, counts: Any) -> None:
    """z[s] = sum over t of values[s, t] * params[offsets[s, t] : offsets[s, t] + stride]."""
    unit, tile = ALIGNMENT // params.itemsize, _tile(params, stride)
    for first in range(0, max(1, _largest(counts)), tile):  # at least once: z may hold another batch's
        for s in range(len(counts)):
            stop, j = min(first + tile, counts[s]), 0
            while j + 4 * unit <= stride:
                _add_rows_strip(lanes.zeros(z, 4), z, s, j, params, offsets, values, first, stop)
                j += 4 * unit
            if j + 2 * unit <= stride:
                _add_rows_strip(lanes.zeros(z, 2), z, s, j, params, offsets, values, first, stop)
                j += 2 * unit
            if j < stride:
                _add_rows_strip(lanes.zeros(z, 1), z, s, j, params, offsets, values, first, stop)


@inner
def _add_outer_strip(
    zero: Any, target: Any, factor: Any, delta: Any, s: int, j: int, offsets: Any, values: Any, first: int, stop: int
) -> None:
    d = lanes.add_multiple(zero, factor, lanes.load(delta, s * delta.shape[1] + j, zero))
    for t in range(first, stop):
        k = offsets[s, t] + j
        lanes.store(target, k, lanes.add_multiple(lanes.load(target, k, zero), values[s, t], d))


@inner
def add_outer(target: Any, factor: Any, stride: int, delta: Any, offsets: Any, values: Any, counts: Any) -> None:
    """target[offsets[s, t] : offsets[s, t] + stride] += factor * values[s, t] * delta[s], for every s and t."""
    unit, tile = ALIGNMENT // target.itemsize, _tile(target, stride)
    for first in range(0, _largest(counts), tile):
        for s in range(len(counts)):
            stop, j = min(first + tile, counts[s]), 0
            while j + 4 * unit <= stride:
                _add_outer_strip(lanes.zeros(delta, 4), target, factor, delta, s, j, offsets, values, first, stop)
                j += 4 * unit
            if j + 2 * unit <= stride:
                _add_outer_strip(lanes.zeros(delta, 2), target, factor, delta, s, j, offsets, values, first, stop)
                j += 2 * unit
            if j < stride:
                _add_outer_strip(lanes.zeros(delta, 1), target, factor, delta, s, j, offsets, values, first, stop)


@inner
def propagate(g: Any, block: int, size: int, stride: int, params: Any, weights: int, delta: Any) -> None:
    """g[s, i] = sum over j of params[weights + i * stride + j] * delta[s, j]."""
    zero, unit, tile = lanes.zeros(delta, 1), ALIGNMENT // params.itemsize, _tile(params, stride)
    for first in range(0, size, tile):
        for s in range(block):
            for i in range(first, min(first + tile, size)):
                total, row = zero, weights + i * stride
                for j in range(0, stride, unit):
                    w = lanes.load(params, row + j, zero)
                    total = lanes.add_multiple(total, w, lanes.load(delta, s * delta.shape[1] + j, zero))
                g[s, i] = lanes.total(total)


@inner
def _largest(counts: Any) -> int:
    largest = 0
    for count in counts:
        largest = max(largest, count)
    return largest


@inner
def _argmax(x: Any, s: int, size: int) -> int:
    """The index of the largest of x[s, :size], the first of equals."""
    index, value = 0, x[s, 0]
    for j in range(1, size):
        if x[s, j] > value:
            index, value = j, x[s, j]
    return index


@inner
def activate(z: Any, block: int, outputs: int, activation: int) -> None:
    """Turn z into a in place."""
    zero, one, slope = z.dtype.type(0), z.dtype.type(1), z.dtype.type(spec.LEAKY_SLOPE)
    for s in range(block):
        if activation == spec.SIGMOID:
            for j in range(outputs):
                e = math.exp(-abs(z[s, j]))
                z[s, j] = (e if z[s, j] < zero else one) / (one + e)
        elif activation == spec.TANH:
            for j in range(outputs):
                z[s, j] = math.tanh(z[s, j])
        elif activation == spec.RELU:
            for j in range(outputs):
                z[s, j] = zero if z[s, j] <= zero else z[s, j]  # NaN stays NaN
        elif activation == spec.LEAKY_RELU:
            for j in range(outputs):
                z[s, j] = z[s, j] if z[s, j] > zero else slope * z[s, j]
        elif activation == spec.SOFTMAX:
            largest, total = z[s, _argmax(z, s, outputs)], zero
            for j in range(outputs):
                z[s, j] = math.exp(z[s, j] - largest)
                total += z[s, j]
            for j in range(outputs):
                z[s, j] /= total


@inner
def drop(values: Any, rows: Any, size: int, kept: Any, place: int, scale: float) -> None:
    """Multiply the values (block, size) by the factors of a hidden layer's outputs, which are at ``place`` in kept."""
    zero, factor = values.dtype.type(0), values.dtype.type(scale)
    for s in range(len(rows)):
        for j in range(size):
            values[s, j] *= factor if kept[rows[s], place + j] else zero


@inner
def times_derivative(delta: Any, a: Any, factor: Any, block: int, outputs: int, activation: int) -> None:
    """Turn dL/da into dL/dz in place, given a = activation(z) / factor."""
    zero, one, slope = a.dtype.type(0), a.dtype.type(1), a.dtype.type(spec.LEAKY_SLOPE)
    for s in range(block):
        if activation == spec.SIGMOID:
            for j in range(outputs):
                value = a[s, j] * factor
                delta[s, j] *= value * (one - value)
        elif activation == spec.TANH:
            for j in range(outputs):
                value = a[s, j] * factor
                delta[s, j] *= one - value * value
        elif activation == spec.RELU:
            for j in range(outputs):
                delta[s, j] *= one if a[s, j] > zero else zero
        elif activation == spec.LEAKY_RELU:
            for j in range(outputs):
                delta[s, j] *= one if a[s, j] > zero else slope
        elif activation == spec.SOFTMAX:
            mean = zero
            for j in range(outputs):
                mean += delta[s, j] * a[s, j]
            for j in range(outputs):
                delta[s, j] = a[s, j] * (delta[s, j] - mean)


@inner
def fill_targets(y: Any, rows: Any, targets: Any) -> None:
    for s in range(len(rows)):
        for j in range(targets.shape[1]):
            if y.ndim == 1:
                targets[s, j] = y[rows[s]] == j
            else:
                targets[s, j] = y[rows[s], j]


@inner
def output_loss(z: Any, a: Any, y: Any, rows: Any, m: int, loss: int, activation: int, weights: Any, delta: Any) -> Any:
    """Return the rows' summed loss and number correct; write dL/dz of the mean over m rows to delta."""
    zero, half, batch, outputs = a.dtype.type(0), a.dtype.type(0.5), a.dtype.type(m), y.shape[1]
    total, correct, block = 0.0, 0, len(rows)
    for s in range(block):
        total_before = total
        if loss == spec.QUADRATIC or loss == spec.MEAN_SQUARED_ERROR:
            # sum_j (a_j - y_j)^2 / 2 and sum_j (a_j - y_j)^2 / outputs
            share = 1.0 / outputs if loss == spec.MEAN_SQUARED_ERROR else 0.5
            slope, squares = a.dtype.type(2 * share / m), 0.0
            for j in range(outputs):
                difference = a[s, j] - y[s, j]
                squares += np.float64(difference) * np.float64(difference)
                delta[s, j] = difference * slope
            total += share * squares
        elif loss == spec.BINARY_CROSS_ENTROPY:
            # -y log a - (1 - y) log(1 - a) = max(z, 0) - z y + log(1 + exp(-|z|))
            for j in range(outputs):
                total += max(z[s, j], zero) - z[s, j] * y[s, j] + math.log1p(math.exp(-abs(z[s, j])))
                delta[s, j] = (a[s, j] - y[s, j]) / batch
        else:
            # -sum_j y_j log a_j = sum_j y_j (logsumexp(z) - z_j)
            largest, e_total, y_total = z[s, _argmax(z, s, outputs)], zero, zero
            for j in range(outputs):
                e_total += math.exp(z[s, j] - largest)
                y_total += y[s, j]
            log_total = math.log(e_total)
            for j in range(outputs):
                total += y[s, j] * (log_total - (z[s, j] - largest))
                delta[s, j] = (a[s, j] * y_total - y[s, j]) / batch
        if len(weights) > 0:
            weight = weights[rows[s]]
            total = total_before + np.float64(weight) * (total - total_before)
            for j in range(outputs):
                delta[s, j] *= weight
        if outputs == 1:
            correct += (a[s, 0] > half) == (y[s, 0] > half)
        else:
            correct += _argmax(a, s, outputs) == _argmax(y, s, outputs)
    if loss == spec.QUADRATIC or loss == spec.MEAN_SQUARED_ERROR:
        times_derivative(delta, a, a.dtype.type(1), block, outputs, activation)
    return total, correct


@inner
def output_error(a: Any, y: Any, rows: Any, m: int, loss: int, weights: Any) -> None:
    """a = dL/da times the weight, the error that goes back in place of dL/dz where Net.propagates_error."""
    for s in range(len(rows)):
        share = a.dtype.type(1 / m if loss == spec.QUADRATIC else 2 / (m * y.shape[1]))
        if len(weights) > 0:
            share *= weights[rows[s]]
        for j in range(y.shape[1]):
            a[s, j] = (a[s, j] - y[s, j]) * share


@inner
def update(params: Any, state: Any, grad: Any, start: int, stop: int, l2: float, rule: Any, t: int) -> None:
    """Apply one update to params[start:stop] (see Rule) and clear that part of grad."""
    w, g = params[start:stop], grad[start:stop]  # counted from 0, or Numba would look for negative indices
    T = w.dtype.type
    zero, decay, momentum, epsilon, rate = T(0), T(l2), T(rule.momentum), T(rule.epsilon), T(rule.learning_rate)
    if rule.optimizer == spec.ADAM:
        m, v = state[0][start:stop], state[1][start:stop]
        rate = T(rule.learning_rate * math.sqrt(1 - rule.beta2**t) / (1 - rule.beta1**t))
        beta1, beta2, rest1, rest2 = T(rule.beta1), T(rule.beta2), T(1 - rule.beta1), T(1 - rule.beta2)
        for k in range(len(w)):
            gradient = g[k] + decay * w[k]
            m[k] = beta1 * m[k] + rest1 * gradient
            v[k] = beta2 * v[k] + rest2 * gradient * gradient
            w[k] -= rate * m[k] / (math.sqrt(v[k]) + epsilon)
    elif rule.optimizer == spec.SGD:
        for k in range(len(w)):
            w[k] -= rate * (g[k] + decay * w[k])
    else:
        velocity = state[0][start:stop]
        ahead = rule.optimizer == spec.NESTEROV
        for k in range(len(w)):
            step = rate * (g[k] + decay * w[k])
            velocity[k] = momentum * velocity[k] - step
            w[k] += momentum * velocity[k] - step if ahead else velocity[k]
    g[:] = zero
