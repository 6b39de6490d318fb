"""Codes: what they say of distances is true of every pair, and they leave few pairs over."""

from __future__ import annotations

import math

import numpy as np
import point_sets
import pytest
from code_bounds import bounds, check_codes, distances, unit

import fastnn
from fastnn.kernels import native
from fastnn.kernels.spec import COSINE, EUCLIDEAN, METRICS
from fastnn.neighbors import codes as pruning
from fastnn.neighbors import projection

each_metric = pytest.mark.parametrize("metric", ["euclidean", "cosine"])


def check(metric, X, Q, *, long=False):
    """Build codes by NumPy and by native kernels and prove their bounds; return these and the distances."""
    for name in ("numpy", "native"):
        with fastnn.use(name):
            built = pruning.build(X, METRICS.index(metric), always=True, long=long)
            assert built is not None
            found = check_codes(metric, X, Q, built.of(Q))
    return found


def clustered(rng, n, d, offset=0.0, clusters=5):
    return offset + rng.normal(size=(clusters, d))[rng.integers(0, clusters, n)] * 10 + rng.normal(size=(n, d)) * 0.1


def flat(n, d):
    """Bytes of which nearly all is in three dimensions."""
    rng = np.random.default_rng(0)
    return np.clip(128 + rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) * 15, 0, 255).astype(np.uint8)


# ---- the bound


@each_metric
@pytest.mark.parametrize("dtype", point_sets.DTYPES)
@pytest.mark.parametrize("kind", point_sets.KINDS)
@pytest.mark.parametrize("size", [(60, 16, 15), (150, 40, 20), (200, 130, 20)], ids=str)
def test_kinds_of_data(kind, dtype, metric, size):
    points = point_sets.make(kind, dtype, *size)
    check(metric, points.X, points.Q)


@each_metric
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("offset", [0, 1, 1e3, 1e6, 1e10])
def test_clusters_far_from_the_origin(offset, dtype, metric):
    rng = np.random.default_rng(0)
    check(metric, clustered(rng, 300, 50, offset).astype(dtype), clustered(rng, 40, 50, offset).astype(dtype))


@each_metric
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-44, 1e-30, 1e-20, 1e-10, 1e10, 1e18, 1e30, 1e37])
def test_huge_and_tiny_numbers(size, dtype, metric):
    rng = np.random.default_rng(0)
    X, Q = (clustered(np.random.default_rng(1), 300, 30) * size).astype(dtype), rng.normal(size=(40, 30)) * size
    Q = np.concatenate([Q.astype(dtype), X[:20]])
    bound, truth = check(metric, X, Q)
    assert (bound > truth / 2)[truth > truth.max() / 2].mean() > 0.9  # whatever the unit, the bounds are useful


@each_metric
@pytest.mark.parametrize("size", [1e-140, 1e-100, 1e100, 1e139])
def test_the_ends_of_what_may_be_searched(size, metric):
    rng = np.random.default_rng(0)
    check(metric, clustered(rng, 100, 30) * (size / 40), clustered(rng, 20, 30) * (size / 40))


@each_metric
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [1e5, 1e15, 1e25])
@pytest.mark.parametrize("d", [20, 150])
def test_rows_and_queries_unlike_the_sample(d, factor, dtype, metric):
    """The codes are chosen for a sample, here of less than all rows; the others are outliers."""
    rng = np.random.default_rng(0)
    both = (rng.normal(size=(2 * pruning.SAMPLE_ROWS + 20, 3)) @ rng.normal(size=(3, d))).astype(dtype)
    X, Q = both[20:], both[:20]
    sampled = np.linspace(0, len(X) - 1, pruning.SAMPLE_ROWS).astype(np.int64)
    outliers = np.setdiff1d(np.arange(len(X)), sampled)[::50]
    X[outliers] *= dtype_factor(dtype, factor)
    Q[::5] *= dtype_factor(dtype, factor)
    Q[1] = X[outliers[0]]
    bound, truth = check(metric, X, Q)
    useful = (bound > truth / 2)[2:5, sampled]
    assert useful.mean() > 0.6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", [1e3, 1e6])
def test_an_outlier_in_the_sample_does_not_spoil_the_codes_of_others(factor, dtype):
    rng = np.random.default_rng(0)
    both = (rng.normal(size=(520, 3)) @ rng.normal(size=(3, 60))).astype(dtype)
    X, Q = both[20:], both[:20]
    X[0] *= factor
    bound, truth = check("euclidean", X, Q)
    assert (bound > truth / 2)[:, 1:].mean() > 0.6


def dtype_factor(dtype, factor):
    return factor if dtype == "float32" else factor**5


@each_metric
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 1), (50, 1), (20, 2), (40, 3), (16, 15)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_rows_and_columns(shape, dtype, metric):
    rng = np.random.default_rng(0)
    check(metric, rng.normal(size=shape).astype(dtype), rng.normal(size=(10, shape[1])).astype(dtype))


@pytest.mark.parametrize("dtype", point_sets.DTYPES)
def test_many_columns(dtype):
    points = point_sets.make("random", dtype, 30, pruning.MOST_CODED + 1, 3)
    check("euclidean", points.X, points.Q)


@each_metric
def test_mnist(metric):
    (X, _), (Q, _) = fastnn.datasets.load_mnist()
    bound, truth = check(metric, X[:2500], Q[:20])
    fifth = np.sort(truth, axis=1)[:, 4:5]
    assert (bound <= fifth).mean() < 0.08  # the share of pairs left over


@each_metric
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", point_sets.KINDS)
@pytest.mark.parametrize("size", [(60, 16, 5), (150, 37, 20), (300, 784, 5)], ids=str)
def test_long_codes(kind, dtype, metric, size):
    """Of floats by as many bytes."""
    points = point_sets.make(kind, dtype, *size)
    check(metric, points.X, points.Q, long=True)


@pytest.mark.parametrize("name", ["numpy", "native"])
def test_zeros_have_the_long_code_zero(name):
    """So that kernels skip them; where there are values below it, no zero is special."""
    rng = np.random.default_rng(0)
    X = (np.abs(rng.normal(size=(500, 60))) * (rng.random((500, 60)) < 0.3)).astype(np.float32)
    X[:, 7] -= 1
    with fastnn.use(name):
        codes = pruning.build(X, EUCLIDEAN, always=True, long=True).of(X)
    usual = np.arange(60) != 7
    assert (codes.rows[:, usual][X[:, usual] == 0] == 0).all()
    assert (codes.rows[:, 7] > 0).all()
    assert (codes.rows[:, usual][X[:, usual] > 1] > 0).all()


@each_metric
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_codes_rule_out_other_clusters(dtype, metric):
    rng = np.random.default_rng(0)
    both = clustered(rng, 1020, 60, 100) * 2
    both = (np.rint(both) if dtype == "uint8" else both).astype(dtype)
    bound, truth = check(metric, both[:1000], both[1000:])
    far = truth > truth.max() / 3
    assert 0.1 < far.mean() < 0.9
    assert (bound > truth.max() / 6)[far].all()


@each_metric
@pytest.mark.parametrize(
    ("dtype", "long"), [*((d, False) for d in point_sets.DTYPES), ("float32", True), ("float64", True)]
)
@pytest.mark.parametrize("kind", ["random", "sparse", "outlier", "zeros", "huge"])
@pytest.mark.parametrize("size", [(60, 16, 5), (150, 37, 20), (2100, 200, 20), (300, 784, 5)], ids=str)
def test_native_codes_are_those_of_numpy(kind, dtype, metric, size, long):
    """But for rounding, which takes some that lie half-way between two up or down."""
    points = point_sets.make(kind, dtype, *size)
    cancels = kind == "huge" and dtype == "uint8"  # bytes about 254: each BLAS loses its own part of a code's step
    with fastnn.use("numpy"):
        built = pruning.build(points.X, METRICS.index(metric), always=True, long=long)
        expected = built.of(points.Q)
        again = built.of(points.X)
    with fastnn.use("native"):
        for one, other in ((expected, built.of(points.Q)), (again, built.of(points.X))):
            assert (one.finer is None) == (other.finer is None)
            for mine, theirs in ((one, other), (one.finer, other.finer)):
                if mine is not None:
                    apart = mine.queries.astype(int) - theirs.queries
                    assert np.abs(apart).max() <= (2 if cancels else 1)
                    assert (apart != 0).mean() < (0.02 if cancels else 0.005)
            alike = np.isclose(other.query_errors, one.query_errors, rtol=4e-3)
            assert alike.mean() > 0.8  # where next to nothing is left of v, that is rounding


@pytest.mark.parametrize("to_unit", [True, False])
@pytest.mark.parametrize("dtype", point_sets.DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (40, 16), (700, 500)], ids=str)
@pytest.mark.usefixtures("many_cores")
def test_native_prepares_rows(shape, dtype, to_unit):
    """Also zeros, and floats whose squares are beyond their type."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, shape).astype(dtype)
    real = np.float64 if dtype == "float64" else np.float32
    if dtype != "uint8":
        X = X * real(-1e36 if dtype == "float32" else -1e300)
        X[::3] *= real(1e-70 if dtype == "float32" else 1e-300) * real(1e-4)
    X[1::4] = 0
    mean = rng.normal(size=shape[1]).astype(real)
    expected = X.astype(np.longdouble)
    expected = (unit(expected) if to_unit else expected) - mean
    found = np.empty(shape, real)
    native.prepare(X, to_unit, mean, found)
    size = np.abs(expected).max() if not to_unit else 1
    np.testing.assert_allclose(found, expected.astype(real), rtol=0, atol=float(8 * np.finfo(real).eps * size))


@pytest.mark.parametrize("ratio", [1, 1e2, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_axes_of_very_different_spreads_are_orthonormal(ratio, dtype):
    """None is lost beside four that are so many times as long."""
    rows = np.random.default_rng(0).normal(size=(300, 30)) * np.where(np.arange(30) < 4, ratio, 1)
    axes = projection.principal_axes((rows - rows.mean(axis=0)).astype(dtype), 30).astype(np.float64)
    np.testing.assert_allclose(axes.T @ axes, np.eye(30), atol=1e-5 if dtype == "float32" else 1e-13)


# ---- when there are codes


@pytest.mark.parametrize("metric", [EUCLIDEAN, COSINE])
@pytest.mark.parametrize("dtype", point_sets.DTYPES)
def test_few_rows_have_codes_only_if_asked(dtype, metric):
    X = flat(pruning.FEWEST_ROWS, 200).astype(dtype)
    assert pruning.build(X, metric, always=False) is not None
    assert pruning.build(X[:-1], metric, always=False) is None
    assert pruning.build(X[:-1], metric, always=True) is not None


@pytest.mark.parametrize("metric", [EUCLIDEAN, COSINE])
def test_bytes_of_high_dimension_have_codes_only_if_asked(metric):
    """Neighbours are hardly nearer than all others, so that no short code tells them apart."""
    X = np.random.default_rng(0).integers(0, 256, (3000, 300)).astype(np.uint8)
    assert pruning.build(X, metric, always=False) is None
    assert pruning.build(X, metric, always=True) is not None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_of_high_dimension_are_coded_as_they_are(dtype):
    X = np.random.default_rng(0).normal(size=(3000, 300)).astype(dtype)
    assert pruning.build(X, EUCLIDEAN, always=False).rows.shape == X.shape


def test_how_many_neighbours_and_rows_to_verify_are_too_many():
    """Comparing whole rows costs 200 / 64 cycles a pair, computing a distance 100 + 200 / 4."""
    X = flat(pruning.FEWEST_ROWS, 200)
    built = pruning.build(X, EUCLIDEAN, always=False)
    assert built.width == 16
    assert built.of(X[:3]).most_verified == pytest.approx((200 / 64 - 16 / 64 * 9 / 8) / 150)
    assert 1 < built.most_neighbors < pruning.FEWEST_ROWS
    always = pruning.build(X, EUCLIDEAN, always=True)
    assert (always.most_neighbors, always.of(X[:3]).most_verified) == (math.inf, math.inf)


def test_images_have_codes_and_finer_ones(monkeypatch):
    monkeypatch.setattr(pruning, "USUAL_NEIGHBORS", 1)
    (X, _), (Q, _) = fastnn.datasets.load_mnist()
    X, Q = np.ascontiguousarray(X[:20_000:2]), np.ascontiguousarray(Q[:50])
    built = pruning.build(X, EUCLIDEAN, always=False)
    codes = built.of(Q)
    coarse, finer = bounds(codes)
    truth = distances("euclidean", X, Q)
    fifth = np.sort(truth, axis=1)[:, 4:5]
    left, fewer = ((bound <= fifth).mean() for bound in (coarse, finer))
    assert (finer <= truth).all()
    assert fewer < left / 2 < 0.02
    assert 5 < built.most_neighbors < 200


def test_zeros_that_native_skips_make_codes_worth_less():
    """Of bytes in blocks of four, so that native compares a tenth of them."""
    rng = np.random.default_rng(0)
    X = flat(pruning.FEWEST_ROWS, 400)
    sparse = np.where(np.arange(400) < 40, X, 0).astype(np.uint8)
    assert pruning._active_share(X) == 1
    assert pruning._active_share(sparse) == pytest.approx(0.1, abs=0.01)
    assert pruning._active_share(rng.permuted(sparse, axis=1)) < 0.65
    dense, skipped = (pruning.build(rows, EUCLIDEAN, always=False) for rows in (X, sparse))
    assert dense.most_neighbors > (0 if skipped is None else skipped.most_neighbors)


def test_the_same_rows_have_the_same_codes():
    X = flat(3000, 50)
    first, second = (pruning.build(X, EUCLIDEAN, always=True).of(X[:100]) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.queries, first.rows[:100])


# ---- threads and interrupts


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", point_sets.DTYPES)
def test_threads_code_the_same(threads, dtype, many_cores):
    X = flat(3000, 400).astype(dtype)
    with fastnn.use("native", num_threads=4):
        expected = pruning.build(X, EUCLIDEAN, always=True)
    with fastnn.use("native", num_threads=threads):
        found = pruning.build(X, EUCLIDEAN, always=True)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.row_errors, expected.row_errors)
    assert (found.finer_rows is None) == (expected.finer_rows is None)
    if expected.finer_rows is not None:
        np.testing.assert_array_equal(found.finer_rows, expected.finer_rows)


def test_ctrl_c_while_rows_are_coded(run_python):
    """At many moments: it is raised, no thread goes on, and a later fit is right."""
    program = """
import os, signal, threading, time
os.sched_getaffinity = lambda _: set(range(4))
import numpy as np, fastnn
X = np.random.default_rng(0).integers(0, 256, (20_000, 200)).astype(np.float32)
index = fastnn.Neighbors(pruning="always").fit(X)
expected = index.search(X[:5], 3)[1].tolist()
start = time.perf_counter()
index.fit(X)
whole, interrupts = time.perf_counter() - start, 0
for turn in range(10):
    signal.setitimer(signal.ITIMER_REAL, whole * (turn + 1) / 11)
    try:
        try:
            index.fit(X)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:  # which may also come between the two
        interrupts += 1
    for _ in range(1000):  # a thread whose work has ended may not be off the list yet
        if threading.active_count() == 1:
            break
        time.sleep(0.001)
    assert threading.active_count() == 1
assert index.fit(X).search(X[:5], 3)[1].tolist() == expected
print(interrupts)
"""
    child = run_python("import signal; signal.signal(signal.SIGALRM, signal.default_int_handler)\n" + program)
    assert child.returncode == 0, child.stderr
    assert int(child.stdout) > 0
