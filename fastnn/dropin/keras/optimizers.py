"""Optimizers, as ``keras.optimizers`` has them, over the kernels' update rules.

An optimizer keeps its state and its count of updates over calls of ``fit`` and ``train_on_batch``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ... import checks
from ...errors import InvalidArgumentError, InvalidTypeError
from ...kernels.params import aligned_copy
from ...kernels.spec import OPTIMIZERS, SLOTS, FloatArray, Rule
from ...nn.optimizer import decayed_rates, new_state
from . import config, schedules
from .config import EPSILON
from .layer import snake_case
from .network import Network
from .schedules import LearningRateSchedule
from .subset import outside, refuse

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Nadam", "Optimizer", "RMSprop", "get", "schedules"]

__getattr__ = outside(__name__, __all__)

# What Keras has beyond these, as it has it by default.
DEFAULTS = {"use_ema": False, "ema_momentum": 0.99, "jit_compile": True, "amsgrad": False, "centered": False}


class LearningRate(float):
    """An optimizer's learning rate as it is now: a number, to which another can be assigned."""

    _optimizer: Optimizer

    def __new__(cls, value: float, optimizer: Optimizer) -> LearningRate:
        rate = super().__new__(cls, value)
        rate._optimizer = optimizer
        return rate

    def assign(self, value: float) -> None:
        """Set the optimizer's rate."""
        self._optimizer.learning_rate = value

    def numpy(self) -> Any:
        """The number, of the type that models compute in."""
        return np.dtype(config.floatx()).type(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)


class Optimizer:
    """What all optimizers share.

    Parameters
    ----------
    learning_rate : a number, or a schedule of :mod:`fastnn.dropin.keras.optimizers.schedules`; once ``lr``.
    decay : of Keras 1 and 2: the rate is divided by 1 + decay * iterations.
    weight_decay : before each update, w -= learning_rate * weight_decay * w.
    clipvalue, clipnorm, global_clipnorm : bounds on each element of the gradient, on the norm of each of its
        arrays, or on that of the whole; at most one of them.

    Attributes
    ----------
    learning_rate, lr : may be assigned at any time, for the updates that follow.
    schedule : what gives the learning rate, if it is no number.
    iterations : the number of updates made.
    """

    kernels: ClassVar[str]  # the kernels' name
    defaults: ClassVar[Mapping[str, object]] = DEFAULTS

    def __init__(self, learning_rate: object, options: dict[str, Any]) -> None:
        self.name = str(options.pop("name", None) or snake_case(type(self).__name__))
        self.iterations = 0
        self.schedule: LearningRateSchedule | None = None
        self.learning_rate = options.pop("lr", learning_rate)
        self.decay = self._factor("decay", options)
        self.weight_decay = self._factor("weight_decay", options)
        clips = ("clipnorm", "clipvalue", "global_clipnorm")
        self.clipnorm, self.clipvalue, self.global_clipnorm = (self._factor(name, options, True) for name in clips)
        if sum(getattr(self, name) is not None for name in clips) > 1:
            raise InvalidArgumentError("clipnorm", f"at most one of {', '.join(clips)}", "several")
        self._home: tuple[Network, FloatArray] | None = None  # whose parameters it updates, and the state
        refuse(type(self).__name__, options, **self.defaults)

    @staticmethod
    def _factor(name: str, options: dict[str, Any], exclusive: bool = False) -> float | None:
        value = options.pop(name, None)
        return None if value is None else checks.number(name, value, low=0, exclusive=exclusive)

    @property
    def learning_rate(self) -> LearningRate:
        rate = self._rate if self.schedule is None else float(self.schedule.rates(self.iterations, 1)[0])
        return LearningRate(rate, self)

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        if isinstance(value, dict):
            value = schedules.deserialize(value)
        if isinstance(value, LearningRateSchedule):
            self.schedule = value
            return
        if self.schedule is not None:
            raise InvalidTypeError("learning_rate", "a schedule, as the optimizer was made with one", value)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.item()
        self._rate = checks.number("learning_rate", value, low=0)

    lr = learning_rate

    def rates(self, count: int) -> NDArray[np.float64] | None:
        """The learning rates of the next ``count`` updates, or None where they are one."""
        if self.schedule is not None:
            return self.schedule.rates(self.iterations, count)
        return decayed_rates(self._rate, self.decay or 0.0, self.iterations, count)

    @property
    def built(self) -> bool:
        """Whether there is a state, from the first training on."""
        return self._home is not None

    @property
    def slots(self) -> int:
        """How many arrays as large as the parameters the state is."""
        return SLOTS[self.rule().optimizer]

    def rule(self) -> Rule:
        """The next update."""
        return self._rule()

    def _rule(self, **numbers: float) -> Rule:
        """The next update, with the numbers of the optimizer's own."""
        shared = {
            "weight_decay": self.weight_decay,
            "clip_value": self.clipvalue,
            "clip_norm": self.clipnorm,
            "global_clip_norm": self.global_clipnorm,
        }
        given = {name: value for name, value in shared.items() if value}
        kind = OPTIMIZERS.index(self.kernels)
        return Rule(kind, float(self.learning_rate), step=self.iterations, **numbers, **given)

    def state_for(self, network: Network) -> FloatArray:
        """The state (slots, params.size), new at the first call; an optimizer serves one network."""
        if self._home is None:
            self._home = network, self._new_state(network)
        if self._home[0] is not network:
            raise InvalidArgumentError("optimizer", "a new one for other layers: compile again", "one in use")
        return self._home[1]

    def _new_state(self, network: Network) -> FloatArray:
        return new_state(self.rule(), network.params)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer, without its state."""
        given = self._rate if self.schedule is None else schedules.serialize(self.schedule)
        shared = ("decay", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue")
        chosen = {name: getattr(self, name) for name in shared if getattr(self, name) is not None}
        return {"name": self.name, "learning_rate": given, **chosen}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._home is not None:  # what was copied or unpickled need not be aligned
            self._home = self._home[0], aligned_copy(self._home[1])


class SGD(Optimizer):
    """Gradient descent, plain or with momentum.

    w += v with v = momentum v - learning_rate g; with ``nesterov``, w += momentum v - learning_rate g.
    """

    def __init__(
        self, learning_rate: object = 0.01, momentum: float = 0.0, nesterov: bool = False, **options: Any
    ) -> None:
        self.momentum = checks.number("momentum", momentum, low=0, high=1)
        self.nesterov = checks.boolean("nesterov", nesterov)
        super().__init__(learning_rate, options)

    @property
    def kernels(self) -> str:  # type: ignore[override]  # it depends on the options
        return ("nesterov" if self.nesterov else "momentum") if self.momentum else "sgd"

    def rule(self) -> Rule:
        return self._rule(momentum=self.momentum)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}


class RMSprop(Optimizer):
    """Tieleman & Hinton 2012: v = rho v + (1 - rho) g^2; w -= learning_rate g / sqrt(v + epsilon).

    With ``momentum``, m = momentum m + learning_rate g / sqrt(v + epsilon) and w -= m.
    """

    kernels = "rmsprop"

    def __init__(
        self,
        learning_rate: object = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = EPSILON,
        **options: Any,
    ) -> None:
        self.rho = checks.number("rho", rho, low=0, high=1, below=True)
        self.momentum = checks.number("momentum", momentum, low=0, high=1)
        self.epsilon = _epsilon(epsilon)
        super().__init__(learning_rate, options)

    def rule(self) -> Rule:
        return self._rule(momentum=self.momentum, beta2=self.rho, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}


class _Moments(Optimizer):
    """What keeps a mean of the gradients and one of their squares."""

    def __init__(
        self,
        learning_rate: object = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = EPSILON,
        **options: Any,
    ) -> None:
        self.beta_1 = checks.number("beta_1", beta_1, low=0, high=1, below=True)
        self.beta_2 = checks.number("beta_2", beta_2, low=0, high=1, below=True)
        self.epsilon = _epsilon(epsilon)
        super().__init__(learning_rate, options)

    def rule(self) -> Rule:
        return self._rule(beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


class Adam(_Moments):
    """Kingma & Ba 2015, in the form of the end of their section 2, which Keras uses: hence the epsilon of 1e-7."""

    kernels = "adam"


class AdamW(_Moments):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kernels = "adamw"

    def __init__(
        self,
        learning_rate: object = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = EPSILON,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay, **options)


class Nadam(_Moments):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    kernels = "nadam"
    defaults = DEFAULTS | {"schedule_decay": 0.004}


class Adagrad(Optimizer):
    """Duchi, Hazan & Singer 2011: v += g^2; w -= learning_rate g / sqrt(v + epsilon), with a first v."""

    kernels = "adagrad"

    def __init__(
        self,
        learning_rate: object = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float | None = EPSILON,
        **options: Any,
    ) -> None:
        self.initial_accumulator_value = checks.number("initial_accumulator_value", initial_accumulator_value, low=0)
        self.epsilon = _epsilon(epsilon)
        super().__init__(learning_rate, options)

    def rule(self) -> Rule:
        return self._rule(epsilon=self.epsilon)

    def _new_state(self, network: Network) -> FloatArray:
        state = super()._new_state(network)
        state[:] = self.initial_accumulator_value
        return state

    def get_config(self) -> dict[str, Any]:
        own = {"initial_accumulator_value": self.initial_accumulator_value, "epsilon": self.epsilon}
        return super().get_config() | own


CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in (SGD, RMSprop, Adam, AdamW, Nadam, Adagrad)}


def get(identifier: object) -> Optimizer:
    """The optimizer of a name in any case, with its default options, or the optimizer given."""
    if isinstance(identifier, Optimizer):
        return identifier
    by_name = {name.lower(): kind for name, kind in CLASSES.items()}
    match identifier:
        case {"class_name": str(name), "config": dict(arguments)}:
            return by_name[checks.choice("optimizer", name.lower(), tuple(by_name))](**arguments)
    if isinstance(identifier, str):
        identifier = identifier.lower()
    return by_name[checks.choice("optimizer", identifier, tuple(by_name))]()


def _epsilon(value: float | None) -> float:
    return EPSILON if value is None else checks.number("epsilon", value, low=0, exclusive=True)
