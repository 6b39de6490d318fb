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

from .. import spec
from ..params import aligned_zeros
from ..spec import Codes, Data, Dropout, EpochArgs, EpochResult, FloatArray, IntArray, Net, Rule, Tick
from . import layers as step
from . import search as near

BLOCK = 256  # rows that go through the layers together; a larger batch is several blocks

QUERIES, QUERY_ELEMENTS = 128, 1 << 20  # a block of queries, and what it has at most
PORTION = 1 << 26  # elements summed in a few hundredths of a second, between two chances for Ctrl-C
PER_PAIR = 500  # what a pair of rows costs besides, at most, in the same unit
SORTED = 100_000  # neighbours that are sorted between two chances
SLOWER = 8  # times as many values as native computes in the time of comparing all rows
TRIED = 16  # one row of so many is searched before it shows whether the codes rule out enough


def describe() -> str:
    return f"Numba {numba.__version__}"


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


class _Extras(NamedTuple):
    """The rows' weights and dropout in the one form that is compiled; empty where there are none."""

    weights: FloatArray  # (n,) or (0,)
    kept: NDArray[np.uint8]  # (n, sum of the hidden strides) or (0, 0)
    scales: NDArray[np.float64]  # (hidden layers,) or (0,)


def new_work(net: Net, dtype: np.dtype[Any], block: int) -> _Work:
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


@step.inner
def _forward(net: Any, params: Any, X: Any, scale: float, rows: Any, extras: Any, work: Any) -> None:
    """Fill work's a, z and nonzero inputs for the rows of X."""
    last, block, place = len(net.activations) - 1, len(rows), 0
    for layer in range(last + 1):
        weights, biases, stride = net.weights[layer], net.biases[layer], net.strides[layer]
        size, outputs, a = net.sizes[layer], net.sizes[layer + 1], work.a[layer]
        if layer == 0:
            step.compress(X, rows, size, params.dtype.type(scale), weights, biases, stride, work, layer)
        else:
            one, every = params.dtype.type(1), work.rows[:block]
            step.compress(work.a[layer - 1], every, size, one, weights, biases, stride, work, layer)
        step.add_rows(a, stride, params, work.offsets[layer], work.values[layer], work.counts[layer, :block])
        if layer == last:
            for s in range(block):
                for j in range(outputs):
                    work.z[s, j] = a[s, j]
        step.activate(a, block, outputs, net.activations[layer])
        if layer < len(extras.scales):
            step.drop(a, rows, outputs, extras.kept, place, extras.scales[layer])
            place += stride


@step.inner
def _losses(net: Any, y: Any, rows: Any, m: int, extras: Any, work: Any) -> Any:
    """After _forward: return the rows' summed loss and number correct; fill the last layer's delta."""
    step.fill_targets(y, rows, work.targets)
    activation = net.activations[-1]
    return step.output_loss(
        work.z, work.a[-1], work.targets, rows, m, net.loss, activation, extras.weights, work.delta[-1]
    )


@step.inner
def _backward(
    net: Any, params: Any, rows: Any, m: int, target: Any, factor: Any, keep: Any, extras: Any, work: Any
) -> None:
    """After _losses of a batch of m: target = keep * target (weights) + factor * gradient; target may be params."""
    block, place = len(rows), extras.kept.shape[1]
    for layer in range(len(net.activations) - 1, -1, -1):
        size, weights, stride, delta = net.sizes[layer], net.weights[layer], net.strides[layer], work.delta[layer]
        if layer > 0:
            g, back = work.delta[layer - 1], delta
            if net.propagates_error and layer == len(net.activations) - 1:
                back = work.a[layer]  # the outputs are not needed any more
                step.output_error(back, work.targets, rows, m, net.loss, extras.weights)
            step.propagate(g, block, size, stride, params, weights, back)
            undo = params.dtype.type(1)
            if len(extras.scales) > 0:
                place -= net.strides[layer - 1]
                step.drop(g, rows, size, extras.kept, place, extras.scales[layer - 1])
                undo = params.dtype.type(1 / extras.scales[layer - 1])
            step.times_derivative(g, work.a[layer - 1], undo, block, size, net.activations[layer - 1])
        if keep != 1:
            w = target[weights : weights + size * stride]
            for k in range(len(w)):
                w[k] *= keep
        step.add_outer(
            target, factor, stride, delta, work.offsets[layer], work.values[layer], work.counts[layer, :block]
        )


@step.compiled
def _train(
    net: Any,
    params: Any,
    state: Any,
    grad: Any,
    X: Any,
    scale: float,
    y: Any,
    order: Any,
    batch_size: int,
    rule: Any,
    first: int,
    last: int,
    extras: Any,
    work: Any,
) -> Any:
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
            _forward(net, params, X, scale, rows, extras, work)
            loss, hits = _losses(net, y, rows, stop - start, extras, work)
            batch_loss += loss
            batch_correct += hits
            if not math.isfinite(batch_loss):
                return total, correct, batch - first
            _backward(net, params, rows, stop - start, target, factor, keep, extras, work)
        if not direct:
            t = rule.step + batch + 1
            for layer in range(len(net.activations)):
                weights, biases, stride = net.weights[layer], net.biases[layer], net.strides[layer]
                parts = ((weights, net.sizes[layer] * stride, rule.l2), (biases, stride if biases >= 0 else 0, 0.0))
                for start, length, l2 in parts:
                    step.update(params, state, grad, start, start + length, l2, rule, t)
        total += batch_loss
        correct += batch_correct
    return total, correct, last - first


@step.compiled
def _predict(net: Any, params: Any, X: Any, scale: float, rows: Any, out: Any, extras: Any, work: Any) -> None:
    _forward(net, params, X, scale, rows, extras, work)
    for s in range(len(rows)):
        for j in range(out.shape[1]):
            out[rows[s], j] = work.a[-1, s, j]


@step.compiled
def _gradient(net: Any, params: Any, X: Any, scale: float, y: Any, rows: Any, grad: Any, extras: Any, work: Any) -> Any:
    """Add the rows' part of the gradient of the mean loss over X to grad; return their summed loss."""
    one = params.dtype.type(1)
    _forward(net, params, X, scale, rows, extras, work)
    loss = _losses(net, y, rows, len(X), extras, work)[0]
    _backward(net, params, rows, len(X), grad, one, one, extras, work)
    return loss


@step.compiled
def _layer_gradient(
    net: Any,
    params: Any,
    X: Any,
    scale: float,
    rows: Any,
    outputs: Any,
    output_grad: Any,
    grad: Any,
    input_grad: Any,
    work: Any,
) -> None:
    """Add the rows' part of the gradient to grad; write that of the rows themselves."""
    one, block, weights, stride = params.dtype.type(1), len(rows), net.weights[0], net.strides[0]
    inputs, units, a, delta = net.sizes[0], net.sizes[1], work.a[0], work.delta[0]
    for s in range(block):
        for j in range(units):
            a[s, j], delta[s, j] = outputs[rows[s], j], output_grad[rows[s], j]
    step.times_derivative(delta, a, one, block, units, net.activations[0])
    step.compress(X, rows, inputs, params.dtype.type(scale), weights, net.biases[0], stride, work, 0)
    step.add_outer(grad, one, stride, delta, work.offsets[0], work.values[0], work.counts[0, :block])
    step.propagate(input_grad[rows[0] : rows[-1] + 1], block, inputs, stride, params, weights, delta)


def portions(count: int) -> Iterator[tuple[int, int]]:
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


def plain(net: Net, X: NDArray[Any], scale: float, *arrays: NDArray[Any]) -> tuple[Any, ...]:
    """The inputs in the one form that is compiled: Python numbers, and read-only arrays whether they were or not."""
    sizes, activations, weights, biases, strides, X, *rest = (
        _read_only(a) for a in (net.sizes, net.activations, net.weights, net.biases, net.strides, X, *arrays)
    )
    net = Net(sizes, activations, int(net.loss), weights, biases, strides, -1, bool(net.propagates_error))
    return net, X, float(scale) if X.dtype == np.uint8 else 1.0, *rest


def _extras(dtype: np.dtype[Any], weights: FloatArray | None = None, dropout: Dropout | None = None) -> _Extras:
    weights = np.empty(0, dtype) if weights is None else weights
    dropout = Dropout(np.empty((0, 0), np.uint8), np.empty(0)) if dropout is None else dropout
    return _Extras._make(map(_read_only, (weights, *dropout)))


def forward(net: Net, params: FloatArray, X: NDArray[Any], scale: float, out: FloatArray) -> bool:
    net, X, scale = plain(net, X, scale)
    work, extras = new_work(net, params.dtype, min(BLOCK, len(X))), _extras(params.dtype)
    for rows in _blocks(len(X)):
        _predict(net, params, X, scale, rows, out, extras, work)
    return bool(np.isfinite(out).all())


def loss_grad(net: Net, params: FloatArray, X: NDArray[Any], scale: float, y: NDArray[Any], grad: FloatArray) -> float:
    net, X, scale, y = plain(net, X, scale, y)
    work, extras = new_work(net, params.dtype, min(BLOCK, len(X))), _extras(params.dtype)
    grad[:] = 0
    total = 0.0
    for rows in _blocks(len(X)):
        total += _gradient(net, params, X, scale, y, rows, grad, extras, work)
    return total / len(X)


def layer_grad(
    net: Net,
    params: FloatArray,
    X: NDArray[Any],
    scale: float,
    outputs: FloatArray,
    output_grad: FloatArray,
    grad: FloatArray,
    input_grad: FloatArray,
) -> None:
    net, X, scale, outputs, output_grad = plain(net, X, scale, outputs, output_grad)
    work = new_work(net, params.dtype, min(BLOCK, len(X)))
    grad[:] = 0
    for rows in _blocks(len(X)):
        _layer_gradient(net, params, X, scale, rows, outputs, output_grad, grad, input_grad, work)


def train_epoch(
    net: Net, params: FloatArray, state: FloatArray, data: Data, epoch: EpochArgs, tick: Tick | None = None
) -> EpochResult:
    net, X, scale, y, order = plain(net, data.X, data.scale, data.y, epoch.order)
    rule = Rule._make([int(epoch.rule.optimizer), *map(float, epoch.rule[1:-1]), int(epoch.rule.step)])
    batch_size = int(epoch.batch_size)
    work = new_work(net, params.dtype, min(BLOCK, batch_size, len(order)))
    extras = _extras(params.dtype, data.weights, epoch.dropout)
    grad = aligned_zeros(params.size, params.dtype)
    total, correct, batches = 0.0, 0, 0
    for first, last in portions(-(-len(order) // batch_size)):
        loss, hits, done = _train(
            net, params, state, grad, X, scale, y, order, batch_size, rule, first, last, extras, work
        )
        total, correct, batches = total + loss, correct + hits, batches + done
        if tick is not None and done:
            tick(batches)
        if done < last - first:
            break
    return EpochResult(total, correct, batches)


def neighbors(
    metric: int,
    X: NDArray[Any],
    Q: NDArray[Any],
    codes: Codes | None,
    limit: float,
    values: NDArray[np.float64],
    indices: IntArray,
) -> None:
    metric, X, Q = int(metric), _read_only(X), _read_only(Q)
    values[:], indices[:] = np.inf, -1
    codes = None if codes is None else _finest(codes)
    size = max(1, min(QUERIES, QUERY_ELEMENTS // X.shape[1]))
    for start in range(0, len(Q), size):
        here = slice(start, start + size)
        count = len(Q[here])
        bounds = np.full(count, math.nextafter(limit, math.inf))
        tile, queries = near.tile_for(metric, X), near.prepare(metric, Q[here])
        best, rest = near.Best(values[here], indices[here], np.zeros(count, np.int64), bounds), 0
        if codes is not None:
            some = codes._replace(queries=codes.queries[here], query_errors=codes.query_errors[here])
            rest = _search_codes(metric, X, Q[here], some, queries, tile, best)
        for first, stop in _row_portions(rest, len(X), count, X.shape[1]):
            near.compare(metric, X, first, stop, Q[here], queries, tile, best)
        while near.sort(best, SORTED) == 0:
            pass


def _finest(codes: Codes) -> Codes:
    """The finer codes alone, if there are any: here the shorter ones would save less time than a second step takes."""
    if codes.finer_rows is None or codes.finer_queries is None:
        return codes
    return codes._replace(rows=codes.finer_rows, queries=codes.finer_queries)


def _search_codes(
    metric: int,
    X: NDArray[Any],
    Q: NDArray[Any],
    codes: Codes,
    whole: near.Queries,
    whole_tile: near.Tile,
    best: near.Best,
) -> int:
    """Search with the codes; return from which row on it is better to do without."""
    rows, errors, query_errors = (_read_only(a) for a in (codes.rows, codes.row_errors, codes.query_errors))
    tile, queries = near.tile_for(spec.EUCLIDEAN, rows), near.prepare(spec.EUCLIDEAN, codes.queries)
    for first, stop in _row_portions(0, len(X), len(Q), X.shape[1] + rows.shape[1]):
        verified = near.compare_codes(
            metric,
            X,
            first,
            stop,
            Q,
            rows,
            errors,
            query_errors,
            float(codes.scale),
            queries,
            tile,
            whole,
            whole_tile,
            best,
        )
        if first * TRIED >= len(X) and verified > SLOWER * codes.most_verified * (stop - first) * len(Q):
            return stop
    return len(X)


def _row_portions(start: int, count: int, queries: int, elements: int) -> Iterator[tuple[int, int]]:
    """Split range(start, count) for that many queries and that many elements to sum for each pair."""
    size = max(1, PORTION // (queries * (elements + PER_PAIR) * near.TILE)) * near.TILE
    for first in range(start, count, size):
        yield first, min(first + size, count)
