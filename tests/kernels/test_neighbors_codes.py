"""neighbors with codes that test it: exact ones, useless ones, very uneven ones, and those of outliers."""

from __future__ import annotations

import numpy as np
import point_sets
import pytest
from point_sets import DTYPES, Points

from fastnn.kernels.spec import Codes

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def brute(X, Q, k):
    """Values and indices of the k nearest by the definition, for points whose distances are exact or no ties."""
    X, Q = X.astype(np.float64), Q.astype(np.float64)
    table = np.array([((X - q) ** 2).sum(axis=1) for q in Q])
    indices = np.argsort(table, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(table, indices, axis=1), indices


def assert_found(backend, X, Q, codes, k, *, rtol=0.0):
    values, indices = point_sets.search_with(codes, backend, Points(X, Q), "euclidean", k)
    expected, expected_indices = brute(X, Q, k)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(values, expected, rtol=rtol)


def exact_codes(X, Q, *, scale=1.0, coarse=None):
    """Of points that are scale times bytes: the bytes, without any error; some columns first, if coarse ones are asked
    for."""
    parts = [np.rint(points / scale).astype(np.uint8) for points in (X, Q)]
    errors = [np.zeros(len(points), np.float32) for points in (X, Q)]
    some = parts if coarse is None else [np.ascontiguousarray(part[:, :coarse]) for part in parts]
    codes = Codes(some[0], errors[0], some[1], errors[1], scale, np.inf)
    return codes if coarse is None else codes._replace(finer=codes._replace(rows=parts[0], queries=parts[1]))


@each_dtype
@pytest.mark.parametrize(("d", "high"), [(3, 4), (64, 4), (65, 256), (900, 256)])
@pytest.mark.parametrize("k", [1, 7])
def test_bounds_that_are_distances(backend, d, high, k, dtype):
    """The k-th distance so far is often just the bound of a row that comes next, or before it."""
    rng = np.random.default_rng(0)
    X, Q = rng.integers(0, high, (700, d)).astype(dtype), rng.integers(0, high, (60, d)).astype(dtype)
    X[350:] = X[rng.permutation(350)]
    assert_found(backend, X, Q, exact_codes(X, Q), k)


@pytest.mark.quick("backend", "dtype")
@each_dtype
@pytest.mark.parametrize(("d", "coarse"), [(2, 1), (17, 5), (64, 16), (96, 48), (130, 100), (784, 33)])
@pytest.mark.parametrize("n", [33, 700])
@pytest.mark.parametrize("q", [1, 60])
def test_finer_codes(backend, d, coarse, n, q, dtype):
    """The k-th distance so far is just the finer bound of many; the coarse one leaves most pairs."""
    rng = np.random.default_rng(0)
    X, Q = rng.integers(0, 7, (n, d)).astype(dtype), rng.integers(0, 7, (q, d)).astype(dtype)
    X[n // 2 :] = X[rng.permutation(n - n // 2)]
    for k in (1, 7):
        assert_found(backend, X, Q, exact_codes(X, Q, coarse=coarse), k)


@each_dtype
def test_finer_codes_with_errors(backend, dtype):
    """Codes of other points, with errors that say how far these are; some are infinite."""
    rng = np.random.default_rng(0)
    X, Q = rng.integers(9, 200, (900, 40)).astype(dtype), rng.integers(9, 200, (70, 40)).astype(dtype)
    off = [rng.integers(-9, 10, points.shape) * (rng.random((len(points), 1)) < 0.5) for points in (X, Q)]
    codes = exact_codes(X + off[0], Q + off[1], coarse=12)
    for errors, wrong in ((codes.row_errors, off[0]), (codes.query_errors, off[1])):
        errors[:] = np.sqrt((wrong**2).sum(axis=1)) * 1.001
        errors[::41] = np.inf
    for k in (1, 6):
        assert_found(backend, X, Q, codes, k)


@each_dtype
@pytest.mark.parametrize("levels", [2, 3, 4])
def test_chains_of_codes_with_scales_and_errors_of_their_own(backend, levels, dtype):
    """Of some columns by eight, of more by four, and so on; four codes are more than native takes."""
    rng = np.random.default_rng(0)
    X, Q = rng.integers(0, 256, (900, 48)).astype(dtype), rng.integers(0, 256, (70, 48)).astype(dtype)
    X[450:] = X[rng.permutation(450)]
    codes = None
    for level in range(levels):
        step, columns = 2**level, 48 // 2**level
        some = [np.ascontiguousarray(points[:, :columns] // step).astype(np.uint8) for points in (X, Q)]
        left = [points[:, :columns] / step - part for points, part in zip((X, Q), some, strict=True)]
        errors = [(np.sqrt((rest**2).sum(axis=1)) * 1.001).astype(np.float32) for rest in left]
        codes = Codes(some[0], errors[0], some[1], errors[1], float(step), np.inf, codes)
    for k in (1, 6):
        assert_found(backend, X, Q, codes, k)


@pytest.mark.parametrize("scale", [2.0**-40, 1 / 255, 1e20])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scales(backend, scale, dtype):
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (460, 20))
    points = (whole * scale).astype(dtype)
    slack = np.full(460, 1e-3, np.float32)  # for the rounding of points
    codes = exact_codes(points[:400], points[400:], scale=scale)._replace(row_errors=slack[:400])
    assert_found(backend, points[:400], points[400:], codes, 6, rtol=1e-14)


@pytest.mark.parametrize("within", [0, 3, 40])
def test_a_limit_far_below_the_distances_of_codes(backend, within):
    """Values are 2^-20 of the codes' distances: a limit on the ones says nothing of the others."""
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 256, (2_030, 8))
    points = (whole * 2.0**-10).astype(np.float32)
    X, Q = points[:2000], points[2000:]
    expected, expected_indices = brute(X, Q, 41)
    limit = float(expected[0, within] / 2 + expected[0, within - 1] / 2) if within else float(expected.min() / 2)
    codes = exact_codes(X, Q, scale=2.0**-10)
    values, indices = point_sets.search_with(codes, backend, Points(X, Q), "euclidean", 41, limit)
    inside = expected <= limit
    assert inside[0].sum() == within
    np.testing.assert_array_equal(values, np.where(inside, expected, np.inf))
    np.testing.assert_array_equal(indices, np.where(inside, expected_indices, -1))


@each_dtype
def test_long_codes_of_extremes(backend, dtype):
    """Whose products and squares are about as large as they can be: 16,384 columns of 0 and 255."""
    X = np.zeros((40, 16_384), dtype)
    X[1::4] = 255
    X[2::4, ::2] = 255
    X[3::4, : 8192 + 64] = 255
    Q = np.concatenate([X[:4], np.full((1, 16_384), 128, dtype)])
    assert_found(backend, X, Q, exact_codes(X, Q), 11)


@each_dtype
@pytest.mark.parametrize("error", [1e6, 1e30, np.inf])
@pytest.mark.parametrize("which", ["rows", "queries", "some of both"])
def test_codes_that_say_nothing(backend, which, error, dtype):
    """Codes that have nothing to do with the points, with errors that admit it."""
    rng = np.random.default_rng(0)
    X, Q = rng.integers(0, 9, (600, 30)).astype(dtype), rng.integers(0, 9, (50, 30)).astype(dtype)
    codes = exact_codes(X, Q)
    rows, queries = np.zeros(600, bool), np.zeros(50, bool)
    rows[:: 1 if which == "rows" else 3] = which != "queries"
    queries[:: 1 if which == "queries" else 4] = which != "rows"
    codes.rows[rows] = rng.integers(0, 256, (rows.sum(), 30))
    codes.queries[queries] = rng.integers(0, 256, (queries.sum(), 30))
    codes.row_errors[rows] = codes.query_errors[queries] = error
    assert_found(backend, X, Q, codes, 6)


@each_dtype
@pytest.mark.parametrize(("n", "d"), [(31, 2), (40, 2), (40, 20), (200, 5), (700, 40)])
def test_errors_of_very_different_size(backend, n, d, dtype):
    """Codes far from most rows, and so with errors of 0 to 100, met by many queries from the first row on."""
    rng = np.random.default_rng(0)
    both = rng.integers(60, 196, (n + 1500, d))
    both = (both if dtype == "uint8" else both + rng.uniform(-0.4, 0.4, both.shape)).astype(dtype)
    X, Q = both[:n], both[n:]
    wrong = np.rint(X + rng.integers(-30, 31, (n, d)) * (rng.random((n, 1)) < 0.5)).astype(np.uint8)
    near = np.rint(Q).astype(np.uint8)
    errors = [np.sqrt(((a - b.astype(np.float64)) ** 2).sum(axis=1)) * 1.001 for a, b in ((X, wrong), (Q, near))]
    codes = Codes(wrong, errors[0].astype(np.float32), near, errors[1].astype(np.float32), 1.0, np.inf)
    for k in (1, 2, 8, n):
        assert_found(backend, X, Q, codes, k, rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "factor"), [("float32", 1e20), ("float32", 1e33), ("float64", 1e20), ("float64", 1e138)]
)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_outliers(backend, metric, dtype, factor):
    """Rows unlike those for which the codes are made, beyond what the codes' arithmetic holds."""
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(4500, 6)).astype(dtype), rng.normal(size=(6, 6)).astype(dtype)
    X[100:4500:500] *= factor
    Q[1] *= factor
    Q[2] = X[1100]
    with np.errstate(over="raise"):
        plain = point_sets.search(backend, Points(X, Q), metric, 5)
    rows, queries = X.astype(np.float64) / factor**0.5, Q.astype(np.float64) / factor**0.5
    if metric == "euclidean":
        table = np.array([((rows - q) ** 2).sum(axis=1) for q in queries]) * factor
    else:
        rows, queries = (v / np.sqrt((v**2).sum(axis=1, keepdims=True)) for v in (rows, queries))
        table = np.array([((rows - q) ** 2).sum(axis=1) for q in queries]) / 2
    np.testing.assert_array_equal(plain[1], np.argsort(table, axis=1, kind="stable")[:, :5])
    np.testing.assert_allclose(plain[0], np.sort(table, axis=1)[:, :5], rtol=1e-12, atol=1e-30)
