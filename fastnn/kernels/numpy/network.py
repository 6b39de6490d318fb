"""NumPy kernels: the definition of every kernel, and the baseline of every benchmark."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec import (
    ADAM,
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    LEAKY_RELU,
    LEAKY_SLOPE,
    MEAN_SQUARED_ERROR,
    MOMENTUM,
    NESTEROV,
    QUADRATIC,
    RASHID,
    RELU,
    SGD,
    SIGMOID,
    SOFTMAX,
    TANH,
    Data,
    Dropout,
    EpochArgs,
    EpochResult,
    FloatArray,
    IntArray,
    Net,
    Rule,
    Tick,
    bias_views,
    weight_views,
)
from .search import neighbors as neighbors

BLOCK = 4096  # rows a forward pass takes at a time, so that uint8 images are never all floats at once


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
    if loss in (QUADRATIC, RASHID):
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


def output_delta(a: FloatArray, y: FloatArray, loss: int, activation: int) -> FloatArray:
    """dL/dz (m, outputs) of the batch's mean loss L."""
    m, outputs = a.shape
    if loss == CROSS_ENTROPY:
        return (a * y.sum(axis=1, keepdims=True) - y) / m
    if loss == BINARY_CROSS_ENTROPY:
        return (a - y) / m
    factor = 1 / m if loss in (QUADRATIC, RASHID) else 2 / (m * outputs)
    return times_derivative((a - y) * a.dtype.type(factor), a, activation)


def count_correct(a: FloatArray, y: FloatArray) -> int:
    """Rows whose largest output is their class; with one output, rows on the right side of 0.5."""
    if a.shape[1] == 1:
        return int(((a > 0.5) == (y > 0.5)).sum())
    return int((a.argmax(axis=1) == y.argmax(axis=1)).sum())


def _rows(X: NDArray[Any], rows: Any, scale: float, dtype: np.dtype[Any]) -> FloatArray:
    taken = X[rows]
    return taken.astype(dtype) * dtype.type(scale) if taken.dtype == np.uint8 else taken


def target_rows(y: NDArray[Any], rows: Any, outputs: int, dtype: np.dtype[Any]) -> FloatArray:
    """The targets (m, outputs) of some rows: labels become one-hot."""
    return np.eye(outputs, dtype=dtype)[y[rows]] if y.ndim == 1 else y[rows]


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
        if layer == len(weights) - 1 and net.loss == RASHID:
            delta = (outputs[-1] - y) * params.dtype.type(1 / len(y)) * factors
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
            loss, hits = _backward(net, params, x, targets, grad, factors, masks)
            if not math.isfinite(loss):
                break
            _update(net, params, state, grad, epoch.rule, epoch.rule.step + batches + 1)
            total, correct, batches = total + loss, correct + hits, batches + 1
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
    grad: FloatArray,
    input_grad: FloatArray,
) -> None:
    delta = times_derivative(output_grad, outputs, net.activations[0])
    weight_views(net, grad)[0][:] = _rows(X, slice(None), scale, params.dtype).T @ delta
    for bias_grad in bias_views(net, grad):
        bias_grad[:] = delta.sum(axis=0)
    np.matmul(delta, weight_views(net, params)[0].T, out=input_grad)
