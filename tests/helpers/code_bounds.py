"""What codes say of distances, and the proof that it is true of every pair."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.kernels.params import Parameters
from fastnn.kernels.spec import Codes
from fastnn.neighbors.codes import Pruning
from fastnn.neighbors.grid import GridPruning

Array = NDArray[Any]


def distances(metric: str, X: Array, Q: Array) -> Array:
    """|q - x| of every pair (q, n), of unit vectors for cosine, in the longest floats there are."""
    X, Q = X.astype(np.longdouble), Q.astype(np.longdouble)
    if metric == "cosine":
        X, Q = unit(X), unit(Q)
    return np.array([np.sqrt(((X - q) ** 2).sum(axis=1)) for q in Q])


def unit(points: Array) -> Array:
    norms = np.sqrt((points**2).sum(axis=1, keepdims=True))
    return np.divide(points, norms, out=np.zeros_like(points), where=norms > 0)


def bounds(codes: Codes) -> list[Array]:
    """What spec.Codes says the distance of every pair is not below, (q, n), by the codes and by the finest."""
    apart = np.array([np.sqrt(((codes.rows.astype(np.float64) - q) ** 2).sum(axis=1)) for q in codes.queries])
    errors = codes.query_errors[:, np.newaxis].astype(np.float64) + codes.row_errors
    return [codes.scale * (apart - errors), *(bounds(codes.finer) if codes.finer is not None else ())]


def check_codes(metric: str, X: Array, Q: Array, codes: Codes) -> tuple[Array, Array]:
    """Prove the bounds of codes of rows X and queries Q; return the finest, (q, n), and the distances."""
    level: Codes | None = codes
    while level is not None:
        assert level.rows.dtype == level.queries.dtype == np.uint8
        assert level.row_errors.dtype == level.query_errors.dtype == np.float32
        assert (level.row_errors.shape, level.query_errors.shape) == (X.shape[:1], Q.shape[:1])
        assert level.rows.shape == (len(X), level.queries.shape[1])
        assert level.finer is None or level.finer.rows.shape[1] > level.rows.shape[1]
        assert math.isfinite(level.scale)
        assert level.scale > 0
        level = level.finer
    found, truth = bounds(codes), distances(metric, X, Q)
    for bound in found:
        assert (bound <= truth).all()
    return found[-1], truth


def code_arrays(codes: Pruning | GridPruning) -> Iterator[Array]:
    """All arrays that codes are made of."""
    for value in vars(codes).values():
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, Parameters):
            yield value.vector
        elif isinstance(value, Pruning):
            yield from code_arrays(value)
