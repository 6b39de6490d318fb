"""fastnn and its rivals taking turns at searching, and whether what they find is right."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from contenders import REST, UnavailableError, blas_settings, with_blas_threads
from neighbor_data import Array, Points, Truth
from neighbor_rivals import RIVALS, Searcher, Task, tuned

import fastnn

BURST_SECONDS, FEWEST_CALLS = 0.3, 5  # of single queries in a turn
OURS_ROUNDING, ROUNDING = 1e-12, 1e-5  # of squared distances, relative to themselves and to the norms
FIT, SEARCH, BOTH = "fit", "search", "fit + search"


def ours(backend: str, pruning: str = "auto") -> Callable[[Task], Searcher]:
    """fastnn.Neighbors on one of the backends; compiled before it is timed."""

    def build(task: Task, *, threads: int | None = None) -> Searcher:
        index = fastnn.Neighbors(pruning=pruning)

        def fit() -> None:
            with fastnn.use(backend):
                index.fit(task.X)

        def search(Q: Array, k: int) -> tuple[Array, Array]:
            with fastnn.use(backend):
                return index.search(Q, k)

        with fastnn.use(backend):
            for some in {"never", pruning.replace("auto", "always")}:
                fastnn.Neighbors(pruning=some).fit(task.X[:2000]).search(task.Q[:2], task.k)
        return Searcher(with_blas_threads(fit, threads), with_blas_threads(search, threads), np.ascontiguousarray)

    def make(task: Task) -> Searcher:
        status = fastnn.backends()[backend]
        if not status.available:
            raise UnavailableError(status.detail)
        return tuned(build, task, blas_settings() if backend == "numpy" else [{}])

    return make


OURS = {
    "native": ours("native"),
    "plain": ours("native", "never"),
    "numba": ours("numba"),
    "numpy": ours("numpy"),
}
FACTORIES = OURS | RIVALS


def join(names: Sequence[str], task: Task) -> dict[str, Searcher]:
    """All of these who can take part here."""
    made = {}
    for name in names:
        try:
            made[name] = FACTORIES[name](task)
        except (ImportError, UnavailableError) as reason:
            print(f"  {name} is left out: {reason}")
    return made


def burst(call: Callable[[int], object]) -> float:
    """The median seconds of some calls, which get their number."""
    seconds: list[float] = []
    while len(seconds) < FEWEST_CALLS or sum(seconds) < BURST_SECONDS:
        start = time.perf_counter()
        call(len(seconds))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


class Turn:
    """One contender's part of a case: its turns, and what it last found."""

    def __init__(self, searcher: Searcher, Q: Array, k: int, share: float = 1.0) -> None:
        self.searcher, self.k, self.share = searcher, k, share
        self.queries = searcher.prepare(Q)
        self.found: tuple[Array, Array] = np.empty((0, k)), np.empty((0, k), np.int64)
        self.taken: dict[str, list[float]] = {}

    def batch(self) -> None:
        """Fit, then search all queries."""
        time.sleep(REST)
        start = time.perf_counter()
        self.searcher.fit()
        fit = time.perf_counter() - start
        self.found = self.searcher.search(self.queries, self.k)
        search = (time.perf_counter() - start - fit) / self.share
        for what, seconds in ((FIT, fit), (SEARCH, search), (BOTH, fit + search)):
            self.taken.setdefault(what, []).append(seconds)

    def one_by_one(self) -> None:
        """One query after the other; the median call."""
        found = []
        time.sleep(REST)
        seconds = burst(lambda at: found.append(self.searcher.search(self.queries[at : at + 1], self.k)))
        self.found = np.concatenate([d for d, _ in found]), np.concatenate([i for _, i in found])
        self.taken.setdefault(SEARCH, []).append(seconds)


def right(name: str, turn: Turn, points: Points, expected: Truth) -> tuple[bool, float]:
    """Whether a contender found what there is, and the share of its queries with the very same indices."""
    distances, indices = (np.asarray(part) for part in turn.found)
    squares, wanted = (part[: len(indices), : turn.k] for part in (expected.squares, expected.indices))
    stated = distances.astype(np.float64) if turn.searcher.squared else np.square(distances.astype(np.float64))
    off = indices != wanted
    true = squares.copy()
    query, rank = np.nonzero(off)
    for at in range(0, len(query), 1000):
        q, r = query[at : at + 1000], rank[at : at + 1000]
        true[q, r] = np.square(points.X[indices[q, r]].astype(np.float64) - points.Q[q]).sum(axis=1)
    exact = name in OURS and points.X.dtype == np.uint8
    if name in OURS:
        allowed, precision = OURS_ROUNDING * squares, 4 * float(np.finfo(distances.dtype).eps) * squares
    else:
        allowed = precision = ROUNDING * expected.largest[: len(indices), None]
    correct = not (exact and off.any()) and (abs(true - squares) <= allowed).all()
    return bool(correct and (abs(stated - true) <= precision).all()), float(1 - off.any(axis=1).mean())
