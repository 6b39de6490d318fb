"""The optimizer of a training: the rule that its arguments ask for, and the state that it keeps."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import InvalidArgumentError
from ..kernels.params import aligned_copy, aligned_zeros
from ..kernels.records import OPTIMIZER_RECORDS, OPTIMIZERS, SLOTS
from ..kernels.spec import FloatArray, Rule

WITH_VELOCITY = ("sgd", "momentum", "nesterov")  # which become one another by their momentum
WITH_MOMENTUM = (*WITH_VELOCITY, "rmsprop")


def optimizer_rule(
    optimizer: object,
    learning_rate: object = None,
    momentum: object = None,
    nesterov: object = False,
    *,
    l1: object = 0.0,
    l2: object = 0.0,
    layers: int = 1,
    weight_decay: object = None,
    clip_value: object = None,
    clip_norm: object = None,
) -> Rule:
    """Turn the optimizer's arguments of :meth:`fastnn.MLP.fit` into a Rule, for a network of so many layers."""
    name = checks.choice("optimizer", optimizer, OPTIMIZERS)
    factor = None if momentum is None else checks.number("momentum", momentum, low=0, high=1, below=True)
    nesterov = checks.boolean("nesterov", nesterov)
    if (nesterov and name not in WITH_VELOCITY) or (factor and name not in WITH_MOMENTUM):
        found = f"momentum={factor}" + ", nesterov=True" * nesterov
        raise InvalidArgumentError("momentum", f"none for optimizer={name!r}", found)
    if nesterov or name == "nesterov":
        if factor == 0:
            raise InvalidArgumentError("momentum", "a momentum above 0 for Nesterov's", factor)
        name = "nesterov"
    elif factor and name == "sgd":
        name = "momentum"
    record = OPTIMIZER_RECORDS[name]
    if clip_value is not None and clip_norm is not None:
        raise InvalidArgumentError("clip_norm", "none beside clip_value", clip_norm)

    def or_default(argument: str, value: object, default: float, exclusive: bool = True) -> float:
        return default if value is None else checks.number(argument, value, low=0, exclusive=exclusive)

    return Rule(
        optimizer=OPTIMIZERS.index(name),
        learning_rate=or_default("learning_rate", learning_rate, record.learning_rate),
        momentum=record.momentum if factor is None else factor,
        l1=_by_layer("l1", l1, layers),
        l2=_by_layer("l2", l2, layers),
        beta2=record.beta2,
        epsilon=record.epsilon,
        weight_decay=or_default("weight_decay", weight_decay, record.weight_decay, exclusive=False),
        clip_value=or_default("clip_value", clip_value, 0.0),
        clip_norm=or_default("clip_norm", clip_norm, 0.0),
    )


def _by_layer(argument: str, value: object, layers: int) -> float | tuple[float, ...]:
    expected = "a number, or {} of them, one per layer"
    found = checks.one_or_each(argument, value, layers, expected, partial(checks.number, low=0))
    return tuple(found) if isinstance(found, list) else found


def decayed_rates(rate: float, decay: float, step: int, batches: int) -> NDArray[np.float64] | None:
    """The rates (batches,) of the next updates, rate / (1 + decay t) after t of them; None where they do not change."""
    return rate / (1 + decay * np.arange(step, step + batches, dtype=np.float64)) if decay else None


def new_state(rule: Rule, params: FloatArray) -> FloatArray:
    """The optimizer's state (slots, params.size) before its first update."""
    state = aligned_zeros((SLOTS[rule.optimizer], params.size), params.dtype)
    state[:] = OPTIMIZER_RECORDS[OPTIMIZERS[rule.optimizer]].initial_state
    return state


class OptimizerState:
    """What an optimizer keeps from one update to the next.

    Attributes
    ----------
    optimizer : its code in the records.
    arrays : (slots, parameters) as the kernels take them.
    step : updates made.
    """

    def __init__(self, rule: Rule, params: FloatArray) -> None:
        self.optimizer, self.arrays, self.step = rule.optimizer, new_state(rule, params), 0

    def __getstate__(self) -> tuple[int, FloatArray, int]:
        return self.optimizer, self.arrays, self.step

    def __setstate__(self, state: tuple[int, FloatArray, int]) -> None:
        self.optimizer, arrays, self.step = state
        self.arrays = aligned_copy(arrays)  # of what was copied or unpickled
