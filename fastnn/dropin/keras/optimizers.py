"""SGD and Adam, as ``keras.optimizers`` has them, over the kernels' update rules.

An optimizer keeps its state and its count of updates over calls of ``fit`` and ``train_on_batch``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import checks
from ...errors import InvalidArgumentError
from ...kernels.params import aligned_copy
from ...kernels.spec import ADAM, MOMENTUM, NESTEROV, SLOTS, FloatArray, Rule
from ...kernels.spec import SGD as PLAIN
from ...nn.fit import new_state
from .network import Network
from .subset import outside, refuse

__all__ = ["SGD", "Adam", "get"]

__getattr__ = outside(__name__, __all__)


class Optimizer:
    """What SGD and Adam share.

    Attributes
    ----------
    learning_rate : may be assigned at any time, for the updates that follow.
    iterations : the number of updates made.
    """

    def __init__(self, learning_rate: float, options: dict[str, Any], **defaults: object) -> None:
        self.learning_rate = learning_rate
        self.iterations = 0
        self.name = str(options.pop("name", None) or type(self).__name__.lower())
        self._home: tuple[Network, FloatArray] | None = None  # whose parameters it updates, and the state
        refuse(type(self).__name__, options, use_ema=False, **defaults)

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = checks.number("learning_rate", value, low=0)

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
        raise NotImplementedError

    def state_for(self, network: Network) -> FloatArray:
        """The state (slots, params.size), new at the first call; an optimizer serves one network."""
        if self._home is None:
            self._home = network, new_state(self.rule(), network.params)
        if self._home[0] is not network:
            raise InvalidArgumentError("optimizer", "a new one for other layers: compile again", "one in use")
        return self._home[1]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer, without its state."""
        return {"name": self.name, "learning_rate": self.learning_rate}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._home is not None:  # what was copied or unpickled need not be aligned
            self._home = self._home[0], aligned_copy(self._home[1])


class SGD(Optimizer):
    """Gradient descent, plain or with momentum.

    w += v with v = momentum v - learning_rate g; with ``nesterov``, w += momentum v - learning_rate g.
    """

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, **options: Any
    ) -> None:
        self.momentum = checks.number("momentum", momentum, low=0, high=1)
        self.nesterov = checks.boolean("nesterov", nesterov)
        super().__init__(learning_rate, options, ema_momentum=0.99)

    def rule(self) -> Rule:
        kind = (NESTEROV if self.nesterov else MOMENTUM) if self.momentum else PLAIN
        return Rule(kind, self.learning_rate, self.momentum, step=self.iterations)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}


class Adam(Optimizer):
    """Kingma & Ba 2015, in the form of the end of their section 2, which Keras uses: hence the epsilon of 1e-7."""

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        self.beta_1 = checks.number("beta_1", beta_1, low=0, high=1, below=True)
        self.beta_2 = checks.number("beta_2", beta_2, low=0, high=1, below=True)
        self.epsilon = checks.number("epsilon", epsilon, low=0, exclusive=True)
        super().__init__(learning_rate, options, amsgrad=False, ema_momentum=0.99)

    def rule(self) -> Rule:
        return Rule(
            ADAM,
            self.learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            step=self.iterations,
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


_BY_NAME: dict[str, Callable[[], Optimizer]] = {"sgd": SGD, "adam": Adam}


def get(identifier: object) -> Optimizer:
    """The optimizer of a name, "sgd" or "adam" in any case, with its default options, or the optimizer given."""
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        identifier = identifier.lower()
    return _BY_NAME[checks.choice("optimizer", identifier, tuple(_BY_NAME))]()
