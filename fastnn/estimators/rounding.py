"""How far scikit-learn's rounding reaches: up to which gaps between two distances it decides their order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.spec import FloatArray

EPSILON, EPSILON32 = float(np.finfo(np.float64).eps), float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float64).tiny)  # below it, rounding is not relative any more
SHORT = 10 * EPSILON  # scikit-learn takes norms below it for 0, and does not divide by them
BLOCK_NUMBERS = 1 << 16  # which are looked at together, so that what they become stays in a cache


def of_products(norms: FloatArray, values: FloatArray, columns: int) -> FloatArray:
    """Gaps (q, k) before squared distances (q, k) that are summed as |x|^2 - 2 x y + |y|^2, terms as large as norms.

    ``norms`` (q,) are those of each query and the largest row together. A sum of d products has an error of at most
    d eps times the sum of their sizes, here and below.
    """
    return np.broadcast_to(_relative(columns) * norms[:, np.newaxis] ** 2 + TINY, values.shape)


def of_differences(values: FloatArray, columns: int, *, is_single: bool) -> FloatArray:
    """Gaps before values that are sums of differences, taken in float32 if ``is_single``."""
    return (_relative(columns) + (8 * EPSILON32 if is_single else 0.0)) * values + TINY


def of_trees(norms: FloatArray, values: FloatArray, columns: int, *, are_squares: bool) -> FloatArray:
    """Gaps before sums of differences, to which a tree adds the rounding of its nodes' bounds."""
    bounds = norms[:, np.newaxis] * (np.sqrt(values) if are_squares else 1.0)
    return _relative(columns) * (values + bounds) + TINY


def of_cosines(values: FloatArray, columns: int) -> FloatArray:
    """Gaps before 1 - cos of angles."""
    return np.full_like(values, _relative(columns))


def _relative(columns: int) -> float:
    return 4 * (columns + 8) * EPSILON


def norms(X: NDArray[Any], metric: str) -> FloatArray:
    """The norms (n,) of the rows of X in the sense of fastnn's metric."""
    X = X.astype(np.float64, copy=False)
    if metric == "manhattan":
        return np.abs(X).sum(axis=1)
    with np.errstate(over="ignore"):  # fastnn refuses such numbers
        return np.sqrt(np.einsum("ij,ij->i", X, X))


def block_rows(X: NDArray[Any]) -> int:
    """How many rows are looked at together."""
    return max(1, BLOCK_NUMBERS // X.shape[1])


def largest_norm(X: NDArray[Any], metric: str) -> float:
    """The norm of the row that has the largest."""
    size = block_rows(X)
    return max(float(norms(X[start : start + size], metric).max()) for start in range(0, len(X), size))


def has_short_rows(X: NDArray[Any]) -> bool:
    """Whether rows of X that are not 0 are so short that scikit-learn takes no cosines of them."""
    if X.dtype.kind != "f":
        return False
    size = block_rows(X)
    blocks = (X[start : start + size] for start in range(0, len(X), size))
    return any(bool(block[norms(block, "cosine") < SHORT].any()) for block in blocks)
