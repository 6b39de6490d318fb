"""The settings of a training as the page sends them, checked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise, starmap
from operator import mul
from typing import Any, NamedTuple, cast

from .. import checks
from ..errors import FastnnError, InvalidArgumentError
from ..kernels.records import HIDDEN_ACTIVATIONS, OPTIMIZER_RECORDS, OPTIMIZERS, ActivationName, OptimizerName
from ..nn.mlp import MLP
from ..nn.optimizer import WITH_MOMENTUM, optimizer_rule

# Layers, units of each and rows of a batch that fit on the page and are enough for small images.
MOST_LAYERS, MOST_UNITS, MOST_BATCH = 4, 1000, 1000
# Weights, and weights times the rows of a batch. A pause waits for a batch and then tests the network: with so many it
# comes within 0.25 seconds on a processor with AVX2.
MOST_WEIGHTS, MOST_WORK = 500_000, 300_000_000
# Hidden units of the first network, and of the one to compare it with.
UNITS, OTHER_UNITS = 30, 100


class Settings(NamedTuple):
    """How a network is made and trained. ``momentum`` None stands for the optimizer's own, where it has one."""

    hidden: tuple[int, ...] = (UNITS,)
    activation: ActivationName = "sigmoid"
    optimizer: OptimizerName = "sgd"
    learning_rate: float = 0.5
    batch_size: int = 10
    momentum: float | None = None
    seed: int = 1

    def as_json(self) -> dict[str, Any]:
        """The same as the page takes it."""
        return {**self._asdict(), "hidden": list(self.hidden)}

    def makes_the_same_network(self, other: Settings) -> bool:
        """Whether networks of both start alike."""
        return (self.hidden, self.activation, self.seed) == (other.hidden, other.activation, other.seed)


def first_settings(inputs: int, outputs: int) -> Settings:
    """Those of the first network: fewer hidden units than usual where images are so large that weights would be many.

    Raises FastnnError for images of which not even one unit is allowed.
    """
    if inputs + outputs > MOST_WEIGHTS:
        raise FastnnError(f"images: expected at most {MOST_WEIGHTS - outputs:,} pixels, found {inputs:,}")
    return Settings(hidden=(_fitting(UNITS, inputs, outputs),))


def other_settings(inputs: int, outputs: int) -> Settings:
    """Those of a network to compare the first one with, which is another in every way."""
    return Settings((_fitting(OTHER_UNITS, inputs, outputs),), "relu", "adam", 0.001, 32)


def settings_of(model: MLP) -> Settings:
    """Those with which to train a model that was read from a file, which does not say how it was trained.

    Of activations that differ between its layers, the first is shown.
    """
    hidden = model.activations[0] if len(model.activations) > 1 else "sigmoid"
    batch_size = min(Settings().batch_size, MOST_WORK // model.params.size or 1)
    return Settings(model.sizes[1:-1], cast(ActivationName, hidden), batch_size=batch_size)


def _fitting(units: int, inputs: int, outputs: int) -> int:
    """So many hidden units, or as many as are allowed."""
    return max(1, min(units, MOST_WEIGHTS // (inputs + outputs)))


def read_settings(values: Any, inputs: int, outputs: int, given: tuple[int, ...] | None = None) -> Settings:
    """What the page sent, for a network of so many inputs and outputs.

    ``given`` are the hidden layers of a model that the page was started with, which may be of any size. Raises
    FastnnError for names and numbers that are not allowed.
    """
    if not isinstance(values, Mapping) or set(values) != set(Settings._fields):
        raise InvalidArgumentError("settings", f"an object of {', '.join(Settings._fields)}", "another one")
    is_given = given is not None and values["hidden"] == list(given)
    layers = given if given is not None and is_given else _hidden(values["hidden"])
    batch_size = _at_most("batch_size", values["batch_size"], 1, MOST_BATCH)
    weights = sum(starmap(mul, pairwise((inputs, *layers, outputs))))
    if weights > MOST_WEIGHTS and not is_given:
        raise InvalidArgumentError("hidden", f"layers with at most {MOST_WEIGHTS:,} weights together", f"{weights:,}")
    if batch_size > 1 and weights * batch_size > MOST_WORK:
        largest = MOST_WORK // weights or 1
        raise InvalidArgumentError("batch_size", f"at most {largest} for a network of {weights:,} weights", batch_size)
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


def _hidden(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or len(values) > MOST_LAYERS:
        raise InvalidArgumentError("hidden", f"up to {MOST_LAYERS} layers", values)
    return tuple(_at_most(f"hidden[{i}]", size, 1, MOST_UNITS) for i, size in enumerate(values))


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
