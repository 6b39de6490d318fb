"""scikit-learn's nearest neighbours with fastnn's search under them.

Parameters, validation and everything that is not the search stay scikit-learn's own code. Three things are overridden:

``_fit``
    builds no tree where fastnn will search; ``_tree`` builds it when somebody asks.
``kneighbors``
    searches with :class:`fastnn.Neighbors` for one neighbour more than asked for. Where two of the distances found are
    so close that scikit-learn's rounding, or its order of ties, decides, scikit-learn searches for this query.
``predict`` and ``predict_proba`` of the classifier
    where scikit-learn would count votes in its brute force; for these only ties at the last neighbour matter.

Whether fastnn searches depends on the shapes, the parameters, the rows and these ties: see ``Index.refusal`` and
``_refusal``.
"""

from __future__ import annotations

import math
import numbers
import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config, neighbors
from sklearn.utils.validation import validate_data

from ..errors import FastnnError
from ..kernels import num_threads, use
from ..kernels.spec import FloatArray, IntArray
from ..neighbors import Neighbors
from . import hooks
from .records import recorded

try:
    from sklearn.metrics._pairwise_distances_reduction import ArgKmin
    from sklearn.neighbors._base import NeighborsBase
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as openmp_threads

    NeighborsBase._fit, ArgKmin.compute, ArgKmin.is_usable_for  # noqa: B018  # what is overridden and asked below
    MISSING_HOOK = None
except (ImportError, AttributeError) as error:
    MISSING_HOOK = hooks.missing(error, "neighbours")

METRICS = {
    "euclidean": "euclidean",
    "l2": "euclidean",
    "sqeuclidean": "euclidean",
    "manhattan": "manhattan",
    "cityblock": "manhattan",
    "l1": "manhattan",
    "cosine": "cosine",
}
BRUTE_METRICS = ("sqeuclidean", "cosine")  # which no tree has
MOST_COLUMNS_OF_TREES = 15  # with algorithm="auto"; scikit-learn's rule
ARGKMIN_CHUNK = 256  # rows that scikit-learn's brute force takes at a time

# The least rows for which fixed costs, of the probes in a fit above all, are made up for; iris has 150.
LEAST_ROWS = 1000
# By how much fastnn must be faster by the estimates below, which hold to about a fifth.
LEAST_GAIN = 1.2
# The estimates count microseconds of one thread, measured on a Zen 4 with AVX-512 by benchmarks/sweep_sklearn.py.
# A tree looks at about 2^m leaves, where m is the dimension of what the rows fill near the query.
TREE_COST, TREE_COST_OF_LEAF, TREE_GROWTH, TREE_ROWS = 1.5, 1.0, 0.6, 1e5
# scikit-learn's brute force: what a call takes, reading a number of the rows once, a pair, a product of a pair (by
# GEMM), and a difference of a pair, where the metric wants these.
OWN_CALL, OWN_READ, OWN_PAIR, OWN_PRODUCT, OWN_DIFFERENCE = 200.0, 0.001, 0.0026, 45e-6, 0.00075
# fastnn without codes: a call, reading a number of 8 bytes once, a query, a pair, a product; products of float32 take
# half of it, and those of bytes this share.
SCAN_CALL, SCAN_READ, SCAN_QUERY, SCAN_PAIR, SCAN_PRODUCT, SHARE_OF_BYTES = 260.0, 0.002, 1.2, 0.00022, 45e-6, 0.05
# Queries from which it pays to look whether floats are whole numbers, which are then searched as bytes.
LEAST_QUERIES_FOR_BYTES = 50
# fastnn with codes, which there are from so many rows: making them for a row and for a number of it, a pair, a product.
# Bytes take this share of numbers and products.
CODED_ROWS, CODE_ROW, CODE_NUMBER, CODED_PAIR, CODED_PRODUCT, CODED_SHARE = 5000, 0.3, 0.017, 0.0003, 7e-6, 0.17
# Of so many rows, spread over all, neighbours are found when a tree would be built: they tell the rows' dimension.
PROBES, PROBE_NEIGHBORS = 32, 10
MOST_TIES = 0.1  # of the probes that may have ties; the tree has to answer such queries

ROUNDED_TIES = "ties whose order scikit-learn's rounding decides"
EPSILON, EPSILON32 = float(np.finfo(np.float64).eps), float(np.finfo(np.float32).eps)
BLOCK_NUMBERS = 1 << 16  # which are looked at together, so that what they become stays in a cache
TINY = float(np.finfo(np.float64).tiny)  # below it, rounding is not relative any more


class Found(NamedTuple):
    """Values (q, k), which are distances or their squares, indices (q, k), and which queries are not settled."""

    values: FloatArray
    indices: IntArray
    tied: NDArray[np.bool_]


class Index:
    """What a fitted estimator keeps for fastnn's searches; it is not pickled.

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
        least = LEAST_GAIN * (SCAN_QUERY + count * (SCAN_PAIR + columns * SCAN_PRODUCT))
        if tree_cost(count, columns) < least:
            return "a tree is faster for so many rows of so few columns"
        try:
            dimension = self._filled = self._dimension()
        except FastnnError as error:
            return str(error)
        if dimension == 0:
            return "rows with many ties, which the tree orders"
        if tree_cost(count, dimension) < least:
            return f"a tree is faster for rows that fill {dimension:.1f} dimensions"
        return None

    def few_refusal(self, queries: int) -> str | None:
        """Why a tree is to answer so few queries, though fastnn is faster for many; or None."""
        own = SCAN_CALL + queries * tree_cost(len(self.rows), self._filled)  # whose calls cost no less than fastnn's
        if LEAST_GAIN * own < min(self._scan_cost(queries), self._coded_cost(queries)):
            return "a tree is faster for so few queries"
        return None

    def brute_refusal(self, queries: int, is_gemm: bool) -> str | None:
        """Why scikit-learn's brute force is to answer so many queries, or None."""
        count, columns = self.rows.shape
        pair = OWN_PAIR + columns * (OWN_PRODUCT if is_gemm else OWN_DIFFERENCE)
        own = OWN_CALL + OWN_READ * self.rows.size + queries * count * pair
        if own < LEAST_GAIN * min(self._scan_cost(queries), self._coded_cost(queries)):
            return "scikit-learn is as fast for so few rows or queries"
        return None

    def prefers_codes(self, queries: int) -> bool:
        """Whether to search for so many queries with codes that prune."""
        return self._coded_cost(queries) < self._scan_cost(queries)

    def _scan_cost(self, queries: int) -> float:
        count, columns = self.rows.shape
        share = SHARE_OF_BYTES if self.as_bytes(queries) else self.rows.itemsize / 8
        pairs = queries * (SCAN_QUERY + count * (SCAN_PAIR + columns * SCAN_PRODUCT * share))
        return SCAN_CALL + max(SCAN_READ * self.rows.size * share, pairs)

    def _coded_cost(self, queries: int) -> float:
        count, columns = self.rows.shape
        if self.metric == "manhattan" or count < CODED_ROWS:
            return math.inf
        columns *= CODED_SHARE if self.as_bytes(queries) else 1.0
        making = 0.0 if self._has_codes else count * (CODE_ROW + columns * CODE_NUMBER)
        return SCAN_CALL + making + queries * (SCAN_QUERY + count * (CODED_PAIR + columns * CODED_PRODUCT))

    def _dimension(self) -> float:
        """The dimension of what the rows fill, from the distances to some rows' neighbours; 0 if many are equal.

        Source: Levina and Bickel, Maximum likelihood estimation of intrinsic dimension, NIPS 2004.
        """
        some = np.ascontiguousarray(self.rows[:: max(1, len(self.rows) // PROBES)][:PROBES])
        with use(num_threads=1):
            values, _ = self.searcher(self.rows.dtype, coded=False).search_values(some, PROBE_NEIGHBORS + 1)
        values = values[:, 1:]  # the first is the row itself
        if (np.diff(values, axis=1) <= 1e-12 * values[:, 1:]).any(axis=1).mean() > MOST_TIES:
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

    def as_bytes(self, queries: int) -> bool:
        """Whether so many queries, if they are bytes, are to be compared with the rows as bytes."""
        is_plain = self.rows.dtype == np.uint8
        return is_plain or (queries >= LEAST_QUERIES_FOR_BYTES and self._bytes is not None)

    @cached_property
    def _bytes(self) -> NDArray[np.uint8] | None:
        return to_bytes(self.rows)

    @cached_property
    def reach(self) -> float:
        """The greatest norm of a row."""
        size = block_rows(self.rows)
        starts = range(0, len(self.rows), size)
        return max(float(self.norms(self.rows[start : start + size]).max()) for start in starts)

    def norms(self, X: NDArray[Any]) -> FloatArray:
        """The norms (n,) of the rows of X in the sense of the metric."""
        X = X.astype(np.float64, copy=False)
        if self.metric == "manhattan":
            return np.abs(X).sum(axis=1)
        with np.errstate(over="ignore"):  # fastnn refuses such numbers
            return np.sqrt(np.einsum("ij,ij->i", X, X))


class CompiledNeighbors:
    """What all three estimators override of scikit-learn's."""

    _index: Index | str  # or why fastnn does not search

    def _fit(self: Any, X: Any, y: Any = None) -> Any:
        reason = MISSING_HOOK or self._fit_refusal(X)
        with recorded(self, "fit", reason) as outcome:
            if reason is None and self.algorithm != "brute":
                self._fit_without_tree(X, y)
            else:
                self.__dict__.pop("_index", None)
                super()._fit(X, y)  # type: ignore[misc]  # scikit-learn's
                self._index = reason or self._brute_index()
            outcome.reason = self._index if isinstance(self._index, str) else None
        return self

    def _fit_refusal(self: Any, X: Any) -> str | None:
        """Why fastnn is not to search X, as far as that is known before it has been checked; or None."""
        metric, algorithm = self.metric, self.algorithm
        if isinstance(X, (NeighborsBase, neighbors.KDTree, neighbors.BallTree)):
            return "fitted on a tree or an estimator"
        if issparse(X):
            return "sparse input"
        if not isinstance(metric, str):
            return "a metric that is a function"
        if metric == "minkowski" and self.p not in (1, 2):
            return f"metric 'minkowski' with p={self.p}"
        if metric != "minkowski" and metric not in METRICS:
            return f"metric {metric!r}"
        if self.metric_params:
            return "metric_params"
        if not isinstance(algorithm, str) or (algorithm != "brute" and rows_of(X) < LEAST_ROWS):
            return f"fewer than {LEAST_ROWS} rows"
        if algorithm in ("kd_tree", "ball_tree") and metric in BRUTE_METRICS:
            return f"metric {metric!r} in a tree"
        return None

    def _fit_without_tree(self: Any, X: Any, y: Any) -> None:
        """Fit as scikit-learn does, and leave out its tree where fastnn is to search."""
        algorithm = self.algorithm
        self.__dict__.pop("_index", None)
        self.algorithm = "brute"  # the only one that builds no tree; whatever is allowed for trees is allowed for it
        try:
            super()._fit(X, y)  # type: ignore[misc]  # scikit-learn's
        finally:
            self.algorithm = algorithm
        rows, metric = self._fit_X, self.effective_metric_
        if algorithm == "auto":
            many = self.n_neighbors is not None and self.n_neighbors >= len(rows) // 2
            is_brute = rows.shape[1] > MOST_COLUMNS_OF_TREES or many or metric in BRUTE_METRICS
            algorithm = "brute" if is_brute else "kd_tree"
        self._fit_method = algorithm
        if algorithm == "brute":
            self._index = self._brute_index()
            return
        kind = neighbors.KDTree if algorithm == "kd_tree" else neighbors.BallTree
        leaf_size, parameters = self.leaf_size, self.effective_metric_params_
        index = Index(rows, METRICS[metric], lambda: kind(rows, leaf_size, metric=metric, **parameters))
        if index.refusal is not None:
            self._tree = index.tree
        self._index = index.refusal or index

    def _brute_index(self: Any) -> Index | str:
        index = Index(self._fit_X, METRICS[self.effective_metric_])
        return index.refusal or index

    @property
    def _tree(self) -> Any:
        index = self.__dict__.get("_index")
        return index.tree if isinstance(index, Index) else self.__dict__.get("_tree")

    @_tree.setter
    def _tree(self, tree: Any) -> None:
        self.__dict__["_tree"] = tree

    def __getstate__(self) -> dict[str, Any]:
        """What scikit-learn pickles: its tree, if it has one, and nothing of fastnn's."""
        state = dict(super().__getstate__())  # type: ignore[call-overload]  # scikit-learn's returns a dict
        index = state.pop("_index", None)
        if isinstance(index, Index):
            state["_tree"] = index.tree
        return state

    def __setstate__(self: Any, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]  # scikit-learn's
        if "_fit_method" not in state:
            return
        rows, metric, tree = self._fit_X, self.effective_metric_, self._tree
        is_known = isinstance(metric, str) and metric in METRICS and not self.effective_metric_params_
        if MISSING_HOOK is None and is_known and isinstance(rows, np.ndarray):
            self._index = Index(rows, METRICS[metric], None if tree is None else lambda: tree)
        else:
            self._index = MISSING_HOOK or "input or a metric that fastnn does not search"

    def kneighbors(self: Any, X: Any = None, n_neighbors: Any = None, return_distance: bool = True) -> Any:
        count = self._count(n_neighbors)
        reason = self._refusal(X, count)
        with recorded(self, "kneighbors", reason) as outcome:
            if reason is None:
                queries = self._queries(X)
                found = self._search(queries, count, is_train=X is None)
                if isinstance(found, str):
                    outcome.reason = found
                elif found.tied.any() and not self._is_by_query(queries):
                    outcome.reason = ROUNDED_TIES
            if outcome.reason is not None:
                return super().kneighbors(X, n_neighbors, return_distance)  # type: ignore[misc]  # scikit-learn's
            distances, indices = self._settled(found, queries)
            if X is None:
                distances, indices = without_self(distances, indices)
            return (distances, indices) if return_distance else indices

    def _count(self: Any, n_neighbors: Any) -> int | None:
        """How many neighbours are asked for; None if scikit-learn refuses it."""
        count = self.n_neighbors if n_neighbors is None else n_neighbors
        return int(count) if isinstance(count, numbers.Integral) and int(count) > 0 else None

    def _queries(self: Any, X: Any) -> NDArray[Any]:
        """The queries as scikit-learn checks and converts them."""
        return self._fit_X if X is None else validate_data(self, X, accept_sparse="csr", reset=False, order="C")

    def _refusal(self: Any, X: Any, count: int | None) -> str | None:
        """Why scikit-learn's own code is to search, or None."""
        index = self.__dict__.get("_index", "not fitted")
        if isinstance(index, str):
            return index
        if index.refusal is not None:
            return index.refusal
        if count is None or count + (X is None) > len(index.rows):
            return "n_neighbors that is refused"
        if issparse(X):
            return "sparse input"
        if self._fit_method == "brute":
            if not get_config().get("enable_cython_pairwise_dist", True):
                return "enable_cython_pairwise_dist is off"
            queries = len(index.rows) if X is None else rows_of(X)
            return index.brute_refusal(queries, self.effective_metric_ in ("euclidean", "sqeuclidean", "cosine"))
        return index.few_refusal(len(index.rows) if X is None else rows_of(X))

    def _search(self: Any, queries: NDArray[Any], count: int, *, is_train: bool, votes: bool = False) -> Found | str:
        """The nearest rows, and which queries have ties that matter; or why fastnn cannot search.

        With ``votes`` only which rows are found matters, not their order.
        """
        index = self._index
        dtype = searched_dtype(index.rows, queries)
        if dtype is None:
            return f"input of {queries.dtype}"
        if index.metric == "cosine" and dtype == np.float32:
            return "cosine of float32, which scikit-learn rounds to float32 before it compares"
        wanted = count + is_train
        most = min(wanted + 1, len(index.rows))
        try:
            with use(num_threads=self._threads()):
                sought = to_bytes(queries) if dtype.kind == "f" and index.as_bytes(len(queries)) else None
                if sought is None:
                    sought = queries.astype(dtype, copy=False)
                searcher = index.searcher(sought.dtype, index.prefers_codes(len(queries)))
                values, indices = searcher.search_values(sought, most)
        except FastnnError as error:  # numbers beyond what it searches
            return str(error)
        # Of bytes both sides compute whole numbers, without rounding, but for the angle.
        is_exact = sought.dtype == np.uint8 and index.metric != "cosine"
        doubtful = np.diff(values, axis=1) <= (0.0 if is_exact else self._doubt(queries, values[:, 1:]))
        tied = doubtful[:, wanted - 1 :].any(axis=1) if votes else doubtful.any(axis=1)
        return Found(values[:, :wanted], indices[:, :wanted], tied)

    def _doubt(self: Any, queries: NDArray[Any], later: FloatArray) -> FloatArray:
        """Gaps (q, k) before the values ``later`` up to which scikit-learn's rounding, or its order of ties, decides.

        Both sides sum d products or differences, each with an error of at most d eps times the sum of their sizes.
        scikit-learn's brute force takes |x|^2 - 2 x y + |y|^2 for euclidean distances, terms as large as the norms;
        all others sum differences, to which a tree adds the rounding of its nodes' bounds.
        """
        index, metric = self._index, self.effective_metric_
        is_single = self._fit_X.dtype == queries.dtype == np.float32
        eps = 4 * (queries.shape[1] + 8) * EPSILON
        if metric == "cosine":
            return np.full_like(later, eps)
        if self._fit_method == "brute" and metric not in ("euclidean", "sqeuclidean"):
            # Of float32 scikit-learn takes the differences in float32.
            return (eps + 8 * EPSILON32 if is_single else eps) * later + TINY
        norms = (index.norms(queries) + index.reach)[:, np.newaxis]
        if self._fit_method == "brute":
            return np.broadcast_to(eps * norms**2 + TINY, later.shape)
        return eps * (later + norms * (np.sqrt(later) if index.metric == "euclidean" else 1.0)) + TINY

    def _settled(self: Any, found: Found, queries: NDArray[Any]) -> tuple[NDArray[Any], IntArray]:
        """Distances and indices, those of queries with ties from scikit-learn."""
        metric, (values, indices, tied) = self.effective_metric_, found
        distances = np.sqrt(values) if metric in ("euclidean", "l2") else values
        distances, indices = np.ascontiguousarray(distances), np.ascontiguousarray(indices)
        if tied.any():
            some = np.ascontiguousarray(queries[tied])
            distances[tied], indices[tied] = self._own_neighbors(some, indices.shape[1], len(queries))
        return distances, indices

    def _own_neighbors(self: Any, some: NDArray[Any], count: int, asked: int) -> tuple[NDArray[Any], IntArray]:
        """What scikit-learn finds for some of the ``asked`` queries, in the order of ties that it has for all."""
        if self._fit_method != "brute" or not ArgKmin.is_usable_for(some, self._fit_X, self.effective_metric_):
            return self._plain().kneighbors(some, count)
        # The order depends on what its threads share out, by scikit-learn's rule for "auto".
        is_many = len(self._fit_X) < asked or 4 * ARGKMIN_CHUNK * openmp_threads() < asked
        return ArgKmin.compute(
            some,
            self._fit_X,
            count,
            metric=self.effective_metric_,
            strategy="parallel_on_X" if is_many else "parallel_on_Y",
            return_distance=True,
        )

    def _is_by_query(self: Any, queries: NDArray[Any]) -> bool:
        """Whether scikit-learn finds the same for a query whatever else is asked: not if it takes one product of all.

        Such a product rounds by place, unless it is of whole numbers.
        """
        if self._fit_method != "brute" or ArgKmin.is_usable_for(queries, self._fit_X, self.effective_metric_):
            return True
        return self._fit_X.dtype.kind in "iu" and queries.dtype.kind in "iu" and self.effective_metric_ != "cosine"

    def _plain(self: Any) -> Any:
        """scikit-learn's own estimator, fitted as this one, which takes queries that have been checked."""
        kind: Any = next(
            cls
            for cls in type(self).__mro__
            if issubclass(cls, NeighborsBase) and not issubclass(cls, CompiledNeighbors)
        )
        plain = kind.__new__(kind)
        plain.__dict__.update(self.__dict__)
        plain.__dict__.pop("feature_names_in_", None)
        plain._tree = self._tree
        return plain

    def _threads(self: Any) -> int:
        """As many threads as scikit-learn would use: OpenMP's in its brute force, n_jobs with a tree."""
        allowed = openmp_threads() if self._fit_method == "brute" else effective_n_jobs(self.n_jobs)
        return int(max(1, min(allowed, num_threads())))


class CompiledVotes(CompiledNeighbors):
    """What the classifier overrides besides: the votes that scikit-learn counts in its brute force."""

    def predict(self: Any, X: Any) -> NDArray[Any]:
        counts = self._votes("predict", X)
        if counts is None:
            return super().predict(X)  # type: ignore[misc]  # scikit-learn's
        return self.classes_[counts.argmax(axis=1)]

    def predict_proba(self: Any, X: Any) -> NDArray[Any] | list[NDArray[Any]]:
        counts = self._votes("predict_proba", X)
        if counts is None:
            return super().predict_proba(X)  # type: ignore[misc]  # scikit-learn's
        return counts

    def _counts_votes(self: Any, X: Any) -> bool:
        """Whether scikit-learn would count votes without calling ``kneighbors``."""
        if getattr(self, "_fit_method", None) != "brute" or X is None or self.outputs_2d_:
            return False
        return isinstance(self.weights, str) and self.weights == "uniform"

    def _votes(self: Any, method: str, X: Any) -> FloatArray | None:
        """The shares (q, classes) of votes, or None if scikit-learn is to count them."""
        if not self._counts_votes(X):
            return None
        count = self._count(None)
        if self._refusal(X, count) is not None:
            return None
        with recorded(self, method, None) as outcome:
            queries = self._queries(X)
            found = self._search(queries, count, is_train=False, votes=True)
            if isinstance(found, str):
                outcome.reason = found
            elif found.tied.any() and not self._is_by_query(queries):
                outcome.reason = ROUNDED_TIES
            if outcome.reason is not None:
                return self._plain().predict_proba(queries)
            labels = self._y[found.indices] + len(self.classes_) * np.arange(len(queries))[:, np.newaxis]
            counts = np.bincount(labels.ravel(), minlength=len(queries) * len(self.classes_))
            shares = counts.reshape(len(queries), -1) / count
            if found.tied.any():
                shares[found.tied] = self._plain().predict_proba(np.ascontiguousarray(queries[found.tied]))
            return shares


def searched_dtype(rows: NDArray[Any], queries: NDArray[Any]) -> np.dtype[Any] | None:
    """The dtype that holds rows and queries exactly, or None if fastnn searches no such numbers."""
    if any(array.dtype.kind not in "iuf" or array.dtype == np.float16 for array in (rows, queries)):
        return None
    dtype = np.result_type(rows, queries)
    return dtype if dtype.kind in "iu" or dtype in (np.float32, np.float64) else None


def block_rows(X: NDArray[Any]) -> int:
    """How many rows are looked at together."""
    return max(1, BLOCK_NUMBERS // X.shape[1])


def to_bytes(X: NDArray[Any]) -> NDArray[np.uint8] | None:
    """X as bytes, if all its numbers are whole ones 0..255."""
    if X.dtype == np.uint8:
        return X
    few, size = max(1, BLOCK_NUMBERS // 64 // X.shape[1]), block_rows(X)  # a few rows tell in most cases
    found = np.empty(X.shape, np.uint8)
    with np.errstate(invalid="ignore"):  # whatever becomes of numbers out of range, it is not equal to them
        for start, stop in [(0, few), *((start, start + size) for start in range(few, len(X), size))]:
            found[start:stop] = X[start:stop]
            if not np.array_equal(found[start:stop], X[start:stop]):
                return None
    return found


def tree_cost(count: int, dimension: float) -> float:
    """About how many microseconds a tree of so many rows that fill this dimension takes for a query."""
    return TREE_COST + TREE_COST_OF_LEAF * 2.0**dimension * (count / TREE_ROWS) ** TREE_GROWTH


def rows_of(X: Any) -> int:
    """How many rows X seems to have before it has been checked."""
    shape = getattr(X, "shape", None)
    if shape is None:
        return len(X) if hasattr(X, "__len__") else 0
    return int(shape[0]) if len(shape) else 0


def without_self(distances: NDArray[Any], indices: IntArray) -> tuple[NDArray[Any], IntArray]:
    """Neighbours (n, k + 1) of all rows without the rows themselves, or their first twins, as scikit-learn has it."""
    others = indices != np.arange(len(indices))[:, np.newaxis]
    others[others.all(axis=1), 0] = False
    shape = len(indices), indices.shape[1] - 1
    return distances[others].reshape(shape), indices[others].reshape(shape)


class NearestNeighbors(CompiledNeighbors, neighbors.NearestNeighbors):  # type: ignore[misc]  # it has no types
    __doc__ = neighbors.NearestNeighbors.__doc__


class KNeighborsClassifier(CompiledVotes, neighbors.KNeighborsClassifier):  # type: ignore[misc]  # it has no types
    __doc__ = neighbors.KNeighborsClassifier.__doc__


class KNeighborsRegressor(CompiledNeighbors, neighbors.KNeighborsRegressor):  # type: ignore[misc]  # it has no types
    __doc__ = neighbors.KNeighborsRegressor.__doc__
