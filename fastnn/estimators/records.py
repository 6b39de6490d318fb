"""What happened in each call of an estimator: whether the kernels ran or scikit-learn's own code, why, and how long.

Nothing is recorded unless somebody listens, as :mod:`fastnn.accel` and tests do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple


class Call(NamedTuple):
    """One call of an estimator's method.

    Attributes
    ----------
    estimator : the name of its class.
    reason : why scikit-learn's own code ran; empty if the kernels did.
    """

    estimator: str
    method: str
    accelerated: bool
    reason: str
    seconds: float


# Each of these functions is called with every call when that is over.
listeners: list[Callable[[Call], None]] = []


@dataclass
class Outcome:
    """Why scikit-learn's own code runs in a call, or None; what runs inside may set it when it finds out."""

    reason: str | None


@contextmanager
def recorded(estimator: object, method: str, reason: str | None) -> Iterator[Outcome]:
    """Tell the listeners of what runs inside; without a ``reason`` it is the kernels."""
    outcome = Outcome(reason)
    if not listeners:
        yield outcome
        return
    start = time.perf_counter()
    try:
        yield outcome
    finally:
        seconds, why = time.perf_counter() - start, outcome.reason
        call = Call(type(estimator).__name__, method, why is None, why or "", seconds)
        for listener in listeners:
            listener(call)
