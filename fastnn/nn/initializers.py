"""Initial weights and biases, drawn in float64, layer by layer, from the model's own generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from ..kernels.spec import FloatArray

Draw = Callable[[np.random.Generator, int, int], FloatArray]


def _normal(std: Callable[[int, int], float]) -> Draw:
    return lambda rng, fan_in, fan_out: rng.normal(0.0, std(fan_in, fan_out), (fan_in, fan_out))


def _glorot(rng: np.random.Generator, fan_in: int, fan_out: int) -> FloatArray:
    limit = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def truncated_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Standard normal numbers, of which those beyond 2 are drawn again."""
    values = rng.normal(size=shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.normal(size=int(outside.sum()))
    return values


def _truncated_normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> FloatArray:
    return truncated_normal(rng, (fan_in, fan_out)) / math.sqrt(fan_in)


InitializerName = Literal["normal", "normal_scaled", "rashid", "he", "glorot", "truncated_normal"]

# name: (draws the weights (fan_in, fan_out), biases are normal(0, 1) instead of zero)
INITIALIZERS: dict[str, tuple[Draw, bool]] = {
    # Nielsen, Neural Networks and Deep Learning, chapter 1 (network.py; network2's large_weight_initializer)
    "normal": (_normal(lambda fan_in, fan_out: 1.0), True),
    # chapter 3: network2's default_weight_initializer
    "normal_scaled": (_normal(lambda fan_in, fan_out: 1 / math.sqrt(fan_in)), True),
    # Rashid, Make Your Own Neural Network, part 2
    "rashid": (_normal(lambda fan_in, fan_out: 1 / math.sqrt(fan_in)), False),
    # He et al. 2015, equation 10
    "he": (_normal(lambda fan_in, fan_out: math.sqrt(2 / fan_in)), False),
    # Glorot & Bengio 2010, equation 16
    "glorot": (_glorot, False),
    "truncated_normal": (_truncated_normal, False),
}
