"""The index of exact nearest neighbours: search, radius search, classes and graphs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import FastnnError, InvalidArgumentError
from ..kernels import get_backend
from ..kernels.paths import Explanation
from ..kernels.records import METRIC_RECORDS, MetricName
from ..kernels.spec import EUCLIDEAN, METRICS, IntArray
from ..progress import Progress, check_progress, reported
from . import codes as pruning
from . import grid
from .codes import Pruning
from .explain import explain_search
from .grid import GridPruning
from .votes import Weights, check_weights, vote, vote_weights

if TYPE_CHECKING:
    import scipy.sparse

QUERIES_AT_A_TIME = 4096  # per call of the kernel: bounds what the queries' codes take, and how long progress is silent
FEW_QUERIES = 16  # which short codes answer first even with a matrix unit: reading whole rows takes longer
FLOAT32_END = 2.0**128 - 2.0**103  # the least number that float32 rounds to infinity
FIRST_ROOM, MORE_ROOM = 64, 16  # places for each query of a radius search, and how many times as many the next time

Found = tuple[NDArray[np.floating[Any]], IntArray]
Search = Callable[[NDArray[Any], NDArray[np.float64], IntArray], None]  # of queries: writes values and indices (q, k)


class Neighbors:
    """Exact nearest neighbours, by comparison with every row that could be one.

    Parameters
    ----------
    metric : "euclidean", "manhattan" (sum of absolute differences) or "cosine" (1 - cos of the angle; 1 for a zero
        vector).
    pruning : "auto" leaves out rows that a short code of theirs proves to be too far, where that should save time;
        "always" and "never" force it. The results are the same. There is none for manhattan.

    uint8 rows stay uint8 and are searched in exact integer arithmetic: the answers are those of integer brute force.
    float32 and float64 rows are searched in their own precision, and the distances that decide are summed directly
    from the differences, in float64. Equal distances go to the lowest index; for cosine, rows that are exactly
    proportional are equally far. float16 and integers of up to 16 bits become float32 and other integers (up to
    2^53) float64, without loss.

    Raises
    ------
    FastnnError : for any argument outside the above; methods, for wrong shapes, k outside 1..n, NaN or infinity, no
        rows, and a search before ``fit``.
    """

    def __init__(
        self, metric: MetricName = "euclidean", *, pruning: Literal["auto", "always", "never"] = "auto"
    ) -> None:
        self.metric = checks.choice("metric", metric, METRICS)
        self.pruning = checks.choice("pruning", pruning, ("auto", "always", "never"))
        self.X: NDArray[Any] | None = None
        self.classes_: NDArray[Any] | None = None  # the labels' classes, ascending
        self._labels: IntArray | None = None  # (n,) indices into classes_
        self._codes: dict[bool, Pruning | GridPruning | None] = {}  # those made so far: long ones, and short ones

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Neighbors:
        """Take the rows X (n, d) to search among and, for ``classify``, their labels y (n,) of any type.

        X is kept, not copied, if it is C-contiguous and of a dtype that is searched as it is: do not change it
        afterwards. The index adds less than 0.3 times the size of a uint8 X of 100 columns or more; narrower rows, if
        they are coded at all, take at most 1.1 times as much again, and floats whose numbers lie on a grid, such as
        pixels / 255, a byte a number more. Where the CPU has a matrix unit (AMX), searches of many queries go without
        short codes; the first search of few makes these.
        """
        rows = checks.points("X", X)
        classes = labels = None
        if y is not None:
            classes, labels = np.unique(checks.labels("y", y, len(rows)), return_inverse=True)
        self.X, self.classes_, self._labels, self._codes = rows, classes, labels, {}
        self._codes_for(QUERIES_AT_A_TIME)
        return self

    @overload
    def search(self, Q: ArrayLike, k: int = 5, *, progress: Progress | bool | None = None) -> Found: ...
    @overload
    def search(self, Q: ArrayLike, k: Sequence[int], *, progress: Progress | bool | None = None) -> list[Found]: ...
    def search(
        self, Q: ArrayLike, k: int | Sequence[int] = 5, *, progress: Progress | bool | None = None
    ) -> Found | list[Found]:
        """Find the k nearest rows of each query in Q (q, d), nearest first.

        Returns distances (q, k), of X's dtype (float64 if X is uint8), and indices (q, k), int64. With a list of k's
        one search serves all, and the result is a list of such pairs. ``progress`` is called with the number of
        queries answered so far; True shows a bar, where stderr is a terminal or a notebook's.
        """
        rows = self._fitted()
        check_progress(progress)
        ks = checks.counts("k", k, len(rows))
        queries = self._queries(Q)
        with reported(progress, len(queries), "queries") as report:
            distances, indices = self._search(queries, max(ks), progress=report)
        found = [(distances[:, :count], indices[:, :count]) for count in ks]
        return found if isinstance(k, Iterable) else found[0]

    def search_values(self, Q: NDArray[Any], k: int, limit: float = math.inf) -> tuple[NDArray[np.float64], IntArray]:
        """What ``search`` compares: squared distances for euclidean, else distances, (q, k) in float64; and indices.

        In float64 whatever X's dtype, for callers that must tell equal distances from nearly equal ones. Those above
        ``limit`` are left out: inf and -1 stand in their places.
        """
        queries = self._queries(Q)
        (count,) = checks.counts("k", [k], len(self._fitted()))
        return self._values(queries, count, limit)

    def explain(self, Q: ArrayLike, k: int = 5) -> Explanation:
        """Say what ``search(Q, k)`` would run, and why: codes, tiles, instruction set, threads. Nothing is searched.

        ``plan`` of the result is native's :class:`~fastnn.kernels.spec.SearchPlan`, None on other backends.
        """
        rows = self._fitted()
        (count,) = checks.counts("k", [k], len(rows))
        queries = len(self._queries(Q))
        pruned = self._codes_that_pay(queries, count)
        return explain_search(self.metric, rows, queries, QUERIES_AT_A_TIME, count, pruned)

    def radius(self, Q: ArrayLike, radius: float) -> tuple[list[NDArray[np.floating[Any]]], list[IntArray]]:
        """Find all rows within ``radius`` (inclusive) of each query in Q (q, d), nearest first.

        Returns one array of distances and one of indices for each query.
        """
        rows = self._fitted()
        limit = self._value_of(checks.number("radius", radius, low=0))
        queries = self._queries(Q)
        distances: list[Any] = [None] * len(queries)
        indices: list[Any] = [None] * len(queries)
        left, room = np.arange(len(queries)), min(FIRST_ROOM, len(rows))
        while len(left):
            step = max(1, QUERIES_AT_A_TIME * FIRST_ROOM // room)
            full = []
            for start in range(0, len(left), step):
                here = left[start : start + step]
                some_distances, some_indices = self._search(queries[here], room, limit)
                counts = (some_indices >= 0).sum(axis=1)
                for place, query in enumerate(here):
                    if counts[place] == room < len(rows):
                        full.append(query)  # there may be more
                    else:
                        distances[query] = some_distances[place, : counts[place]].copy()
                        indices[query] = some_indices[place, : counts[place]].copy()
            left, room = np.array(full, np.int64), min(MORE_ROOM * room, len(rows))
        return distances, indices

    @overload
    def classify(
        self, Q: ArrayLike, k: int = 5, weights: Weights = "uniform", *, progress: Progress | bool | None = None
    ) -> NDArray[Any]: ...
    @overload
    def classify(
        self, Q: ArrayLike, k: Sequence[int], weights: Weights = "uniform", *, progress: Progress | bool | None = None
    ) -> list[NDArray[Any]]: ...
    def classify(
        self,
        Q: ArrayLike,
        k: int | Sequence[int] = 5,
        weights: Weights = "uniform",
        *,
        progress: Progress | bool | None = None,
    ) -> NDArray[Any] | list[NDArray[Any]]:
        """The class (q,) that most of the k nearest rows of each query have; of equal votes the lowest class.

        ``weights`` is "uniform", "distance" (votes count 1 / distance; where some distance is 0, these votes alone) or
        a function that turns distances (q, k) into weights (q, k), which are numbers from -1e300 to 1e300 or infinity;
        infinite sums are equal. Where all weights of a query are 0 nobody votes, which is an error. With a list of k's
        one search serves all, and the result is a list.
        """
        check_progress(progress)
        check_weights(weights)
        found = self.search(Q, [k] if not isinstance(k, Iterable) else k, progress=progress)
        votes = [self._vote(distances, indices, weights) for distances, indices in found]
        return votes if isinstance(k, Iterable) else votes[0]

    def kneighbors_graph(
        self, Q: ArrayLike | None = None, k: int = 5, mode: str = "connectivity"
    ) -> scipy.sparse.csr_matrix:
        """The k nearest rows of each query as a SciPy CSR matrix (q, n), as scikit-learn's ``kneighbors_graph``.

        Entries are 1 ("connectivity") or distances ("distance"). Without Q the queries are the fitted rows, none of
        which is its own neighbour. Needs SciPy.
        """
        rows = self._fitted()
        checks.choice("mode", mode, ("connectivity", "distance"))
        if Q is None and len(rows) < 2:
            raise InvalidArgumentError("Q", "queries, as there is only one row", None)
        (k,) = checks.counts("k", [k], len(rows) - (Q is None))
        distances, indices = self._without_self(*self._search(rows, k + 1)) if Q is None else self.search(Q, k)
        counts = np.full(len(indices), indices.shape[1])
        return self._graph(distances.ravel(), indices.ravel(), counts, mode)

    def radius_neighbors_graph(
        self, Q: ArrayLike, radius: float, mode: str = "connectivity"
    ) -> scipy.sparse.csr_matrix:
        """All rows within ``radius`` of each query as a SciPy CSR matrix (q, n); see ``kneighbors_graph``."""
        checks.choice("mode", mode, ("connectivity", "distance"))
        distances, indices = self.radius(Q, radius)
        counts = np.array([len(row) for row in indices], np.int64)
        return self._graph(np.concatenate([[], *distances]), np.concatenate([[], *indices]), counts, mode)

    def __repr__(self) -> str:
        if self.X is None:
            return f"{type(self).__name__}({self.metric}, not fitted)"
        rows, columns = self.X.shape
        classes = "" if self.classes_ is None else f", {len(self.classes_):,} classes"
        return f"{type(self).__name__}({self.metric}, {rows:,} rows of {columns:,} {self.X.dtype}{classes})"

    # How it works

    def _fitted(self) -> NDArray[Any]:
        if self.X is None:
            raise FastnnError("Neighbors: expected fit(X) before a search")
        return self.X

    def _queries(self, Q: ArrayLike) -> NDArray[Any]:
        """Queries as they are searched for."""
        return checks.points("Q", Q, like=self._fitted())

    def _search(
        self, queries: NDArray[Any], k: int, limit: float = math.inf, *, progress: Progress | None = None
    ) -> Found:
        values, indices = self._values(queries, k, limit, progress=progress)
        return self._distances(values), indices

    def _values(
        self, queries: NDArray[Any], k: int, limit: float = math.inf, *, progress: Progress | None = None
    ) -> tuple[NDArray[np.float64], IntArray]:
        """The kernels' values (q, k), ascending, of at most ``limit``, and the rows' indices (q, k)."""
        values, indices = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
        search = self._search_for(len(queries), k, limit)
        for start in range(0, len(queries), QUERIES_AT_A_TIME):
            here = slice(start, start + QUERIES_AT_A_TIME)
            search(queries[here], values[here], indices[here])
            if progress is not None:
                progress(min(here.stop, len(queries)))
        return values, indices

    def _search_for(self, queries: int, k: int, limit: float) -> Search:
        """What writes the values and the indices for some of so many queries."""
        rows, kernels, pruned = self._fitted(), get_backend(), self._codes_that_pay(queries, k, limit)

        def search(some: NDArray[Any], values: NDArray[np.float64], indices: IntArray) -> None:
            codes = None if pruned is None else pruned.of(some)
            kernels.neighbors(METRICS.index(self.metric), rows, some, codes, limit, values, indices)

        return search

    def _codes_that_pay(self, queries: int, k: int, limit: float = math.inf) -> Pruning | GridPruning | None:
        """The codes with which to search for the ``k`` nearest; None: without."""
        pruned = self._codes_for(queries)
        return pruned if pruned is None or limit < math.inf else pruned.for_neighbors(k, get_backend())

    def _codes_for(self, queries: int) -> Pruning | GridPruning | None:
        """The codes with which to search for so many, made when they are first asked for; None: without."""
        rows, metric, always = self._fitted(), METRICS.index(self.metric), self.pruning == "always"
        if not METRIC_RECORDS[self.metric].coded or self.pruning == "never":
            return None
        long = not always and queries > FEW_QUERIES and pruning.prefers_long(rows, metric)
        if long and rows.dtype == np.uint8:
            return None  # the rows are what long codes would be
        if long not in self._codes:
            self._codes[long] = self._coded(long=long)
        return self._codes[long]

    def _coded(self, *, long: bool) -> Pruning | GridPruning | None:
        """The codes of the rows; ``long``: as many bytes as a row has numbers."""
        rows, metric, always = self._fitted(), METRICS.index(self.metric), self.pruning == "always"
        other = self._codes.get(not long)
        if isinstance(other, GridPruning):
            on_grid: GridPruning | None = GridPruning(other.whole)
        else:
            on_grid = grid.build(rows, metric, always=always)
        if on_grid is None:
            return pruning.build(rows, metric, always=always, long=long)
        return on_grid if long else on_grid.with_short(always=always)

    def _distances(self, values: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        """What the kernels' values are as distances, of X's dtype."""
        if self.metric == METRICS[EUCLIDEAN]:
            np.sqrt(values, out=values)
        if self._fitted().dtype != np.float32:
            return values
        try:
            with np.errstate(over="raise", under="ignore"):
                return values.astype(np.float32)
        except FloatingPointError:
            expected = f"distances up to {np.finfo(np.float32).max:.3g}, as X is float32, or X of float64"
            raise InvalidArgumentError("Q", expected, f"{values[np.isfinite(values)].max():.3g}") from None

    def _value_of(self, radius: float) -> float:
        """The greatest value, in the sense of the kernels, whose distance is at most ``radius``."""
        low, high = 0, int(np.float64(math.inf).view(np.int64))  # the bits of values: they ascend as the values do
        while high - low > 1:
            middle = (low + high) // 2
            distance = float(np.int64(middle).view(np.float64))
            if self.metric == METRICS[EUCLIDEAN]:
                distance = math.sqrt(distance)
            if self._fitted().dtype == np.float32 and distance < FLOAT32_END:
                distance = float(np.float32(distance))
            low, high = (middle, high) if distance <= radius else (low, middle)
        return float(np.int64(low).view(np.float64))

    def _vote(self, distances: NDArray[Any], indices: IntArray, weights: Weights) -> NDArray[Any]:
        if self.classes_ is None or self._labels is None:
            raise FastnnError("Neighbors: expected fit(X, y) with labels before classify")
        winners: NDArray[Any] = self.classes_[vote(self._labels[indices], vote_weights(distances, weights))]
        return winners

    def _without_self(self, distances: NDArray[Any], indices: IntArray) -> Found:
        """Of k + 1 neighbours of every row the k others; among equal rows the row itself may not have been found."""
        own = indices == np.arange(len(indices))[:, np.newaxis]
        own[~own.any(axis=1), -1] = True
        shape = len(indices), indices.shape[1] - 1
        return distances[~own].reshape(shape), indices[~own].reshape(shape)

    def _graph(
        self, distances: NDArray[Any], indices: NDArray[Any], counts: IntArray, mode: str
    ) -> scipy.sparse.csr_matrix:
        try:
            from scipy.sparse import csr_matrix
        except ImportError:
            raise FastnnError("a graph needs SciPy; install it with: pip install scipy") from None
        entries = np.ones(len(indices)) if mode == "connectivity" else distances
        starts = np.concatenate([[0], np.cumsum(counts)])
        return csr_matrix((entries, indices.astype(np.int64), starts), shape=(len(counts), len(self._fitted())))
