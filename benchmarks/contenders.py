"""What it takes to take part in the comparison, and how a contender's best settings are found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workloads import Data, Parameters, Workload

TRIAL_ROWS = 3000  # rows, or one batch, on which settings are tried
TRIALS = 3
REST = 0.3  # seconds before a timing; idle threads of OpenBLAS, OpenMP and XLA spin for up to that long


class UnavailableError(Exception):
    """Why a contender cannot take part here."""


@dataclass(frozen=True)
class Contender:
    """Someone who trains.

    ``train`` trains for one more epoch. It returns None, and the whole call is timed, or the seconds of an epoch.
    ``parameters`` gives the present weights; ``setup`` is the seconds that converting the data and compiling took.
    """

    train: Callable[[], float | None]
    parameters: Callable[[], Parameters]
    setup: float = 0.0
    settings: str = ""


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_counts() -> list[int]:
    """One thread, and all."""
    return sorted({1, cores()})


def seconds_alone(train: Callable[[], float | None]) -> float:
    """Seconds of an epoch, begun when the threads of whoever trained before have gone to sleep."""
    time.sleep(REST)
    start = time.perf_counter()
    own = train()
    return time.perf_counter() - start if own is None else own


def tuned(
    build: Callable[..., Contender], work: Workload, data: Data, settings: Sequence[Mapping[str, Any]]
) -> Contender:
    """Build a contender with the fastest of several settings, each tried on a few rows."""
    best = settings[0]
    if len(settings) > 1:
        part = data.head(max(TRIAL_ROWS, work.batch_size))
        trials = [build(work, part, **setting).train for setting in settings]
        rounds = [[seconds_alone(train) for train in trials] for _ in range(1 + TRIALS)][1:]  # the first may compile
        fastest = [min(seconds) for seconds in zip(*rounds, strict=True)]
        best = settings[fastest.index(min(fastest))]
    start = time.perf_counter()
    made = build(work, data, **best)
    described = ", ".join(f"{name} {value}" for name, value in best.items())
    return replace(made, setup=time.perf_counter() - start, settings=described)


def blas_settings() -> list[dict[str, int | None]]:
    """The thread counts to try for what runs on NumPy's or SciPy's BLAS."""
    try:
        import threadpoolctl  # noqa: F401
    except ImportError:
        return [{"threads": None}]  # as many as the BLAS takes by itself
    return [{"threads": count} for count in thread_counts()]


def with_blas_threads(train: Callable[[], None], threads: int | None) -> Callable[[], None]:
    """``train``, during which the BLAS may use ``threads`` threads."""
    if threads is None:
        return train
    import threadpoolctl

    blas = threadpoolctl.ThreadpoolController().select(user_api="blas")

    def limited() -> None:
        with blas.limit(limits=threads):
            train()

    return limited
