"""Rows whose numbers lie on a grid of bytes: when they do, what their codes prove, and that searches stay exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
from code_bounds import check_codes, code_arrays
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fastnn
from fastnn.kernels.spec import COSINE, EUCLIDEAN, MANHATTAN
from fastnn.neighbors import codes as pruning
from fastnn.neighbors import grid

FLOATS = ["float32", "float64"]
each_dtype = pytest.mark.parametrize("dtype", FLOATS)


def pixels(n, d, *, seed=0):
    """Bytes (n, d) near five images, many of them 0, each of which comes twice."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (5, d)) * (rng.random((5, d)) < 0.6)
    some = np.clip(images[rng.integers(0, 5, n // 2)] + rng.integers(-9, 10, (n // 2, d)), 0, 255)
    return np.repeat(some, 2, axis=0)[rng.permutation(n // 2 * 2)].astype(np.uint8)


def as_programs_scale_them(images, dtype):
    """By 255, to -1..1, about their mean and by their deviation, and as whole numbers."""
    X = images.astype(dtype)
    standard = (X / dtype_of(dtype)(255) - dtype_of(dtype)(0.1307)) / dtype_of(dtype)(0.3081)
    return [X / 255, X / dtype_of(dtype)(127.5) - 1, standard, X, 1000 - X]


def dtype_of(name):
    return np.dtype(name).type


def brute(X, Q, k):
    """The k nearest of each query by the definition, in the longest floats there are, of equals the first."""
    table = np.array([((X.astype(np.longdouble) - q.astype(np.longdouble)) ** 2).sum(axis=1) for q in Q])
    indices = np.argsort(table, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(table, indices, axis=1)), indices


# ---- when there is a grid


@settings(deadline=None)
@given(
    st.sampled_from(FLOATS),
    st.lists(st.integers(0, 255), min_size=2, max_size=40, unique=True),
    st.integers(-1000, 1000),
    st.sampled_from([1 / 255, 0.1, 1.0, 1 / 3, 1e5]),
)
def test_numbers_on_a_grid(dtype, places, start, step):
    """Wherever the least gap between two divides all others."""
    places = np.array(sorted(places))
    gap = np.gcd.reduce(np.diff(places))
    assume(np.diff(places).min() == gap)  # else the grid is finer than they show
    numbers = ((start + places) * step).astype(dtype)
    low, found = grid.find_grid(numbers)
    assert found == pytest.approx(gap * step, rel=float(3e3 * np.finfo(dtype).eps))
    codes = (numbers - low) / found
    np.testing.assert_allclose(codes, np.rint(codes), atol=float(3e5 * np.finfo(dtype).eps))
    below, above = round(codes[0]), 255 - round(codes[-1])
    assert 0 <= below <= above
    assert below == 0 if numbers[0] == 0 else above - below <= 1


@pytest.mark.parametrize(
    "numbers",
    [
        np.arange(257.0),
        np.array([0.0, 1, 2.5]),
        np.array([0.0, 1, 256]),
        np.full(9, 7.0),
        np.zeros(5),
        np.random.default_rng(0).normal(size=200),
        np.arange(9) * 1e-140,
        np.arange(9) * 1e140,
        np.array([0, 1, 1 + 1e-12]),
        np.array([0, 5e-324, 1]),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("error")
def test_numbers_on_no_grid_of_bytes(numbers):
    assert grid.find_grid(numbers) is None


@each_dtype
def test_rows_that_are_coded(dtype):
    for X in as_programs_scale_them(pixels(3000, 60), dtype):
        built = grid.build(X, EUCLIDEAN, always=False)
        assert built.whole.rows.shape == X.shape
        assert built.widths == (60,)
        low, scale = built.whole.low.astype(np.float64), built.whole.scale
        np.testing.assert_allclose(low + built.whole.rows * scale, X, atol=1e-2 * scale)


@each_dtype
def test_rows_that_are_not(dtype):
    X = as_programs_scale_them(pixels(3000, 60), dtype)[0]
    assert grid.build(X[: pruning.FEWEST_ROWS - 1], EUCLIDEAN, always=False) is None
    assert grid.build(X[: pruning.FEWEST_ROWS], EUCLIDEAN, always=False) is not None
    assert grid.build(X, COSINE, always=True) is None
    assert grid.build(X, MANHATTAN, always=True) is None
    assert grid.build(pixels(3000, 60), EUCLIDEAN, always=True) is None
    noisy = X + np.random.default_rng(0).normal(size=X.shape).astype(dtype) * dtype_of(dtype)(0.01)
    assert grid.build(noisy, EUCLIDEAN, always=True) is None
    for value in (0.5 / 255, 1.5, -1.0, 1e30):
        other = X.copy()
        other[1, 7] = value  # in a row that is not in the sample
        assert grid.build(other, EUCLIDEAN, always=True) is None


# ---- what the codes say is true


@each_dtype
@pytest.mark.parametrize("long", [True, False])
def test_bounds(dtype, long):
    """Of queries on the grid, between its places, and far from it."""
    rng = np.random.default_rng(1)
    for X in as_programs_scale_them(pixels(400, 70), dtype):
        Q = np.concatenate([X[:9], X[9:20] + rng.normal(size=(11, 70)) * X.std(), X[20:22] * 1e4, X[22:24] * 0])
        Q = Q.astype(dtype)
        for name in ("numpy", "native"):
            with fastnn.use(name):
                built = grid.build(X, EUCLIDEAN, always=True)
                codes = (built if long else built.with_short(always=True)).of(Q)
                bound, truth = check_codes("euclidean", X, Q, codes)
        assert (codes.finer is None) == long
        step = built.whole.scale
        assert (truth[:9] - bound[:9] < 0.2 * step + 1e-3 * truth[:9]).all()


# ---- searches


@each_dtype
@pytest.mark.parametrize("name", ["numpy", "numba", "native"])
def test_searches_are_exact(name, dtype):
    """With twins among the rows; of any scale, and of queries on the grid and beside it."""
    rng = np.random.default_rng(2)
    for X in as_programs_scale_them(pixels(2400, 50), dtype):
        Q = np.concatenate([X[:30], X[30:50] + rng.normal(size=(20, 50)) * X.std() / 20]).astype(dtype)
        with fastnn.use(name):
            index = fastnn.Neighbors().fit(X)
            assert isinstance(index._codes_that_pay(len(Q), 7), grid.GridPruning)
            distances, indices = index.search(Q, 7)
            one_distances, one_indices = index.search(Q[40:41], 7)
        expected_distances, expected = brute(X, Q, 7)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_allclose(
            distances, expected_distances.astype(float), rtol=2e-7 if dtype == "float32" else 1e-12
        )
        np.testing.assert_array_equal(one_indices, expected[40:41])
        np.testing.assert_array_equal(one_distances, distances[40:41])


@each_dtype
def test_results_are_those_without_codes(dtype):
    """To the bit, for few and for many neighbours and within a radius."""
    X = as_programs_scale_them(pixels(5000, 120), dtype)[2]
    Q = np.concatenate([X[::100], X[50::100] * dtype_of(dtype)(1.01)])
    coded, plain = fastnn.Neighbors().fit(X), fastnn.Neighbors(pruning="never").fit(X)
    assert isinstance(coded._codes_that_pay(100, 3), grid.GridPruning)
    for k in (1, 3, 40, 900, 5000):
        for one, other in zip(coded.search(Q, k), plain.search(Q, k), strict=True):
            np.testing.assert_array_equal(one, other)
    for one, other in zip(coded.radius(Q, 9.0), plain.radius(Q, 9.0), strict=True):
        for mine, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_for_more_neighbours_the_bytes_alone_are_compared():
    rng = np.random.default_rng(0)
    flat = np.clip(128 + rng.normal(size=(5000, 3)) @ rng.normal(size=(3, 120)) * 15, 0, 255)
    X, kernels = np.rint(flat) / 255, fastnn.get_backend("native")
    built = grid.build(X, EUCLIDEAN, always=False).with_short(always=False)
    assert len(built.widths) > 1
    assert built.for_neighbors(1, kernels) is built
    most, whole = built.short.most_neighbors, built.whole.most_neighbors
    assert 1 < most < whole < 5000
    alone = built.for_neighbors(math.floor(most) + 1, kernels)
    assert alone.widths == (120,)
    assert alone.most_verified == alone.of(X[:3]).most_verified < built.most_verified == built.of(X[:3]).most_verified
    assert built.for_neighbors(math.floor(whole) + 1, kernels) is None
    always = grid.build(X, EUCLIDEAN, always=True).with_short(always=True)
    assert always.for_neighbors(5000, kernels) is always


def test_explain_names_the_grid():
    (X, _), (Q, _) = fastnn.datasets.load_mnist()
    X, Q = (images[:4000].astype(np.float32) / 255 for images in (X, Q))
    with fastnn.use("native"):
        found = fastnn.Neighbors(pruning="always").fit(X).explain(Q)
    assert "then all 784 numbers as bytes on a grid; they bound distances from below" in found.text
    assert found.plan.finer_codes >= 1


@pytest.mark.parametrize("low", [-128, 0, 500])
def test_bounds_where_rounding_is_greatest(low):
    """Of float32 in thousands of columns, a step of no short binary fraction, and rows about zero."""
    rng = np.random.default_rng(0)
    places = rng.integers(100, 156, (300, 9000))
    places[0, ::2], places[0, 1::2], places[1], places[2], places[3] = 0, 255, 0, 255, 128
    X = ((places + low) / 383.7).astype(np.float32)
    codes = grid.build(X, EUCLIDEAN, always=True).of(X[:20])
    bound, truth = check_codes("euclidean", X, X[:20], codes)
    assert (truth - bound).max() < 0.7 * codes.scale


def test_rows_beyond_the_sample_may_be_less():
    """As the least of many normal numbers are."""
    rng = np.random.default_rng(0)
    X = np.clip(np.rint(128 + 20 * rng.normal(size=(60_000, 64))), 0, 255).astype(np.float32) / 255
    assert pruning.spread_rows(X, grid.ELEMENTS // 64).min() > X.min()
    assert grid.build(X, EUCLIDEAN, always=False) is not None


@pytest.mark.parametrize("d", [2, 4, 10, 15, 16, 17])
def test_short_codes_are_shorter_than_the_bytes(d):
    built = grid.build(pixels(3000, d) / 255, EUCLIDEAN, always=True).with_short(always=True)
    assert built.widths[-1] == d
    assert all(one < other for one, other in zip(built.widths, built.widths[1:], strict=False))


@pytest.mark.filterwarnings("error")
@each_dtype
def test_queries_far_off_the_grid(dtype):
    """So far that errors in units of the codes are beyond float32, of rows that hardly differ."""
    X = (pixels(3000, 40) // 64 / 255).astype(dtype)
    Q = np.concatenate([X[:3] * dtype_of(dtype)(size) for size in (5e34 if dtype == "float64" else 1e17, -1e9, 1e-30)])
    coded, plain = fastnn.Neighbors(pruning="always").fit(X), fastnn.Neighbors(pruning="never").fit(X)
    for one, other in zip(coded.search(Q, 5), plain.search(Q, 5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_bytes_of_a_grid_are_kept_once():
    """And codes take as much beside them as beside rows that are bytes."""
    (X, _), _ = fastnn.datasets.load_mnist()
    X = X[:4000] / 255
    index = fastnn.Neighbors(pruning="always").fit(X)
    index._codes[True] = index._coded(long=True)  # as with a matrix unit
    arrays = {id(array): array.nbytes for codes in index._codes.values() for array in code_arrays(codes)}
    assert X.size < sum(arrays.values()) <= 1.3 * X.size
