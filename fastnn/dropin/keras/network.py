"""The layers of a Sequential as the kernels take them: what they ask for, and one vector of parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import InvalidArgumentError
from ...kernels.spec import FloatArray, aligned_copy, aligned_zeros, bias_views, layout, weight_views
from ...nn.initializers import INITIALIZERS
from .layers import ACTIVATIONS, Dense, Dropout, Layer, Shape


class Plan(NamedTuple):
    """A stack of layers in the kernels' words."""

    sizes: list[int]
    activations: list[str]
    bias: bool
    rates: list[list[float]]  # of the dropouts on the inputs and on the outputs of each Dense layer


def plan(layers: Sequence[Layer], input_shape: Shape) -> Plan:
    """Raise InvalidArgumentError for a stack that the kernels cannot run."""
    shape = input_shape
    rates: list[list[float]] = [[]]
    dense: list[Dense] = []
    for layer in layers:
        shape = layer.shape_after(shape)
        if isinstance(layer, Dropout):
            rates[-1].append(layer.rate)
        elif isinstance(layer, Dense):
            if dense and dense[-1].activation == "softmax":
                raise InvalidArgumentError(dense[-1].name, "softmax only in the last Dense layer", "another after it")
            if dense and dense[-1].use_bias != layer.use_bias:
                raise InvalidArgumentError(layer.name, f"use_bias={dense[-1].use_bias}, as before", layer.use_bias)
            dense.append(layer)
            rates.append([])
    sizes = [math.prod(input_shape), *(layer.units for layer in dense)]
    return Plan(sizes, [ACTIVATIONS[layer.activation] for layer in dense], all(d.use_bias for d in dense), rates)


class Network:
    """The parameters of a built model, in which its Dense layers see their weights.

    Attributes
    ----------
    plan, dtype : what was built.
    net : the kernels' description, with the layers' own activations (and a loss that means nothing yet).
    params : all weights and biases.
    """

    def __init__(
        self, layers: Sequence[Layer], input_shape: Shape, dtype: str, rng: np.random.Generator | None
    ) -> None:
        """Keep the weights of layers that have some; draw the others from ``rng`` or, without, leave them zero."""
        self.input_shape = input_shape
        self.plan = plan(layers, input_shape)
        self.dtype = np.dtype(dtype)
        sizes, activations, bias, _ = self.plan
        try:
            self.net, count = layout(sizes, activations, "mean_squared_error", bias, self.dtype)
            self.params = aligned_zeros(count, self.dtype)
        except (MemoryError, OverflowError, ValueError):
            raise InvalidArgumentError("layers", "a network that fits in memory", f"sizes {sizes}") from None
        dense = [layer for layer in layers if isinstance(layer, Dense)]
        for index, layer in enumerate(dense):
            views = self.layer_views(index)
            if layer.built:
                for view, array in zip(views, layer.weights, strict=True):
                    view[:] = array
            elif rng is not None:
                views[0][:] = INITIALIZERS["glorot"][0](rng, *views[0].shape)
            layer.home = (self, index)

    @property
    def weights(self) -> list[FloatArray]:
        """One (inputs, units) view per Dense layer."""
        return weight_views(self.net, self.params)

    @property
    def biases(self) -> list[FloatArray]:
        """One (units,) view per Dense layer, or none."""
        return bias_views(self.net, self.params)

    def layer_views(self, index: int) -> list[FloatArray]:
        """Kernel and, if there are biases, bias of one Dense layer."""
        return [views[index] for views in (self.weights, self.biases) if views]

    def count_params(self) -> int:
        """The number of single weights and biases."""
        return sum(array.size for array in self.weights + self.biases)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.params = aligned_copy(self.params)  # what was copied or unpickled need not be aligned
