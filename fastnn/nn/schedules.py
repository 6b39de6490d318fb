"""Learning-rate schedules: functions of the epoch (from 0) and fit's learning rate that give the epoch's rate."""

from __future__ import annotations

import math
from collections.abc import Callable

from .. import checks

Schedule = Callable[[int, float], float]


def step_decay(every: int, factor: float = 0.5) -> Schedule:
    """Multiply the rate by ``factor`` after every ``every`` epochs."""
    every = checks.integer("every", every, low=1)
    factor = checks.number("factor", factor, low=0, exclusive=True)
    return lambda epoch, rate: rate * factor ** (epoch // every)


def exponential_decay(factor: float) -> Schedule:
    """Multiply the rate by ``factor`` after each epoch."""
    return step_decay(1, factor)


def cosine_decay(epochs: int, floor: float = 0.0) -> Schedule:
    """Go from the full rate to ``floor`` times it along half a cosine over ``epochs`` epochs (Loshchilov 2017)."""
    epochs = checks.integer("epochs", epochs, low=1)
    floor = checks.number("floor", floor, low=0, high=1)

    def schedule(epoch: int, rate: float) -> float:
        progress = min(epoch / max(epochs - 1, 1), 1.0)
        return rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))

    return schedule
