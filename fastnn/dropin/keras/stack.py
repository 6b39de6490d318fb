"""Layers, one on the other: what of a model is there before anybody trains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import checks
from ...errors import InvalidArgumentError
from ...kernels.spec import FloatArray
from . import config, randomness
from .layer import KerasTensor, Layer, Shape, batch_shape, parts
from .layers import Dense, InputLayer
from .network import Network


class Stack(Layer):
    """A chain of layers, which may be a layer of another.

    Attributes
    ----------
    layers : a list of them; that of a Sequential is without the Input.
    sample_shape : the inputs' shape without the samples, once it is known.
    network : the layers as the kernels take them, once the shape is known and there is a Dense among them.
    built : whether the input shape is known, and with it all weights.
    """

    def __init__(self, name: str | None, options: dict[str, Any]) -> None:
        super().__init__(name, options)
        self._layers: list[Layer] = []
        self.sample_shape: Shape | None = None
        self.network: Network | None = None

    def check_name(self, layer: Layer, others: Sequence[Layer]) -> None:
        """Raise InvalidArgumentError unless the layer is once among the others, and its name too."""
        if any(layer.name == other.name for other in others if other is not layer):
            raise InvalidArgumentError("layer", "a name that no other layer of the model has", repr(layer.name))
        if sum(layer is other for other in others) > 1:
            raise InvalidArgumentError("layer", "each layer once in a model", repr(layer.name))

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Draw the weights for inputs of a shape, such as (None, 784), whose first axis is that of the samples."""
        if input_shape is not None:
            self.set_shape(batch_shape("input_shape", input_shape))

    def set_shape(self, shape: Shape) -> None:
        """:meth:`build` for the shape of a sample."""
        if self.sample_shape is not None and self.sample_shape != shape:
            raise InvalidArgumentError("input_shape", f"{self.sample_shape}, as before", shape)
        self.assemble(self._layers, shape, config.floatx(), randomness.generator())

    def assemble(self, layers: list[Layer], shape: Shape | None, dtype: str, rng: np.random.Generator | None) -> None:
        """Take layers and an input shape for the model's own, if they go together, and draw weights where it can."""
        network = None
        if shape is not None and any(isinstance(part, Dense) for part in parts(layers)):
            network = Network(layers, shape, dtype, rng)
        self._layers, self.sample_shape, self.network = layers, shape, network

    def parts(self) -> list[Layer]:
        return parts(self._layers)

    def shape_after(self, shape: Shape) -> Shape:
        if self.sample_shape is not None and self.sample_shape != shape:
            raise InvalidArgumentError(self.name, f"inputs of shape {self.sample_shape}", shape)
        for layer in self._layers:
            shape = layer.shape_after(shape)
        return shape

    def draw(self, shape: Shape, dtype: str, rng: np.random.Generator | None) -> None:
        if self.sample_shape is None:
            self.assemble(self._layers, shape, dtype, rng)

    def place(self, source: KerasTensor) -> KerasTensor:
        return KerasTensor(self.shape_after(source.sample_shape), source, self)

    @property
    def built(self) -> bool:
        return self.sample_shape is not None and bool(self._layers)

    @property
    def layers(self) -> list[Layer]:
        return list(self._layers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name or an index."""
        if (name is None) == (index is None):
            raise InvalidArgumentError("name", "a layer's name, or an index", "both" if name else "neither")
        if index is not None:
            if checks.integer("index", index, low=-len(self._layers)) >= len(self._layers):
                raise InvalidArgumentError("index", f"one of {len(self._layers)} layers", index)
            return self._layers[index]
        named = {layer.name: layer for layer in self._layers}
        return named[checks.choice("name", name, tuple(named))]

    @property
    def input_layer(self) -> InputLayer | None:
        """What says the shape of the inputs, if that is a layer."""
        source = None if self._tensors is None else self._tensors[0].layer
        return source if isinstance(source, InputLayer) else None

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic tensors of the inputs: one."""
        return [self.input]

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic tensors of the outputs: one."""
        return [self.output]

    @property
    def weights(self) -> list[FloatArray]:
        return [array for layer in self._layers for array in layer.weights]

    @property
    def float_type(self) -> str:
        """The name of the type that it computes in."""
        return config.floatx() if self.network is None else self.network.dtype.name
