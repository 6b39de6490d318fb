"""NumPy kernels: the definition of every kernel, and the baseline of every benchmark."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formulas import (
    activate,
    count_correct,
    losses,
    output_delta,
    output_error,
    target_rows,
    times_derivative,
)
from ..params import bias_views, weight_views
from ..records import ADAM, MOMENTUM, NESTEROV, SGD
from ..spec import (
    Data,
    Dropout,
    EpochArgs,
    EpochResult,
    FloatArray,
    IntArray,
    LayerGrads,
    Net,
    Rule,
    Tick,
)
from .search import neighbors as neighbors

BLOCK = 4096  # rows a forward pass takes at a time, so that uint8 images are never all floats at once


def _rows(X: NDArray[Any], rows: Any, scale: float, dtype: np.dtype[Any]) -> FloatArray:
    taken = X[rows]
    return taken.astype(dtype) * dtype.type(scale) if taken.dtype == np.uint8 else taken


def _layers(
    net: Net, params: FloatArray, x: FloatArray, masks: list[FloatArray] | None = None
) -> tuple[FloatArray, list[FloatArray]]:
    """Return the last layer's z and every layer's output, the input first, before its mask."""
    weights, biases = weight_views(net, params), bias_views(net, params)
    outputs = [x]
    for layer, activation in enumerate(net.activations):
        z = _masked(outputs, masks, layer) @ weights[layer]
        if biases:
            z += biases[layer]
        outputs.append(activate(z, activation))
    return z, outputs


def _masks(net: Net, dropout: Dropout | None, rows: IntArray, dtype: np.dtype[Any]) -> list[FloatArray] | None:
    """What every hidden layer's outputs (m, units) are multiplied by: 0 or its scale."""
    if dropout is None:
        return None
    starts = np.cumsum(net.strides[:-1]) - net.strides[:-1]
    layers = zip(starts, net.sizes[1:-1], dropout.scales, strict=True)
    return [dropout.kept[rows, start : start + units] * dtype.type(scale) for start, units, scale in layers]


def _masked(outputs: list[FloatArray], masks: list[FloatArray] | None, layer: int) -> FloatArray:
    """What goes into a layer."""
    return outputs[layer] * masks[layer - 1] if masks and layer else outputs[layer]


def _backward(
    net: Net,
    params: FloatArray,
    x: FloatArray,
    y: FloatArray,
    grad: FloatArray,
    factors: FloatArray | float = 1.0,
    masks: list[FloatArray] | None = None,
) -> tuple[float, int]:
    """Write the gradient of the batch's mean loss into ``grad``; return its summed loss and the number correct.

    The rows' losses are multiplied by ``factors`` (m, 1).
    """
    z, outputs = _layers(net, params, x, masks)
    loss = float((losses(z, outputs[-1], y, net.loss)[:, np.newaxis] * factors).sum())
    delta = output_delta(outputs[-1], y, net.loss, net.activations[-1]) * factors
    weights = weight_views(net, params)
    weight_grads, bias_grads = weight_views(net, grad), bias_views(net, grad)
    for layer in reversed(range(len(weights))):
        weight_grads[layer][:] = _masked(outputs, masks, layer).T @ delta
        if bias_grads:
            bias_grads[layer][:] = delta.sum(axis=0)
        if layer == len(weights) - 1 and net.propagates_error:
            delta = output_error(outputs[-1], y, net.loss) * factors
        if layer:
            back = delta @ weights[layer].T
            back = back * masks[layer - 1] if masks else back
            delta = times_derivative(back, outputs[layer], net.activations[layer - 1])
    return loss, count_correct(outputs[-1], y)


def _update(net: Net, params: FloatArray, state: FloatArray, grad: FloatArray, rule: Rule, t: int) -> None:
    """Apply one update; see Rule for the equations. ``t`` counts updates from 1."""
    if rule.l2:
        for weight, weight_grad in zip(weight_views(net, params), weight_views(net, grad), strict=True):
            weight_grad += rule.l2 * weight
    if rule.optimizer == SGD:
        params -= rule.learning_rate * grad
    elif rule.optimizer == ADAM:
        m, v = state
        m *= rule.beta1
        m += (1 - rule.beta1) * grad
        v *= rule.beta2
        v += (1 - rule.beta2) * grad * grad
        rate = rule.learning_rate * math.sqrt(1 - rule.beta2**t) / (1 - rule.beta1**t)
        params -= rate * m / (np.sqrt(v) + rule.epsilon)
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


def forward(net: Net, params: FloatArray, X: NDArray[Any], scale: float, out: FloatArray) -> bool:
    for start in range(0, len(X), BLOCK):
        rows = slice(start, start + BLOCK)
        with np.errstate(over="ignore", invalid="ignore"):
            out[rows] = _layers(net, params, _rows(X, rows, scale, params.dtype))[1][-1]
    return bool(np.isfinite(out).all())


def loss_grad(net: Net, params: FloatArray, X: NDArray[Any], scale: float, y: NDArray[Any], grad: FloatArray) -> float:
    everything = slice(None)
    x = _rows(X, everything, scale, params.dtype)
    targets = target_rows(y, everything, int(net.sizes[-1]), params.dtype)
    grad[:] = 0
    return _backward(net, params, x, targets, grad)[0] / len(X)


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
            factors = 1.0 if data.weights is None else data.weights[rows, np.newaxis]
            masks = _masks(net, epoch.dropout, rows, params.dtype)
            loss, correct_here = _backward(net, params, x, targets, grad, factors, masks)
            if not math.isfinite(loss):
                break
            _update(net, params, state, grad, epoch.rule, epoch.rule.step + batches + 1)
            total, correct, batches = total + loss, correct + correct_here, batches + 1
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
    delta = times_derivative(output_grad, outputs, net.activations[0])
    weight_views(net, grads.params)[0][:] = _rows(X, slice(None), scale, params.dtype).T @ delta
    for bias_grad in bias_views(net, grads.params):
        bias_grad[:] = delta.sum(axis=0)
    np.matmul(delta, weight_views(net, params)[0].T, out=grads.X)
