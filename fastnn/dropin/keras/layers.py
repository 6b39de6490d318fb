"""The layers of a model, as ``keras.layers`` has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ... import checks
from ...errors import InvalidArgumentError, InvalidTypeError
from ...kernels.params import Parameters
from ...kernels.spec import FloatArray
from . import activations, initializers, regularizers
from .activations import ELU, Activation, Form, Function, LeakyReLU, ReLU, Softmax
from .layer import KerasTensor, Layer, Shape
from .subset import outside, refuse
from .tensor import tensor

__all__ = [
    "ELU",
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "ReLU",
    "Reshape",
    "Softmax",
]

__getattr__ = outside(__name__, __all__)


class InputLayer(Layer):
    """The shape of the inputs, without the batch axis."""

    def __init__(self, shape: Sequence[int] | None = None, *, name: str | None = None, **options: Any) -> None:
        if shape is not None:
            options["input_shape"] = shape
        super().__init__(name, options, sparse=False, ragged=False)
        if self.given_shape is None:
            raise InvalidTypeError("shape", "a shape such as (784,) or (28, 28)", "None")
        inputs = KerasTensor(self.given_shape, None, self)
        self._tensors = inputs, inputs

    @property
    def shape(self) -> Shape:
        """The shape of a sample."""
        assert self.given_shape is not None
        return self.given_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"batch_shape": (None, *self.shape)}

    def parts(self) -> list[Layer]:
        return []

    def place(self, source: KerasTensor) -> KerasTensor:
        return source


def Input(shape: Sequence[int] | None = None, **options: Any) -> KerasTensor:  # noqa: N802  # Keras' name
    """The inputs of a model, without the batch axis: the first in a Sequential, or what layers are called with."""
    return InputLayer(shape, **options).output


class Dense(Layer):
    """activation(inputs @ kernel + bias).

    Parameters
    ----------
    units : the number of outputs.
    activation : None, a name or a function of :mod:`fastnn.dropin.keras.activations`, or a layer that is one; softmax
        for the last layer alone.
    use_bias : whether there is a bias.
    kernel_initializer, bias_initializer : how kernel and bias start: a name or an instance of
        :mod:`fastnn.dropin.keras.initializers`.
    kernel_regularizer : what the kernel adds to the loss: a name or an instance of
        :mod:`fastnn.dropin.keras.regularizers`.
    input_shape, input_dim : of a first layer, where no Input says it.

    Keras 1's ``output_dim``, ``bias``, ``init``, ``W_regularizer`` and the like are other names of these. Raises
    FastnnError for regularizers of anything else, for constraints and for any other option of Keras'.
    """

    has_weights = True

    def __init__(
        self,
        units: int | None = None,
        activation: str | Function | None = None,
        use_bias: bool = True,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: None = None,
        activity_regularizer: None = None,
        kernel_constraint: None = None,
        bias_constraint: None = None,
        *,
        name: str | None = None,
        **options: Any,
    ) -> None:
        units, use_bias = options.pop("output_dim", units), options.pop("bias", use_bias)
        kernel_initializer = options.pop("init", kernel_initializer)
        kernel_regularizer = options.pop("W_regularizer", kernel_regularizer)
        options |= {
            "bias_regularizer": options.pop("b_regularizer", bias_regularizer),
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": options.pop("W_constraint", kernel_constraint),
            "bias_constraint": options.pop("b_constraint", bias_constraint),
        }
        super().__init__(name, options)
        self.units = checks.integer("units", units, low=1)
        self.activation = activations.get(activation)
        self.use_bias = checks.boolean("use_bias", use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer or "glorot_uniform")
        self.bias_initializer = initializers.get(bias_initializer or "zeros")
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.home: tuple[Parameters, int] | None = None  # where its weights lie: in which layer of which network's

    @property
    def form(self) -> Form:
        """The activation in the kernels' words."""
        return activations.form_of(self.activation)

    @property
    def weights(self) -> list[FloatArray]:
        return [] if self.home is None else self.home[0].layer(self.home[1])

    @property
    def built(self) -> bool:
        return self.home is not None

    @property
    def where(self) -> tuple[Parameters, int]:
        """In which layer of which parameters its weights lie, once it has some."""
        assert self.home is not None
        return self.home

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
        if self.home is not None and len(self.kernel) != shape[0]:
            raise InvalidArgumentError(self.name, f"inputs (n, {len(self.kernel)}), as before", f"(n, {shape[0]})")
        return (self.units,)

    def draw(self, shape: Shape, dtype: str, rng: np.random.Generator | None) -> None:
        if self.home is not None:
            return
        self.home = parameters([shape[0], self.units], [self.use_bias], dtype), 0
        if rng is not None:
            self.redraw(rng)

    def redraw(self, rng: np.random.Generator) -> None:
        """Draw the weights of a built layer anew."""
        self.kernel[:] = self.kernel_initializer.numbers(self.kernel.shape, rng)
        if self.bias is not None:
            self.bias[:] = self.bias_initializer.numbers(self.bias.shape, rng)

    def get_config(self) -> dict[str, Any]:
        regularizer = self.kernel_regularizer
        return super().get_config() | {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": None if regularizer is None else regularizers.serialize(regularizer),
        }

    def _view(self, name: str, index: int) -> FloatArray:
        if self.home is None:
            raise InvalidArgumentError(f"{self.name}.{name}", "a model whose input shape is known", "one not yet built")
        return self.weights[index]


class Flatten(Layer):
    """Rows out of images: (n, 28, 28) becomes (n, 784)."""

    def __init__(self, data_format: str | None = None, *, name: str | None = None, **options: Any) -> None:
        super().__init__(name, options | {"data_format": data_format}, data_format="channels_last")

    def shape_after(self, shape: Shape) -> Shape:
        return (math.prod(shape),)

    def of_array(self, inputs: Any, training: object) -> Any:
        return tensor(np.reshape(inputs, (len(inputs), -1)))


class Reshape(Layer):
    """Another shape of a sample's inputs, in the same order.

    Parameters
    ----------
    target_shape : with -1 for at most one axis, whose length follows.
    """

    def __init__(self, target_shape: Sequence[int], *, name: str | None = None, **options: Any) -> None:
        super().__init__(name, options)
        sizes = target_shape if isinstance(target_shape, Sequence | np.ndarray) else [target_shape]
        self.target_shape = tuple(checks.integer(f"target_shape[{i}]", n, low=-1) for i, n in enumerate(sizes))
        if self.target_shape.count(-1) > 1 or 0 in self.target_shape:
            raise InvalidArgumentError("target_shape", "lengths, of which one may be -1", self.target_shape)

    def shape_after(self, shape: Shape) -> Shape:
        count = math.prod(shape)
        known = math.prod(n for n in self.target_shape if n > 0)
        result = tuple(count // known if n < 0 else n for n in self.target_shape)
        if math.prod(result) != count:
            raise InvalidArgumentError(self.name, f"a shape of {count} elements", self.target_shape)
        return result

    def of_array(self, inputs: Any, training: object) -> Any:
        return tensor(np.reshape(inputs, (len(inputs), *self.target_shape)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target_shape": list(self.target_shape)}


class Dropout(Layer):
    """While training, each input is zero with probability ``rate`` and else divided by 1 - rate.

    Each sample of each epoch has its own mask; :func:`fastnn.dropin.keras.utils.set_random_seed` says how it is drawn,
    and by which seed: ``seed`` is a layer's own in Keras, and nothing here. ``p`` is an older name of ``rate``.
    """

    def __init__(
        self,
        rate: float | None = None,
        noise_shape: None = None,
        seed: int | None = None,
        *,
        name: str | None = None,
        **options: Any,
    ) -> None:
        rate = options.pop("p", rate)
        super().__init__(name, options | {"noise_shape": noise_shape})
        self.seed = seed
        self.rate = checks.number("rate", rate, low=0, high=1, below=True)

    def of_array(self, inputs: Any, training: object) -> Any:
        if training:
            refuse("Dropout", {"training": training})
        return tensor(checks.numeric_array("inputs", inputs))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate}


# What a file may name: all but the input.
CLASSES: dict[str, type[Layer]] = {
    kind.__name__: kind for kind in (Activation, Dense, Dropout, ELU, Flatten, LeakyReLU, ReLU, Reshape, Softmax)
}


def parameters(sizes: list[int], bias: list[bool], dtype: DTypeLike) -> Parameters:
    """Zeros for layers of these sizes, or an InvalidArgumentError where there is too little memory."""
    try:
        return Parameters.zeros(sizes, ["identity"] * len(bias), "mean_squared_error", bias, np.dtype(dtype))
    except (MemoryError, OverflowError, ValueError):
        raise InvalidArgumentError("layers", "a network that fits in memory", f"sizes {sizes}") from None


def _join(shape: Shape) -> str:
    return ", ".join(map(str, shape))
