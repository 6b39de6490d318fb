"""The Numba kernel ``neighbors``, by comparison of every query with every row in plain loops.

A quick sum decides whether a row may be among the k best: of four rows at a time with every query of a block, in the
rows' own precision, or of their codes where there are some. The few rows that may be are then summed in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..params import aligned_zeros
from ..records import COSINE, EUCLIDEAN, MANHATTAN
from ..spec import ALIGNMENT, Codes, IntArray
from .compiling import compiled, finite, read_only

Float64Array = NDArray[np.float64]

QUERIES, QUERY_ELEMENTS = 128, 1 << 20  # a block of queries, and what it has at most
PORTION = 1 << 26  # elements summed in a few hundredths of a second, between two chances for Ctrl-C
PER_PAIR = 500  # what a pair of rows costs besides, at most, in the same unit
SORTED = 100_000  # neighbours that are sorted between two chances
SLOWER = 8  # times as many values as native computes in the time of comparing all rows
TRIED = 16  # one row of so many is searched before it shows whether the codes rule out enough
TILE = 4  # rows at a time
COLUMNS = 2048  # in a quick sum: an int32 holds so many squares of bytes, and float32 stays within MARGIN
# (COLUMNS + 4) 2^-24 = 1.2e-4 bounds the rounding of a quick sum, and 4e-16 d that of a value.
MARGIN = 1.0005
TINY = 1e-18  # distances of which the squares have lost digits in float32
LEAST_SQUARE = 1e-240  # of a norm; if less, some of what it sums may have underflowed
UNIT = 1e-6  # exceeds the rounding of distances between vectors of norm 1
CODE = 1e-6  # and that of distances between codes


class Best(NamedTuple):
    """The k best rows so far of each query: heaps with the worst, of equals the last, on top."""

    values: Float64Array  # (q, k)
    indices: IntArray  # (q, k)
    bounds: Float64Array  # (q,) only values below it are of use


class Lengths(NamedTuple):
    """What the cosine of some points is computed of."""

    largest: Float64Array  # (count,) largest elements
    squares: Float64Array  # (count,) squared norms of the points divided by these, of bytes
    units: Float64Array  # (count, d) unit vectors, of floats; of bytes zeros
    row: IntArray  # (1,) of a single point: which row of X it is, or -1


class Quick(NamedTuple):
    """What the quick sums are taken of: the points or their codes."""

    metric: int  # EUCLIDEAN for codes
    rows: NDArray[Any]  # (n, width)
    row_errors: NDArray[np.float32]  # (n,) of codes, or (0,)
    query_errors: Float64Array  # (q,)
    scale: float  # distances of points are so many times those of codes
    queries: NDArray[Any]  # (q, at least width) int16 or floats; of norm 1 for COSINE
    tile: NDArray[Any]  # (TILE, at least width) the same of rows
    one: NDArray[Any]  # (1,) of the type in which COLUMNS are summed: int32, float32 or float64
    table: Float64Array  # (TILE, q) the sums
    reach: Float64Array  # (q,) how far, as a square root of a sum, a row may be and be of use


# ---- values


@finite
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


@finite
def _dot(q: Any, x: Any) -> float:
    total = 0.0
    for j in range(len(x)):
        total += np.float64(q[j]) * np.float64(x[j])
    return total


@finite
def _find_length(x: Any, lengths: Any, at: int) -> None:
    """Write what the cosine of a query or row x (d,) is computed of; see :func:`spec.unit_vectors`."""
    largest = abs(x[0])
    for j in range(1, len(x)):
        size = abs(x[j])
        largest = size if size > largest else largest
    lengths.largest[at] = largest
    if largest > 0 and x.itemsize == 1:
        lengths.squares[at] = _dot(x, x) / (np.float64(largest) * np.float64(largest))
    elif largest > 0:
        unit = lengths.units[at]
        for j in range(len(x)):
            unit[j] = np.float64(x[j]) / np.float64(largest)
        norm = math.sqrt(_dot(unit, unit))
        for j in range(len(x)):
            unit[j] /= norm


@compiled
def _directly(metric: int, Q: Any, q: int, of_queries: Any, X: Any, row: int, of_row: Any) -> float:
    """The value of query q and a row."""
    if metric != COSINE:
        return _sum_of_terms(metric, Q[q], X[row])
    if of_row.row[0] != row:
        _find_length(X[row], of_row, 0)
        of_row.row[0] = row
    largest = of_queries.largest[q] * of_row.largest[0]
    if of_queries.largest[q] == 0 or of_row.largest[0] == 0:
        return 1.0
    if X.itemsize > 1:
        return _sum_of_terms(EUCLIDEAN, of_queries.units[q], of_row.units[0]) / 2  # = |q / |q| - x / |x||^2 / 2
    # Of vectors that are divided by their largest elements: spec.unit_vectors says why. Of parallel ones all three
    # quotients are the same r, and sqrt(r^2) = r without rounding, so that the value is 0.
    return max(0.0, 1 - _dot(Q[q], X[row]) / largest / math.sqrt(of_queries.squares[q] * of_row.squares[0]))


@compiled
def _find_lengths(Q: Any, lengths: Any) -> None:
    for q in range(len(Q)):
        _find_length(Q[q], lengths, q)


# ---- quick sums


@finite
def _load(metric: int, X: Any, first: int, wide: Any, of_row: Any) -> None:
    """wide = X[first], X[first + 1], ..., as far as there are rows; divided by their norms for COSINE."""
    T = wide.dtype.type
    for t in range(min(len(wide), len(X) - first)):
        x, to = X[first + t], wide[t]
        if metric != COSINE:
            for j in range(len(x)):
                to[j] = T(x[j])
            continue
        square = _dot(x, x)
        if LEAST_SQUARE < square < math.inf:
            factor = 1 / math.sqrt(square)
            for j in range(len(x)):
                to[j] = T(x[j] * factor)
        else:
            of_row.units[0] = 0
            of_row.row[0] = -1
            _find_length(x, of_row, 0)
            for j in range(len(x)):
                to[j] = T(of_row.units[0, j])


@finite
def _fill_table(metric: int, width: int, quick: Any) -> None:
    """table[t, q] = sum of the squared differences of query q and the tile's row t, for MANHATTAN the absolute ones."""
    D, T = quick.tile.dtype.type, quick.one.dtype.type
    table = quick.table
    table[:] = 0
    for first in range(0, width, COLUMNS):
        stop = min(first + COLUMNS, width)
        x0, x1 = quick.tile[0, first:stop], quick.tile[1, first:stop]
        x2, x3 = quick.tile[2, first:stop], quick.tile[3, first:stop]
        for q in range(table.shape[1]):
            y, s0, s1, s2, s3 = quick.queries[q, first:stop], T(0), T(0), T(0), T(0)
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
            table[0, q] += s0
            table[1, q] += s1
            table[2, q] += s2
            table[3, q] += s3


@compiled
def _reach(metric: int, bound: float, quick: Any, q: int) -> float:
    """How far a row of value ``bound`` may be from query q, but for the row's own error."""
    distance = math.sqrt(2 * bound) + UNIT if metric == COSINE else math.sqrt(bound)
    return distance * MARGIN / quick.scale + quick.query_errors[q]


# ---- the k best


@compiled
def _worse(value: float, index: int, other: float, other_index: int) -> bool:
    return value > other or (value == other and index > other_index)


@compiled
def _replace_worst(best: Any, q: int, value: float, index: int) -> None:
    """Put a row in the place of the top of query q's heap."""
    values, indices, place = best.values[q], best.indices[q], 0
    while True:
        child = 2 * place + 1
        if child >= len(values):
            break
        if child + 1 < len(values) and _worse(values[child + 1], indices[child + 1], values[child], indices[child]):
            child += 1
        if not _worse(values[child], indices[child], value, index):
            break
        values[place], indices[place] = values[child], indices[child]
        place = child
    values[place], indices[place] = value, index
    best.bounds[q] = min(best.bounds[q], values[0])


@compiled
def _scan(
    metric: int, X: Any, first: int, stop: int, Q: Any, quick: Any, of_queries: Any, of_row: Any, best: Any
) -> int:
    """Find the best of the rows from ``first`` to before ``stop`` as well; return how many values that took."""
    found, width = 0, quick.rows.shape[1]
    for q in range(len(Q)):
        quick.reach[q] = _reach(metric, best.bounds[q], quick, q)
    for i in range(first, stop, TILE):
        _load(quick.metric, quick.rows, i, quick.tile, of_row)
        _fill_table(quick.metric, width, quick)
        for t in range(min(TILE, stop - i)):
            error = np.float64(quick.row_errors[i + t]) if len(quick.row_errors) > 0 else 0.0
            for q in range(len(Q)):
                reach, total = quick.reach[q] + error, quick.table[t, q]
                if total <= reach * reach or total == math.inf:  # which float32 could not hold
                    value = _directly(metric, Q, q, of_queries, X, i + t, of_row)
                    found += 1
                    if value < best.bounds[q]:  # rows come in order, and of equals the first counts
                        _replace_worst(best, q, value, i + t)
                        quick.reach[q] = _reach(metric, best.bounds[q], quick, q)
    return found


# ---- the table


def neighbors(
    metric: int,
    X: NDArray[Any],
    Q: NDArray[Any],
    codes: Codes | None,
    limit: float,
    values: Float64Array,
    indices: IntArray,
) -> None:
    metric, X, Q = int(metric), read_only(X), read_only(Q)
    values[:], indices[:] = np.inf, -1
    size = max(1, min(QUERIES, QUERY_ELEMENTS // X.shape[1]))
    for start in range(0, len(Q), size):
        here, done = slice(start, start + size), 0
        queries, of_queries, of_row = Q[here], _lengths(metric, Q[here]), _lengths(metric, Q[:1])
        if metric == COSINE:
            _find_lengths(queries, of_queries)
        best = Best(values[here], indices[here], np.full(len(queries), math.nextafter(limit, math.inf)))
        if codes is not None:
            quick, most = _quick_of_codes(codes, here, X.shape[1]), SLOWER * codes.most_verified * len(queries)
            for first, stop in _portions(0, len(X), len(queries), X.shape[1] + quick.rows.shape[1]):
                found, done = _scan(metric, X, first, stop, queries, quick, of_queries, of_row, best), stop
                if first * TRIED >= len(X) and found > most * (stop - first):
                    break
        quick = _quick(metric, X, queries, of_row)
        for first, stop in _portions(done, len(X), len(queries), X.shape[1]):
            _scan(metric, X, first, stop, queries, quick, of_queries, of_row, best)
        _sort(best)


def _lengths(metric: int, points: NDArray[Any]) -> Lengths:
    count, d = points.shape
    units = np.zeros((count, d if metric == COSINE else 0))
    return Lengths(np.zeros(count), np.zeros(count), units, np.full(1, -1))


def _quick(metric: int, X: NDArray[Any], Q: NDArray[Any], of_row: Lengths) -> Quick:
    """Of the points themselves: bytes as int16, which holds their differences, but for COSINE as float32."""
    wide, one = X.dtype, X.dtype
    if X.dtype == np.uint8:
        wide, one = map(np.dtype, (np.float32, np.float32) if metric == COSINE else (np.int16, np.int32))
    width = -(-X.shape[1] * wide.itemsize // ALIGNMENT) * ALIGNMENT // wide.itemsize
    queries, tile = (aligned_zeros((count, width), wide) for count in (len(Q), TILE))
    _load(metric, Q, 0, queries, of_row)
    none, errors = read_only(np.empty(0, np.float32)), np.full(len(Q), TINY)
    table, reach = np.zeros((TILE, len(Q))), np.zeros(len(Q))
    return Quick(metric, X, none, errors, 1.0, queries, tile, np.zeros(1, one), table, reach)


def _quick_of_codes(codes: Codes, here: slice, columns: int) -> Quick:
    """Of the finest codes alone that are shorter than the rows: a step before it would save less time than it takes."""
    while codes.finer is not None and codes.finer.rows.shape[1] < columns:
        codes = codes.finer
    queries = read_only(codes.queries[here])
    quick = _quick(EUCLIDEAN, read_only(codes.rows), queries, _lengths(EUCLIDEAN, queries[:1]))
    errors = codes.query_errors[here].astype(np.float64) + CODE
    return quick._replace(row_errors=read_only(codes.row_errors), query_errors=errors, scale=float(codes.scale))


def _portions(start: int, count: int, queries: int, elements: int) -> Iterator[tuple[int, int]]:
    """Split range(start, count) for that many queries and that many elements to sum for each pair."""
    size = max(1, PORTION // (queries * (elements + PER_PAIR) * TILE)) * TILE
    for first in range(start, count, size):
        yield first, min(first + size, count)


def _sort(best: Best) -> None:
    """Turn the heaps into ascending lists."""
    size = max(1, SORTED // best.values.shape[1])
    for start in range(0, len(best.values), size):
        values, indices = best.values[start : start + size], best.indices[start : start + size]
        order = np.lexsort((indices, values))
        values[:], indices[:] = (np.take_along_axis(part, order, axis=1) for part in (values, indices))
