"""What a fitted estimator keeps for fastnn's searches, and whether fastnn or scikit-learn is to search."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import FastnnError
from ..kernels import get_backend, use
from ..neighbors import Neighbors
from . import rounding
from .costs import CODED_ROWS, LEAST_GAIN, SCAN_CALL, Costs

# The least rows for which fixed costs are made up for; iris has 150. In the place of a tree there are those of the
# probes in a fit too.
LEAST_ROWS, LEAST_TREE_ROWS = 1000, 2000
# So many queries, or this share of them, are searched for first where many ties would make the search a loss, which may
# be this share of what scikit-learn takes.
FIRST_QUERIES, FIRST_SHARE, MOST_LOSS = 12, 1 / 32, 0.14
# The share of tied queries from which scikit-learn is to answer all: with few at a time it takes longer for each.
MOST_TIED = 0.5
# Queries from which it pays to look whether numbers are whole ones, which are then searched as bytes.
LEAST_QUERIES_FOR_BYTES = 50
# Of so many rows, spread over all, neighbours are found when a tree would be built: they tell the rows' dimension.
PROBES, PROBE_NEIGHBORS = 32, 10
MOST_TIED_PROBES = 0.1  # the share that may have ties; the tree has to answer such queries

TIES = "ties, whose order is scikit-learn's, in too many queries"


class Trial(NamedTuple):
    """How many queries to search for first, and whether with codes."""

    queries: int
    with_codes: bool


class Index:
    """The rows as fastnn searches them, and scikit-learn's tree, each made when it is first needed; not pickled.

    Whether fastnn is to search depends on the rows and the number of queries, and on whether an earlier search has
    made codes: from then on they cost nothing.

    Parameters
    ----------
    rows : (n, d) to search among.
    metric : of fastnn.
    build_tree : returns scikit-learn's tree; None in brute force.
    """

    def __init__(self, rows: NDArray[Any], metric: str, build_tree: Callable[[], Any] | None = None) -> None:
        self.rows, self.metric = rows, metric
        self.build_tree = build_tree
        self._tree: Any = None
        self._searchers: dict[tuple[np.dtype[Any], bool], Neighbors] = {}
        self._has_codes = False
        self._filled = 0.0  # the dimension of what the rows fill, once it is known
        self._lock = threading.RLock()

    @property
    def tree(self) -> Any:
        """scikit-learn's tree, built when it is first needed."""
        if self.build_tree is None:
            return None
        with self._lock:
            if self._tree is None:
                self._tree = self.build_tree()
            return self._tree

    @cached_property
    def refusal(self) -> str | None:
        """Why scikit-learn is to search these rows whatever the queries, or None."""
        if len(self.rows) < LEAST_ROWS:
            return f"fewer than {LEAST_ROWS} rows"
        if searched_dtype(self.rows, self.rows) is None:
            return f"input of {self.rows.dtype}"
        return None if self.build_tree is None else self._tree_refusal()

    def _tree_refusal(self) -> str | None:
        """Why scikit-learn's tree is to search these rows, or None."""
        count, columns = self.rows.shape
        if count < LEAST_TREE_ROWS:
            return f"fewer than {LEAST_TREE_ROWS} rows"
        costs = Costs(count, columns, 8, are_bytes=False, by_differences=self._by_differences, threads=1)
        least = LEAST_GAIN * costs.scan_query()
        if costs.tree_query(columns) < least:
            return "a tree is faster for so many rows of so few columns"
        try:
            dimension = self._filled = self._dimension()
        except FastnnError as error:
            return str(error)
        if dimension == 0:
            return "rows with many ties, which the tree orders"
        if costs.tree_query(dimension) < least:
            return f"a tree is faster for rows that fill {dimension:.1f} dimensions"
        return None

    def tree_refusal_of(self, queries: int, threads: int) -> str | None:
        """Why a tree is to answer so few queries, though fastnn is faster for many; or None."""
        own = self._costs(queries, threads).tree(queries, self._filled)
        ours = self._search_cost(queries, threads)
        return "a tree is faster for so few queries" if LEAST_GAIN * own < ours else None

    def is_small(self, queries: int, *, by_products: bool) -> bool:
        """Whether scikit-learn's brute force takes so little that a call of fastnn's would be too great a loss."""
        return MOST_LOSS * self._costs(queries, 1).brute(queries, by_products=by_products) < SCAN_CALL

    def trial(self, queries: int, *, by_products: bool, threads: int) -> Trial | None:
        """What to search for first in brute force, to see how many queries have ties.

        scikit-learn has to answer those with ties once more. None: it is to answer all, which takes it no longer; 0
        queries: it may search for all at once, as fastnn takes so little that nothing is lost whatever ties there are.
        """
        costs = self._costs(queries, threads)
        own = costs.brute(queries, by_products=by_products)
        known = vars(self).keys() & {"largest_norm", "has_short_rows"}  # of cosines the latter, which takes as long
        norms = 0.0 if not by_products or costs.are_bytes or known else costs.norms()
        whole = norms + self._search_cost(queries, threads)
        if whole < MOST_LOSS * own:
            return Trial(0, False)
        first, most = max(FIRST_QUERIES, int(queries * FIRST_SHARE)), MOST_LOSS * own - norms
        if queries < 2 * first:
            return None
        # Codes that the others want are made for the first ones, unless they would be too great a loss.
        with_codes = self.prefers_codes(queries, threads) and self._coded_cost(first, threads) < most
        loss = self._coded_cost(first, threads) if with_codes else self._search_cost(first, threads)
        if loss > most:
            return None
        rest = costs.coded(queries - first) if with_codes else self._search_cost(queries - first, threads)
        return Trial(first, with_codes) if LEAST_GAIN * (norms + loss + rest) < own else None

    def pays_with_ties(self, queries: int, tied: float, *, by_products: bool, threads: int) -> bool:
        """Whether fastnn is to search though scikit-learn answers the share ``tied`` of the queries once more."""
        own = self._costs(queries, threads).brute(queries, by_products=by_products)
        return tied <= MOST_TIED and LEAST_GAIN * (self._search_cost(queries, threads) + tied * own) < own

    def prefers_codes(self, queries: int, threads: int) -> bool:
        """Whether to search for so many queries with codes that prune."""
        return self._coded_cost(queries, threads) < self._costs(queries, threads).scan(queries)

    @property
    def _by_differences(self) -> bool:
        """Whether fastnn's searches sum differences: products tell nothing of these, and so neither do codes."""
        return self.metric == "manhattan"

    def _costs(self, queries: int, threads: int) -> Costs:
        count, columns = self.rows.shape
        return Costs(count, columns, self.rows.itemsize, self.as_bytes(queries), self._by_differences, threads)

    def _search_cost(self, queries: int, threads: int) -> float:
        return min(self._costs(queries, threads).scan(queries), self._coded_cost(queries, threads))

    def _coded_cost(self, queries: int, threads: int) -> float:
        """With codes, and with making them if there are none; infinite where there can be none."""
        if self._by_differences or len(self.rows) < CODED_ROWS:
            return math.inf
        costs = self._costs(queries, threads)
        return costs.coded(queries) + (0.0 if self._has_codes else costs.codes())

    def _dimension(self) -> float:
        """The dimension of what the rows fill, from the distances to some rows' neighbours; 0 if many are equal.

        Source: Levina and Bickel, Maximum likelihood estimation of intrinsic dimension, NIPS 2004.
        """
        some = np.ascontiguousarray(self.rows[:: max(1, len(self.rows) // PROBES)][:PROBES])
        with use(num_threads=1):
            values, _ = self.searcher(self.rows.dtype, coded=False).search_values(some, PROBE_NEIGHBORS + 1)
        values = values[:, 1:]  # the first is the row itself
        if (np.diff(values, axis=1) <= 1e-12 * values[:, 1:]).any(axis=1).mean() > MOST_TIED_PROBES:
            return 0.0
        values = values[values[:, 0] > 0]
        logs = float(np.log(values[:, -1:] / values[:, :-1]).mean())
        return (2.0 if self.metric == "euclidean" else 1.0) / logs

    def searcher(self, dtype: np.dtype[Any], coded: bool) -> Neighbors:
        """The rows as ``dtype``, with codes that prune or without."""
        with self._lock:
            found = self._searchers.get((dtype, True)) or self._searchers.get((dtype, coded))
            if found is None:
                made = Neighbors(self.metric, pruning="auto" if coded else "never")  # type: ignore[arg-type]  # a metric that fastnn has
                rows: Any = self._bytes if dtype == np.uint8 else self.rows.astype(dtype, copy=False)
                found = self._searchers[dtype, coded] = made.fit(rows)
                self._has_codes |= coded
            return found

    def sought(self, queries: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Queries as they are searched for: as bytes if they and the rows are such numbers, or else as ``dtype``."""
        as_bytes = to_bytes(queries) if self.as_bytes(len(queries)) else None
        return queries.astype(dtype, copy=False) if as_bytes is None else as_bytes

    def as_bytes(self, queries: int) -> bool:
        """Whether so many queries, if they are bytes, are to be compared with the rows as bytes."""
        is_plain = self.rows.dtype == np.uint8
        return is_plain or (queries >= LEAST_QUERIES_FOR_BYTES and self._bytes is not None)

    @cached_property
    def _bytes(self) -> NDArray[np.uint8] | None:
        return to_bytes(self.rows)

    @cached_property
    def largest_norm(self) -> float:
        """The norm of the row that has the largest, in the sense of the metric."""
        return rounding.largest_norm(self.rows, self.metric)

    @cached_property
    def has_short_rows(self) -> bool:
        """Whether scikit-learn takes no cosines of some rows, for they are so short."""
        return rounding.has_short_rows(self.rows)


def searched_dtype(rows: NDArray[Any], queries: NDArray[Any]) -> np.dtype[Any] | None:
    """The dtype that holds rows and queries exactly, or None if fastnn searches no such numbers."""
    if any(array.dtype.kind not in "iuf" or array.dtype == np.float16 for array in (rows, queries)):
        return None
    dtype = np.result_type(rows, queries)
    return dtype if dtype.kind in "iu" or dtype in (np.float32, np.float64) else None


def to_bytes(X: NDArray[Any]) -> NDArray[np.uint8] | None:
    """X as bytes, if all its numbers are whole ones 0..255."""
    if X.dtype == np.uint8:
        return X
    whole_bytes = get_backend().capabilities.whole_bytes
    if whole_bytes is not None and X.dtype in (np.float32, np.float64):
        return whole_bytes(checks.for_kernels(X))
    size = rounding.block_rows(X)
    few = max(1, size // 64)  # rows, which tell in most cases
    found = np.empty(X.shape, np.uint8)
    with np.errstate(invalid="ignore"):  # whatever becomes of numbers out of range, it is not equal to them
        for start, stop in [(0, few), *((start, start + size) for start in range(few, len(X), size))]:
            found[start:stop] = X[start:stop]
            if not np.array_equal(found[start:stop], X[start:stop]):
                return None
    return found
