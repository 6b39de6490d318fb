"""The same call of scikit-learn's own class, on the same data and from the same random numbers, and what differs."""

from __future__ import annotations

import copy
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rows import Row

ROWS = 2000  # at most so many are predicted and scored after a fit


class Twin:
    """An estimator of scikit-learn's own class in the state in which the accelerated one is before a call.

    Whatever goes wrong here is said in the row: the program is not to notice.
    """

    def __init__(
        self, estimator: Any, original: type[Any], method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.estimator, self.method, self.args, self.kwargs = estimator, method, args, kwargs
        self.problem = ""
        try:
            self.twin: Any = object.__new__(original)
            self.twin.__setstate__(copy.deepcopy(estimator.__getstate__()))
            if hasattr(self.twin, "verbose"):
                self.twin.verbose = False  # what it would print the program has printed already
            self.random_state = np.random.get_state()
        except Exception as error:
            self.problem = f"it cannot be copied: {type(error).__name__}: {error}"

    def compare(self, row: Row, result: Any, error: Exception | None) -> Row:
        """Make scikit-learn's call, and add to the row what it found; ``result`` or ``error`` is fastnn's."""
        if not row.accelerated:
            return row
        if self.problem:
            return row._replace(problem=self.problem)
        try:
            with warnings.catch_warnings(action="ignore"):
                return self._compare(row, result, error)
        except Exception as failure:
            return row._replace(problem=f"{type(failure).__name__}: {failure}")

    def _compare(self, row: Row, result: Any, error: Exception | None) -> Row:
        after = np.random.get_state()
        np.random.set_state(self.random_state)
        start = time.perf_counter()
        try:
            expected = getattr(self.twin, self.method)(*self.args, **self.kwargs)
        except Exception as theirs:
            if type(theirs) is type(error):
                return row._replace(problem=f"both raised {type(error).__name__}")
            return row._replace(problem=f"scikit-learn raised {type(theirs).__name__}: {theirs}")
        finally:
            seconds = time.perf_counter() - start
            np.random.set_state(after)
        if error is not None:
            return row._replace(problem=f"only fastnn raised {type(error).__name__}")
        row = row._replace(sklearn_seconds=seconds)
        if self.method in ("fit", "partial_fit"):
            return self._compare_fits(row)
        if self.method == "score":
            return row._replace(score_difference=score_difference(result, expected))
        return row._replace(prediction_difference=difference(result, expected))

    def _compare_fits(self, row: Row) -> Row:
        ours, theirs = self.estimator, self.twin
        if hasattr(ours, "loss_curve_"):
            row = row._replace(loss_curve_difference=curve_difference(ours.loss_curve_, theirs.loss_curve_))
        X, y = self._head("X", 0), self._head("y", 1)
        if not hasattr(ours, "predict"):
            return row._replace(prediction_difference=difference(ours.kneighbors(X), theirs.kneighbors(X)))
        scores = [score_difference(ours.score(X, y), theirs.score(X, y))]
        if getattr(ours, "validation_scores_", None):
            scores.append(difference(np.asarray(ours.validation_scores_), np.asarray(theirs.validation_scores_)))
        return row._replace(
            score_difference=max(scores), prediction_difference=difference(ours.predict(X), theirs.predict(X))
        )

    def _head(self, name: str, place: int) -> Any:
        """The first rows of an argument."""
        from sklearn.utils import _safe_indexing
        from sklearn.utils.validation import _num_samples

        value = self.kwargs[name] if name in self.kwargs else self.args[place] if len(self.args) > place else None
        return None if value is None else _safe_indexing(value, np.arange(min(ROWS, _num_samples(value))))


def difference(found: Any, expected: Any) -> float:
    """Of numbers the largest difference, relative to the largest of them; of labels the share that differ."""
    if isinstance(found, tuple | list):
        return max((difference(*pair) for pair in zip(found, expected, strict=True)), default=0.0)
    if hasattr(found, "tocsr"):
        found, expected = found.tocsr(), expected.tocsr()
        scale = abs(expected).max() or 1.0
        return float(abs(found - expected).max() / scale)
    ours, theirs = np.asarray(found), np.asarray(expected)
    if ours.shape != theirs.shape:
        return 1.0
    if ours.dtype == object and ours.size and isinstance(ours.flat[0], np.ndarray):  # neighbours within a radius
        return max(difference(*pair) for pair in zip(ours.flat, theirs.flat, strict=True))
    if ours.dtype.kind != "f":
        return float(np.mean(ours != theirs)) if ours.size else 0.0
    return _relative(ours, theirs)


def score_difference(found: float, expected: float) -> float:
    """How far two scores are apart; 1 where one of them alone is no number."""
    if np.isfinite(found) and np.isfinite(expected):
        return abs(float(found) - float(expected))
    return 0.0 if np.array_equal(found, expected, equal_nan=True) else 1.0


def curve_difference(found: list[float], expected: list[float]) -> float:
    """The largest relative difference of two loss curves; 1 where one of them goes on without the other."""
    if len(found) != len(expected):
        return 1.0
    ours, theirs = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return max(map(_relative, ours, theirs), default=0.0)


def _relative(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """The largest difference by the largest number; 1 where NaN or infinity stand on one side alone."""
    ours, theirs = np.atleast_1d(ours), np.atleast_1d(theirs)
    finite = np.isfinite(theirs)
    if not np.array_equal(np.where(finite, 0.0, theirs), np.where(np.isfinite(ours), 0.0, ours), equal_nan=True):
        return 1.0
    gap = np.abs(ours[finite] - theirs[finite]).max(initial=0.0)
    return float(gap / (np.abs(theirs[finite]).max(initial=0.0) or 1.0))
