"""How often outputs above thresholds are taken for what they are and for what they are not, and what follows of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...kernels.spec import FloatArray
from .config import EPSILON
from .scores import Array, aligned


class Confusion(NamedTuple):
    """Weights of the outputs by what they are taken for, each (thresholds,), or (thresholds, labels)."""

    true_positives: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    true_negatives: NDArray[np.float64]
    false_negatives: NDArray[np.float64]

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of what is taken for positive, the share that is, 0 of nothing."""
        return ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of what is positive, the share that is taken for it, 0 of nothing."""
        return ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> NDArray[np.float64]:
        """Of what is negative, the share that is taken for it, 0 of nothing."""
        return ratio(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def fallout(self) -> NDArray[np.float64]:
        """Of what is negative, the share that is taken for positive, 0 of nothing."""
        return ratio(self.false_positives, self.false_positives + self.true_negatives)


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """part / whole, 0 where there is nothing to divide by."""
    whole = np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole != 0)


def confusion(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    thresholds: NDArray[np.float64],
    weights: FloatArray | None = None,
    by_label: bool = False,
) -> Confusion:
    """Take outputs above each of the ascending ``thresholds`` for positive, and compare with y != 0.

    ``weights`` are of the rows, or of y_pred's shape. With ``by_label``, y_pred is (n, labels), counted one by one.

    Each output falls into the bucket between two thresholds; the sums over the buckets above a threshold are what is
    taken for positive there, which takes O(n + thresholds) in place of their product.
    """
    y, a = aligned(y_true, y_pred)
    count, even = len(thresholds), _are_even(thresholds)
    if even:  # as Keras computes it, in the type of the outputs
        buckets = np.ceil(np.clip(a, 0, 1) * a.dtype.type(count - 1)).astype(np.int64)
        if thresholds[0] < 0:
            buckets = np.maximum(buckets, 1)
    else:
        buckets = np.searchsorted(thresholds.astype(a.dtype), a, side="left")
    each = np.ones(a.shape)
    if weights is not None:
        each = each * (weights.reshape(weights.shape + (1,) * (a.ndim - weights.ndim)))
    labels = a.shape[-1] if by_label else 1
    places = buckets.reshape(-1, labels) * labels + np.arange(labels)  # by bucket, then by label

    def above(chosen: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The weights above every threshold, and of all."""
        sums = np.bincount(places.ravel(), (each * chosen).ravel(), (count + 1) * labels).reshape(-1, labels)
        upwards = sums[::-1].cumsum(axis=0)[::-1]
        found = (upwards[1:], upwards[0]) if by_label else (upwards[1:, 0], upwards[0, 0])
        return found

    true_positives, positives = above(y != 0)
    false_positives, negatives = above(y == 0)
    return Confusion(true_positives, false_positives, negatives - false_positives, positives - true_positives)


def _are_even(thresholds: NDArray[np.float64]) -> bool:
    count = len(thresholds)
    return count >= 3 and np.allclose(thresholds, np.arange(count) / (count - 1), atol=2 * EPSILON)


def area(found: Confusion, curve: str, summation: str) -> Any:
    """The area under "ROC" or "PR", of the points at the thresholds.

    ``summation`` takes the "interpolation", "minoring" or "majoring" height between two of them; interpolated precision
    follows Davis & Goadrich 2006, The relationship between precision-recall and ROC curves.
    """
    if curve == "PR" and summation == "interpolation":
        return _area_interpolated(found)
    x, y = (found.fallout, found.recall) if curve == "ROC" else (found.recall, found.precision)
    if summation == "interpolation":
        heights = (y[:-1] + y[1:]) / 2
    else:
        heights = (np.minimum if summation == "minoring" else np.maximum)(y[:-1], y[1:])
    return ((x[:-1] - x[1:]) * heights).sum(axis=0)


def _area_interpolated(found: Confusion) -> Any:
    hits, taken = found.true_positives, found.true_positives + found.false_positives
    slope = ratio(hits[:-1] - hits[1:], np.maximum(taken[:-1] - taken[1:], 0))
    intercept = hits[1:] - slope * taken[1:]
    both = (taken[:-1] > 0) & (taken[1:] > 0)
    safe = np.where(both, ratio(taken[:-1], np.maximum(taken[1:], 0)), 1)
    increments = slope * (hits[:-1] - hits[1:] + intercept * np.log(np.where(safe > 0, safe, 1)))
    return ratio(increments, hits[1:] + found.false_negatives[1:]).sum(axis=0)
