"""The Numba kernels of networks: those of the NumPy backend, sample by sample in plain loops.

A batch is taken layer by layer, as there. Two things make the loops fast. The inner one runs along the outputs of a
layer, which lie side by side in memory, so that LLVM vectorises it. And only inputs other than zero are visited, which
are 19% of MNIST's: the products x W and x^T delta are sums over a list of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .. import formulas
from ..params import aligned_zeros
from ..records import ADAGRAD, ADAM, ADAMW, NADAM, NADAM_DECAY, NESTEROV, RMSPROP, SGD
from ..spec import (
    CSR,
    PENALTY_PARTS,
    Data,
    Dropout,
    EpochArgs,
    EpochResult,
    FloatArray,
    IntArray,
    LayerGrads,
    Net,
    Rows,
    Rule,
    Tick,
)
from .compiling import compiled, read_only, summing
from .formulas import activate, is_correct, output_delta, output_error, sample_loss, target_row, times_derivative

BLOCK = 256  # rows that go through the layers together; a larger batch is several blocks


class PlainRows(NamedTuple):
    """Rows in the one form that is compiled: an array, or CSR, whose fields are empty for an array."""

    dense: NDArray[Any]  # (n, inputs), or (0, inputs) of CSR
    indptr: IntArray
    indices: NDArray[np.int32]
    values: FloatArray


class PlainData(NamedTuple):
    """Data in that form: weights are empty where there are none."""

    X: PlainRows
    scale: float
    y: NDArray[Any]
    weights: FloatArray


class Work(NamedTuple):
    """The workspace for a block of rows. The padding of z and delta is zero and stays zero."""

    X: NDArray[Any]  # (block, inputs) the rows themselves, but for CSR
    z: FloatArray  # (layers, block, widest)
    a: FloatArray  # (layers, block, widest) outputs before their mask
    x: FloatArray  # (widest,) a row's outputs after their mask
    delta: FloatArray  # (layers, block, widest) dL/dz
    y: FloatArray  # (block, outputs) targets
    counts: IntArray  # (layers, block) how many of a layer's inputs are not zero,
    indices: NDArray[np.uint64]  # (layers, block, most of a row) which,
    values: FloatArray  # (layers, block, most of a row) and what they are


def new_work(net: Net, dtype: np.dtype[Any], X: PlainRows, block: int) -> Work:
    layers, widest, inputs = len(net.activations), int(net.strides.max()), int(net.sizes[0])
    dense = block
    if len(X.indptr):  # CSR, whose rows are listed from where they are
        dense, inputs = 0, int(np.diff(X.indptr).max(initial=0))
    most = max(inputs, *net.sizes[1:-1].tolist(), 1)
    return Work(
        X=np.zeros((dense, X.dense.shape[1]), X.dense.dtype),
        z=aligned_zeros((layers, block, widest), dtype),
        a=aligned_zeros((layers, block, widest), dtype),
        x=aligned_zeros(widest, dtype),
        delta=aligned_zeros((layers, block, widest), dtype),
        y=aligned_zeros((block, int(net.sizes[-1])), dtype),
        counts=np.zeros((layers, block), np.int64),
        indices=np.zeros((layers, block, most), np.uint64),
        values=aligned_zeros((layers, block, most), dtype),
    )


# ---- one sample and the weights W (inputs, stride) of a layer: z and delta are (stride,)


@compiled
def nonzero(x: Any, scale: Any, indices: Any, values: Any) -> int:
    """List the inputs other than zero: values[t] = scale * x[indices[t]]; return how many."""
    count = np.uint64(0)  # unsigned, or Numba would look for negative indices
    for i in range(len(x)):  # no branch: which inputs are zero cannot be predicted
        indices[count] = i
        count += np.uint64(x[i] != 0)
    for t in range(count):
        values[t] = scale * values.dtype.type(x[indices[t]])
    return int(count)


@compiled
def add_product(z: Any, indices: Any, values: Any, W: Any) -> None:
    """z += x W = sum over t of values[t] * W[indices[t]], of four t at a time."""
    whole = len(indices) // 4 * 4
    for t in range(0, whole, 4):
        x0, x1, x2, x3 = values[t], values[t + 1], values[t + 2], values[t + 3]
        w0, w1, w2, w3 = W[indices[t]], W[indices[t + 1]], W[indices[t + 2]], W[indices[t + 3]]
        for j in range(len(z)):
            z[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j]
    for t in range(whole, len(indices)):
        x, w = values[t], W[indices[t]]
        for j in range(len(z)):
            z[j] += x * w[j]


@compiled
def listed(X: Any, row: int, indices: Any, values: Any) -> int:
    """List the nonzeros of a row of CSR; return how many."""
    start, count = X.indptr[row], X.indptr[row + 1] - X.indptr[row]
    for t in range(count):
        indices[t], values[t] = X.indices[start + t], X.values[start + t]
    return int(count)


@compiled
def affine_of_listed(indices: Any, values: Any, W: Any, b: Any, z: Any) -> None:
    """z = x W + b, where b may be empty, of the inputs listed."""
    z[:] = 0
    for j in range(len(b)):
        z[j] = b[j]
    add_product(z, indices, values, W)


@compiled
def affine(x: Any, scale: Any, indices: Any, values: Any, W: Any, b: Any, z: Any) -> int:
    """z = scale * x W + b, where b may be empty; list the inputs other than zero and return how many."""
    count = nonzero(x, scale, indices, values)
    affine_of_listed(indices[:count], values[:count], W, b, z)
    return int(count)


@compiled
def add_outer(W: Any, indices: Any, values: Any, delta: Any) -> None:
    """W += x^T delta: W[indices[t]] += values[t] * delta"""
    for t in range(len(indices)):
        x, w = values[t], W[indices[t]]
        for j in range(len(delta)):
            w[j] += x * delta[j]


@summing
def back_product(delta: Any, W: Any, g: Any) -> None:
    """g = delta W^T: g[i] = sum over j of delta[j] * W[i, j], of four i at a time."""
    whole, zero = len(g) // 4 * 4, g.dtype.type(0)
    for i in range(0, whole, 4):
        w0, w1, w2, w3 = W[i], W[i + 1], W[i + 2], W[i + 3]
        g0 = g1 = g2 = g3 = zero
        for j in range(len(delta)):
            g0 += delta[j] * w0[j]
            g1 += delta[j] * w1[j]
            g2 += delta[j] * w2[j]
            g3 += delta[j] * w3[j]
        g[i], g[i + 1], g[i + 2], g[i + 3] = g0, g1, g2, g3
    for i in range(whole, len(g)):
        w, total = W[i], zero
        for j in range(len(delta)):
            total += delta[j] * w[j]
        g[i] = total


@compiled
def masked(a: Any, kept: Any, scale: float, x: Any) -> Any:
    """x = scale * a where the output is kept, else 0; x may be a. Return x."""
    zero, factor = a.dtype.type(0), a.dtype.type(scale)
    for j in range(len(a)):
        x[j] = a[j] * (factor if kept[j] else zero)
    return x


# ---- a block of samples


@compiled
def take_rows(X: Any, rows: Any, taken: Any) -> None:
    """taken = X[rows], all at once: shuffled rows are in no cache, and so the processor waits for several together."""
    for s in range(len(rows)):
        x, to = X[rows[s]], taken[s]
        for i in range(len(x)):
            to[i] = x[i]


@compiled
def weight_view(net: Any, params: Any, layer: int) -> Any:
    """The layer's weights (inputs, stride), padding and all."""
    start, size, stride = net.weights[layer], net.sizes[layer], net.strides[layer]
    return params[start : start + size * stride].reshape(size, stride)


@compiled
def bias_view(net: Any, params: Any, layer: int) -> Any:
    """The layer's biases (stride,), padding and all; empty without biases."""
    start = net.biases[layer]
    return params[start : start + net.strides[layer]] if start >= 0 else params[:0]


@compiled
def _layers(net: Any, params: Any, X: Any, scale: float, rows: Any, dropout: Any, work: Any) -> None:
    """Fill z, a, and the nonzero inputs."""
    one, kept_from, is_csr = params.dtype.type(1), 0, len(X.indptr) > 0
    if not is_csr:
        take_rows(X.dense, rows, work.X)
    for layer in range(len(net.activations)):
        W, b = weight_view(net, params, layer), bias_view(net, params, layer)
        size, units, stride = net.sizes[layer], net.sizes[layer + 1], net.strides[layer]
        for s in range(len(rows)):
            indices, values, z = work.indices[layer, s], work.values[layer, s], work.z[layer, s, :stride]
            if layer == 0 and is_csr:
                count = listed(X, rows[s], indices, values)
                affine_of_listed(indices[:count], values[:count], W, b, z)
            elif layer == 0:
                count = affine(work.X[s], params.dtype.type(scale), indices, values, W, b, z)
            else:
                x = work.a[layer - 1, s, :size]
                if len(dropout.scales) > 0:
                    kept = dropout.kept[rows[s], kept_from : kept_from + size]
                    x = masked(x, kept, dropout.scales[layer - 1], work.x[:size])
                count = affine(x, one, indices, values, W, b, z)
            work.counts[layer, s] = count
            activate(z[:units], net.activations[layer], net.alphas[layer], work.a[layer, s])
        if layer > 0:
            kept_from += net.strides[layer - 1]


@compiled
def add_gradient(net: Any, target: Any, layer: int, factor: Any, m: int, work: Any) -> None:
    """target += factor * the gradient of the layer's weights and biases, from m rows; delta is multiplied as well."""
    W, b = weight_view(net, target, layer), bias_view(net, target, layer)
    for s in range(m):
        delta, count = work.delta[layer, s, : net.strides[layer]], work.counts[layer, s]
        for j in range(len(delta)):
            delta[j] *= factor
        for j in range(len(b)):
            b[j] += delta[j]
        add_outer(W, work.indices[layer, s, :count], work.values[layer, s, :count], delta)


@compiled
def _backward(
    net: Any, params: Any, data: Any, rows: Any, m: int, dropout: Any, target: Any, factor: Any, work: Any
) -> Any:
    """target += factor * the gradient of the mean loss over m rows, of which ``rows`` are.

    Return the summed loss and the number correct; if the loss is not finite, nothing is written. ``target`` may be
    params.
    """
    _layers(net, params, data.X, data.scale, rows, dropout, work)
    last, units, loss, correct = len(net.activations) - 1, net.sizes[-1], 0.0, 0
    for s in range(len(rows)):
        z, a, t, delta = work.z[last, s, :units], work.a[last, s, :units], work.y[s], work.delta[last, s, :units]
        weight = data.weights[rows[s]] if len(data.weights) > 0 else params.dtype.type(1)
        target_row(data.y, rows[s], t)
        loss += np.float64(weight) * sample_loss(z, a, t, net.loss, net.least_probability)
        correct += is_correct(a, t)
        output_delta(z, a, t, m, net.loss, net.activations[last], net.alphas[last], delta)
        if net.propagates_error:  # in place of z, which is not needed any more
            output_error(a, t, m, net.loss, z)
        for j in range(units):
            delta[j] *= weight
            z[j] *= weight
    if not math.isfinite(loss):
        return loss, correct
    kept_from = dropout.kept.shape[1]
    for layer in range(last, -1, -1):
        W, size, units = weight_view(net, params, layer), net.sizes[layer], net.sizes[layer + 1]
        if layer > 0:
            kept_from -= net.strides[layer - 1]
            for s in range(len(rows)):
                a, g, delta = work.a[layer - 1, s, :size], work.delta[layer - 1, s, :size], work.delta[layer, s, :units]
                back_product(work.z[last, s, :units] if net.propagates_error and layer == last else delta, W, g)
                if len(dropout.scales) > 0:
                    kept = dropout.kept[rows[s], kept_from : kept_from + size]
                    masked(g, kept, dropout.scales[layer - 1], g)
                z, activation, alpha = work.z[layer - 1, s, :size], net.activations[layer - 1], net.alphas[layer - 1]
                times_derivative(g, z, a, activation, alpha)
        add_gradient(net, target, layer, factor, len(rows), work)
    return loss, correct


@compiled
def scale_to(g: Any, square: float, most: float) -> None:
    """g *= most / norm where the norm, the root of ``square``, is more."""
    if math.sqrt(square) > most:
        factor = g.dtype.type(most / math.sqrt(square))
        for k in range(len(g)):
            g[k] *= factor


@summing
def sum_of_squares(g: Any) -> float:
    total = 0.0
    for k in range(len(g)):
        total += np.float64(g[k]) * np.float64(g[k])
    return total


@compiled
def _regularise_and_clip(net: Any, params: Any, grad: Any, rule: Any, share: float) -> None:
    """Add ``share`` of the penalties' part to the gradient and clip it, as Rule says; grad's padding is zero."""
    T, layers = params.dtype.type, len(net.activations)
    for layer in range(layers):
        w, g = weight_view(net, params, layer).reshape(-1), weight_view(net, grad, layer).reshape(-1)
        l1, l2 = T(share * rule.l1[layer]), T(share * rule.l2[layer])
        if l1 != 0 or l2 != 0:
            for k in range(len(w)):
                g[k] += l2 * w[k] + l1 * np.sign(w[k])
    if rule.clip_value > 0:
        most = T(rule.clip_value)
        for k in range(len(grad)):
            grad[k] = min(max(grad[k], -most), most)
    if rule.clip_norm > 0:
        for layer in range(layers):
            for g in (weight_view(net, grad, layer).reshape(-1), bias_view(net, grad, layer)):
                scale_to(g, sum_of_squares(g), rule.clip_norm)
    if rule.global_clip_norm > 0:
        scale_to(grad, sum_of_squares(grad), rule.global_clip_norm)


@compiled
def _penalty(net: Any, params: Any, rule: Any) -> float:
    """What the rule's l1 and l2 add to the loss."""
    total = 0.0
    for layer in range(len(net.activations)):
        if rule.l1[layer] != 0 or rule.l2[layer] != 0:
            w = weight_view(net, params, layer).reshape(-1)
            for k in range(len(w)):
                size = abs(np.float64(w[k]))
                total += size * (rule.l1[layer] + rule.l2[layer] / 2 * size)
    return total


@compiled
def nadam_momentum(beta1: float, t: int) -> float:
    """u_t of Nadam's warm-up."""
    return beta1 * (1 - 0.5 * NADAM_DECAY**t)


@compiled
def _update(
    net: Any, params: Any, state: Any, grad: Any, rule: Any, learning_rate: float, share: float, t: int
) -> None:
    """Apply one update; see Rule for the equations. ``t`` counts updates from 1."""
    T = params.dtype.type
    rate, momentum, epsilon = T(learning_rate), T(rule.momentum), T(rule.epsilon)
    beta1, beta2, rest1, rest2 = T(rule.beta1), T(rule.beta2), T(1 - rule.beta1), T(1 - rule.beta2)
    _regularise_and_clip(net, params, grad, rule, share)
    if rule.weight_decay != 0:
        kept = T(1 - learning_rate * rule.weight_decay)
        for k in range(len(params)):
            params[k] *= kept
    if rule.optimizer == SGD:
        for k in range(len(params)):
            params[k] -= rate * grad[k]
    elif rule.optimizer in (ADAM, ADAMW):
        m, v = state[0], state[1]
        rate = T(learning_rate * math.sqrt(1 - rule.beta2**t) / (1 - rule.beta1**t))
        for k in range(len(params)):
            m[k] = beta1 * m[k] + rest1 * grad[k]
            v[k] = beta2 * v[k] + rest2 * grad[k] * grad[k]
            params[k] -= rate * m[k] / (math.sqrt(v[k]) + epsilon)
    elif rule.optimizer == NADAM:
        m, v = state[0], state[1]
        u, u_next = nadam_momentum(rule.beta1, t), nadam_momentum(rule.beta1, t + 1)
        product, i = 1.0, 0
        while i < t and product > 0:
            i += 1
            product *= nadam_momentum(rule.beta1, i)
        of_m, of_g, of_v = T(u_next / (1 - product * u_next)), T((1 - u) / (1 - product)), T(1 / (1 - rule.beta2**t))
        for k in range(len(params)):
            m[k] = beta1 * m[k] + rest1 * grad[k]
            v[k] = beta2 * v[k] + rest2 * grad[k] * grad[k]
            params[k] -= rate * (of_m * m[k] + of_g * grad[k]) / (math.sqrt(of_v * v[k]) + epsilon)
    elif rule.optimizer == RMSPROP:
        m, v = state[0], state[1]
        for k in range(len(params)):
            v[k] = beta2 * v[k] + rest2 * grad[k] * grad[k]
            step = rate * grad[k] / math.sqrt(v[k] + epsilon)
            if momentum != 0:
                m[k] = momentum * m[k] + step
                step = m[k]
            params[k] -= step
    elif rule.optimizer == ADAGRAD:
        v = state[0]
        for k in range(len(params)):
            v[k] += grad[k] * grad[k]
            params[k] -= rate * grad[k] / math.sqrt(v[k] + epsilon)
    else:
        velocity, ahead = state[0], rule.optimizer == NESTEROV
        for k in range(len(params)):
            step = rate * grad[k]
            velocity[k] = momentum * velocity[k] - step
            params[k] += momentum * velocity[k] - step if ahead else velocity[k]


@compiled
def _train(
    net: Any, params: Any, state: Any, grad: Any, data: Any, epoch: Any, first: int, last: int, work: Any
) -> Any:
    """Do the batches first to last - 1; return the summed loss, the number correct and the batches done."""
    T, rule, order, batch_size, block = params.dtype.type, epoch.rule, epoch.order, epoch.batch_size, len(work.y)
    changes_gradient = rule.clip_value + rule.clip_norm + rule.global_clip_norm + rule.l1.sum() + rule.l2.sum() > 0
    # Plain SGD needs no copy of the gradient where one block is a whole batch: w -= rate * g.
    direct = rule.optimizer == SGD and batch_size <= block and not changes_gradient and rule.weight_decay == 0
    target = params if direct else grad
    total, correct = 0.0, 0
    for batch in range(first, last):
        start, stop = batch * batch_size, min((batch + 1) * batch_size, len(order))
        batch_loss, batch_correct = 0.0, 0
        factor = T(-epoch.rates[batch]) if direct else T(1)
        if len(epoch.penalties) > 0:
            epoch.penalties[batch, 0] = _penalty(net, params, rule)
        if not direct:
            grad[:] = 0
        for k in range(start, stop, block):
            rows = order[k : min(k + block, stop)]
            loss, hits = _backward(net, params, data, rows, stop - start, epoch.dropout, target, factor, work)
            batch_loss, batch_correct = batch_loss + loss, batch_correct + hits
            if len(epoch.outputs) > 0:
                epoch.outputs[k : k + len(rows)] = work.a[-1, : len(rows), : net.sizes[-1]]
        if not math.isfinite(batch_loss):
            return total, correct, batch - first
        if not direct:
            _update(
                net, params, state, grad, rule, epoch.rates[batch], epoch.penalty_factors[batch], rule.step + batch + 1
            )
        total, correct = total + batch_loss, correct + batch_correct
    return total, correct, last - first


@compiled
def _layer_gradient(
    net: Any, params: Any, X: Any, scale: float, rows: Any, grad: Any, input_grad: Any, work: Any
) -> None:
    """Given delta of the rows, add their part of the gradient to grad and write dL/dX of theirs."""
    W, one = weight_view(net, params, 0), params.dtype.type(1)
    for s in range(len(rows)):
        indices, values, delta = work.indices[0, s], work.values[0, s], work.delta[0, s, : net.sizes[1]]
        work.counts[0, s] = nonzero(X.dense[rows[s]], params.dtype.type(scale), indices, values)
        back_product(delta, W, input_grad[rows[s]])
    add_gradient(net, grad, 0, one, len(rows), work)


# ---- the table


def describe() -> str:
    return f"Numba {numba.__version__}"


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


def _blocks(count: int) -> Iterator[NDArray[Any]]:
    for start in range(0, count, BLOCK):
        yield read_only(np.arange(start, min(start + BLOCK, count)))


def plain(net: Net, data: Data, dtype: np.dtype[Any]) -> tuple[Net, PlainData]:
    """Both in the one form that is compiled: Python's numbers and read-only arrays, empty where there are none."""
    X, scale, y, weights, _ = data
    weights = np.empty(0, dtype) if weights is None else weights
    if isinstance(X, CSR):
        parts = np.empty((0, X.columns), dtype), X.indptr, X.indices, X.values
    else:
        parts = X, np.empty(0, np.int64), np.empty(0, np.int32), weights[:0]
    rows = PlainRows(*[read_only(part) for part in parts])
    arrays = (net.sizes, net.activations, net.alphas, net.weights, net.biases, net.strides)
    sizes, activations, alphas, starts, biases, strides = map(read_only, arrays)
    options = bool(net.propagates_error), float(net.least_probability)
    net = Net(sizes, activations, alphas, int(net.loss), starts, biases, strides, -1, *options)
    return net, PlainData(rows, float(scale) if X.dtype == np.uint8 else 1.0, read_only(y), read_only(weights))


def _plain_dropout(dropout: Dropout | None) -> Dropout:
    kept, scales = (np.empty((0, 0), np.uint8), np.empty(0)) if dropout is None else dropout
    return Dropout(read_only(kept), read_only(scales))


def _plain_epoch(epoch: EpochArgs, layers: int, outputs: int, dtype: np.dtype[Any]) -> EpochArgs:
    order, batch_size, rule, dropout, rates, kept_outputs, factors, parts = epoch
    batches = -(-len(order) // batch_size)
    penalties = {name: read_only(np.array(rule.by_layer(getattr(rule, name), layers))) for name in ("l1", "l2")}
    numbers = {name: float(value) for name, value in rule._asdict().items() if name not in penalties}
    codes: dict[str, Any] = {"optimizer": int(rule.optimizer), "step": int(rule.step)}
    rule = Rule(**{**numbers, **penalties, **codes})
    if rates is None:
        rates = np.full(batches, rule.learning_rate)
    if factors is None:
        factors = np.ones(batches)
    if kept_outputs is None:
        kept_outputs = np.empty((0, outputs), dtype)
    if parts is None:
        parts = np.empty((0, PENALTY_PARTS))
    return EpochArgs(
        read_only(order),
        int(batch_size),
        rule,
        _plain_dropout(dropout),
        read_only(rates),
        kept_outputs,
        read_only(factors),
        parts,
    )


def forward(net: Net, params: FloatArray, X: Rows, scale: float, out: FloatArray) -> bool:
    net, data = plain(net, Data(X, scale, out), params.dtype)
    work, dropout = new_work(net, params.dtype, data.X, min(BLOCK, len(X))), _plain_dropout(None)
    for rows in _blocks(len(X)):
        _layers(net, params, data.X, data.scale, rows, dropout, work)
        out[rows[0] : rows[-1] + 1] = work.a[-1, : len(rows), : net.sizes[-1]]
    return bool(np.isfinite(out).all())


def loss_grad(net: Net, params: FloatArray, data: Data, grad: FloatArray) -> float:
    count = len(data.X)
    net, samples = plain(net, data, params.dtype)
    work, dropout = new_work(net, params.dtype, samples.X, min(BLOCK, count)), _plain_dropout(None)
    one, total = params.dtype.type(1), 0.0
    grad[:] = 0
    for rows in _blocks(count):
        total += _backward(net, params, samples, rows, count, dropout, grad, one, work)[0]
    return total / count


def train_epoch(
    net: Net, params: FloatArray, state: FloatArray, data: Data, epoch: EpochArgs, tick: Tick | None = None
) -> EpochResult:
    net, samples = plain(net, data, params.dtype)
    epoch = _plain_epoch(epoch, len(net.activations), int(net.sizes[-1]), params.dtype)
    order, batch_size = epoch.order, epoch.batch_size
    work = new_work(net, params.dtype, samples.X, min(BLOCK, batch_size, len(order)))
    grad = aligned_zeros(params.size, params.dtype)
    total, correct, batches = 0.0, 0, 0
    for first, last in portions(-(-len(order) // batch_size)):
        loss, hits, done = _train(net, params, state, grad, samples, epoch, first, last, work)
        total, correct, batches = total + loss, correct + hits, batches + done
        if tick is not None and done:
            tick(batches)
        if done < last - first:
            break
    return EpochResult(total, correct, batches)


def layer_grad(
    net: Net,
    params: FloatArray,
    X: NDArray[Any],
    scale: float,
    outputs: FloatArray,
    output_grad: FloatArray,
    grads: LayerGrads,
) -> None:
    net, data = plain(net, Data(X, scale, outputs), params.dtype)
    work, units = new_work(net, params.dtype, data.X, min(BLOCK, len(X))), net.sizes[1]
    grads.params[:] = 0
    for rows in _blocks(len(X)):
        delta = formulas.times_derivative(output_grad[rows], outputs[rows], net.activations[0], net.alphas[0])
        work.delta[0, : len(rows), :units] = delta
        _layer_gradient(net, params, data.X, data.scale, rows, grads.params, grads.X, work)
