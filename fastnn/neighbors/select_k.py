"""Which number of neighbours classifies best, by cross-validation."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import InvalidArgumentError
from ..kernels.records import MetricName
from ..kernels.spec import IntArray
from ..progress import Progress, bar, check_progress, ticker
from .index import Neighbors
from .votes import Weights, check_weights


class Scores(NamedTuple):
    """What :func:`cross_validate_k` returns."""

    ks: tuple[int, ...]
    accuracy: NDArray[np.float64]  # (ks, folds) share of the held-out rows that are classified rightly

    @property
    def best_k(self) -> int:
        """The k with the highest mean accuracy, the lowest of equals."""
        means = self.accuracy.mean(axis=1)
        return min(k for k, mean in zip(self.ks, means, strict=True) if mean == means.max())


def cross_validate_k(
    X: ArrayLike,
    y: ArrayLike,
    ks: Sequence[int],
    folds: int | Iterable[tuple[ArrayLike, ArrayLike]] = 5,
    *,
    metric: MetricName = "euclidean",
    weights: Weights = "uniform",
    progress: Progress | bool | None = None,
) -> Scores:
    """Which k is best? Score every k of ``ks`` by cross-validation, with one search per fold.

    ``folds`` is a number of stratified folds, where each class's rows go to the folds in turn, or pairs of training and
    test indices as scikit-learn's splitters yield. ``progress`` is called with the number of folds done; True shows a
    bar, where stderr is a terminal or a notebook's.
    """
    rows = checks.points("X", X)
    labels = checks.labels("y", y, len(rows))
    if isinstance(folds, numbers.Integral):
        splits = _stratified(labels, folds)
    else:
        splits = checks.folds("folds", folds, len(rows))
    counts = checks.counts("ks", ks, min(len(train) for train, _ in splits))
    check_progress(progress)
    check_weights(weights)
    columns, answered = [], 0
    with bar(sum(len(test) for _, test in splits), "queries", wanted=progress is True) as shown:
        for done, (train, test) in enumerate(splits, 1):
            index = Neighbors(metric).fit(rows[train], labels[train])
            predictions = index.classify(rows[test], counts, weights, progress=ticker(shown, answered, ""))
            columns.append([float(np.mean(prediction == labels[test])) for prediction in predictions])
            answered += len(test)
            if callable(progress):
                progress(done)
    return Scores(tuple(counts), np.array(columns).T)


def _stratified(labels: NDArray[Any], folds: numbers.Integral) -> list[tuple[IntArray, IntArray]]:
    count = checks.integer("folds", folds, low=2)
    if count > len(labels):
        raise InvalidArgumentError("folds", f"at most {len(labels)}, one per row", count)
    by_class = np.argsort(labels, kind="stable")
    fold_of = np.empty(len(labels), np.int64)
    fold_of[by_class] = np.arange(len(labels)) % count
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(count)]
