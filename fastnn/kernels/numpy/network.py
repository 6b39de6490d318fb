"""NumPy kernels: the definition of every kernel, and the baseline of every benchmark."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formulas import (
    activate,
    count_correct,
    losses,
    output_delta,
    output_error,
    penalty,
    target_rows,
    times_derivative,
)
from ..params import bias_views, weight_views
from ..records import ADAGRAD, ADAM, ADAMW, MOMENTUM, NADAM, NADAM_DECAY, NESTEROV, RMSPROP, SGD
from ..spec import (
    CSR,
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
from .search import neighbors as neighbors

BLOCK = 4096  # rows a forward pass takes at a time, so that uint8 images are never all floats at once


def _rows(X: Rows, rows: Any, scale: float, dtype: np.dtype[Any]) -> Rows:
    taken = X[rows]
    if isinstance(taken, CSR) or taken.dtype != np.uint8:
        return taken
    return taken.astype(dtype) * dtype.type(scale)


def _nonzeros(x: CSR) -> Iterator[tuple[int, NDArray[np.int32], FloatArray]]:
    """Every row's place, and its nonzeros: their columns and values."""
    for row, (start, stop) in enumerate(pairwise(x.indptr)):
        yield row, x.indices[start:stop], x.values[start:stop]


def _product(x: Rows, weights: FloatArray) -> FloatArray:
    """x W"""
    if not isinstance(x, CSR):
        return x @ weights
    z = np.empty((len(x), weights.shape[1]), weights.dtype)
    for row, columns, values in _nonzeros(x):
        z[row] = values @ weights[columns]
    return z


def _write_outer(x: Rows, delta: FloatArray, grad: FloatArray) -> None:
    """grad = x^T delta"""
    if not isinstance(x, CSR):
        grad[:] = x.T @ delta
        return
    grad[:] = 0
    for row, columns, values in _nonzeros(x):
        grad[columns] += values[:, np.newaxis] * delta[row]


def _factors(data: Data, rows: Any) -> FloatArray | float:
    """The factors (m, 1) of some rows' losses."""
    return 1.0 if data.weights is None else data.weights[rows, np.newaxis]


def _layers(
    net: Net, params: FloatArray, x: Rows, masks: list[FloatArray] | None = None
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return every layer's z and its output, before its mask."""
    views = weight_views(net, params), bias_views(net, params)
    parameters = zip(*views, net.activations, net.alphas, strict=True)
    zs: list[FloatArray] = []
    outputs: list[FloatArray] = []
    for layer, (weights, biases, activation, alpha) in enumerate(parameters):
        z = _product(_masked(x, outputs, masks, layer), weights)
        if biases is not None:
            z += biases
        zs.append(z)
        outputs.append(activate(z, activation, alpha))
    return zs, outputs


def _masks(net: Net, dropout: Dropout | None, rows: IntArray, dtype: np.dtype[Any]) -> list[FloatArray] | None:
    """What every hidden layer's outputs (m, units) are multiplied by: 0 or its scale."""
    if dropout is None:
        return None
    starts = np.cumsum(net.strides[:-1]) - net.strides[:-1]
    layers = zip(starts, net.sizes[1:-1], dropout.scales, strict=True)
    return [dropout.kept[rows, start : start + units] * dtype.type(scale) for start, units, scale in layers]


def _masked(x: Rows, outputs: list[FloatArray], masks: list[FloatArray] | None, layer: int) -> Rows:
    """What goes into a layer."""
    if layer == 0:
        return x
    return outputs[layer - 1] * masks[layer - 1] if masks else outputs[layer - 1]


def _backward(
    net: Net,
    params: FloatArray,
    x: Rows,
    y: FloatArray,
    grad: FloatArray,
    factors: FloatArray | float = 1.0,
    masks: list[FloatArray] | None = None,
) -> tuple[float, FloatArray]:
    """Write the gradient of the batch's mean loss into ``grad``; return its summed loss and the outputs (m, outputs).

    The rows' losses are multiplied by ``factors`` (m, 1).
    """
    zs, outputs = _layers(net, params, x, masks)
    loss = float((losses(zs[-1], outputs[-1], y, net.loss, net.least_probability)[:, np.newaxis] * factors).sum())
    delta = output_delta(zs[-1], outputs[-1], y, net.loss, net.activations[-1], net.alphas[-1]) * factors
    weights = weight_views(net, params)
    weight_grads, bias_grads = weight_views(net, grad), bias_views(net, grad)
    for layer in reversed(range(len(weights))):
        _write_outer(_masked(x, outputs, masks, layer), delta, weight_grads[layer])
        if (bias_grad := bias_grads[layer]) is not None:
            bias_grad[:] = delta.sum(axis=0)
        if layer == len(weights) - 1 and net.propagates_error:
            delta = output_error(outputs[-1], y, net.loss) * factors
        if layer:
            back = delta @ weights[layer].T
            back = back * masks[layer - 1] if masks else back
            activation, alpha = net.activations[layer - 1], net.alphas[layer - 1]
            delta = times_derivative(back, outputs[layer - 1], activation, alpha, zs[layer - 1])
    return loss, outputs[-1]


def _regularise_and_clip(net: Net, params: FloatArray, grad: FloatArray, rule: Rule) -> None:
    """Add the penalties' part to the gradient and clip it, as Rule says."""
    l1, l2 = (rule.by_layer(penalty, len(net.activations)) for penalty in (rule.l1, rule.l2))
    weight_grads = weight_views(net, grad)
    for layer, weights in enumerate(weight_views(net, params)):
        if l2[layer]:
            weight_grads[layer] += l2[layer] * weights
        if l1[layer]:
            weight_grads[layer] += l1[layer] * np.sign(weights)
    if rule.clip_value:
        np.clip(grad, -rule.clip_value, rule.clip_value, out=grad)
    most = rule.clip_norm or rule.global_clip_norm
    if most:
        arrays = [*weight_grads, *(view for view in bias_views(net, grad) if view is not None)]
        squares = [float(np.square(array, dtype=np.float64).sum()) for array in arrays]
        for array, square in zip(arrays, squares, strict=True):
            norm = math.sqrt(square if rule.clip_norm else sum(squares))
            if norm > most:
                array *= most / norm


def _nadam_momentum(beta1: float, t: int) -> tuple[float, float, float, float]:
    """u_t, u_(t+1), and the products u_1 .. u_t and u_1 .. u_(t+1) of Nadam's warm-up."""
    momenta = beta1 * (1 - 0.5 * NADAM_DECAY ** np.arange(1, t + 2, dtype=np.float64))
    with np.errstate(under="ignore"):
        products = np.cumprod(momenta)
    return float(momenta[-2]), float(momenta[-1]), float(products[-2]), float(products[-1])


def _update(net: Net, params: FloatArray, state: FloatArray, grad: FloatArray, rule: Rule, t: int) -> None:
    """Apply one update; see Rule for the equations. ``t`` counts updates from 1."""
    _regularise_and_clip(net, params, grad, rule)
    if rule.weight_decay:
        params *= 1 - rule.learning_rate * rule.weight_decay
    if rule.optimizer == SGD:
        params -= rule.learning_rate * grad
    elif rule.optimizer in (ADAM, ADAMW, NADAM):
        m, v = state
        m *= rule.beta1
        m += (1 - rule.beta1) * grad
        v *= rule.beta2
        v += (1 - rule.beta2) * grad * grad
        if rule.optimizer == NADAM:
            u, u_next, product, product_next = _nadam_momentum(rule.beta1, t)
            mean = u_next / (1 - product_next) * m + (1 - u) / (1 - product) * grad
            params -= rule.learning_rate * mean / (np.sqrt(v / (1 - rule.beta2**t)) + rule.epsilon)
        else:
            rate = rule.learning_rate * math.sqrt(1 - rule.beta2**t) / (1 - rule.beta1**t)
            params -= rate * m / (np.sqrt(v) + rule.epsilon)
    elif rule.optimizer == RMSPROP:
        m, v = state
        v *= rule.beta2
        v += (1 - rule.beta2) * grad * grad
        step = rule.learning_rate * grad / np.sqrt(v + rule.epsilon)
        if rule.momentum:
            m *= rule.momentum
            m += step
        params -= m if rule.momentum else step
    elif rule.optimizer == ADAGRAD:
        state[0] += grad * grad
        params -= rule.learning_rate * grad / np.sqrt(state[0] + rule.epsilon)
    else:
        assert rule.optimizer in (MOMENTUM, NESTEROV)
        velocity = state[0]
        velocity *= rule.momentum
        velocity -= rule.learning_rate * grad
        params += velocity
        if rule.optimizer == NESTEROV:
            # w moves by momentum * v - learning_rate * g in all; v itself is already added
            params += (rule.momentum - 1) * velocity - rule.learning_rate * grad


def describe() -> str:
    return f"NumPy {np.__version__}, the reference"


def forward(net: Net, params: FloatArray, X: Rows, scale: float, out: FloatArray) -> bool:
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        with np.errstate(over="ignore", invalid="ignore"):
            out[rows] = _layers(net, params, _rows(X, rows, scale, params.dtype))[1][-1]
    return bool(np.isfinite(out).all())


def loss_grad(net: Net, params: FloatArray, data: Data, grad: FloatArray) -> float:
    everything = slice(None)
    x = _rows(data.X, everything, data.scale, params.dtype)
    targets = target_rows(data.y, everything, int(net.sizes[-1]), params.dtype)
    grad[:] = 0
    return _backward(net, params, x, targets, grad, _factors(data, everything))[0] / len(data.X)


def train_epoch(
    net: Net, params: FloatArray, state: FloatArray, data: Data, epoch: EpochArgs, tick: Tick | None = None
) -> EpochResult:
    grad = np.zeros_like(params)
    total, correct, batches = 0.0, 0, 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, len(epoch.order), epoch.batch_size):
            rows = epoch.order[start : start + epoch.batch_size]
            x = _rows(data.X, rows, data.scale, params.dtype)
            targets = target_rows(data.y, rows, int(net.sizes[-1]), params.dtype)
            masks = _masks(net, epoch.dropout, rows, params.dtype)
            loss, outputs = _backward(net, params, x, targets, grad, _factors(data, rows), masks)
            if epoch.outputs is not None:
                epoch.outputs[start : start + len(rows)] = outputs
            if not math.isfinite(loss):
                break
            rate = epoch.rule.learning_rate if epoch.rates is None else float(epoch.rates[batches])
            share = 1.0 if epoch.penalty_factors is None else float(epoch.penalty_factors[batches])
            rule = epoch.rule.scaled(share)._replace(learning_rate=rate)
            if epoch.penalties is not None:
                epoch.penalties[batches, 0] = penalty(net, params, epoch.rule)
            _update(net, params, state, grad, rule, rule.step + batches + 1)
            total, correct, batches = total + loss, correct + count_correct(outputs, targets), batches + 1
            if tick is not None:
                tick(batches)
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
    delta = times_derivative(output_grad, outputs, net.activations[0], net.alphas[0])
    _write_outer(_rows(X, slice(None), scale, params.dtype), delta, weight_views(net, grads.params)[0])
    for bias_grad in bias_views(net, grads.params):
        if bias_grad is not None:
            bias_grad[:] = delta.sum(axis=0)
    np.matmul(delta, weight_views(net, params)[0].T, out=grads.X)
