"""How the neighbours of a query vote: the weights of their votes, and which class wins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import InvalidArgumentError
from ..kernels.spec import IntArray

Weights = Literal["uniform", "distance"] | Callable[[NDArray[np.floating[Any]]], ArrayLike]

NAMED_WEIGHTS = ("uniform", "distance")
MOST_WEIGHT = np.float64(1e300)  # of a vote, so that no sum overflows; NumPy would narrow Python's number to float32
DISTANCE_WEIGHT = 2.0**-100  # of a vote, divided by the distance: no power of two changes the outcome, 1 overflows


def check_weights(weights: object) -> None:
    """Refuse before a search what is of no use after it."""
    if not callable(weights):
        checks.choice("weights", weights, NAMED_WEIGHTS)


def vote_weights(distances: NDArray[Any], weights: Weights) -> NDArray[Any]:
    """The weight (q, k) of each neighbour's vote; see :meth:`fastnn.Neighbors.classify`."""
    if callable(weights):
        return _weights_by(weights, distances.copy())  # which it may change
    if weights == "uniform":
        return np.ones(distances.shape)
    zero = distances == 0
    with np.errstate(divide="ignore"):
        inverse = DISTANCE_WEIGHT / distances.astype(np.float64)
    return np.where(zero.any(axis=1, keepdims=True), zero, inverse)


def _weights_by(function: Callable[[NDArray[np.floating[Any]]], ArrayLike], distances: NDArray[Any]) -> NDArray[Any]:
    """What a caller's function makes of distances (q, k), if that can be votes."""
    what, shape = "weights(distances)", distances.shape
    try:
        found = function(distances)
    except (TypeError, ValueError) as error:  # as of math.exp and int, which take one number
        if type(error) not in (TypeError, ValueError):  # the function's own
            raise
        problem = f"{type(error).__name__}: {error}"
        raise InvalidArgumentError(what, f"a function of an array of distances {shape}", problem) from error
    result = checks.numeric_array(what, found)
    if result.shape != shape:
        raise InvalidArgumentError(what, f"shape {shape}", f"shape {result.shape}")
    if np.isnan(result).any():
        raise InvalidArgumentError(what, "numbers", "NaN")
    wrong = (result < -MOST_WEIGHT) | ((result > MOST_WEIGHT) & (result < np.inf))
    if wrong.any():
        raise InvalidArgumentError(what, f"numbers from {-MOST_WEIGHT:g} to {MOST_WEIGHT:g}, or inf", result[wrong][0])
    without = np.flatnonzero(~result.any(axis=1))
    if len(without):
        raise InvalidArgumentError(what, "some weight other than 0 for each query", f"none for query {without[0]}")
    return result


def vote(labels: IntArray, weights: NDArray[Any]) -> IntArray:
    """The label of each row (q, k) that has the greatest sum of weights (q, k), of equal sums the lowest."""
    order = np.argsort(labels, axis=1, kind="stable")
    ordered = np.take_along_axis(labels, order, axis=1)
    starts = np.ones(ordered.shape, bool)  # where a run of equal labels begins
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    sums = np.full(ordered.shape, -np.inf)
    weights = np.take_along_axis(weights, order, axis=1).ravel()
    sums[starts] = np.add.reduceat(weights, np.flatnonzero(starts), dtype=np.float64)
    winners: IntArray = np.take_along_axis(ordered, sums.argmax(axis=1, keepdims=True), axis=1)[:, 0]
    return winners
