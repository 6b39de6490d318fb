"""Points to search among, the truth of tests/naive.py about them, and how answers are compared with it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import naive
import numpy as np
from numpy.typing import NDArray

from fastnn.kernels.spec import METRICS, Codes, Kernels
from fastnn.neighbors import codes as pruning

Array = NDArray[Any]
Found = tuple[Array, Array]  # values and indices, (q, k) each

DTYPES = ("uint8", "float32", "float64")
SPREADS = ("random", "near", "range", "tiny", "huge", "outlier")
KINDS = (*SPREADS, "constant", "few", "equal", "zeros", "sparse", "parallel")
SIZES = [  # n, d, q: around the widths of vectors and tiles
    (1, 1, 1),
    (15, 3, 11),
    (16, 4, 12),
    (17, 15, 13),
    (31, 16, 25),
    (32, 17, 1),
    (33, 63, 11),
    (33, 64, 12),
    (33, 65, 13),
    (16, 784, 11),
    (400, 16, 25),
    (31, 2, 300),
]
MARGIN = 16  # rows around an answer
UNIT = 2.0**-53  # the largest relative error of one rounding


@dataclass(eq=False)
class Points:
    """Rows and queries, read-only, so that they and their truths are made once for all backends."""

    X: Array
    Q: Array

    def nearest(self, metric: str, k: int, limit: float = math.inf) -> Found:
        """What a kernel should write."""
        values, indices = np.full((len(self.Q), k), np.inf), np.full((len(self.Q), k), -1)
        for query, row in enumerate(truth(self, metric).tolist()):
            for rank, (value, index) in enumerate(naive.k_nearest(row, k, limit)):
                values[query, rank], indices[query, rank] = value, index
        return values, indices


@functools.cache
def truth(points: Points, metric: str) -> Array:
    """The values of all pairs, (q, n)."""
    return np.array(naive.pair_values(metric, points.X.tolist(), points.Q.tolist()))


@functools.cache
def make(kind: str, dtype: str, n: int, d: int, q: int, seed: int = 0) -> Points:
    """Points of a kind; the first query is also a row."""
    rng = np.random.default_rng([seed, n, d, q])
    both = np.ascontiguousarray((_bytes if dtype == "uint8" else _floats)(rng, kind, n + q, d, dtype), dtype)
    X, Q = both[:n].copy(), both[n:].copy()
    Q[0] = X[n // 2]
    if kind == "zeros":
        Q[-1] = 0
    X.flags.writeable = Q.flags.writeable = False
    return Points(X, Q)


def _bytes(rng: np.random.Generator, kind: str, count: int, d: int, dtype: str) -> Array:
    points = rng.integers(0, 256, (count, d))
    if kind == "near":
        points = rng.integers(253, 256, (count, d))
    if kind in ("tiny", "huge"):
        points = points % 2 + 254 * (kind == "huge")
    if kind == "range":
        points = 2 ** rng.uniform(0, 8, (count, d))
    if kind == "outlier":
        points %= 4
        points[count // 3] = 255
    return _shaped(rng, kind, points, rng.integers(0, 32, (3, d)))


def _floats(rng: np.random.Generator, kind: str, count: int, d: int, dtype: str) -> Array:
    points = rng.normal(size=(count, d))
    if kind == "near":
        points = (1e4 if dtype == "float32" else 1e8) + 1e-3 * points
    if kind == "range":
        points = np.copysign(10 ** rng.uniform(-30, 30, (count, d)), points)
    if kind == "tiny":  # whose squares float32, and nearly float64, cannot hold
        points *= 1e-22 if dtype == "float32" else 1e-145
    if kind == "huge":  # whose differences, from their mean too, float32 cannot hold
        most = 3.4e38 if dtype == "float32" else 1e140
        points = rng.uniform(0.9, 1, (count, d)) * np.where(rng.random((count, d)) < 0.8, most, -most)
    if kind == "outlier":
        points[count // 3] *= 1e6
    return _shaped(rng, kind, points, rng.normal(size=(3, d)))


def _shaped(rng: np.random.Generator, kind: str, points: Array, directions: Array) -> Array:
    """What is alike for bytes and for floats."""
    if kind == "constant":
        points[:, rng.random(points.shape[1]) < 0.7] = 77
    if kind == "few":
        points = rng.integers(0, 4, (3, points.shape[1]))[rng.integers(0, 3, len(points))]
    if kind == "equal":
        points[:] = points[0]
    if kind == "zeros":
        points[rng.random(len(points)) < 0.3] = 0
    if kind == "sparse":
        points = points * (rng.random((3, points.shape[1])) < 0.2)[rng.integers(0, 3, len(points))]
    if kind == "parallel":
        points = directions[rng.integers(0, 3, len(points))] * rng.integers(1, 9, (len(points), 1))
    return points


def multiples(rng: np.random.Generator, wholes: Array, dtype: str) -> Array:
    """Rows of whole numbers of at most 9 times positive factors: products that the dtype holds exactly."""
    count = len(wholes), 1
    if dtype == "uint8":
        return (wholes * rng.integers(1, 29, count)).astype(dtype)
    bits, low, high = (20, -149, 100) if dtype == "float32" else (49, -1074, 400)
    products = wholes * rng.integers(1, 2**bits, count).astype(np.float64)
    return np.ldexp(products, rng.integers(low, high, count)).astype(dtype)


@functools.cache
def codes(points: Points, metric: str) -> Codes:
    """The codes of points; there are none for manhattan."""
    built = pruning.build(points.X, METRICS.index(metric), always=True)
    assert built is not None
    return built.of(points.Q)


def search(backend: Kernels, points: Points, metric: str, k: int, limit: float = math.inf) -> Found:
    """The kernel's answer, which must be the same without codes, with them and where it may do without them."""
    plain = search_with(None, backend, points, metric, k, limit)
    for most_verified in (math.inf, 1 / 12, 0.0) if metric != "manhattan" else ():
        some = codes(points, metric)._replace(most_verified=most_verified)
        coded = search_with(some, backend, points, metric, k, limit)
        np.testing.assert_array_equal(coded[1], plain[1])
        np.testing.assert_array_equal(coded[0], plain[0])
    return plain


def search_with(
    codes: Codes | None, backend: Kernels, points: Points, metric: str, k: int, limit: float = math.inf
) -> Found:
    """The kernel's answer, written in the middle of larger arrays, whose other elements must stay as they were."""
    shape, inner = (len(points.Q) + 2 * MARGIN, k), slice(MARGIN, MARGIN + len(points.Q))
    values, indices = np.full(shape, 1e308), np.full(shape, -7)  # a row found for no query at all would replace these
    backend.neighbors(METRICS.index(metric), points.X, points.Q, codes, limit, values[inner], indices[inner])
    outside = np.delete(np.arange(shape[0]), inner)
    assert (values[outside] == 1e308).all()
    assert (indices[outside] == -7).all()
    return values[inner], indices[inner]


def slack(metric: str, dtype: str, d: int, values: Array) -> Array:
    """How far from ``values`` the sums in float64 may be, whatever their order: no less than their worst case."""
    if dtype == "uint8":
        return np.full_like(values, 8 * UNIT if metric == "cosine" else 0)
    relative = (d + 8) * UNIT
    if metric == "cosine":  # (e + 2 relative)^2 / 2 with e = sqrt(2 v), as either unit vector is off by `relative`
        return relative * values + 2 * relative * np.sqrt(2 * values) + 2 * relative**2
    return relative * values


def check(found: Found, points: Points, metric: str, k: int, limit: float = math.inf) -> None:
    """Compare a kernel's answer with the truth: exactly where sums are exact, and elsewhere but for rounding.

    For floats the value is that of the row at ``index`` to rounding, and rows are swapped only where their values
    agree to rounding; equal rows, for cosine those that are exactly proportional, have equal values, and so are found
    from the lowest index.
    """
    dtype, d = str(points.X.dtype), points.X.shape[1]
    (values, indices), (expected, expected_indices) = found, points.nearest(metric, k, limit)
    inside = expected_indices >= 0
    np.testing.assert_array_equal(indices >= 0, inside)
    np.testing.assert_array_equal(values[~inside], np.inf)
    np.testing.assert_array_equal(indices[~inside], -1)
    if dtype == "uint8" and metric != "cosine":
        np.testing.assert_array_equal(indices, expected_indices)
        np.testing.assert_array_equal(values, expected)
        return
    own = np.where(inside, np.take_along_axis(truth(points, metric), np.maximum(indices, 0), axis=1), np.inf)
    room, own_room = slack(metric, dtype, d, expected)[inside], slack(metric, dtype, d, own)[inside]
    assert (np.abs(values[inside] - own[inside]) <= own_room).all()
    assert (np.abs(own[inside] - expected[inside]) <= room + own_room).all()
    assert (values >= 0).all()
    in_order = (values[:, :-1] < values[:, 1:]) | ((values == np.roll(values, -1, 1))[:, :-1] & _ascending(indices))
    assert in_order.all()
    _check_equal_rows(equal_rows(points, metric), indices, values)


@functools.cache
def equal_rows(points: Points, metric: str) -> Array:
    """A number for each row, the same for rows of which each is as far as the other from whatever query."""
    if metric != "cosine":
        return np.unique(points.X, axis=0, return_inverse=True)[1].ravel()
    numbers: dict[tuple[int, ...], int] = {}
    return np.array([numbers.setdefault(naive.direction(row), len(numbers)) for row in points.X.tolist()])


def _ascending(indices: Array) -> Array:
    return (indices[:, :-1] < indices[:, 1:]) | (indices[:, 1:] == -1)


def _check_equal_rows(group: Array, indices: Array, values: Array) -> None:
    """Each index once, and each after that of the last equal row before it, with the same value."""
    order = np.argsort(group, kind="stable")
    previous = np.full(len(group) + 1, -1)
    previous[order[1:]] = np.where(group[order[1:]] == group[order[:-1]], order[:-1], -1)
    ranks = np.arange(indices.shape[1])
    rank_of = np.full((len(indices), len(group) + 1), len(ranks))  # the last for index -1
    np.put_along_axis(rank_of, indices, ranks[np.newaxis], axis=1)
    found = indices >= 0
    assert (np.take_along_axis(rank_of, indices, axis=1) == ranks)[found].all()
    rank_of[:, -1] = -1
    assert (np.take_along_axis(rank_of, previous[indices], axis=1) < ranks)[found].all()
    groups = np.append(group, group.max() + 1)[indices]  # the last for index -1
    value_of = np.empty((len(indices), group.max() + 2))
    np.put_along_axis(value_of, groups, values, axis=1)
    assert (np.take_along_axis(value_of, groups, axis=1) == values)[found].all()
