"""Every way that native's plan can take, found by asking it about many trainings and searches that need not exist.

docs/make_kernels.py writes the tables of docs/kernels.md from these; tests/kernels/test_plan_rows.py runs each.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from fastnn.kernels import native, spec

TRAIN_FIELDS = ("regime", "inputs", "offset", "split", "weights", "update")  # what makes two plans two ways
SEARCH_FIELDS = ("scan", "plain_scan", "queries", "split")
SGD, L2 = spec.Rule(spec.SGD, 0.1), spec.Rule(spec.SGD, 0.1, l2=0.01)
MANY = 60_000
LEAST_STORED = 32  # samples of a batch from which fit stores block-CSC
Row = tuple[str, ...]


class Training(NamedTuple):
    """A training to be planned. ``density`` is the share of active input blocks, ``offset_density`` less the offset."""

    sizes: tuple[int, ...]
    dtype: str  # of the parameters
    given: str  # of the inputs
    batch_size: int
    rule: spec.Rule
    density: float
    offset_density: float
    block_csc: bool = False
    rows: int = MANY
    nonzeros: float | None = None  # of a row of CSR

    def words(self) -> str:
        share = f"{self.density:.0%} active" if self.nonzeros is None else f"CSR with {self.nonzeros:g} nonzeros a row"
        if self.offset_density < self.density:
            share += f", {self.offset_density:.0%} less their column offset"
        batches = f"batches of {self.batch_size}" + (" in order" if self.block_csc else "")
        rule = "SGD" if self.rule == SGD else "SGD with l2"
        return f"{'-'.join(map(str, self.sizes))} in {self.dtype}, {self.given} {share}, {batches}, {rule}"

    def plan(self, *, threads: int = 2, simd: str = "avx512") -> spec.TrainPlan:
        activations = ["tanh"] * (len(self.sizes) - 2) + ["softmax"]
        net, _ = spec.layout(self.sizes, activations, "cross_entropy", True, np.dtype(self.dtype))
        return native.plan_training(
            net,
            (self.rows, np.dtype(self.given)),
            dtype=np.dtype(self.dtype),
            batch_size=self.batch_size,
            rule=self.rule,
            block_csc=self.block_csc,
            threads=threads,
            simd=simd,
            density=self.density,
            offset_density=self.offset_density,
            nonzeros=self.nonzeros,
        )


class Search(NamedTuple):
    metric: str
    rows: int
    queries: int
    columns: int
    k: int
    dtype: str
    code_width: int = 0

    def words(self) -> str:
        codes = f", codes of {self.code_width} bytes" if self.code_width else ""
        return f"{self.k} of {self.rows:,} x {self.columns} {self.dtype} to {self.queries:,}, {self.metric}{codes}"

    def plan(self, *, threads: int = 2, simd: str = "avx512") -> spec.SearchPlan:
        return native.plan_search(
            self.metric,
            self.rows,
            self.queries,
            self.columns,
            self.k,
            np.dtype(self.dtype),
            code_width=self.code_width,
            threads=threads,
            simd=simd,
        )


def trainings() -> Iterator[Training]:
    """Common ones first, as the first of each way is its example."""
    densities = [("uint8", 0.4, 0.4), ("uint8", 0.95, 0.95)]
    densities += [("float", 1.0, 0.3), ("float", 1.0, 1.0), ("float", 0.4, 0.4)]
    for sizes, dtype, batch_size, rule, (given, density, offset_density), block_csc in product(
        [(784, 30, 10), (784, 128, 10), (784, 500, 10), (784, 10), (20, 30, 10), (61, 14, 5), (40, 70, 5)],
        ["float32", "float64"],
        [10, 1, 2, 32, 200, 1000, 128],
        [SGD, L2],
        densities,
        [False, True],
    ):
        if not block_csc or (density < 1.0 and batch_size >= LEAST_STORED):
            given = dtype if given == "float" else given
            yield Training(sizes, dtype, given, batch_size, rule, density, offset_density, block_csc)
    for sizes, dtype, batch_size, rule in product(
        [(1000, 50, 10), (20, 50, 10)], ["float32", "float64"], [200, 1000], [L2, SGD]
    ):
        yield Training(sizes, dtype, dtype, batch_size, rule, 1.0, 1.0, nonzeros=10.0)


def searches() -> Iterator[Search]:
    for metric, dtype, queries, rows, k, code_width in product(
        ["euclidean", "manhattan", "cosine"],
        ["uint8", "float32", "float64"],
        [1000, 1, 20],
        [60_000, 500],
        [5, 500],
        [0, 48],
    ):
        if not (code_width and metric == "manhattan"):
            yield Search(metric, rows, queries, 784, k, dtype, code_width)


def train_row(plan: spec.TrainPlan) -> Row:
    return tuple(getattr(plan, field) for field in TRAIN_FIELDS)


def search_row(plan: spec.SearchPlan) -> Row:
    return tuple(getattr(plan, field) for field in SEARCH_FIELDS)


@cache
def train_rows(*simds: str) -> dict[Row, Training]:
    """Each way of training on these instruction sets, by TRAIN_FIELDS, with the first training that takes it."""
    found: dict[Row, Training] = {}
    for training in trainings():
        for threads, simd in product([2, 1], simds):
            found.setdefault(train_row(training.plan(threads=threads, simd=simd)), training)
    return found


@cache
def search_rows(*simds: str) -> dict[Row, Search]:
    """Each way of searching, by SEARCH_FIELDS, with the first search that takes it."""
    found: dict[Row, Search] = {}
    for search in searches():
        for threads, simd in product([2, 1], simds):
            found.setdefault(search_row(search.plan(threads=threads, simd=simd)), search)
    return found
