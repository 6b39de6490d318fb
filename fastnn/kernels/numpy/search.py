"""The NumPy kernel ``neighbors``, by comparison of every query with every row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records import COSINE, EUCLIDEAN, MANHATTAN
from ..spec import Codes, IntArray, unit_vectors

Float64Array = NDArray[np.float64]

BLOCK_ELEMENTS = 1 << 20  # of the rows, the queries and their table of values that are in memory at a time


def neighbors(
    metric: int,
    X: NDArray[Any],
    Q: NDArray[Any],
    codes: Codes | None,
    limit: float,
    values: Float64Array,
    indices: IntArray,
) -> None:
    values[:], indices[:] = np.inf, -1
    row_step = max(1, min(len(X), BLOCK_ELEMENTS // X.shape[1]))
    query_step = max(1, BLOCK_ELEMENTS // max(X.shape[1], row_step))
    for first_query in range(0, len(Q), query_step):
        here = slice(first_query, first_query + query_step)
        queries = _vectors(metric, Q[here])
        for first_row in range(0, len(X), row_step):
            rows = _vectors(metric, X[first_row : first_row + row_step])
            table, error = _table(metric, queries, rows, exact=X.dtype == np.uint8)
            for query, some, wrong, best, who in zip(queries, table, error, values[here], indices[here], strict=True):
                near = _candidates(some, wrong, min(limit, best[-1]), len(best))
                found = some[near] if not wrong.any() else _directly(metric, query, rows[near])
                _merge(best, who, found, near + first_row, limit)


def _vectors(metric: int, rows: NDArray[Any]) -> Float64Array:
    """Rows as float64, which holds all three dtypes and, up to 2^53, sums of products of uint8 without rounding.

    For COSINE those of floats become unit vectors.
    """
    if metric == COSINE and rows.dtype != np.uint8:
        return unit_vectors(rows)
    return rows.astype(np.float64)


def _table(metric: int, queries: Float64Array, rows: Float64Array, *, exact: bool) -> tuple[Float64Array, Float64Array]:
    """The values of all pairs (q, n), and bounds of their rounding (q, n) or (q, 1), 0 where they are final.

    |q - x|^2 = |q|^2 + |x|^2 - 2 q.x costs one product of matrices, but of floats it cancels.
    """
    if metric == MANHATTAN:
        sums = np.array([np.abs(rows - query).sum(axis=1) for query in queries]).reshape(len(queries), len(rows))
        return sums, np.zeros((len(queries), 1))
    products = queries @ rows.T
    query_squares, row_squares = np.square(queries).sum(axis=1)[:, np.newaxis], np.square(rows).sum(axis=1)
    if metric == COSINE and exact:
        # Of vectors that are divided by their largest elements: unit_vectors says why. Of parallel ones all three
        # quotients are the same r, and sqrt(r^2) = r without rounding, so that the value is 0.
        query_largest, row_largest = (np.maximum(v.max(axis=1), 1) for v in (queries, rows))
        products /= np.multiply.outer(query_largest, row_largest)
        norms = np.sqrt((query_squares / query_largest[:, np.newaxis] ** 2) * (row_squares / row_largest**2))
        cosines = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return np.maximum(1 - cosines, 0), np.zeros((len(queries), 1))
    norms = query_squares + row_squares
    squares = norms - 2 * products
    if exact:
        return squares, np.zeros((len(queries), 1))
    # d terms in each of three sums and in the direct one (Higham 2002, section 3.1), with room for the rest
    error = 2 * (queries.shape[1] + 8) * np.finfo(np.float64).eps * norms + 1e-300
    if metric == EUCLIDEAN:
        return squares, error
    zero = (query_squares == 0) | (row_squares == 0)
    return np.where(zero, 1, squares / 2), error


def _candidates(table: Float64Array, error: Float64Array, limit: float, k: int) -> IntArray:
    """Which rows of the table (n,) may be among the k best and within the limit."""
    low, high = table - error, table + error
    if k < len(table):
        limit = min(limit, np.partition(high, k - 1)[k - 1])
    return np.flatnonzero(low <= limit)


def _directly(metric: int, query: Float64Array, rows: Float64Array) -> Float64Array:
    """sum (q - x)^2 (n,), halved for COSINE, which is 1 for zero vectors."""
    squares: Float64Array = np.square(rows - query).sum(axis=1)
    if metric == EUCLIDEAN:
        return squares
    return np.where(rows.any(axis=1) & query.any(), squares / 2, 1)


def _merge(best: Float64Array, who: IntArray, found: Float64Array, rows: IntArray, limit: float) -> None:
    """Sort what was found into the k best so far, whose rows all come before the new ones."""
    within = found <= limit
    both, rows = np.concatenate([best, found[within]]), np.concatenate([who, rows[within]])
    order = np.argsort(both, kind="stable")[: len(best)]
    best[:], who[:] = both[order], rows[order]
