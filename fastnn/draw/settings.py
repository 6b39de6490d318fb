"""The settings of a training as the page sends them, checked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise, starmap
from operator import mul
from typing import Any, NamedTuple, cast

from .. import checks
from ..errors import InvalidArgumentError
from ..kernels.records import HIDDEN_ACTIVATIONS, OPTIMIZER_RECORDS, OPTIMIZERS, ActivationName, OptimizerName
from ..nn.optimizer import WITH_MOMENTUM, optimizer_rule

MOST_LAYERS, MOST_UNITS, MOST_BATCH = 4, 1000, 1000
MOST_WEIGHTS, MOST_WORK = 500_000, 300_000_000  # weights, also times the batch: so that a pause comes within 0.25 s


class Settings(NamedTuple):
    """How a network is made and trained."""

    hidden: tuple[int, ...] = (30,)
    activation: ActivationName = "sigmoid"
    optimizer: OptimizerName = "sgd"
    learning_rate: float = 0.5
    batch_size: int = 10
    momentum: float | None = None  # None: the optimizer has none
    seed: int = 1

    def as_json(self) -> dict[str, Any]:
        """The same as the page takes it."""
        return {**self._asdict(), "hidden": list(self.hidden)}

    def makes_the_same_network(self, other: Settings) -> bool:
        """Whether networks of both start alike."""
        return (self.hidden, self.activation, self.seed) == (other.hidden, other.activation, other.seed)


def read_settings(values: Any, inputs: int, outputs: int) -> Settings:
    """What the page sent, for a network of so many inputs and outputs.

    Raises FastnnError for names and numbers that are not allowed.
    """
    if not isinstance(values, Mapping) or set(values) != set(Settings._fields):
        raise InvalidArgumentError("settings", f"an object of {', '.join(Settings._fields)}", "another one")
    hidden = values["hidden"]
    if not isinstance(hidden, list) or len(hidden) > MOST_LAYERS:
        raise InvalidArgumentError("hidden", f"up to {MOST_LAYERS} layers", hidden)
    layers = tuple(_at_most(f"hidden[{i}]", size, 1, MOST_UNITS) for i, size in enumerate(hidden))
    batch_size = _at_most("batch_size", values["batch_size"], 1, MOST_BATCH)
    weights = sum(starmap(mul, pairwise((inputs, *layers, outputs))))
    if weights > MOST_WEIGHTS:
        raise InvalidArgumentError("hidden", f"layers with at most {MOST_WEIGHTS:,} weights together", f"{weights:,}")
    if weights * batch_size > MOST_WORK:
        most = MOST_WORK // weights
        raise InvalidArgumentError("batch_size", f"at most {most} for a network of {weights:,} weights", batch_size)
    optimizer = checks.choice("optimizer", values["optimizer"], OPTIMIZERS)
    momentum = None
    if optimizer in WITH_MOMENTUM and values["momentum"] is not None:
        momentum = checks.number("momentum", values["momentum"], low=0, high=1, below=True)
        optimizer_rule(optimizer, momentum=momentum)  # refuses what the optimizer cannot have
    return Settings(
        layers,
        cast(ActivationName, checks.choice("activation", values["activation"], HIDDEN_ACTIVATIONS)),
        cast(OptimizerName, optimizer),
        checks.number("learning_rate", values["learning_rate"], low=0, high=100, exclusive=True),
        batch_size,
        momentum,
        _at_most("seed", values["seed"], 0, 2**32 - 1),
    )


def choices() -> dict[str, Any]:
    """What the page offers."""
    return {
        "activations": list(HIDDEN_ACTIVATIONS),
        "optimizers": [
            {
                "name": name,
                "learning_rate": record.learning_rate,
                "momentum": (record.momentum if name in ("momentum", "nesterov") else 0.0),
                "has_momentum": name in WITH_MOMENTUM,
            }
            for name, record in OPTIMIZER_RECORDS.items()
        ],
    }


def _at_most(argument: str, value: object, low: int, high: int) -> int:
    number = checks.integer(argument, value, low=low)
    if number > high:
        raise InvalidArgumentError(argument, f"an integer of at most {high}", value)
    return number
