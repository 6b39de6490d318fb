"""Activations, as ``keras.activations`` has them: functions of arrays, which name what a layer is to compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import checks
from ...errors import InvalidArgumentError
from ...kernels import formulas
from ...kernels.records import ACTIVATION_RECORDS, ACTIVATIONS
from . import config
from .layer import KerasTensor, Layer
from .subset import outside, refuse
from .tensor import Tensor, tensor

__all__ = [
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "linear",
    "relu",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]

__getattr__ = outside(__name__, __all__)

Function = Callable[..., Any]

KERNELS: dict[str, str] = {}  # the kernels' names of activations by Keras'
FUNCTIONS: dict[str, Function] = {}  # by Keras' name


def _function(name: str, kernels: str, **defaults: object) -> Function:
    """The activation of an array or of a symbolic tensor; of its options there are Keras' ``defaults`` alone."""

    def activation(x: Any, **options: object) -> Any:
        axis = options.get("axis")
        if axis is not None and axis == np.ndim(x) - 1:
            options["axis"] = -1
        refuse(name, options | {"name": None}, **defaults)
        return Activation(activation)(x) if isinstance(x, KerasTensor) else applied(kernels, x)

    activation.__name__ = activation.__qualname__ = name
    if kernels in ACTIVATION_RECORDS:
        activation.__doc__ = ACTIVATION_RECORDS[kernels].equation
    KERNELS[name], FUNCTIONS[name] = kernels, activation
    return activation


linear = _function("linear", "identity")
relu = _function("relu", "relu", negative_slope=0.0, alpha=0.0, threshold=0.0)
sigmoid = _function("sigmoid", "sigmoid")
softmax = _function("softmax", "softmax", axis=-1)
tanh = _function("tanh", "tanh")
elu = _function("elu", "elu", alpha=1.0)
selu = _function("selu", "selu")
gelu = _function("gelu", "gelu", approximate=False)
silu = _function("silu", "silu")
softplus = _function("softplus", "softplus")
softsign = _function("softsign", "softsign")
hard_sigmoid = _function("hard_sigmoid", "hard_sigmoid")
exponential = _function("exponential", "exponential")
swish = silu

# The kernels' leaky_relu has another slope (0.01) than Keras' function of that name (0.2), which is therefore none of
# these; the LeakyReLU layer may ask for it.
KERAS = {kernels: name for name, kernels in KERNELS.items()} | {"leaky_relu": "leaky_relu"}


def applied(kernels: str, x: object) -> Tensor:
    """The kernels' activation of an array's elements or, for softmax, along its last axis."""
    z = checks.numeric_array("x", x)
    if z.dtype.kind != "f":
        z = z.astype(config.floatx())
    rows = z.reshape(-1, z.shape[-1] if z.ndim else 1)
    with np.errstate(over="ignore"):
        return tensor(formulas.activate(rows, ACTIVATIONS.index(kernels)).reshape(z.shape))


def get(identifier: object) -> Function:
    """The function of a name, linear for None, or the function or activation layer given."""
    if identifier is None:
        return linear
    if isinstance(identifier, Activation):
        return identifier.activation
    if isinstance(identifier, str):
        if identifier == "swish":
            return silu
        return FUNCTIONS[checks.choice("activation", identifier, tuple(FUNCTIONS))]
    if any(identifier is function for function in FUNCTIONS.values()):
        return identifier  # type: ignore[return-value]  # it is one of them
    expected = f"one of {', '.join(FUNCTIONS)}, by name or as a function of keras.activations"
    raise InvalidArgumentError("activation", expected, repr(identifier))


def serialize(activation: Function) -> str:
    """The name under which :func:`get` gives an activation."""
    return get(activation).__name__


class Activation(Layer):
    """An activation of the outputs of the layer before it, which becomes one with it.

    Parameters
    ----------
    activation : a name or a function of :mod:`fastnn.dropin.keras.activations`.
    """

    def __init__(self, activation: str | Function | None, name: str | None = None, **options: Any) -> None:
        super().__init__(name, options)
        self.activation = get(activation)

    @property
    def kernels(self) -> str:
        """The kernels' name of the activation."""
        return KERNELS[self.activation.__name__]

    def of_array(self, inputs: Any, training: object) -> Any:
        return applied(self.kernels, inputs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"activation": self.activation.__name__}
