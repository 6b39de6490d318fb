"""The layers of a Sequential, as ``keras.layers`` has them: Dense, Flatten, Dropout and the input's shape."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import checks
from ...errors import InvalidArgumentError, InvalidTypeError
from ...kernels.params import Parameters
from ...kernels.spec import FloatArray
from . import config
from .subset import Part, UnsupportedError, outside, refuse

__all__ = ["Dense", "Dropout", "Flatten", "Input", "InputLayer", "Layer"]

__getattr__ = outside(__name__, __all__)

Shape = tuple[int, ...]  # without the batch axis

# Keras' names of activations and the kernels'. Keras' leaky_relu has another slope (0.2) than theirs.
ACTIVATIONS = {"linear": "identity", "relu": "relu", "sigmoid": "sigmoid", "softmax": "softmax", "tanh": "tanh"}

_names: Counter[str] = Counter()  # how many objects got each name of its own


def own_name(name: str | None, owner: object) -> str:
    """The given name or, as Keras makes them up, "dense", "dense_1" and so on."""
    if name is not None:
        if not isinstance(name, str):
            checks.unsupported("name", "a string", name)
        return name
    base = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(owner).__name__).lower()
    count = _names[base]
    _names[base] += 1
    return f"{base}_{count}" if count else base


def checked_shape(argument: str, value: object) -> Shape:
    """A shape of at least one axis, each of a known length."""
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        raise InvalidTypeError(argument, "a shape such as (784,) or (28, 28)", type(value).__name__)
    if len(value) == 0:
        raise InvalidArgumentError(argument, "a shape such as (784,) or (28, 28)", "()")
    return tuple(checks.integer(f"{argument}[{i}]", size, low=1) for i, size in enumerate(value))


class Layer(Part):
    """What all layers share.

    Attributes
    ----------
    name : as given, or "dense", "dense_1" and so on.
    weights, trainable_weights, variables, trainable_variables : kernel (inputs, units) and bias (units,) of a built
        Dense, views: editing them edits the model.
    built : whether the layer has its weights, if it is to have any.
    """

    def __init__(self, name: str | None, options: dict[str, Any], **defaults: object) -> None:
        self.name = own_name(name, self)
        self.input_shape: Shape | None = None  # where a first layer says it, as older programs do
        if (shape := options.pop("input_shape", None)) is not None:
            self.input_shape = checked_shape("input_shape", shape)
        if (width := options.pop("input_dim", None)) is not None:
            self.input_shape = (checks.integer("input_dim", width, low=1),)
        refuse(type(self).__name__, options, trainable=True, dtype=config.floatx(), **defaults)

    @property
    def weights(self) -> list[FloatArray]:
        return []

    @property
    def trainable_weights(self) -> list[FloatArray]:
        return self.weights

    variables = trainable_variables = trainable_weights

    @property
    def built(self) -> bool:
        return True

    @property
    def trainable(self) -> bool:
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        refuse(type(self).__name__, {"trainable": value}, trainable=True)

    def shape_after(self, shape: Shape) -> Shape:
        """The shape of the outputs for inputs of ``shape``; raises InvalidArgumentError where they cannot be taken."""
        return shape

    def get_weights(self) -> list[FloatArray]:
        """Copies of ``weights``."""
        return [array.copy() for array in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Copy arrays of the shapes of ``weights`` into them."""
        checks.parameters("weights", weights, self.weights)

    def count_params(self) -> int:
        """The number of single weights and biases."""
        return sum(array.size for array in self.weights)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return {"name": self.name}

    def __call__(self, *inputs: object, **options: object) -> object:
        raise UnsupportedError(f"{self.name}: expected layers in a Sequential; found a layer called (functional API)")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


class InputLayer(Layer):
    """The shape of the inputs, without the batch axis."""

    def __init__(self, shape: Sequence[int] | None = None, *, name: str | None = None, **options: Any) -> None:
        if shape is not None:
            options["input_shape"] = shape
        super().__init__(name, options, sparse=False, ragged=False)
        if self.input_shape is None:
            raise InvalidTypeError("shape", "a shape such as (784,) or (28, 28)", "None")


def Input(shape: Sequence[int] | None = None, **options: Any) -> InputLayer:  # noqa: N802  # Keras' name
    """The shape of the inputs, to be the first in a Sequential."""
    return InputLayer(shape, **options)


class Dense(Layer):
    """activation(inputs @ kernel + bias).

    Parameters
    ----------
    units : the number of outputs.
    activation : None or "linear", "relu", "sigmoid", "tanh", and "softmax" for the last layer.
    use_bias : the same for all layers of a model.
    input_shape, input_dim : of a first layer, where no Input says it.

    The kernel starts Glorot uniform, the bias zero. Raises FastnnError for any other option of Keras'.
    """

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        *,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, options, kernel_initializer="glorot_uniform", bias_initializer="zeros")
        self.units = checks.integer("units", units, low=1)
        self.activation = checks.choice("activation", "linear" if activation is None else activation, _ACTIVATIONS)
        self.use_bias = checks.boolean("use_bias", use_bias)
        self.home: tuple[Parameters, int] | None = None  # where its weights lie: in which layer of a network's

    @property
    def weights(self) -> list[FloatArray]:
        return [] if self.home is None else self.home[0].layer(self.home[1])

    @property
    def built(self) -> bool:
        return self.home is not None

    @property
    def kernel(self) -> FloatArray:
        """The weights (inputs, units), a view."""
        return self._view("kernel", 0)

    @property
    def bias(self) -> FloatArray | None:
        """The biases (units,), a view, or None without."""
        return self._view("bias", 1) if self.use_bias else None

    def shape_after(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise InvalidArgumentError(self.name, "inputs (n, width): a Flatten before it", f"(n, {_join(shape)})")
        return (self.units,)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "activation": self.activation, "use_bias": self.use_bias}
        return super().get_config() | own

    def _view(self, name: str, index: int) -> FloatArray:
        if self.home is None:
            raise InvalidArgumentError(f"{self.name}.{name}", "a model whose input shape is known", "one not yet built")
        return self.weights[index]


class Flatten(Layer):
    """Rows out of images: (n, 28, 28) becomes (n, 784)."""

    def __init__(self, *, name: str | None = None, **options: Any) -> None:
        super().__init__(name, options, data_format="channels_last")

    def shape_after(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


class Dropout(Layer):
    """While training, each input is zero with probability ``rate`` and else divided by 1 - rate.

    Each sample of each epoch has its own mask; :func:`fastnn.dropin.keras.utils.set_random_seed` says how it is drawn.
    """

    def __init__(self, rate: float, *, name: str | None = None, **options: Any) -> None:
        super().__init__(name, options)
        self.rate = checks.number("rate", rate, low=0, high=1, below=True)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate}


_ACTIVATIONS = tuple(ACTIVATIONS)


def _join(shape: Shape) -> str:
    return ", ".join(map(str, shape))
