"""Activations, as ``keras.activations`` has them: functions of arrays, which name what a layer is to compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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
    "leaky_relu",
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


class Form(NamedTuple):
    """An activation in the kernels' words: the name of its record and, if it has one, its number."""

    name: str
    alpha: float


FORMS: dict[str, Form] = {}  # by Keras' name
FUNCTIONS: dict[str, Function] = {}


def _function(
    name: str, kernels: str, *numbers: str, alpha: float | None = None, layer: str = "", **defaults: object
) -> Function:
    """The activation of an array or of a symbolic tensor; of its options there are Keras' ``defaults`` alone.

    ``numbers`` are names of the option that is the kernels' ``alpha``; with another than the default, a symbolic tensor
    goes through the ``layer`` of that name.
    """
    record = ACTIVATION_RECORDS[kernels]
    own = Form(kernels, record.alpha if alpha is None else alpha)

    def activation(x: Any, first: object = None, **options: object) -> Any:
        if first is not None:  # by its place
            options |= {(*numbers, *defaults)[0]: first}
        axis = options.get("axis")
        if axis is not None and axis == np.ndim(x) - 1:
            options["axis"] = -1
        given = [checks.number(number, options.pop(number), low=0) for number in numbers if number in options]
        refuse(name, options | {"name": None}, **defaults)
        form = Form(kernels, given[0]) if given else own
        if not isinstance(x, KerasTensor):
            return applied(form, x)
        return (Activation(activation) if form == own else LAYERS[layer](form.alpha))(x)

    activation.__name__ = activation.__qualname__ = name
    activation.__doc__ = record.equation
    FORMS[name], FUNCTIONS[name] = own, activation
    return activation


linear = _function("linear", "identity")
relu = _function("relu", "relu", negative_slope=0.0, alpha=0.0, threshold=0.0)
leaky_relu = _function("leaky_relu", "leaky_relu", "negative_slope", "alpha", alpha=0.2, layer="LeakyReLU")
sigmoid = _function("sigmoid", "sigmoid")
softmax = _function("softmax", "softmax", axis=-1)
tanh = _function("tanh", "tanh")
elu = _function("elu", "elu", "alpha", layer="ELU")
selu = _function("selu", "selu")
gelu = _function("gelu", "gelu", approximate=False)
silu = _function("silu", "silu")
softplus = _function("softplus", "softplus")
softsign = _function("softsign", "softsign")
hard_sigmoid = _function("hard_sigmoid", "hard_sigmoid")
exponential = _function("exponential", "exponential")
swish = silu

KERAS = {form.name: name for name, form in FORMS.items()}  # Keras' names by the kernels'


def applied(form: Form, x: object) -> Tensor:
    """The kernels' activation of an array's elements or, for softmax, along its last axis."""
    z = checks.numeric_array("x", x)
    if z.dtype.kind != "f":
        z = z.astype(config.floatx())
    rows = z.reshape(-1, z.shape[-1] if z.ndim else 1)
    with np.errstate(over="ignore"):
        return tensor(formulas.activate(rows, ACTIVATIONS.index(form.name), form.alpha).reshape(z.shape))


def get(identifier: object) -> Function:
    """The function of a name, linear for None, or the function or activation layer given, or of a description."""
    match identifier:
        case None:
            return linear
        case {"class_name": str(name), "config": dict(options)}:
            own = {key: value for key, value in options.items() if key != "dtype"}
            return get(LAYERS[checks.choice("activation", name, tuple(LAYERS))](**own))
        case Activation():
            return identifier if identifier.activation is None else identifier.activation
        case "swish":
            return silu
        case str():
            return FUNCTIONS[checks.choice("activation", identifier, tuple(FUNCTIONS))]
    if any(identifier is function for function in FUNCTIONS.values()):
        return identifier  # type: ignore[return-value]  # it is one of them
    expected = f"one of {', '.join(FUNCTIONS)}, by name or as a function of keras.activations"
    raise InvalidArgumentError("activation", expected, repr(identifier))


def serialize(activation: Function) -> str | dict[str, Any]:
    """The name under which :func:`get` gives an activation, or the description of a layer."""
    found = get(activation)
    if isinstance(found, Activation):
        return {"class_name": type(found).__name__, "config": found.get_config()}
    return found.__name__


def form_of(activation: Function) -> Form:
    """What the kernels call what :func:`get` returns."""
    return activation.form if isinstance(activation, Activation) else FORMS[activation.__name__]


class Activation(Layer):
    """An activation of the outputs of the layer before it, which becomes one with it.

    Parameters
    ----------
    activation : a name or a function of :mod:`fastnn.dropin.keras.activations`; an attribute, too, which is None where
        no function but the layer has the number.
    """

    activation: Function | None

    def __init__(self, activation: str | Function | None, name: str | None = None, **options: Any) -> None:
        super().__init__(name, options)
        self.activation = get(activation)

    @property
    def form(self) -> Form:
        """The activation in the kernels' words."""
        assert self.activation is not None
        return form_of(self.activation)

    def of_array(self, inputs: Any, training: object) -> Any:
        return applied(self.form, inputs)

    def get_config(self) -> dict[str, Any]:
        assert self.activation is not None
        return super().get_config() | {"activation": serialize(self.activation)}


class ReLU(Activation):
    """max(0, inputs), of the layer before it; of Keras' options there are the defaults."""

    def __init__(self, *, name: str | None = None, **options: Any) -> None:
        for option, default in {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}.items():
            refuse("ReLU", {option: options.pop(option, None)}, **{option: default})
        super().__init__("relu", name, **options)

    def get_config(self) -> dict[str, Any]:
        return Layer.get_config(self)


class Softmax(Activation):
    """Probabilities of the outputs of the layer before it, which is to be the last Dense."""

    def __init__(self, axis: int = -1, *, name: str | None = None, **options: Any) -> None:
        refuse("Softmax", {"axis": axis}, axis=-1)
        super().__init__("softmax", name, **options)

    def get_config(self) -> dict[str, Any]:
        return Layer.get_config(self)


class ELU(Activation):
    """inputs where they are above 0, else alpha (exp(inputs) - 1), of the layer before it."""

    def __init__(self, alpha: float = 1.0, *, name: str | None = None, **options: Any) -> None:
        self.alpha = checks.number("alpha", alpha, low=0)
        super().__init__("elu", name, **options)
        self.activation = None

    @property
    def form(self) -> Form:
        return Form("elu", self.alpha)

    def get_config(self) -> dict[str, Any]:
        return Layer.get_config(self) | {"alpha": self.alpha}


class LeakyReLU(Activation):
    """inputs where they are above 0, else negative_slope * inputs, of the layer before it.

    ``alpha`` is the older name of ``negative_slope``.
    """

    def __init__(self, negative_slope: float = 0.3, *, name: str | None = None, **options: Any) -> None:
        self.negative_slope = checks.number("negative_slope", options.pop("alpha", negative_slope), low=0)
        super().__init__("leaky_relu", name, **options)
        self.activation = None

    @property
    def form(self) -> Form:
        return Form("leaky_relu", self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return Layer.get_config(self) | {"negative_slope": self.negative_slope}


LAYERS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Activation, ReLU, Softmax, ELU, LeakyReLU)}
