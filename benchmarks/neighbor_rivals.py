"""FAISS, scikit-learn, its Intel extension, PyTorch and usearch searching exactly, each in the best way known for it.

Each function takes a task and returns a Searcher; it raises ImportError or UnavailableError where its library is
missing. Rows and queries are converted beforehand to what the library searches best, and the settings listed in each
function are tried on a few queries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from contenders import UnavailableError, described, fastest_setting, thread_counts
from neighbor_data import Array

TRIAL_QUERIES = 512
FAISS_BLOCKS = [(4096, 1024), (256, 4096), (512, 8192)]  # queries and rows of a matrix product; first FAISS's own


@dataclass(frozen=True)
class Task:
    """Rows to search, queries for trials of settings (one alone where single queries will be timed), and k."""

    X: Array
    Q: Array
    k: int

    @property
    def whole(self) -> bool:
        return self.X.dtype == np.uint8


@dataclass(frozen=True)
class Searcher:
    """Someone who searches: ``fit`` takes the rows in, ``search`` gets prepared queries and k.

    ``search`` returns distances (q, k) and indices (q, k), nearest first. ``setup`` is the seconds that converting
    the rows and compiling took.
    """

    fit: Callable[[], object]
    search: Callable[[Any, int], tuple[Any, Any]]
    prepare: Callable[[Array], Any]
    squared: bool = False  # the distances
    setup: float = 0.0
    settings: str = ""


def tuned(build: Callable[..., Searcher], task: Task, settings: Sequence[Mapping[str, Any]]) -> Searcher:
    """Build and fit a searcher with the fastest of several settings."""

    def trial(**setting: Any) -> Callable[[], None]:
        made = build(task, **setting)
        made.fit()
        queries = made.prepare(task.Q)
        return lambda: void(made.search(queries, task.k))

    best = fastest_setting(settings, trial)
    start = time.perf_counter()
    made = build(task, **best)
    setup = time.perf_counter() - start
    made.fit()
    return replace(made, setup=setup, settings=described(best))


def void(_: object) -> None:
    """Return None, so that the whole call is timed."""


def as_float32(rows: Array) -> Array:
    return np.ascontiguousarray(rows, np.float32)


def as_int8(rows: Array) -> Array:
    """0..255 as -128..127, which leaves differences as they are."""
    return (rows ^ 0x80).view(np.int8)


def faiss_flat(task: Task) -> Searcher:
    """IndexFlatL2 on float32, with one thread or all, and blocks for its matrix products as it likes or larger."""
    import faiss

    def build(task: Task, *, threads: int, blocks: tuple[int, int]) -> Searcher:
        index, X = faiss.IndexFlatL2(task.X.shape[1]), as_float32(task.X)

        def fit() -> None:
            index.reset()
            index.add(X)

        def search(Q: Array, k: int) -> tuple[Array, Array]:
            faiss.omp_set_num_threads(threads)
            faiss.cvar.distance_compute_blas_query_bs, faiss.cvar.distance_compute_blas_database_bs = blocks
            return index.search(Q, k)

        return Searcher(fit, search, as_float32, squared=True)

    blocks = FAISS_BLOCKS[:1] if len(task.Q) == 1 else FAISS_BLOCKS
    return tuned(build, task, [{"threads": t, "blocks": b} for t, b in product(thread_counts(), blocks)])


def faiss_bytes(task: Task) -> Searcher:
    """IndexScalarQuantizer with 8 bits as they are: less memory to read, but no matrix products."""
    import faiss

    if not task.whole:
        raise UnavailableError("it holds bytes")

    def build(task: Task, *, threads: int) -> Searcher:
        kind = faiss.ScalarQuantizer.QT_8bit_direct
        index, X = faiss.IndexScalarQuantizer(task.X.shape[1], kind, faiss.METRIC_L2), as_float32(task.X)

        def fit() -> None:
            index.reset()
            index.add(X)

        def search(Q: Array, k: int) -> tuple[Array, Array]:
            faiss.omp_set_num_threads(threads)
            return index.search(Q, k)

        return Searcher(fit, search, as_float32, squared=True)

    return tuned(build, task, [{"threads": count} for count in thread_counts()])


def scikit_learn(task: Task) -> Searcher:
    """NearestNeighbors, algorithm="brute", with one thread or all."""
    import threadpoolctl
    from sklearn.neighbors import NearestNeighbors

    def build(task: Task, *, threads: int) -> Searcher:
        index, X = NearestNeighbors(algorithm="brute"), as_float32(task.X)
        pools = threadpoolctl.ThreadpoolController()

        def search(Q: Array, k: int) -> tuple[Array, Array]:
            with pools.limit(limits=threads):
                return index.kneighbors(Q, k)

        return Searcher(lambda: index.fit(X), search, as_float32)

    return tuned(build, task, [{"threads": count} for count in thread_counts()])


def intelex(task: Task) -> Searcher:
    """The same class of scikit-learn-intelex, with one thread or all."""
    import daal4py
    from sklearnex.neighbors import NearestNeighbors

    def build(task: Task, *, threads: int) -> Searcher:
        index, X = NearestNeighbors(algorithm="brute"), as_float32(task.X)

        def search(Q: Array, k: int) -> tuple[Array, Array]:
            if daal4py.num_threads() != threads:
                daal4py.daalinit(threads)
            return index.kneighbors(Q, k)

        return Searcher(lambda: index.fit(X), search, as_float32)

    return tuned(build, task, [{"threads": count} for count in thread_counts()])


def pytorch(task: Task) -> Searcher:
    """topk of |x|^2 - 2 q.x, block by block, with one thread or all; for uint8 also by its product of int8."""
    import torch

    def build(task: Task, *, threads: int, block: int, arithmetic: str) -> Searcher:
        prepare = as_int8 if arithmetic == "int8" else as_float32
        X = torch.from_numpy(prepare(task.X))
        norms = X[:0]

        def fit() -> None:
            nonlocal norms
            torch.set_num_threads(threads)
            norms = X.float().square().sum(dim=1)  # of bytes exact, for up to 1,000 columns
            norms = norms.to(torch.int32) if arithmetic == "int8" else norms

        def values(q: Any) -> Any:
            if arithmetic == "int8":
                return torch._int_mm(q, X.T).mul_(-2).add_(norms)
            return torch.addmm(norms, q, X.T, alpha=-2)

        def search(Q: Any, k: int) -> tuple[Array, Array]:
            torch.set_num_threads(threads)
            found = [values(q).topk(k, largest=False) for q in Q.split(block)]
            own = Q.to(norms.dtype).square().sum(dim=1, keepdim=True)
            return (
                (torch.cat([nearest.values for nearest in found]) + own).numpy(),
                torch.cat([nearest.indices for nearest in found]).numpy(),
            )

        return Searcher(fit, search, lambda rows: torch.from_numpy(prepare(rows)), squared=True)

    blocks = [1] if len(task.Q) == 1 else [64, 256, 512]
    kinds = ["float32", "int8"] if task.whole else ["float32"]
    settings = product(thread_counts(), blocks, kinds)
    return tuned(build, task, [{"threads": t, "block": b, "arithmetic": a} for t, b, a in settings])


def usearch(task: Task) -> Searcher:
    """Exact search of int8, with one thread or all."""
    from usearch.index import MetricKind
    from usearch.index import search as exact_search

    if not task.whole:
        raise UnavailableError("it is compared on int8")

    def build(task: Task, *, threads: int) -> Searcher:
        X = as_int8(task.X)

        def search(Q: Array, k: int) -> tuple[Array, Array]:
            found = exact_search(X, Q, k, MetricKind.L2sq, exact=True, threads=threads)
            return np.atleast_2d(found.distances), np.atleast_2d(found.keys).astype(np.int64)

        return Searcher(lambda: None, search, as_int8, squared=True)

    return tuned(build, task, [{"threads": count} for count in thread_counts()])


RIVALS: dict[str, Callable[[Task], Searcher]] = {
    "FAISS": faiss_flat,
    "FAISS bytes": faiss_bytes,
    "scikit-learn": scikit_learn,
    "scikit-learn-intelex": intelex,
    "PyTorch": pytorch,
    "usearch": usearch,
}
