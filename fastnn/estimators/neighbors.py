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

import inspect
import numbers
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config, metrics, neighbors
from sklearn.utils.validation import validate_data

from ..errors import FastnnError
from ..kernels import num_threads, use
from ..kernels.spec import FloatArray, IntArray
from . import hooks, index, rounding
from .documented import with_parameters_of
from .index import Index, Trial, searched_dtype
from .records import Outcome, recorded

try:
    from sklearn.metrics._pairwise_distances_reduction import ArgKmin, ArgKminClassMode
    from sklearn.neighbors._base import NeighborsBase
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads as openmp_threads

    # What is overridden and asked below.
    NeighborsBase._fit, ArgKmin.compute, ArgKmin.is_usable_for, ArgKminClassMode.is_usable_for  # noqa: B018  # are they there?
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
ARGKMIN_CHUNK = 256  # rows that scikit-learn's brute force takes at a time, unless it is configured otherwise
FEW_ROWS = 32  # products of fewer are rounded otherwise by some BLAS, whose kernels for them are others
SHORT_ROWS = "cosine of numbers so small that scikit-learn takes them for 0"
ROUNDED_TIES = "ties whose order scikit-learn's rounding decides"


class Found(NamedTuple):
    """Values (q, k), which are distances or their squares, indices (q, k), and the queries whose ties matter (q,).

    ``is_exact`` says whether nothing has been rounded, by neither side.
    """

    values: FloatArray
    indices: IntArray
    tied: NDArray[np.bool_]
    is_exact: bool


class CompiledNeighbors:
    """What all three estimators override of scikit-learn's."""

    _index: Index | str  # or why fastnn does not search

    def _fit(self: Any, X: Any, y: Any = None) -> Any:
        reason = MISSING_HOOK or self._fit_refusal(X)
        with recorded(self, "fit", reason) as outcome:
            if reason is None and self.algorithm != "brute":
                self._fit_without_tree(X, y)
            else:
                super()._fit(X, y)  # type: ignore[misc]  # scikit-learn's
                self._index = reason or self._brute_index()
            outcome.reason = self._index if isinstance(self._index, str) else None
        return self

    def _fit_refusal(self: Any, X: Any) -> str | None:
        """Why fastnn is not to search X, as far as that is known before it has been checked; or None."""
        metric, algorithm = self.metric, self.algorithm
        if isinstance(X, (NeighborsBase, neighbors.KDTree, neighbors.BallTree)):
            return "fitted on a tree or an estimator"
        if issparse(X) or hasattr(X, "sparse"):  # as pandas' frames have, if all columns are sparse
            return "sparse input"
        if not isinstance(metric, str):
            return "a metric that is a function"
        if metric == "minkowski" and self.p not in (1, 2):
            return f"metric 'minkowski' with p={self.p}"
        if metric != "minkowski" and metric not in METRICS:
            return f"metric {metric!r}"
        if self.metric_params:
            return "metric_params"
        if not isinstance(algorithm, str) or (algorithm != "brute" and rows_of(X) < index.LEAST_ROWS):
            return f"fewer than {index.LEAST_ROWS} rows"
        if algorithm in ("kd_tree", "ball_tree") and metric in BRUTE_METRICS:
            return f"metric {metric!r} in a tree"
        return None

    def _fit_without_tree(self: Any, X: Any, y: Any) -> None:
        """Fit as scikit-learn does, and leave out its tree where fastnn is to search."""
        algorithm = self.algorithm
        self.algorithm = "brute"  # the only one that builds no tree; whatever is allowed for trees is allowed for it
        try:
            super()._fit(X, y)  # type: ignore[misc]  # scikit-learn's
        finally:
            self.algorithm = algorithm
        self.__dict__.pop("_index", None)  # only now, for a fit that fails leaves the one before
        rows, metric = self._fit_X, self.effective_metric_
        if algorithm == "auto":
            many = self.n_neighbors is not None and self.n_neighbors >= len(rows) // 2
            is_brute = rows.shape[1] > MOST_COLUMNS_OF_TREES or many or metric in BRUTE_METRICS
            algorithm = "brute" if is_brute else "kd_tree"
        if algorithm == "brute":
            self._index = self._brute_index()
            return
        kind = neighbors.KDTree if algorithm == "kd_tree" else neighbors.BallTree
        leaf_size, parameters = self.leaf_size, self.effective_metric_params_
        found = Index(rows, METRICS[metric], lambda: kind(rows, leaf_size, metric=metric, **parameters))
        if found.refusal is not None:
            self._tree = found.tree
        self._fit_method, self._index = algorithm, found.refusal or found

    def _brute_index(self: Any) -> Index | str:
        found = Index(self._fit_X, METRICS[self.effective_metric_])
        return found.refusal or found

    @property
    def _tree(self) -> Any:
        found = self.__dict__.get("_index")
        return found.tree if isinstance(found, Index) else self.__dict__.get("_tree")

    @_tree.setter
    def _tree(self, tree: Any) -> None:
        self.__dict__["_tree"] = tree

    def __getstate__(self) -> dict[str, Any]:
        """What scikit-learn pickles: its tree, if it has one, and nothing of fastnn's."""
        state = dict(super().__getstate__())  # type: ignore[call-overload]  # scikit-learn's returns a dict
        found = state.pop("_index", None)
        if isinstance(found, Index):
            state["_tree"] = found.tree
        return state

    def __setstate__(self: Any, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]  # scikit-learn's
        if "_fit_method" not in state:
            return
        rows, metric, tree = self._fit_X, self.effective_metric_, self._tree
        is_known = isinstance(metric, str) and metric in METRICS and not self.effective_metric_params_
        is_own = tree is None or (is_known and has_metric(tree, metric))  # not of an estimator that this was fitted on
        if MISSING_HOOK is None and is_known and is_own and isinstance(rows, np.ndarray):
            self._index = self._brute_index() if tree is None else Index(rows, METRICS[metric], lambda: tree)
        else:
            self._index = MISSING_HOOK or "input or a metric that fastnn does not search"

    @with_parameters_of(neighbors.NearestNeighbors.kneighbors)
    def kneighbors(self: Any, X: Any = None, n_neighbors: Any = None, return_distance: bool = True) -> Any:
        count = self._count(n_neighbors)
        reason = self._refusal(X, count)
        with recorded(self, "kneighbors", reason) as outcome:
            if reason is not None:
                return super().kneighbors(X, n_neighbors, return_distance)  # type: ignore[misc]  # scikit-learn's
            queries = self._queries(X)
            found = self._nearest(outcome, queries, count + (X is None), in_order=True)
            if found is None:
                return self._plain().kneighbors(None if X is None else queries, n_neighbors, return_distance)
            distances, indices = found if X is not None else without_self(*found)
            return (distances, indices) if return_distance else indices

    def _count(self: Any, n_neighbors: Any) -> int | None:
        """How many neighbours are asked for; None if scikit-learn refuses it."""
        count = self.n_neighbors if n_neighbors is None else n_neighbors
        return int(count) if isinstance(count, numbers.Integral) and int(count) > 0 else None

    def _queries(self: Any, X: Any) -> Any:
        """The queries as scikit-learn checks and converts them: an array or CSR."""
        return self._fit_X if X is None else validate_data(self, X, accept_sparse="csr", reset=False, order="C")

    def _refusal(self: Any, X: Any, count: int | None) -> str | None:
        """Why scikit-learn's own code is to search, or None."""
        found = self.__dict__.get("_index", "not fitted")
        if isinstance(found, str):
            return found
        if found.refusal is not None:
            return found.refusal
        if count is None or count + (X is None) > len(found.rows):
            return "n_neighbors that is refused"
        if self._fit_method == "brute" and not get_config().get("enable_cython_pairwise_dist", True):
            return "enable_cython_pairwise_dist is off"
        return self._size_refusal(len(found.rows) if X is None else rows_of(X))

    def _size_refusal(self: Any, queries: int) -> str | None:
        """Why scikit-learn is to answer so many queries, or None."""
        if self._fit_method != "brute":
            return self._index.tree_refusal_of(queries, self._threads())
        # Most calls are small, and this is found out in a moment.
        is_refused = self._index.is_small(queries, by_products=self._by_products()) or self._trial(queries) is None
        return "scikit-learn is as fast for so few rows or queries" if is_refused else None

    def _by_products(self: Any) -> bool:
        """Whether scikit-learn's brute force computes products, by BLAS, and not differences."""
        return self.effective_metric_ in ("euclidean", "sqeuclidean", "cosine")

    def _trial(self: Any, queries: int) -> Trial | None:
        return self._index.trial(queries, by_products=self._by_products(), threads=self._threads())

    def _nearest(
        self: Any, outcome: Outcome, queries: Any, count: int, *, in_order: bool, strategy: str | None = None
    ) -> tuple[NDArray[Any], IntArray] | None:
        """Distances (q, k) and indices (q, k) as scikit-learn finds them; None if it is to search, with the reason.

        Unless ``in_order`` only which rows are found matters. ``strategy`` is that of scikit-learn's brute force.
        """
        dtype = None if issparse(queries) else searched_dtype(self._index.rows, queries)
        if dtype is None:
            outcome.reason = "sparse input" if issparse(queries) else f"input of {queries.dtype}"
            return None
        if self._index.metric == "cosine" and dtype == np.float32:
            outcome.reason = "cosine of float32, which scikit-learn rounds to float32 before it compares"
            return None
        if self._index.metric == "cosine" and self._has_short_rows(queries):
            outcome.reason = SHORT_ROWS
            return None
        try:
            with use(num_threads=self._threads()):
                found = self._search(queries, dtype, count, in_order)
        except FastnnError as error:  # numbers beyond what it searches
            outcome.reason = str(error)
            return None
        if isinstance(found, str):
            outcome.reason = found
            return None
        are_roots = self.effective_metric_ in ("euclidean", "l2")
        distances = np.ascontiguousarray(np.sqrt(found.values) if are_roots else found.values)
        indices = np.ascontiguousarray(found.indices)
        if found.tied.any():
            for some in self._tied(found, queries):
                asked = np.ascontiguousarray(queries[some])
                distances[some], indices[some] = self._own_neighbors(asked, count, len(queries), strategy)
            outcome.reason = index.TIES if found.tied.mean() > index.MOST_TIED else None
        return distances, indices

    def _has_short_rows(self: Any, queries: NDArray[Any]) -> bool:
        is_other = queries is not self._index.rows
        return self._index.has_short_rows or (is_other and rounding.has_short_rows(queries))

    def _tied(self: Any, found: Found, queries: NDArray[Any]) -> Iterator[IntArray]:
        """The places of queries with ties, and of others where these would be rounded otherwise without them.

        scikit-learn's brute force takes the products of chunks of queries; the last chunk may have few.
        """
        places = np.flatnonzero(found.tied)
        if found.is_exact or self._fit_method != "brute" or self.effective_metric_ not in ("euclidean", "sqeuclidean"):
            yield places
            return
        chunk = pairwise_chunk()
        few = len(queries) % chunk
        last = len(queries) - few if few < FEW_ROWS else len(queries)
        if (places >= last).any():
            yield np.arange(last, len(queries))
            places = places[places < last]
        if len(places):
            missing = FEW_ROWS - len(places) % chunk if len(places) % chunk else 0
            yield np.concatenate([places, np.resize(places, max(0, missing))])

    def _search(self: Any, queries: NDArray[Any], dtype: np.dtype[Any], count: int, in_order: bool) -> Found | str:
        """The nearest rows; or, as soon as it is known, that ties keep fastnn from it or make scikit-learn faster."""
        sought = self._index.sought(queries, dtype)
        # Of bytes both sides compute whole numbers, without rounding, but for the angle.
        is_exact = sought.dtype == np.uint8 and self._index.metric != "cosine"
        most, threads = min(count + 1, len(self._index.rows)), self._threads()

        def search(some: slice, *, with_codes: bool = False) -> Found:
            coded = with_codes or self._index.prefers_codes(len(sought[some]), threads)
            values, indices = self._index.searcher(sought.dtype, coded).search_values(sought[some], most)
            doubtful = np.diff(values, axis=1) <= (0.0 if is_exact else self._gaps(queries[some], values))
            tied = doubtful.any(axis=1) if in_order else doubtful[:, count - 1 :].any(axis=1)
            return Found(values[:, :count], indices[:, :count], tied, is_exact)

        trial = self._trial(len(queries)) if self._fit_method == "brute" else None
        if trial is None or not trial.queries:
            found = search(slice(None))
        else:
            first = trial.queries
            found = search(slice(first), with_codes=trial.with_codes)
            tied = found.tied.mean()
            if not self._index.pays_with_ties(len(queries), tied, by_products=self._by_products(), threads=threads):
                return index.TIES
            if not found.tied.any() or self._is_by_query(queries):
                parts: Any = zip(found[:3], search(slice(first, None))[:3], strict=True)
                values, indices, tied = map(np.concatenate, parts)
                found = Found(values, indices, tied, is_exact)
        return ROUNDED_TIES if found.tied.any() and not self._is_by_query(queries) else found

    def _gaps(self: Any, queries: NDArray[Any], values: FloatArray) -> FloatArray:
        """Gaps (q, k - 1) between values (q, k) up to which scikit-learn's rounding, or its order of ties, decides."""
        metric, columns, later = self.effective_metric_, queries.shape[1], values[:, 1:]
        if metric == "cosine":
            return rounding.of_cosines(later, columns)
        is_brute = self._fit_method == "brute"
        by_products = metric in ("euclidean", "sqeuclidean") or (
            metric == "l2" and not ArgKmin.is_usable_for(queries, self._fit_X, metric)
        )
        if is_brute and not by_products:
            is_single = self._fit_X.dtype == queries.dtype == np.float32
            return rounding.of_differences(later, columns, is_single=is_single)
        norms = rounding.norms(queries, self._index.metric) + self._index.largest_norm
        if is_brute:
            return rounding.of_products(norms, later, columns)
        return rounding.of_trees(norms, later, columns, are_squares=self._index.metric == "euclidean")

    def _own_neighbors(
        self: Any, some: NDArray[Any], count: int, asked: int, strategy: str | None
    ) -> tuple[NDArray[Any], IntArray]:
        """What scikit-learn finds for some of the ``asked`` queries, in the order of ties that it has for all."""
        if self._fit_method != "brute" or not ArgKmin.is_usable_for(some, self._fit_X, self.effective_metric_):
            return self._plain().kneighbors(some, count)
        if strategy is None:
            # The order depends on what its threads share out, by scikit-learn's rule for "auto".
            is_many = len(self._fit_X) < asked or 4 * pairwise_chunk() * openmp_threads() < asked
            strategy = "parallel_on_X" if is_many else "parallel_on_Y"
        return ArgKmin.compute(
            some, self._fit_X, count, metric=self.effective_metric_, strategy=strategy, return_distance=True
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

    @with_parameters_of(neighbors.KNeighborsClassifier.predict)
    def predict(self: Any, X: Any) -> NDArray[Any]:
        shares = self._votes("predict", X) if self._has_own("predict_proba") else None
        if shares is None:
            return super().predict(X)  # type: ignore[misc]  # scikit-learn's
        return self.classes_[shares.argmax(axis=1)]

    @with_parameters_of(neighbors.KNeighborsClassifier.predict_proba)
    def predict_proba(self: Any, X: Any) -> NDArray[Any] | list[NDArray[Any]]:
        shares = self._votes("predict_proba", X)
        if shares is None:
            return super().predict_proba(X)  # type: ignore[misc]  # scikit-learn's
        return shares

    def _has_own(self: Any, method: str) -> bool:
        """Whether a method that scikit-learn would call is fastnn's, and not a program's."""
        found, own = getattr(type(self), method), getattr(CompiledVotes, method)
        return method not in vars(self) and inspect.unwrap(found) is own  # accel wraps it

    def _counts_votes(self: Any, X: Any) -> bool:
        """Whether scikit-learn would count the votes, all equal, of what its brute force finds for X."""
        if getattr(self, "_fit_method", None) != "brute" or X is None or self.outputs_2d_:
            return False
        if not isinstance(self.weights, str) or self.weights != "uniform":
            return False
        metric = {1: "manhattan", 2: "euclidean"}.get(self.p) if self.metric == "minkowski" else self.metric
        return metric == self.effective_metric_ and not self.metric_params  # no other was set after fit

    def _votes(self: Any, method: str, X: Any) -> FloatArray | None:
        """The shares (q, classes) of votes, or None if scikit-learn is to count them."""
        if MISSING_HOOK is not None or not self._counts_votes(X):
            return None
        # What scikit-learn counts by itself, for X as it is given; it calls kneighbors for the rest.
        in_class_mode = ArgKminClassMode.is_usable_for(X, self._fit_X, self.effective_metric_)
        count = self._count(None)
        reason = self._refusal(X, count)
        if not in_class_mode and (reason is not None or not self._has_own("kneighbors")):
            return None
        with recorded(self, method, reason) as outcome:
            if reason is not None:
                return super().predict_proba(X)  # type: ignore[misc]  # scikit-learn's
            queries = self._queries(X)
            strategy = "parallel_on_X" if in_class_mode else None
            found = self._nearest(outcome, queries, count, in_order=False, strategy=strategy)
            if found is not None:
                return self._shares(found[1])
            if in_class_mode:
                return self._plain().predict_proba(queries)
            return self._shares(self._plain().kneighbors(queries, return_distance=False))

    def _shares(self: Any, indices: IntArray) -> FloatArray:
        """The shares (q, classes) of votes of the rows (q, k) that were found."""
        queries, count = indices.shape
        classes = len(self.classes_)
        labels = self._y[indices] + classes * np.arange(queries)[:, np.newaxis]
        return np.bincount(labels.ravel(), minlength=queries * classes).reshape(queries, classes) / count


def pairwise_chunk() -> int:
    """How many queries, or rows, scikit-learn's brute force takes at a time."""
    return int(get_config().get("pairwise_dist_chunk_size", ARGKMIN_CHUNK))


def has_metric(tree: Any, metric: str) -> bool:
    """Whether scikit-learn's tree has been built for this metric."""
    kind = type(metrics.DistanceMetric.get_metric(metric))
    return any(type(part) is kind for part in tree.__getstate__())


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
