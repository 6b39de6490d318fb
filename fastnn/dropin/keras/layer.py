"""What all layers share, and the symbolic tensors that record how they follow one another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from ... import checks
from ...errors import InvalidArgumentError, InvalidTypeError
from ...kernels.spec import FloatArray
from . import config, randomness
from .subset import Part, UnsupportedAttributeError, UnsupportedError, program_line, refuse, unsupported

Shape = tuple[int, ...]  # without the batch axis

_names: Counter[str] = Counter()  # how many objects got each name of its own


def own_name(name: str | None, owner: object) -> str:
    """The given name or, as Keras makes them up, "dense", "dense_1" and so on."""
    if name is not None:
        if not isinstance(name, str):
            checks.unsupported("name", "a string", name)
        return name
    base = snake_case(getattr(owner, "kind", type(owner).__name__))
    count = _names[base]
    _names[base] += 1
    return f"{base}_{count}" if count else base


def restart_names() -> None:
    """Make names up from the first on again."""
    _names.clear()


def snake_case(name: str) -> str:
    """A class's name as Keras makes names of it: "leaky_re_lu" of LeakyReLU."""
    words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()


def checked_shape(argument: str, value: object) -> Shape:
    """A shape of at least one axis, each of a known length."""
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        raise InvalidTypeError(argument, "a shape such as (784,) or (28, 28)", type(value).__name__)
    if len(value) == 0:
        raise InvalidArgumentError(argument, "a shape such as (784,) or (28, 28)", "()")
    return tuple(checks.integer(f"{argument}[{i}]", size, low=1) for i, size in enumerate(value))


def batch_shape(argument: str, value: object) -> Shape:
    """The shape of a sample from one of a batch, such as (None, 784)."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < 2:
        raise InvalidArgumentError(argument, "a shape such as (None, 784)", repr(value))
    return checked_shape(argument, value[1:])


def no_chain(found: str) -> UnsupportedError:
    """The error for what is no chain of layers, with the line of the program that asks for it."""
    return UnsupportedError(f"{program_line()}: expected models that are one chain of layers, found {found}")


class KerasTensor(Part):
    """The outputs of a layer that was called, without their numbers: what a functional model is made from.

    Attributes
    ----------
    shape : with None for the samples first.
    source, layer : the tensor that the layer was called with, and the layer; None for a model's inputs.
    """

    __array_ufunc__ = None  # arrays leave their operators to this class

    def __init__(self, shape: Shape, source: KerasTensor | None = None, layer: Layer | None = None) -> None:
        self.sample_shape = shape
        self.source, self.layer = source, layer
        self.dtype = config.floatx()
        self.name = own_name(None, self)

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (None, *self.sample_shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def chain(self, inputs: KerasTensor) -> list[Layer]:
        """The layers between ``inputs`` and this tensor, first to last; raises where there is no such chain."""
        layers: list[Layer] = []
        tensor = self
        while tensor is not inputs:
            if tensor.source is None or tensor.layer is None:
                raise InvalidArgumentError("outputs", f"what layers make of {inputs.name}", f"of {tensor.name}")
            layers.append(tensor.layer)
            tensor = tensor.source
        return layers[::-1]

    def __repr__(self) -> str:
        kind = f"dtype={self.dtype}, sparse=False, ragged=False"
        return f"<KerasTensor shape={self.shape}, {kind}, name={self.name}>"

    def _refuse(self, *others: object) -> Any:
        raise no_chain("arithmetic with a layer's outputs")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __matmul__ = __rmatmul__ = __pow__ = __neg__ = __getitem__ = __array__ = _refuse


class Layer(Part):
    """What all layers share.

    Attributes
    ----------
    name : as given, or "dense", "dense_1" and so on.
    weights, trainable_weights, variables, trainable_variables : kernel (inputs, units) and bias (units,) of a built
        Dense, views: editing them edits the model.
    built : whether the layer has its weights, if it is to have any.
    input, output : the symbolic tensors between which it stands, once its input shape is known.
    """

    def __init__(self, name: str | None = None, options: dict[str, Any] | None = None, **defaults: object) -> None:
        self.name = own_name(name, self)
        self.given_shape: Shape | None = None  # where a first layer says that of its inputs, as older programs do
        self._tensors: tuple[KerasTensor, KerasTensor] | None = None  # input and output of its last call
        options = {} if options is None else options
        if (shape := options.pop("input_shape", None)) is not None:
            self.given_shape = checked_shape("input_shape", shape)
        for older in ("batch_input_shape", "batch_shape"):
            if (shape := options.pop(older, None)) is not None:
                self.given_shape = batch_shape(older, shape)
        if (width := options.pop("input_dim", None)) is not None:
            self.given_shape = (checks.integer("input_dim", width, low=1),)
        refuse(type(self).__name__, options, trainable=True, dtype=config.floatx(), **defaults)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = [name for name in ("call", "build", "train_step") if name in vars(cls)]
        if own and not cls.__module__.startswith(__package__):
            raise unsupported(f"{cls.__name__}, a class with a {own[0]}() of its own,")

    @property
    def weights(self) -> list[FloatArray]:
        return []

    @property
    def trainable_weights(self) -> list[FloatArray]:
        return self.weights

    variables = trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[FloatArray]:
        return []

    @property
    def built(self) -> bool:
        return True

    has_weights = False  # of its own, once it is built

    @property
    def trainable(self) -> bool:
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if any(part.has_weights for part in self.parts()):
            refuse(type(self).__name__, {"trainable": value}, trainable=True)

    @property
    def input(self) -> KerasTensor:
        return self._between()[0]

    @property
    def output(self) -> KerasTensor:
        return self._between()[1]

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The inputs' shape, None for the samples first."""
        return self._between()[0].shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The outputs' shape, None for the samples first."""
        return self._between()[1].shape

    def _between(self) -> tuple[KerasTensor, KerasTensor]:
        if self._tensors is None:
            raise AttributeError  # and so __getattr__ is asked, which says why
        return self._tensors

    def __getattr__(self, name: str) -> NoReturn:
        if name in ("input", "output", "input_shape", "output_shape"):
            raise UnsupportedAttributeError(f"{self.name}.{name}: expected a model whose input shape is known")
        super().__getattr__(name)

    @property
    def kind(self) -> str:
        """The name of its class, as Keras has it."""
        return type(self).__name__

    def parts(self) -> list[Layer]:
        """The layers that it consists of: itself or, of a model, those of its layers."""
        return [self]

    def shape_after(self, shape: Shape) -> Shape:
        """The shape of the outputs for inputs of ``shape``; raises InvalidArgumentError where they cannot be taken."""
        return shape

    def draw(self, shape: Shape, dtype: str, rng: np.random.Generator | None) -> None:
        """Get weights for inputs of ``shape`` where it has none yet, from ``rng`` or, without, zero."""

    def place(self, source: KerasTensor) -> KerasTensor:
        """Its outputs for the inputs ``source``."""
        outputs = KerasTensor(self.shape_after(source.sample_shape), source, self)
        self._tensors = source, outputs
        return outputs

    def __call__(self, inputs: Any, *more: object, training: object = None, **options: object) -> Any:
        """The outputs for symbolic inputs, as symbolic ones; or, of a layer without weights, those of an array."""
        refuse(type(self).__name__, options)
        if isinstance(inputs, list | tuple) and len(inputs) == 1 and isinstance(inputs[0], KerasTensor):
            inputs = inputs[0]
        if more or (isinstance(inputs, list | tuple) and any(isinstance(one, KerasTensor) for one in inputs)):
            raise no_chain(f"several inputs of {self.name}")
        if not isinstance(inputs, KerasTensor):
            return self.of_array(inputs, training)
        self.shape_after(inputs.sample_shape)
        self.draw(inputs.sample_shape, config.floatx(), randomness.generator())
        return self.place(inputs)

    def of_array(self, inputs: Any, training: object) -> Any:
        """The outputs for an array."""
        raise unsupported(f"{self.name}, a layer called with an array and in no model,")

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

    def __repr__(self) -> str:
        return f"<{self.kind} name={self.name}, built={self.built}>"


def parts(layers: Sequence[Layer]) -> list[Layer]:
    """The layers with, in the place of each model among them, those that it consists of."""
    return [part for layer in layers for part in layer.parts()]
