"""Numba kernels: the table of reference.py, compiled on first use and cached on disk.

Three ideas make them fast. An epoch is a handful of calls. Lanes are neurons: a vector register holds consecutive
outputs of a layer, so that every product is a sum of weight rows. And zeros cost nothing: a layer's inputs are
first compressed to the nonzero ones (81% of MNIST's pixels are zero), each with the place of its weight row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from . import lanes, spec
from .spec import ALIGNMENT, EpochResult, FloatArray, IntArray, Net, Rule, Tick, aligned_zeros

BLOCK = 256  # rows that go through the layers together; a larger batch is several blocks
TILE = 1 << 17  # bytes of weight rows that a block's rows share while they are in the cache

_options: dict[str, Any] = {"nogil": True, "cache": True, "fastmath": {"contract"}, "error_model": "numpy"}
_njit: Any = numba.njit  # Any: numba's own annotations do not know no_cpython_wrapper
_compile = _njit(**_options)  # called from Python
_inner = _njit(**_options, no_cpython_wrapper=True)


def describe() -> str:
    return f"Numba {numba.__version__}"


# ---------------------------------------------------------------------------------------------------------------------
# One layer, a block of rows. z, a, delta and the lists of nonzero inputs are (block, ...); row s is the block's s-th.


@_inner
def _compress(
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
        values[s, count] = 0  # _add_rows takes two at a time
        offsets[s, count] = weights
        counts[s] = count


@_inner
def _tile(params: Any, stride: int) -> Any:
    """How many rows of weights fit TILE, an even number."""
    return max(2, TILE // (stride * params.itemsize) // 2 * 2)


@_inner
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


@_inner
def _add_rows(z: Any, stride: int, params: Any, offsets: Any, values: Any, counts: Any) -> None:
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


@_inner
def _add_outer_strip(
    zero: Any, target: Any, factor: Any, delta: Any, s: int, j: int, offsets: Any, values: Any, first: int, stop: int
) -> None:
    d = lanes.add_multiple(zero, factor, lanes.load(delta, s * delta.shape[1] + j, zero))
    for t in range(first, stop):
        k = offsets[s, t] + j
        lanes.store(target, k, lanes.add_multiple(lanes.load(target, k, zero), values[s, t], d))


@_inner
def _add_outer(target: Any, factor: Any, stride: int, delta: Any, offsets: Any, values: Any, counts: Any) -> None:
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


@_inner
def _propagate(g: Any, block: int, size: int, stride: int, params: Any, weights: int, delta: Any) -> None:
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


@_inner
def _largest(counts: Any) -> int:
    largest = 0
    for count in counts:
        largest = max(largest, count)
    return largest


@_inner
def _argmax(x: Any, s: int, size: int) -> int:
    """The index of the largest of x[s, :size], the first of equals."""
    index, value = 0, x[s, 0]
    for j in range(1, size):
        if x[s, j] > value:
            index, value = j, x[s, j]
    return index


@_inner
def _activate(z: Any, block: int, outputs: int, activation: int) -> None:
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


@_inner
def _times_derivative(delta: Any, a: Any, block: int, outputs: int, activation: int) -> None:
    """Turn dL/da into dL/dz in place, given a = activation(z)."""
    zero, one, slope = a.dtype.type(0), a.dtype.type(1), a.dtype.type(spec.LEAKY_SLOPE)
    for s in range(block):
        if activation == spec.SIGMOID:
            for j in range(outputs):
                delta[s, j] *= a[s, j] * (one - a[s, j])
        elif activation == spec.TANH:
            for j in range(outputs):
                delta[s, j] *= one - a[s, j] * a[s, j]
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


@_inner
def _fill_targets(y: Any, rows: Any, targets: Any) -> None:
    for s in range(len(rows)):
        for j in range(targets.shape[1]):
            if y.ndim == 1:
                targets[s, j] = y[rows[s]] == j
            else:
                targets[s, j] = y[rows[s], j]


@_inner
def _output_loss(z: Any, a: Any, y: Any, block: int, m: int, loss: int, activation: int, delta: Any) -> Any:
    """Return the rows' summed loss and number correct; write dL/dz of the mean over m rows to delta."""
    zero, half, batch, outputs = a.dtype.type(0), a.dtype.type(0.5), a.dtype.type(m), y.shape[1]
    total, correct = 0.0, 0
    for s in range(block):
        if loss == spec.QUADRATIC or loss == spec.MEAN_SQUARED_ERROR:
            # sum_j (a_j - y_j)^2 / 2 and sum_j (a_j - y_j)^2 / outputs
            share = 0.5 if loss == spec.QUADRATIC else 1.0 / outputs
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
        if outputs == 1:
            correct += (a[s, 0] >= half) == (y[s, 0] >= half)
        else:
            correct += _argmax(a, s, outputs) == _argmax(y, s, outputs)
    if loss == spec.QUADRATIC or loss == spec.MEAN_SQUARED_ERROR:
        _times_derivative(delta, a, block, outputs, activation)
    return total, correct


@_inner
def _update(params: Any, state: Any, grad: Any, start: int, stop: int, l2: float, rule: Any, t: int) -> None:
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


# ---------------------------------------------------------------------------------------------------------------------
# All layers


class _Work(NamedTuple):
    """Buffers for a block of rows; the first index is the layer. The padding of a and delta stays zero."""

    a: FloatArray  # (layers, block, widest) outputs
    delta: FloatArray  # (layers, block, widest) dL/dz
    values: FloatArray  # (layers, block, most inputs + 2) nonzero inputs
    offsets: IntArray  # (layers, block, most inputs + 2) where in params the nonzero inputs' weights start
    counts: IntArray  # (layers, block) nonzero inputs
    z: FloatArray  # (block, outputs) of the last layer
    targets: FloatArray  # (block, outputs)
    rows: IntArray  # (block,) 0, 1, ...


def _work(net: Net, dtype: np.dtype[Any], block: int) -> _Work:
    layers, widest = len(net.activations), int(net.strides.max())
    inputs, outputs = int(net.sizes[:-1].max()) + 2, int(net.sizes[-1])
    return _Work(
        a=aligned_zeros((layers, block, widest), dtype),
        delta=aligned_zeros((layers, block, widest), dtype),
        values=aligned_zeros((layers, block, inputs), dtype),
        offsets=np.zeros((layers, block, inputs), np.int64),
        counts=np.zeros((layers, block), np.int64),
        z=aligned_zeros((block, outputs), dtype),
        targets=aligned_zeros((block, outputs), dtype),
        rows=np.arange(block),
    )


@_inner
def _forward(net: Any, params: Any, X: Any, scale: float, rows: Any, work: Any) -> None:
    """Fill work's a, z and nonzero inputs for the rows of X."""
    last, block = len(net.activations) - 1, len(rows)
    for layer in range(last + 1):
        weights, biases, stride = net.weights[layer], net.biases[layer], net.strides[layer]
        size, outputs, a = net.sizes[layer], net.sizes[layer + 1], work.a[layer]
        if layer == 0:
            _compress(X, rows, size, params.dtype.type(scale), weights, biases, stride, work, layer)
        else:
            one, every = params.dtype.type(1), work.rows[:block]
            _compress(work.a[layer - 1], every, size, one, weights, biases, stride, work, layer)
        _add_rows(a, stride, params, work.offsets[layer], work.values[layer], work.counts[layer, :block])
        if layer == last:
            for s in range(block):
                for j in range(outputs):
                    work.z[s, j] = a[s, j]
        _activate(a, block, outputs, net.activations[layer])


@_inner
def _losses(net: Any, y: Any, rows: Any, m: int, work: Any) -> Any:
    """After _forward: return the rows' summed loss and number correct; fill the last layer's delta."""
    _fill_targets(y, rows, work.targets)
    activation = net.activations[-1]
    return _output_loss(work.z, work.a[-1], work.targets, len(rows), m, net.loss, activation, work.delta[-1])


@_inner
def _backward(net: Any, params: Any, block: int, target: Any, factor: Any, keep: Any, work: Any) -> None:
    """After _losses: target = keep * target (weights alone) + factor * gradient; target may be params."""
    for layer in range(len(net.activations) - 1, -1, -1):
        size, weights, stride, delta = net.sizes[layer], net.weights[layer], net.strides[layer], work.delta[layer]
        if layer > 0:
            g = work.delta[layer - 1]
            _propagate(g, block, size, stride, params, weights, delta)
            _times_derivative(g, work.a[layer - 1], block, size, net.activations[layer - 1])
        if keep != 1:
            w = target[weights : weights + size * stride]
            for k in range(len(w)):
                w[k] *= keep
        _add_outer(target, factor, stride, delta, work.offsets[layer], work.values[layer], work.counts[layer, :block])


@_compile
def _train(
    net: Any, params: Any, state: Any, grad: Any, X: Any, scale: float, y: Any, order: Any, batch_size: int, rule: Any,
    first: int, last: int, work: Any,
) -> Any:  # fmt: skip
    """Do the batches first to last - 1; return the summed loss, the number correct and the batches done."""
    T, rate, block = params.dtype.type, rule.learning_rate, len(work.rows)
    # plain SGD subtracts a batch's gradient row by row as it comes; it needs no copy of the gradient
    direct = rule.optimizer == spec.SGD and batch_size <= block
    target, factor, keep = grad, T(1), T(1)
    if direct:
        target, factor, keep = params, T(-rate), T(1 - rate * rule.l2)
    total, correct = 0.0, 0
    for batch in range(first, last):
        start, stop = batch * batch_size, min((batch + 1) * batch_size, len(order))
        batch_loss, batch_correct = 0.0, 0
        for k in range(start, stop, block):
            rows = order[k : min(k + block, stop)]
            _forward(net, params, X, scale, rows, work)
            loss, hits = _losses(net, y, rows, stop - start, work)
            batch_loss += loss
            batch_correct += hits
            if not math.isfinite(batch_loss):
                return total, correct, batch - first
            _backward(net, params, len(rows), target, factor, keep, work)
        if not direct:
            t = rule.step + batch + 1
            for layer in range(len(net.activations)):
                weights, biases, stride = net.weights[layer], net.biases[layer], net.strides[layer]
                parts = ((weights, net.sizes[layer] * stride, rule.l2), (biases, stride if biases >= 0 else 0, 0.0))
                for start, length, l2 in parts:
                    _update(params, state, grad, start, start + length, l2, rule, t)
        total += batch_loss
        correct += batch_correct
    return total, correct, last - first


@_compile
def _predict(net: Any, params: Any, X: Any, scale: float, rows: Any, out: Any, work: Any) -> None:
    _forward(net, params, X, scale, rows, work)
    for s in range(len(rows)):
        for j in range(out.shape[1]):
            out[rows[s], j] = work.a[-1, s, j]


@_compile
def _gradient(net: Any, params: Any, X: Any, scale: float, y: Any, rows: Any, grad: Any, work: Any) -> Any:
    """Add the rows' part of the gradient of the mean loss over X to grad; return their summed loss."""
    one = params.dtype.type(1)
    _forward(net, params, X, scale, rows, work)
    loss = _losses(net, y, rows, len(X), work)[0]
    _backward(net, params, len(rows), grad, one, one, work)
    return loss


# ---------------------------------------------------------------------------------------------------------------------
# The table


def _portions(count: int) -> Iterator[tuple[int, int]]:
    """Split range(count) into calls of a few hundredths of a second, so that Ctrl-C is heard between them."""
    start, size = 0, 1
    while start < count:
        stop = min(start + size, count)
        began = perf_counter()
        yield start, stop
        seconds = perf_counter() - began
        if seconds < 0.02:
            size *= 2
        elif seconds > 0.05:
            size = max(1, size // 2)
        start = stop


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _blocks(count: int) -> Iterator[NDArray[Any]]:
    for start in range(0, count, BLOCK):
        yield _read_only(np.arange(start, min(start + BLOCK, count)))


def _plain(net: Net, X: NDArray[Any], scale: float, *arrays: NDArray[Any]) -> tuple[Any, ...]:
    """The inputs in the one form that is compiled: Python numbers, and read-only arrays whether they were or not."""
    sizes, activations, weights, biases, strides, X, *rest = (
        _read_only(a) for a in (net.sizes, net.activations, net.weights, net.biases, net.strides, X, *arrays)
    )
    net = Net(sizes, activations, int(net.loss), weights, biases, strides)
    return net, X, float(scale) if X.dtype == np.uint8 else 1.0, *rest


def forward(net: Net, params: FloatArray, X: NDArray[Any], scale: float, out: FloatArray) -> None:
    net, X, scale = _plain(net, X, scale)
    work = _work(net, params.dtype, min(BLOCK, len(X)))
    for rows in _blocks(len(X)):
        _predict(net, params, X, scale, rows, out, work)


def loss_grad(net: Net, params: FloatArray, X: NDArray[Any], scale: float, y: NDArray[Any], grad: FloatArray) -> float:
    net, X, scale, y = _plain(net, X, scale, y)
    work = _work(net, params.dtype, min(BLOCK, len(X)))
    grad[:] = 0
    total = 0.0
    for rows in _blocks(len(X)):
        total += _gradient(net, params, X, scale, y, rows, grad, work)
    return total / len(X)


def train_epoch(
    net: Net,
    params: FloatArray,
    state: FloatArray,
    X: NDArray[Any],
    scale: float,
    y: NDArray[Any],
    order: IntArray,
    batch_size: int,
    rule: Rule,
    tick: Tick | None = None,
) -> EpochResult:
    net, X, scale, y, order = _plain(net, X, scale, y, order)
    rule = Rule._make([int(rule.optimizer), *map(float, rule[1:-1]), int(rule.step)])
    work = _work(net, params.dtype, min(BLOCK, batch_size, len(order)))
    grad = aligned_zeros(params.size, params.dtype)
    total, correct, batches = 0.0, 0, 0
    for first, last in _portions(-(-len(order) // batch_size)):
        loss, hits, done = _train(
            net, params, state, grad, X, scale, y, order, int(batch_size), rule, first, last, work
        )
        total, correct, batches = total + loss, correct + hits, batches + done
        if tick is not None and done:
            tick(batches)
        if done < last - first:
            break
    return EpochResult(total, correct, batches)
