"""How weights and biases start, as ``keras.initializers`` has it.

All draw from the stream that :func:`~fastnn.dropin.keras.utils.set_random_seed` starts, or with a ``seed`` from one of
their own, ``default_rng(seed)``, anew for every layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ... import checks
from ...errors import InvalidArgumentError
from ...kernels.spec import FloatArray
from ...nn.initializers import truncated_normal as truncated
from . import config, randomness
from .layer import snake_case
from .subset import outside, refuse
from .tensor import tensor

Shape = Sequence[int]

TRUNCATED_SPREAD = 0.87962566103423978  # the standard deviation of a standard normal truncated at 2 of its own


class Initializer:
    """What gives the first weights (inputs, units) or biases (units,)."""

    def __call__(self, shape: Shape, dtype: DTypeLike | None = None, **options: object) -> Any:
        """A tensor of numbers."""
        return tensor(self.numbers(shape, randomness.generator()), config.floatx() if dtype is None else dtype)

    def numbers(self, shape: Shape, rng: np.random.Generator) -> FloatArray:
        """The numbers in float64, drawn from ``rng`` where there is no seed."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal initializer."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Constant(Initializer):
    """``value`` everywhere."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = checks.number("value", value, low=-math.inf)

    def numbers(self, shape: Shape, rng: np.random.Generator) -> FloatArray:
        return np.full(tuple(shape), self.value)


class Zeros(Initializer):
    """0 everywhere."""

    def numbers(self, shape: Shape, rng: np.random.Generator) -> FloatArray:
        return np.zeros(tuple(shape))


class Ones(Initializer):
    """1 everywhere."""

    def numbers(self, shape: Shape, rng: np.random.Generator) -> FloatArray:
        return np.ones(tuple(shape))


class Identity(Initializer):
    """``gain`` where the row is the column, else 0; of weights alone."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = checks.number("gain", gain, low=-math.inf)

    def numbers(self, shape: Shape, rng: np.random.Generator) -> FloatArray:
        if len(shape) != 2:
            raise InvalidArgumentError("shape", "that of a matrix for Identity", tuple(shape))
        return self.gain * np.eye(shape[0], shape[1])


class _Random(Initializer):
    """What draws its numbers."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else checks.integer("seed", seed, low=0)

    def numbers(self, shape: Shape, rng: np.random.Generator) -> FloatArray:
        return self._draw(tuple(shape), rng if self.seed is None else np.random.default_rng(self.seed))

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        raise NotImplementedError


class RandomNormal(_Random):
    """Normal with ``mean`` and ``stddev``; "normal" is its older name."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean = checks.number("mean", mean, low=-math.inf)
        self.stddev = checks.number("stddev", stddev, low=0)
        super().__init__(seed)

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        return rng.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """The same, where what is more than 2 ``stddev`` from the mean is drawn again."""

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        return self.mean + self.stddev * truncated(rng, shape)


class RandomUniform(_Random):
    """Uniform from ``minval`` to ``maxval``; "uniform" is its older name."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval = checks.number("minval", minval, low=-math.inf)
        self.maxval = checks.number("maxval", maxval, low=self.minval)
        super().__init__(seed)

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        return rng.uniform(self.minval, self.maxval, shape)


class VarianceScaling(_Random):
    """Numbers with the variance ``scale`` / n, where n is the number of inputs, of outputs, or the mean of both.

    Parameters
    ----------
    mode : what n is: "fan_in", "fan_out" or "fan_avg".
    distribution : "truncated_normal", "untruncated_normal" or "uniform", from -sqrt(3 scale / n) to sqrt(3 scale / n).
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        self.scale = checks.number("scale", scale, low=0, exclusive=True)
        self.mode = checks.choice("mode", mode, ("fan_in", "fan_out", "fan_avg"))
        if distribution == "normal":  # as Keras 2 calls it
            distribution = "truncated_normal"
        kinds = ("truncated_normal", "untruncated_normal", "uniform")
        self.distribution = checks.choice("distribution", distribution, kinds)
        super().__init__(seed)

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        fan_in, fan_out = shape[0], shape[-1]
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1, count)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return rng.normal(0, math.sqrt(variance), shape)
        return math.sqrt(variance) / TRUNCATED_SPREAD * truncated(rng, shape)


class _Scaled(VarianceScaling):
    """One of those that have names of their own."""

    _scaling: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._scaling, seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Glorot & Bengio 2010: uniform up to sqrt(6 / (inputs + outputs))."""

    _scaling = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Glorot & Bengio 2010: truncated normal of the variance 2 / (inputs + outputs)."""

    _scaling = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """He et al. 2015: uniform up to sqrt(6 / inputs)."""

    _scaling = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """He et al. 2015: truncated normal of the variance 2 / inputs."""

    _scaling = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """LeCun et al. 1998: uniform up to sqrt(3 / inputs)."""

    _scaling = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """LeCun et al. 1998: truncated normal of the variance 1 / inputs."""

    _scaling = (1.0, "fan_in", "truncated_normal")


class Orthogonal(_Random):
    """``gain`` times a random matrix with orthonormal rows or columns (Saxe et al. 2014); of weights alone."""

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain = checks.number("gain", gain, low=-math.inf)
        super().__init__(seed)

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        if len(shape) != 2:
            raise InvalidArgumentError("shape", "that of a matrix for Orthogonal", shape)
        q, r = np.linalg.qr(rng.normal(size=(max(shape), min(shape))))
        q = q * np.sign(np.diag(r))
        return self.gain * (q if shape[0] >= shape[1] else q.T)


class _Own(Initializer):
    """A function of a shape, of the program's own."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def numbers(self, shape: Shape, rng: np.random.Generator) -> FloatArray:
        found = np.asarray(checks.numeric_array("the initializer's result", self._function(tuple(shape))), float)
        if found.shape != tuple(shape):
            raise InvalidArgumentError("the initializer's result", f"shape {tuple(shape)}", found.shape)
        return found


CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Constant,
        GlorotNormal,
        GlorotUniform,
        HeNormal,
        HeUniform,
        Identity,
        LecunNormal,
        LecunUniform,
        Ones,
        Orthogonal,
        RandomNormal,
        RandomUniform,
        TruncatedNormal,
        VarianceScaling,
        Zeros,
    )
}
_OLDER = {"normal": RandomNormal, "uniform": RandomUniform, "zero": Zeros, "one": Ones}
_BY_NAME = {snake_case(name): kind for name, kind in CLASSES.items()} | _OLDER | CLASSES

globals().update(_BY_NAME)  # he_normal and the like are the classes, as in Keras

__all__ = ["Initializer", "deserialize", "get", "serialize", *_BY_NAME]  # they are strings

__getattr__ = outside(__name__, __all__)


def get(identifier: object) -> Initializer:
    """The initializer of a name, of a description, of a class or of a function of a shape; or the one given."""
    if isinstance(identifier, Initializer):
        return identifier
    match identifier:
        case {"class_name": str(name), "config": dict(arguments)}:
            ours = {key: value for key, value in arguments.items() if key not in ("input_axes", "output_axes")}
            made: Initializer = _BY_NAME[checks.choice("initializer", name, tuple(_BY_NAME))](**ours)
            return made
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if callable(identifier):
        return _Own(identifier)
    by_class = isinstance(identifier, str) and identifier in CLASSES
    names = CLASSES if by_class else [name for name in _BY_NAME if name not in CLASSES]
    named: Initializer = _BY_NAME[checks.choice("initializer", identifier, tuple(names))]()
    return named


def serialize(initializer: Initializer) -> dict[str, Any]:
    """The class and the arguments of an initializer."""
    if type(initializer).__name__ not in CLASSES:
        refuse("serialize", {"initializer": initializer})
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


deserialize = get
