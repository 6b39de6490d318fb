"""NumPy kernels: the definition of every kernel, and the baseline of every benchmark."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .reference_neighbors import neighbors as neighbors
from .spec import (
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
    EpochResult,
    FloatArray,
    IntArray,
    Net,
    Rule,
    Tick,
    bias_views,
    weight_views,
)

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


def loss_sum(z: FloatArray, a: FloatArray, y: FloatArray, loss: int) -> float:
    """The losses of all rows added up, from z, a = activation(z) and targets y, each (m, outputs).

    The two cross-entropies come from z, so that neither log(0) nor 0 * inf can occur; they imply their own output
    activation (sigmoid, softmax).
    """
    if loss in (QUADRATIC, RASHID):
        return 0.5 * float(np.square(a - y, dtype=np.float64).sum())
    if loss == MEAN_SQUARED_ERROR:
        return float(np.square(a - y, dtype=np.float64).sum()) / a.shape[1]
    if loss == BINARY_CROSS_ENTROPY:
        # -y log a - (1 - y) log(1 - a) = max(z, 0) - z y + log(1 + exp(-|z|))
        return float((np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).sum(dtype=np.float64))
    assert loss == CROSS_ENTROPY
    # -sum_j y_j log a_j = sum_j y_j (logsumexp(z) - z_j)
    shifted = z - z.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float((y * (log_sum - shifted)).sum(dtype=np.float64))


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
        return int(((a >= 0.5) == (y >= 0.5)).sum())
    return int((a.argmax(axis=1) == y.argmax(axis=1)).sum())


def _rows(X: NDArray[Any], rows: Any, scale: float, dtype: np.dtype[Any]) -> FloatArray:
    taken = X[rows]
    return taken.astype(dtype) * dtype.type(scale) if taken.dtype == np.uint8 else taken


def target_rows(y: NDArray[Any], rows: Any, outputs: int, dtype: np.dtype[Any]) -> FloatArray:
    """The targets (m, outputs) of some rows: labels become one-hot."""
    return np.eye(outputs, dtype=dtype)[y[rows]] if y.ndim == 1 else y[rows]


def _layers(net: Net, params: FloatArray, x: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
    """Return the last layer's z and every layer's output, the input first."""
    weights, biases = weight_views(net, params), bias_views(net, params)
    outputs = [x]
    for layer, activation in enumerate(net.activations):
        z = outputs[-1] @ weights[layer]
        if biases:
            z += biases[layer]
        outputs.append(activate(z, activation))
    return z, outputs


def _backward(net: Net, params: FloatArray, x: FloatArray, y: FloatArray, grad: FloatArray) -> tuple[float, int]:
    """Write the gradient of the batch's mean loss into ``grad``; return its summed loss and the number correct."""
    z, outputs = _layers(net, params, x)
    loss = loss_sum(z, outputs[-1], y, net.loss)
    delta = output_delta(outputs[-1], y, net.loss, net.activations[-1])
    weights = weight_views(net, params)
    weight_grads, bias_grads = weight_views(net, grad), bias_views(net, grad)
    for layer in reversed(range(len(weights))):
        weight_grads[layer][:] = outputs[layer].T @ delta
        if bias_grads:
            bias_grads[layer][:] = delta.sum(axis=0)
        if layer == len(weights) - 1 and net.loss == RASHID:
            delta = (outputs[-1] - y) * params.dtype.type(1 / len(y))
        if layer:
            delta = times_derivative(delta @ weights[layer].T, outputs[layer], net.activations[layer - 1])
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
    grad = np.zeros_like(params)
    total, correct, batches = 0.0, 0, 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            x = _rows(X, rows, scale, params.dtype)
            targets = target_rows(y, rows, int(net.sizes[-1]), params.dtype)
            loss, hits = _backward(net, params, x, targets, grad)
            if not math.isfinite(loss):
                break
            _update(net, params, state, grad, rule, rule.step + batches + 1)
            total, correct, batches = total + loss, correct + hits, batches + 1
            if tick is not None:
                tick(batches)
    return EpochResult(total, correct, batches)
