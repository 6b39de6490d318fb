"""The layers of a Sequential as the kernels take them: what they ask for, and one vector of parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...errors import InvalidArgumentError
from ...kernels.params import Parameters
from ...kernels.spec import FloatArray, Net
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
            self._parameters = Parameters.zeros(sizes, activations, "mean_squared_error", bias, self.dtype)
        except (MemoryError, OverflowError, ValueError):
            raise InvalidArgumentError("layers", "a network that fits in memory", f"sizes {sizes}") from None
        dense = [layer for layer in layers if isinstance(layer, Dense)]
        for index, layer in enumerate(dense):
            views = self._parameters.layer(index)
            if layer.built:
                for view, array in zip(views, layer.weights, strict=True):
                    view[:] = array
            elif rng is not None:
                views[0][:] = INITIALIZERS["glorot"][0](rng, *views[0].shape)
            layer.home = (self._parameters, index)

    @property
    def net(self) -> Net:
        """The kernels' description, with the layers' own activations and a loss that means nothing yet."""
        return self._parameters.net

    @property
    def params(self) -> FloatArray:
        """All weights and biases in one vector."""
        return self._parameters.vector
