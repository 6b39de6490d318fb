"""The way back through a network, from what it should say to what it would have to see.

Rashid, Make Your Own Neural Network, part 3: from the targets each layer's signals go back through the inverse of its
activation and the transposed weights, and are then stretched into the range of the layer before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..kernels.formulas import activate
from ..kernels.params import Parameters
from ..kernels.spec import SOFTMAX, FloatArray

LOW, HIGH = 0.01, 0.99  # between which signals are stretched, as Rashid does it
REACH = 200.0  # of z, beyond which no activation has a long way to go to 0.99
HALVINGS = 64


def backquery(parameters: Parameters, targets: NDArray[np.float64]) -> FloatArray:
    """The inputs (n, inputs), 0.01..0.99, that lead back from targets (n, outputs), above 0 and below 1.

    With biases b, a layer's inputs x go back from its z as W (z - b), stretched to LOW..HIGH over each row.
    """
    net, signals = parameters.net, targets
    for layer in reversed(range(len(net.activations))):
        weights, *biases = parameters.layer(layer)
        z = _inverse(signals, int(net.activations[layer]), float(net.alphas[layer])) - sum(biases)
        signals = _stretched(z @ weights.T.astype(np.float64))
    return signals.astype(parameters.vector.dtype)


def _inverse(a: NDArray[np.float64], activation: int, alpha: float) -> NDArray[np.float64]:
    """The z with activation(z) = a for 0 < a < 1, where all activations but softmax rise; of softmax one of them."""
    if activation == SOFTMAX:
        return np.log(a)
    low, high = np.full(a.shape, -REACH), np.full(a.shape, REACH)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        is_below = activate(middle.copy(), activation, alpha) < a
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return high


def _stretched(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = signals.min(axis=1, keepdims=True), signals.max(axis=1, keepdims=True)
    return LOW + (HIGH - LOW) * (signals - low) / np.where(high > low, high - low, 1.0)
