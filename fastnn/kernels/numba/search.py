"""The Numba kernel ``neighbors``: four rows at a time, in the first cache, meet every query of a block.

A quick sum decides whether a row may be among the k best: the integer distance of the codes where there are some, exact
for uint8, else in the rows' own precision with room for its rounding. The few that may be are summed in float64.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ..params import aligned_zeros
from ..spec import ALIGNMENT, COSINE, EUCLIDEAN, MANHATTAN, IntArray
from . import layers as step

TILE = 4  # rows at a time
COLUMNS = 2048  # in a quick sum: an int32 holds so many squares of bytes, and float32 stays within MARGIN
# (COLUMNS + 4) 2^-24 = 1.2e-4 bounds the rounding of a quick sum, and 4e-16 d that of a value
MARGIN = 1.0005
TINY = 1e-37  # where squares of float32 have lost digits
LEAST_SQUARE = 1e-240  # of a norm; if less, some of what it sums may have underflowed
UNIT = 1e-6  # exceeds the rounding of distances between vectors of norm 1
CODE = 1e-6  # and that of distances between codes

_njit: Any = numba.njit  # Any: numba's own annotations do not know no_cpython_wrapper
_comparing = _njit(  # finite numbers
    nogil=True, cache=True, fastmath={"nnan", "nsz"}, error_model="numpy", no_cpython_wrapper=True
)
_summing = _njit(  # sums in any order, which vectors need
    nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy", no_cpython_wrapper=True
)


class Best(NamedTuple):
    """The k best rows so far of each query: heaps with the worst, of equals the last, on top."""

    values: NDArray[np.float64]  # (q, k)
    indices: IntArray  # (q, k)
    counts: IntArray  # (q,)
    bounds: NDArray[np.float64]  # (q,) only values below it are of use


class Queries(NamedTuple):
    """Queries as the quick sums take them."""

    wide: NDArray[Any]  # (q, at least d) int16 or floats; of norm 1 for the cosine of floats
    largest: NDArray[np.float64]  # (q,) largest elements, for COSINE; below 0: not known yet, nor what follows
    squares: NDArray[np.float64]  # (q,) squared norms, for COSINE of bytes,
    scaled: NDArray[np.float64]  # (q,) and of vectors divided by their largest elements
    units: NDArray[np.float64]  # (q, d) unit vectors, for COSINE of floats
    sums: NDArray[np.float64]  # (q, 4) quick sums with a tile
    quick: NDArray[np.float64]  # (q,) the greatest quick sum of a row that may be of use


class Tile(NamedTuple):
    """Four rows, prepared as the queries."""

    wide: NDArray[Any]  # (4, at least d)
    largest: NDArray[np.float64]  # (4,)
    squares: NDArray[np.float64]  # (4,)
    scaled: NDArray[np.float64]  # (4,)
    units: NDArray[np.float64]  # (4, d)
    one: NDArray[Any]  # (1,) of the type in which COLUMNS are summed: int32, float32 or float64


def _wide(count: int, d: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros (count, at least d), every row from a 64-byte boundary on, for rows or queries of ``dtype``."""
    dtype = np.dtype(np.int16) if dtype == np.uint8 else dtype
    lanes = ALIGNMENT // dtype.itemsize
    return aligned_zeros((count, -(-d // lanes) * lanes), dtype)


def prepare(metric: int, Q: NDArray[Any]) -> Queries:
    count, units = len(Q), _units_for(metric, Q, len(Q))
    wide, (largest, squares, scaled) = _wide(count, Q.shape[1], Q.dtype), np.zeros((3, count))
    queries = Queries(wide, largest, squares, scaled, units, np.empty((count, TILE)), np.empty(count))
    if metric == COSINE:
        _find_lengths(Q, queries)
    wide[:, : Q.shape[1]] = units if units.size else Q
    return queries


def tile_for(metric: int, X: NDArray[Any]) -> Tile:
    dtype = np.dtype(np.int32) if X.dtype == np.uint8 else X.dtype
    largest, squares, scaled = np.zeros((3, TILE))
    units = _units_for(metric, X, TILE)
    return Tile(_wide(TILE, X.shape[1], X.dtype), largest, squares, scaled, units, np.zeros(1, dtype))


def _units_for(metric: int, points: NDArray[Any], count: int) -> NDArray[np.float64]:
    return np.zeros((count, points.shape[1] if metric == COSINE and points.dtype != np.uint8 else 0))


@step.compiled
def _find_lengths(Q: Any, queries: Any) -> None:
    for q in range(len(Q)):
        _find_length(Q[q], queries, q)


@step.inner
def _find_length(x: Any, to: Any, at: int) -> None:
    """Write what the cosine of a query or row x (d,) is computed of."""
    largest = to.largest[at] = _largest(x)
    if x.itemsize == 1:
        to.squares[at] = _dot(x, x)
        to.scaled[at] = to.squares[at] / (largest * largest) if largest > 0 else 0.0
    elif largest > 0:
        _to_unit(x, largest, to.units[at])


@_comparing
def _largest(x: Any) -> float:
    largest = abs(x[0])
    for j in range(1, len(x)):
        size = abs(x[j])
        largest = size if size > largest else largest
    return float(largest)


@_summing
def _to_unit(x: Any, largest: float, unit: Any) -> None:
    """unit = x / |x|, as :func:`spec.unit_vectors` says."""
    square = 0.0
    for j in range(len(x)):
        unit[j] = np.float64(x[j]) / largest
        square += unit[j] * unit[j]
    norm = math.sqrt(square)
    for j in range(len(x)):
        unit[j] /= norm


@step.inner
def _load(metric: int, X: Any, first: int, tile: Any) -> None:
    """Fill the tile from X[first], X[first + 1], ..., as far as there are rows."""
    T, exact = tile.wide.dtype.type, X.itemsize == 1
    tile.largest[:] = -1  # not known yet
    for t in range(min(TILE, len(X) - first)):
        x, wide = X[first + t], tile.wide[t]
        if metric != COSINE or exact:
            for j in range(len(x)):
                wide[j] = T(x[j])
            if metric == COSINE:
                _find_length(x, tile, t)
            continue
        square = _dot(x, x)
        if square > LEAST_SQUARE:
            factor = 1 / math.sqrt(square)
            for j in range(len(x)):
                wide[j] = T(x[j] * factor)
        else:
            tile.units[t] = 0
            _find_length(x, tile, t)
            for j in range(len(x)):
                wide[j] = T(tile.units[t, j])


@_summing
def _dot(q: Any, x: Any) -> float:
    total = 0.0
    for j in range(len(x)):
        total += np.float64(q[j]) * np.float64(x[j])
    return total


@_summing
def _sum_tile(metric: int, d: int, tile: Any, wide: Any, sums: Any) -> None:
    """sums[q, t] = sum of the squared differences of query q and row t, for MANHATTAN of the absolute ones."""
    D, T = wide.dtype.type, tile.one.dtype.type
    sums[:] = 0
    for first in range(0, d, COLUMNS):
        stop = min(first + COLUMNS, d)
        x0, x1 = tile.wide[0, first:stop], tile.wide[1, first:stop]
        x2, x3 = tile.wide[2, first:stop], tile.wide[3, first:stop]
        for q in range(len(sums)):
            y, s0, s1, s2, s3 = wide[q, first:stop], T(0), T(0), T(0), T(0)
            if metric == MANHATTAN:
                for j in range(len(y)):  # the types keep LLVM from widening early
                    s0 = T(s0 + T(abs(D(y[j] - x0[j]))))
                    s1 = T(s1 + T(abs(D(y[j] - x1[j]))))
                    s2 = T(s2 + T(abs(D(y[j] - x2[j]))))
                    s3 = T(s3 + T(abs(D(y[j] - x3[j]))))
            else:
                for j in range(len(y)):
                    e0, e1, e2, e3 = D(y[j] - x0[j]), D(y[j] - x1[j]), D(y[j] - x2[j]), D(y[j] - x3[j])
                    s0 = T(s0 + T(T(e0) * T(e0)))
                    s1 = T(s1 + T(T(e1) * T(e1)))
                    s2 = T(s2 + T(T(e2) * T(e2)))
                    s3 = T(s3 + T(T(e3) * T(e3)))
            sums[q, 0] += s0
            sums[q, 1] += s1
            sums[q, 2] += s2
            sums[q, 3] += s3


@_summing
def _sum_of_terms(metric: int, q: Any, x: Any) -> float:
    """sum (q - x)^2, for MANHATTAN sum |q - x|"""
    total = 0.0
    if metric == MANHATTAN:
        for j in range(len(x)):
            total += abs(np.float64(q[j]) - np.float64(x[j]))
    else:
        for j in range(len(x)):
            e = np.float64(q[j]) - np.float64(x[j])
            total += e * e
    return total


@step.inner
def _cosine(Q: Any, queries: Any, q: int, X: Any, i: int, tile: Any, t: int) -> float:
    """1 - cos of the angle between query q and row i, the tile's t-th."""
    if tile.largest[t] < 0:
        _find_length(X[i], tile, t)
    if X.itemsize == 1:
        return _cosine_of_bytes(_dot(Q[q], X[i]), queries, q, tile, t)
    if queries.largest[q] == 0 or tile.largest[t] == 0:
        return 1.0
    return _sum_of_terms(EUCLIDEAN, queries.units[q], tile.units[t]) / 2  # = |q / |q| - x / |x||^2 / 2


@step.inner
def _cosine_of_bytes(product: float, queries: Any, q: int, tile: Any, t: int) -> float:
    """1 - q.x / (|q| |x|) from exact integers.

    The cosine is that of vectors that are divided by their largest elements: :func:`spec.unit_vectors` says why. Of
    parallel ones all three quotients are the same r, and sqrt(r^2) = r without rounding, so that the value is 0.
    """
    largest = queries.largest[q] * tile.largest[t]
    if largest == 0:
        return 1.0
    return max(0.0, 1 - product / largest / math.sqrt(queries.scaled[q] * tile.scaled[t]))


@step.inner
def _sink(values: Any, indices: Any, size: int, value: float, index: int) -> None:
    """Put an entry in the place of the top of a heap of ``size``."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and _worse(values[child + 1], indices[child + 1], values[child], indices[child]):
            child += 1
        if not _worse(values[child], indices[child], value, index):
            break
        values[place], indices[place] = values[child], indices[child]
        place = child
    values[place], indices[place] = value, index


@step.inner
def _worse(value: float, index: int, other: float, other_index: int) -> bool:
    return value > other or (value == other and index > other_index)


@step.inner
def _offer(best: Any, q: int, value: float, index: int) -> None:
    """Take a row, whose index is above all before, if it is one of the best."""
    if value >= best.bounds[q]:
        return
    values, indices, count = best.values[q], best.indices[q], best.counts[q]
    if count == len(values):
        _sink(values, indices, count, value, index)
    else:
        place = count
        while place > 0 and _worse(value, index, values[(place - 1) // 2], indices[(place - 1) // 2]):
            values[place], indices[place] = values[(place - 1) // 2], indices[(place - 1) // 2]
            place = (place - 1) // 2
        values[place], indices[place] = value, index
        best.counts[q] = count + 1
        if count + 1 < len(values):
            return
    best.bounds[q] = values[0]


@step.inner
def _quick_bound(metric: int, bound: float) -> float:
    """The greatest quick sum, of floats, of a row whose value is below ``bound``."""
    if metric == COSINE:
        return (math.sqrt(2 * bound) + UNIT) ** 2 * MARGIN
    return bound * MARGIN + TINY


@step.compiled
def compare(metric: int, X: Any, first: int, stop: int, Q: Any, queries: Any, tile: Any, best: Any) -> None:
    """Offer the rows from ``first`` to before ``stop`` to every query."""
    d, exact = X.shape[1], X.itemsize == 1
    for q in range(len(Q)):
        queries.quick[q] = _quick_bound(metric, best.bounds[q])
    for i in range(first, stop, TILE):
        _load(metric, X, i, tile)
        _sum_tile(metric, d, tile, queries.wide, queries.sums)
        for q in range(len(Q)):
            for t in range(min(TILE, stop - i)):
                value = queries.sums[q, t]
                if exact:
                    if metric == COSINE:
                        product = (queries.squares[q] + tile.squares[t] - value) / 2
                        value = _cosine_of_bytes(product, queries, q, tile, t)
                    if value < best.bounds[q]:
                        _offer(best, q, value, i + t)
                elif value <= queries.quick[q] or value == math.inf:  # which float32 could not hold
                    if metric == COSINE:
                        value = _cosine(Q, queries, q, X, i + t, tile, t)
                    else:
                        value = _sum_of_terms(metric, Q[q], X[i + t])
                    _offer(best, q, value, i + t)
                    queries.quick[q] = _quick_bound(metric, best.bounds[q])


@step.inner
def _reach(metric: int, bound: float, scale: float, error: float) -> float:
    """How far the codes of a row of value ``bound`` may be from the query's, but for the row's own error."""
    distance = math.sqrt(2 * bound) + UNIT if metric == COSINE else math.sqrt(bound)
    return distance * MARGIN / scale + error + CODE


@step.compiled
def compare_codes(
    metric: int,
    X: Any,
    first: int,
    stop: int,
    Q: Any,
    rows: Any,
    row_errors: Any,
    query_errors: Any,
    scale: float,
    queries: Any,
    tile: Any,
    whole: Any,
    whole_tile: Any,
    best: Any,
) -> int:
    """Offer the rows that their codes do not rule out; return how many.

    ``queries`` and ``tile`` are of codes; ``whole`` and ``whole_tile``, of the points, serve COSINE.
    """
    d, verified = rows.shape[1], 0
    for q in range(len(Q)):
        queries.quick[q] = _reach(metric, best.bounds[q], scale, query_errors[q])
    for i in range(first, stop, TILE):
        _load(EUCLIDEAN, rows, i, tile)
        _sum_tile(EUCLIDEAN, d, tile, queries.wide, queries.sums)
        whole_tile.largest[:] = -1  # not known yet
        for q in range(len(Q)):
            for t in range(min(TILE, stop - i)):
                reach = queries.quick[q] + row_errors[i + t]
                if queries.sums[q, t] <= reach * reach:
                    verified += 1
                    if metric == COSINE:
                        value = _cosine(Q, whole, q, X, i + t, whole_tile, t)
                    else:
                        value = _sum_of_terms(metric, Q[q], X[i + t])
                    _offer(best, q, value, i + t)
                    queries.quick[q] = _reach(metric, best.bounds[q], scale, query_errors[q])
    return verified


@step.compiled
def sort(best: Any, steps: int) -> int:
    """Turn the heaps into ascending lists, in at most so many steps; return how many are left: 0, and it may go on."""
    for q in range(len(best.counts)):
        values, indices = best.values[q], best.indices[q]
        while best.counts[q] > 1 and steps > 0:
            last = best.counts[q] - 1
            value, index = values[last], indices[last]
            values[last], indices[last] = values[0], indices[0]
            _sink(values, indices, last, value, index)
            best.counts[q] = last
            steps -= 1
    return steps
