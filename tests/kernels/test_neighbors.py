"""neighbors of every backend, with codes and without, against tests/oracles/naive.py."""

from __future__ import annotations

import naive
import numpy as np
import point_sets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from point_sets import DTYPES, KINDS, SIZES, Points

from fastnn.kernels.spec import METRICS

each_metric = pytest.mark.parametrize("metric", METRICS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def answer(backend, points, metric, k, limit=np.inf):
    """The kernel's answer, found right."""
    found = point_sets.search(backend, points, metric, k, limit)
    point_sets.check(found, points, metric, k, limit)
    return found


def truth_from_numpy(metric, X, Q):
    """Values (q, n) by the definition, exact for whole numbers; one query at a time."""
    X, Q = X.astype(np.float64), Q.astype(np.float64)
    if metric == "euclidean":
        return np.array([((X - q) ** 2).sum(axis=1) for q in Q])
    if metric == "manhattan":
        return np.array([np.abs(X - q).sum(axis=1) for q in Q])
    norms = [np.sqrt((points**2).sum(axis=1)) for points in (X, Q)]
    return 1 - Q @ X.T / (norms[0] * norms[1][:, np.newaxis])


# ---- sizes and kinds of data


@pytest.mark.quick("backend", "dtype", "metric")
@each_metric
@each_dtype
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sizes(backend, size, dtype, metric):
    points = point_sets.make("random", dtype, *size)
    for k in sorted({1, min(5, size[0]), size[0], size[0] + 3}):
        answer(backend, points, metric, k)


@each_metric
@each_dtype
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(45, 3, 8), (60, 40, 13), (60, 40, 1)], ids=str)
def test_kinds_of_data(backend, size, kind, dtype, metric):
    points = point_sets.make(kind, dtype, *size)
    for k in (1, 4, size[0]):
        answer(backend, points, metric, k)


@each_metric
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_columns_of_floats(backend, dtype, metric):
    answer(backend, point_sets.make("near", dtype, 16, 20_000, 2), metric, 3)


@pytest.mark.parametrize(
    ("metric", "d"),
    [("euclidean", 33_025), ("euclidean", 33_026), ("euclidean", 66_052), *((metric, 100_000) for metric in METRICS)],
)
def test_sums_of_bytes_beyond_32_bits(backend, d, metric):
    """255^2 d is around 2^31 and 2^32, or beyond."""
    X = np.zeros((7, d), np.uint8)
    X[1::3] = 255
    X[2::3] = np.random.default_rng(d).integers(0, 256, (2, d))
    points = Points(X, X[:3].copy())
    values, _ = answer(backend, points, metric, 7)
    if metric != "cosine":
        assert values[0].max() == d * (255**2 if metric == "euclidean" else 255)


@each_metric
@each_dtype
@pytest.mark.usefixtures("many_cores")
def test_many_rows(backend, dtype, metric):
    """Several blocks and threads take part. Points of whole numbers have many ties, and exact distances."""
    rng = np.random.default_rng(0)
    X = rng.integers(1, 60, (70_000, 3)).astype(dtype)
    Q = rng.integers(1, 80, (40, 3)).astype(dtype)
    truth = truth_from_numpy(metric, X, Q)
    values, indices = point_sets.search(backend, Points(X, Q), metric, 20)
    expected = np.argsort(truth, axis=1, kind="stable")[:, :20]
    if metric != "cosine":
        np.testing.assert_array_equal(indices, expected)
    found = np.take_along_axis(truth, indices, axis=1)
    for nearest in (found, np.take_along_axis(truth, expected, axis=1)):
        np.testing.assert_allclose(values, nearest, rtol=0, atol=1e-15 if metric == "cosine" else 0)
    assert all(len(set(row)) == 20 for row in indices.tolist())


ORDERS = {  # of the distances from the first query, as the rows come
    "nearest first": lambda n: np.arange(n),
    "farthest first": lambda n: np.arange(n)[::-1],
    "equal": lambda n: np.zeros(n, int),
    "few values": lambda n: np.arange(n) * 7919 % n // 400,
    "up and down": lambda n: np.minimum(np.arange(n), np.arange(n)[::-1]),
    "down and up": lambda n: np.abs(np.arange(n) - n // 2),
}


@pytest.mark.quick("backend", "dtype")
@each_dtype
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("q", [3, 300])
@pytest.mark.usefixtures("many_cores")
def test_many_neighbours(backend, q, order, dtype):
    """Of whole numbers, with many ties, and with as many neighbours as there are rows."""
    n = 3001
    far = ORDERS[order](n)
    X = np.stack([far % 256, far // 256, np.arange(n) % 3], axis=1).astype(dtype)
    Q = np.zeros((q, 3), dtype)
    Q[1:] = np.random.default_rng(0).integers(0, 12, (q - 1, 3))
    truth = truth_from_numpy("manhattan", X, Q)
    expected = np.argsort(truth, axis=1, kind="stable")
    expected_values = np.take_along_axis(truth, expected, axis=1)
    limit = np.median(truth[0])
    for k in (32, 33, 500, 3001):
        values, indices = point_sets.search(backend, Points(X, Q), "manhattan", k)
        np.testing.assert_array_equal(indices, expected[:, :k])
        np.testing.assert_array_equal(values, expected_values[:, :k])
        values, indices = point_sets.search(backend, Points(X, Q), "manhattan", k, limit)
        within = expected_values[:, :k] <= limit
        np.testing.assert_array_equal(indices, np.where(within, expected[:, :k], -1))


@each_dtype
@pytest.mark.parametrize("k", [33, 100, 1000])
@pytest.mark.usefixtures("many_cores")
def test_many_neighbours_by_codes(backend, k, dtype):
    rng = np.random.default_rng(0)
    X, Q = rng.integers(0, 5, (9000, 8)).astype(dtype), rng.integers(0, 5, (70, 8)).astype(dtype)
    truth = truth_from_numpy("euclidean", X, Q)
    values, indices = point_sets.search(backend, Points(X, Q), "euclidean", k)
    expected = np.argsort(truth, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(truth, expected, axis=1))


# ---- zero vectors and angles


@each_dtype
def test_a_zero_vector_is_at_right_angles_to_all(backend, dtype):
    X = np.array([[0, 0, 0], [3, 0, 4], [0, 0, 0], [6, 0, 8], [0, 7, 0]], dtype)
    Q = np.array([[0, 0, 0], [3, 0, 4], [0, 1, 0]], dtype)
    values, indices = answer(backend, Points(X, Q), "cosine", 5)
    np.testing.assert_array_equal(indices, [[0, 1, 2, 3, 4], [1, 3, 0, 2, 4], [4, 0, 1, 2, 3]])
    np.testing.assert_array_equal(values, [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 1, 1, 1, 1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_angles_do_not_cancel(backend, dtype):
    """1 - cos of angles of about 1e-6 and less, which 1 - q.x / (|q| |x|) loses in its rounding."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=50)
    X = (base + 1e-6 * rng.normal(size=(40, 50))) * rng.uniform(1, 1000, (40, 1))
    points = Points(X.astype(dtype), base[np.newaxis].astype(dtype))
    values, _ = answer(backend, points, "cosine", 40)
    assert 1e-15 < values[0, 0] < values[0, -1] < 1e-11


@pytest.mark.parametrize("sign", [1, -1])
def test_opposite_vectors(backend, sign):
    X = np.array([[1.0, 2.0, 2.0], [-2.0, -4.0, -4.0], [2.0, -1.0, 0.0]]) * sign
    values, indices = answer(backend, Points(X, X[:1]), "cosine", 3)
    np.testing.assert_array_equal(indices, [[0, 2, 1]])
    np.testing.assert_allclose(values, [[0, 1, 2]], atol=1e-15)


@each_dtype
@pytest.mark.parametrize("size", [1e-44, 1e-323, 1e-200, 1e-160], ids=str)
def test_angles_of_tiny_vectors(backend, dtype, size):
    """Whose squares float64 cannot hold, or that are hardly more than zero themselves."""
    unit = {"uint8": 1, "float32": max(size, 1e-44), "float64": size}[dtype]
    X = (np.array([[2, 0], [0, 3], [2, 2], [5, 1], [0, 0]]) * unit).astype(dtype)
    values, indices = answer(backend, Points(X, X[:2].copy()), "cosine", 5)
    np.testing.assert_array_equal(indices, [[0, 3, 2, 1, 4], [1, 2, 3, 0, 4]])
    assert values[0, 2] == pytest.approx(1 - 0.5**0.5)


# ---- limits


@each_metric
@each_dtype
@pytest.mark.parametrize("kind", ["random", "few", "near", "zeros"])
def test_limits_are_inclusive(backend, kind, dtype, metric):
    """A limit takes away what is beyond it and changes nothing else."""
    points = point_sets.make(kind, dtype, 50, 20, 12)
    k = 30
    values, indices = answer(backend, points, metric, k)
    seen = np.unique(values)
    middle = seen[len(seen) // 2]
    for limit in (-1.0, 0.0, middle, np.nextafter(middle, -1), seen[0], seen[-1], np.inf):
        inside = values <= limit
        limited_values, limited_indices = point_sets.search(backend, points, metric, k, limit)
        np.testing.assert_array_equal(limited_values, np.where(inside, values, np.inf))
        np.testing.assert_array_equal(limited_indices, np.where(inside, indices, -1))


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_limits_against_the_truth(backend, metric):
    points = point_sets.make("random", "uint8", 50, 20, 12)
    value = point_sets.truth(points, metric)[3, 20]
    for limit in (value, value - 0.5):
        answer(backend, points, metric, 50, limit)


@each_metric
def test_a_limit_may_leave_more_rows_than_places(backend, metric):
    points = point_sets.make("equal", "float32", 40, 17, 3)
    values, indices = answer(backend, points, metric, 4, 0.0)
    np.testing.assert_array_equal(indices, [[0, 1, 2, 3]] * 3)
    np.testing.assert_array_equal(values, 0)


# ---- where the arrays lie


@each_metric
@each_dtype
def test_memory_mapped_rows(backend, dtype, metric, tmp_path):
    points = point_sets.make("random", dtype, 40, 20, 5)
    paths = tmp_path / "X", tmp_path / "Q"
    points.X.tofile(paths[0])
    points.Q.tofile(paths[1])
    shapes = points.X.shape, points.Q.shape
    X, Q = (np.memmap(path, dtype, mode="r", shape=shape) for path, shape in zip(paths, shapes, strict=True))
    answer(backend, Points(X, Q), metric, 6)


@each_metric
@each_dtype
def test_rows_need_no_alignment(backend, dtype, metric):
    points = point_sets.make("random", dtype, 40, 19, 5)
    size = points.X.itemsize
    raw = np.zeros(points.X.nbytes + size, np.uint8)
    X = raw[size:].view(dtype).reshape(points.X.shape)  # one element after the beginning
    X[:] = points.X
    answer(backend, Points(X, points.Q), metric, 6)


def test_no_queries(backend):
    points = point_sets.make("random", "float32", 20, 16, 3)
    for metric in METRICS:
        values, indices = point_sets.search(backend, Points(points.X, points.Q[:0]), metric, 2)
        assert values.shape == indices.shape == (0, 2)


# ---- properties of any shape

SETTINGS = {
    "deadline": None,
    "max_examples": 30,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}
SHAPES = st.tuples(st.integers(1, 50), st.integers(1, 70), st.integers(1, 30))


@settings(**SETTINGS)
@given(
    shape=SHAPES,
    k=st.integers(1, 60),
    kind=st.sampled_from(KINDS),
    dtype=st.sampled_from(DTYPES),
    metric=st.sampled_from(METRICS),
    seed=st.integers(0, 1000),
)
def test_any_shape(backend, shape, k, kind, dtype, metric, seed):
    answer(backend, point_sets.make(kind, dtype, *shape, seed), metric, k)


@settings(**SETTINGS)
@given(shape=SHAPES, dtype=st.sampled_from(DTYPES), metric=st.sampled_from(METRICS), seed=st.integers(0, 1000))
def test_a_permutation_of_the_rows_permutes_the_answer(backend, shape, dtype, metric, seed):
    n, d, q = shape
    rng = np.random.default_rng([seed, *shape])
    permutation = rng.permutation(n)
    points = point_sets.make("random", dtype, n, d, q, seed)
    values, indices = point_sets.search(backend, points, metric, n)
    permuted = Points(points.X[permutation], points.Q)
    other_values, other_indices = point_sets.search(backend, permuted, metric, n)
    np.testing.assert_array_equal(other_values, values)
    for query, (found, other) in enumerate(zip(indices, permutation[other_indices], strict=True)):
        for value in np.unique(values[query]):
            tied = values[query] == value
            assert set(found[tied]) == set(other[tied])


@settings(**SETTINGS)
@given(shape=SHAPES, dtype=st.sampled_from(DTYPES), metric=st.sampled_from(METRICS), seed=st.integers(0, 1000))
def test_rows_find_themselves(backend, shape, dtype, metric, seed):
    """At 0, or an equal row of lower index; and i is as far from j as j from i."""
    n, d, _ = shape
    X = point_sets.make("few" if seed % 3 == 0 else "random", dtype, n, d, 1, seed).X
    values, indices = point_sets.search(backend, Points(X, X), metric, n)
    zero = ~X.any(axis=1) & (metric == "cosine")
    np.testing.assert_array_equal(values[:, 0], np.where(zero, 1, 0))
    if metric != "cosine":
        np.testing.assert_array_equal(X[indices[:, 0]], X)
        assert (indices[:, 0] <= np.arange(n)).all()
    table = np.empty((n, n))
    np.put_along_axis(table, indices, values, axis=1)
    np.testing.assert_array_equal(table, table.T)


@settings(**SETTINGS)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 20), st.integers(1, 8)),
    kinds=st.integers(1, 6),
    k=st.integers(1, 60),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 1000),
)
def test_rows_that_are_exactly_proportional_are_equally_far(backend, shape, kinds, k, dtype, seed):
    """By the cosine's exact square. Of so small numbers it differs by more than rounding where it differs at all."""
    n, d, q = shape
    rng = np.random.default_rng([seed, *shape])
    wholes = rng.integers(0 if dtype == "uint8" else -9, 10, (kinds, d))[rng.integers(0, kinds, n)]
    queries = rng.integers(0 if dtype == "uint8" else -9, 10, (q, d))
    queries[0] = wholes[n // 2]
    X, Q, same = (point_sets.multiples(rng, some, dtype) for some in (wholes, queries, queries))
    points = Points(X, Q)
    values, indices = answer(backend, points, "cosine", k)
    for query, row in zip(queries.tolist(), indices, strict=True):
        cosines = [naive.signed_cosine_square(query, x) for x in wholes.tolist()]
        assert [cosines[i] for i in row if i >= 0] == sorted(cosines, reverse=True)[:k]
    at_zero = [naive.signed_cosine_square(queries[0].tolist(), wholes[i].tolist()) == 1 for i in indices[0] if i >= 0]
    np.testing.assert_array_equal(values[0, : len(at_zero)] == 0, at_zero)
    again, again_indices = point_sets.search(backend, Points(X, same), "cosine", k)
    np.testing.assert_array_equal(again, values)
    np.testing.assert_array_equal(again_indices, indices)


@settings(**SETTINGS)
@given(shape=SHAPES, dtype=st.sampled_from(DTYPES), metric=st.sampled_from(METRICS), k=st.integers(1, 9))
def test_an_answer_does_not_depend_on_the_other_queries(backend, shape, dtype, metric, k):
    points = point_sets.make("random", dtype, *shape)
    together = point_sets.search(backend, points, metric, k)
    alone = [point_sets.search(backend, Points(points.X, points.Q[i : i + 1]), metric, k) for i in range(shape[2])]
    np.testing.assert_array_equal(np.concatenate([values for values, _ in alone]), together[0])
    np.testing.assert_array_equal(np.concatenate([indices for _, indices in alone]), together[1])
