"""The layers of a model as the kernels take them: what they ask for, and one vector of parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...errors import InvalidArgumentError
from ...kernels.params import Parameters
from ...kernels.spec import FloatArray, layout
from .activations import KERAS, Activation, Form
from .layer import Layer, Shape, parts
from .layers import Dense, Dropout, parameters

THROUGH_DROPOUT = ("identity", "relu", "leaky_relu")  # f(c z) = c f(z) for every c >= 0


class Plan(NamedTuple):
    """A stack of layers in the kernels' words."""

    sizes: list[int]
    activations: list[str]
    alphas: list[float]  # their numbers
    bias: list[bool]
    rates: list[list[float]]  # of the dropouts on the inputs and on the outputs of each Dense layer
    l1: tuple[float, ...]  # the penalty of each Dense layer is l1 sum |w| + l2 / 2 sum w^2
    l2: tuple[float, ...]
    outputs: Shape


def plan(layers: Sequence[Layer], input_shape: Shape) -> Plan:
    """Raise InvalidArgumentError for a stack that the kernels cannot run."""
    shape = input_shape
    rates: list[list[float]] = [[]]
    dense: list[Dense] = []
    forms: list[Form] = []  # of each Dense layer
    for layer in parts(layers):
        shape = layer.shape_after(shape)
        if isinstance(layer, Dropout):
            rates[-1].append(layer.rate)
        elif isinstance(layer, Dense):
            if forms and forms[-1].name == "softmax":
                raise InvalidArgumentError(dense[-1].name, "softmax only in the last Dense layer", "another after it")
            dense.append(layer)
            forms.append(layer.form)
            rates.append([])
        elif isinstance(layer, Activation):
            if not dense:
                raise InvalidArgumentError(layer.name, "a Dense layer before it", "none")
            forms[-1] = _folded(layer, forms[-1], any(rates[-1]))
    sizes = [math.prod(input_shape), *(layer.units for layer in dense)]
    penalties = [layer.kernel_regularizer for layer in dense]
    l1 = tuple(0.0 if penalty is None else penalty.l1 for penalty in penalties)
    l2 = tuple(0.0 if penalty is None else 2 * penalty.l2 for penalty in penalties)
    names, alphas = [form.name for form in forms], [form.alpha for form in forms]
    return Plan(sizes, names, alphas, [layer.use_bias for layer in dense], rates, l1, l2, shape)


def _folded(layer: Activation, before: Form, dropped: bool) -> Form:
    """The one activation that is ``before``, then dropout if there is any, then the layer's."""
    after = layer.form
    if after.name == "identity" or (before.name == after.name == "relu"):
        return before
    if before.name != "identity":
        found = f"{KERAS[before.name]}, then {KERAS[after.name]}"
        raise InvalidArgumentError(layer.name, "one activation of each Dense layer", found)
    if dropped and after.name not in THROUGH_DROPOUT:
        raise InvalidArgumentError(layer.name, f"{KERAS[after.name]} before Dropout, not after it", "it after Dropout")
    return after


class Network:
    """What the kernels need of a built model's layers.

    Their parameters lie one after the other in one vector, in which the layers see their weights. Where models share
    layers, whichever is used gathers its own into such a vector, if they do not lie in one.

    Attributes
    ----------
    input_shape, plan, dtype : what was built.
    net : the kernels' description, with the layers' own activations and a loss that means nothing yet.
    """

    def __init__(
        self, layers: Sequence[Layer], input_shape: Shape, dtype: str, rng: np.random.Generator | None
    ) -> None:
        """Keep the weights of layers that have some; draw the others from ``rng`` or, without, leave them zero."""
        self.input_shape = input_shape
        self.plan = plan(layers, input_shape)
        shape = input_shape
        for layer in layers:
            layer.draw(shape, dtype, rng)
            shape = layer.shape_after(shape)
        self._dense = [part for part in parts(layers) if isinstance(part, Dense)]
        self.dtype = self._dense[0].kernel.dtype
        asked = self.plan
        self.net, self.count = layout(
            asked.sizes, asked.activations, "mean_squared_error", asked.bias, self.dtype, asked.alphas
        )
        _ = self.params  # gathered at once, so that the views that anybody takes stay

    @property
    def params(self) -> FloatArray:
        """All weights and biases in one vector."""
        slab, first = self._dense[0].where
        for index, layer in enumerate(self._dense):
            home, place = layer.where
            if home is not slab or place != first + index:
                slab, first = self._gathered(), 0
                break
        start = int(slab.net.weights[first])
        return slab.vector[start : start + self.count]

    def _gathered(self) -> Parameters:
        """The layers' weights in a new vector, where they now lie one after the other."""
        slab = parameters(self.plan.sizes, self.plan.bias, self.dtype)
        for index, layer in enumerate(self._dense):
            for view, array in zip(slab.layer(index), layer.weights, strict=True):
                view[:] = array
            layer.home = slab, index
        return slab
