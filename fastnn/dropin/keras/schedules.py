"""Learning rates that depend on the number of updates made, as ``keras.optimizers.schedules`` has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import checks
from ...errors import InvalidArgumentError, InvalidTypeError
from .subset import outside
from .tensor import tensor

__all__ = [
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]

Steps = NDArray[np.float64]


class LearningRateSchedule:
    """The learning rate of an update, by how many came before it. Classes of one's own override ``__call__``."""

    def __call__(self, step: Any) -> Any:
        """The rate, a tensor, for the number of updates or for several."""
        return tensor(self.at(np.asarray(step, float)))

    def at(self, steps: Steps) -> Steps:
        """The rates of updates before which there have been ``steps``, all in one."""
        raise NotImplementedError

    def rates(self, first: int, count: int) -> Steps:
        """The rates of ``count`` updates, before the first of which there have been ``first``."""
        if type(self).__call__ is LearningRateSchedule.__call__:
            rates = self.at(np.arange(first, first + count, dtype=float))
        else:
            rates = np.array([float(self(step)) for step in range(first, first + count)])
        if not (np.isfinite(rates) & (rates >= 0)).all():
            raise InvalidArgumentError("the schedule's learning rate", "finite numbers of at least 0", rates)
        return rates

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        return {}


class _Decay(LearningRateSchedule):
    """What falls from a first rate over ``decay_steps``."""

    def __init__(self, initial_learning_rate: float, decay_steps: float, name: str) -> None:
        self.initial_learning_rate = checks.number("initial_learning_rate", initial_learning_rate, low=0)
        self.decay_steps = checks.number("decay_steps", decay_steps, low=0, exclusive=True)
        self.name = name

    def get_config(self) -> dict[str, Any]:
        names = ("initial_learning_rate", "decay_steps", "name")
        return {name: getattr(self, name) for name in names}


class _Stepwise(_Decay):
    """What falls by ``decay_rate``; with ``staircase``, at the end of every ``decay_steps``."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, type(self).__name__ if name is None else name)
        self.decay_rate = checks.number("decay_rate", decay_rate, low=0)
        self.staircase = checks.boolean("staircase", staircase)

    def progress(self, steps: Steps) -> Steps:
        """How often ``decay_steps`` have passed."""
        progress = steps / self.decay_steps
        return np.floor(progress) if self.staircase else progress

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"decay_rate": self.decay_rate, "staircase": self.staircase}


class ExponentialDecay(_Stepwise):
    """initial_learning_rate * decay_rate^(step / decay_steps); with ``staircase``, the quotient is rounded down."""

    def at(self, steps: Steps) -> Steps:
        return self.initial_learning_rate * self.decay_rate ** self.progress(steps)


class InverseTimeDecay(_Stepwise):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps); with ``staircase``, rounded down."""

    def at(self, steps: Steps) -> Steps:
        return self.initial_learning_rate / (1 + self.decay_rate * self.progress(steps))


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to the step boundaries[0], then values[1] up to boundaries[1], and so on."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        self.boundaries = [checks.number(f"boundaries[{i}]", step, low=0) for i, step in enumerate(boundaries)]
        self.values = [checks.number(f"values[{i}]", rate, low=0) for i, rate in enumerate(values)]
        if len(self.values) != len(self.boundaries) + 1:
            raise InvalidArgumentError("values", f"{len(self.boundaries) + 1}, one more than boundaries", len(values))
        self.name = name

    def at(self, steps: Steps) -> Steps:
        return np.array(self.values)[np.searchsorted(self.boundaries, steps)]

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(_Decay):
    """end_learning_rate + (initial_learning_rate - end_learning_rate) * (1 - step / decay_steps)^power.

    After ``decay_steps`` it stays as it is or, with ``cycle``, ``decay_steps`` becomes the next multiple of itself.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.end_learning_rate = checks.number("end_learning_rate", end_learning_rate, low=0)
        self.power = checks.number("power", power, low=0)
        self.cycle = checks.boolean("cycle", cycle)

    def at(self, steps: Steps) -> Steps:
        length: Any = self.decay_steps
        if self.cycle:
            length = length * np.maximum(np.ceil(steps / length), 1)
        left = 1 - np.minimum(steps, length) / length
        return self.end_learning_rate + (self.initial_learning_rate - self.end_learning_rate) * left**self.power

    def get_config(self) -> dict[str, Any]:
        own = {"end_learning_rate": self.end_learning_rate, "power": self.power, "cycle": self.cycle}
        return super().get_config() | own


class CosineDecay(_Decay):
    """Half a cosine over ``decay_steps``, from initial_learning_rate to ``alpha`` times it (Loshchilov & Hutter 2017).

    With ``warmup_target`` the rate first rises to that, in a line over ``warmup_steps``, and falls from there.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, name)
        self.alpha = checks.number("alpha", alpha, low=0)
        self.warmup_target = None if warmup_target is None else checks.number("warmup_target", warmup_target, low=0)
        self.warmup_steps = checks.number("warmup_steps", warmup_steps, low=0)

    def at(self, steps: Steps) -> Steps:
        first = self.initial_learning_rate
        if self.warmup_target is None:
            return first * self._share(steps)
        rising = first + (self.warmup_target - first) * steps / max(self.warmup_steps, 1)
        falling = self.warmup_target * self._share(steps - self.warmup_steps)
        return np.where(steps < self.warmup_steps, rising, falling)

    def _share(self, steps: Steps) -> Steps:
        fallen = np.minimum(steps, self.decay_steps) / self.decay_steps
        return self.alpha + (1 - self.alpha) * 0.5 * (1 + np.cos(math.pi * fallen))

    def get_config(self) -> dict[str, Any]:
        own = {"alpha": self.alpha, "warmup_target": self.warmup_target, "warmup_steps": self.warmup_steps}
        return super().get_config() | own


def serialize(schedule: LearningRateSchedule) -> dict[str, Any]:
    """The class and the arguments of a schedule."""
    return {"class_name": type(schedule).__name__, "config": schedule.get_config()}


def deserialize(config: object) -> LearningRateSchedule:
    """The schedule that :func:`serialize` described."""
    match config:
        case {"class_name": str(name), "config": dict(arguments)}:
            schedule: LearningRateSchedule = _CLASSES[checks.choice("class_name", name, tuple(_CLASSES))](**arguments)
            return schedule
    raise InvalidTypeError("config", "a class_name and its config", type(config).__name__)


_CLASSES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (CosineDecay, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay)
}

__getattr__ = outside("fastnn.dropin.keras.optimizers.schedules", __all__)
