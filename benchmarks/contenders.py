"""What it takes to take part in a comparison, and how a contender's best settings are found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar

from workloads import Data, Parameters, Workload

from fastnn.kernels.threads import cores

Args = ParamSpec("Args")
Answer = TypeVar("Answer")

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


def thread_counts() -> list[int]:
    """One thread, and all."""
    return sorted({1, cores()})


def seconds_alone(run: Callable[[], float | None]) -> float:
    """Seconds of a run, or what it returns, begun when the threads of whoever ran before have gone to sleep."""
    time.sleep(REST)
    start = time.perf_counter()
    own = run()
    return time.perf_counter() - start if own is None else own


def fastest_setting(
    settings: Sequence[Mapping[str, Any]], build: Callable[..., Callable[[], float | None]]
) -> Mapping[str, Any]:
    """The setting with which what ``build`` returns takes the least time, of a few tries in turn."""
    if len(settings) == 1:
        return settings[0]
    trials = [build(**setting) for setting in settings]
    rounds = [[seconds_alone(run) for run in trials] for _ in range(1 + TRIALS)][1:]  # the first may compile
    fastest = [min(seconds) for seconds in zip(*rounds, strict=True)]
    return settings[fastest.index(min(fastest))]


def described(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in setting.items())


def tuned(
    build: Callable[..., Contender], work: Workload, data: Data, settings: Sequence[Mapping[str, Any]]
) -> Contender:
    """Build a contender with the fastest of several settings, each tried on a few rows."""
    part = data.head(max(TRIAL_ROWS, work.batch_size))
    best = fastest_setting(settings, lambda **setting: build(work, part, **setting).train)
    start = time.perf_counter()
    made = build(work, data, **best)
    return replace(made, setup=time.perf_counter() - start, settings=described(best))


def blas_settings() -> list[dict[str, int | None]]:
    """The thread counts to try for what runs on NumPy's or SciPy's BLAS."""
    try:
        import threadpoolctl  # noqa: F401  # is it there?
    except ImportError:
        return [{"threads": None}]  # as many as the BLAS takes by itself
    return [{"threads": count} for count in thread_counts()]


def with_blas_threads(run: Callable[Args, Answer], threads: int | None) -> Callable[Args, Answer]:
    """``run``, during which the BLAS may use ``threads`` threads."""
    if threads is None:
        return run
    import threadpoolctl

    blas = threadpoolctl.ThreadpoolController().select(user_api="blas")

    def limited(*args: Args.args, **kwargs: Args.kwargs) -> Answer:
        with blas.limit(limits=threads):
            return run(*args, **kwargs)

    return limited
