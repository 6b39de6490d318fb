"""Neighbors and cross_validate_k: search, radius search, votes, graphs and the choice of k."""

from __future__ import annotations

import copy
import math
import pickle

import naive
import numpy as np
import point_sets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

import fastnn
from fastnn import neighbors
from fastnn.errors import InvalidArgumentError
from fastnn.kernels.spec import METRICS
from fastnn.neighbors.index import QUERIES_AT_A_TIME

each_metric = pytest.mark.parametrize("metric", METRICS)
each_pruning = pytest.mark.parametrize("pruning", ["auto", "always", "never"])

pytestmark = pytest.mark.usefixtures("backend")


def normal(n, d, q, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)).astype(dtype), rng.normal(size=(q, d)).astype(dtype)


def theirs(metric, X, **settings):
    """scikit-learn's, in whose trees distances are summed from differences."""
    return NearestNeighbors(metric=metric, algorithm="brute" if metric == "cosine" else "kd_tree", **settings).fit(X)


# ---- search


@pytest.mark.quick("metric", "pruning")
@each_pruning
@each_metric
@pytest.mark.parametrize("dtype", point_sets.DTYPES)
def test_search(dtype, metric, pruning):
    points = point_sets.make("random", dtype, 60, 20, 12)
    distances, indices = fastnn.Neighbors(metric, pruning=pruning).fit(points.X).search(points.Q, 7)
    values, expected = points.nearest(metric, 7)
    np.testing.assert_array_equal(indices, expected)
    assert indices.dtype == np.int64
    assert distances.dtype == ("float32" if dtype == "float32" else "float64")
    truth = np.sqrt(values) if metric == "euclidean" else values
    if dtype == "uint8" and metric != "cosine":
        np.testing.assert_array_equal(distances, truth)  # as the square root is rounded correctly
    else:
        np.testing.assert_allclose(distances, truth, rtol=2**-24 if dtype == "float32" else 1e-14, atol=1e-15)


@each_metric
def test_search_as_scikit_learn(metric):
    X, Q = normal(500, 8, 100)
    distances, indices = fastnn.Neighbors(metric).fit(X).search(Q)
    expected, expected_indices = theirs(metric, X, n_neighbors=5).kneighbors(Q)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(distances, expected, rtol=1e-12)


def test_ties_go_to_the_lowest_index():
    X = np.array([[5], [1], [3], [1], [3], [1]], np.uint8)
    distances, indices = fastnn.Neighbors().fit(X).search([[2], [1]], 6)
    np.testing.assert_array_equal(indices, [[1, 2, 3, 4, 5, 0], [1, 3, 5, 2, 4, 0]])
    np.testing.assert_array_equal(distances, [[1, 1, 1, 1, 1, 3], [0, 0, 0, 2, 2, 4]])


@each_pruning
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float32", "float64"])
def test_rows_that_are_exactly_proportional_go_by_their_indices(dtype, pruning):
    """Of twelve directions, far more rows each than neighbours; the queries are multiples of others."""
    rng = np.random.default_rng(3)
    wholes, queries = rng.integers(0, 10, (12, 7)), rng.integers(0, 10, (5, 7))
    direction, times = rng.integers(0, 12, 2400), rng.integers(1, 29, (2400, 1))
    X, Q = (wholes[direction] * times).astype(dtype), (queries * [[1], [3], [7], [12], [5]]).astype(dtype)
    index = fastnn.Neighbors("cosine", pruning=pruning).fit(X)
    for k in (3, 60, 300):
        distances, indices = index.search(Q, k)
        for query, found, row in zip(queries.tolist(), distances, indices, strict=True):
            cosines = [naive.signed_cosine_square(query, x) for x in wholes.tolist()]
            assert len(set(cosines)) == 12
            order = [(-cosines[of_row], i) for i, of_row in enumerate(direction)]
            expected = sorted(range(2400), key=order.__getitem__)[:k]
            np.testing.assert_array_equal(row, expected)
            assert len(set(found.tolist())) == len(set(direction[expected]))


@pytest.mark.parametrize("ks", [[3], [1, 7, 3], (5, 5), range(1, 4), np.array([2, 9])], ids=str)
def test_several_k_in_one_search(ks):
    X, Q = normal(50, 4, 10)
    index = fastnn.Neighbors().fit(X)
    found = index.search(Q, ks)
    assert type(found) is list
    for (distances, indices), k in zip(found, ks, strict=True):
        expected, expected_indices = index.search(Q, int(k))
        np.testing.assert_array_equal(distances, expected)
        np.testing.assert_array_equal(indices, expected_indices)


def test_a_query_may_come_alone():
    X, Q = normal(50, 4, 3)
    index = fastnn.Neighbors().fit(X, np.arange(50))
    for alone in (Q[1], Q[1].tolist()):
        distances, indices = index.search(alone, 3)
        assert distances.shape == indices.shape == (1, 3)
        np.testing.assert_array_equal(indices, index.search(Q, 3)[1][1:2])
    assert index.classify(Q[1], 1) == indices[0, 0]
    column = fastnn.Neighbors().fit([[1.0], [5.0]])
    assert column.search([4.0], 1)[1].tolist() == [[1]]
    assert column.search([[4.0], [0.0]], 1)[1].tolist() == [[1], [0]]


def test_no_queries():
    index = fastnn.Neighbors().fit(np.ones((6, 3), np.float32), list("abcdef"))
    distances, indices = index.search(np.empty((0, 3)), 2)
    assert (distances.shape, distances.dtype, indices.shape, indices.dtype) == ((0, 2), "float32", (0, 2), "int64")
    assert index.radius(np.empty((0, 3)), 1.0) == ([], [])
    assert index.classify(np.empty((0, 3)), 2).shape == (0,)
    assert index.radius_neighbors_graph(np.empty((0, 3)), 1.0).shape == (0, 6)


def test_more_queries_than_the_kernel_takes_at_a_time():
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(40, 2)), rng.normal(size=(QUERIES_AT_A_TIME * 2 + 5, 2))
    steps = []
    index = fastnn.Neighbors(pruning="always").fit(X)
    distances, indices = index.search(Q, 2, progress=steps.append)
    expected, expected_indices = theirs("euclidean", X, n_neighbors=2).kneighbors(Q)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(distances, expected, rtol=1e-12)
    assert steps == [QUERIES_AT_A_TIME, 2 * QUERIES_AT_A_TIME, len(Q)]


def test_fitting_again_forgets_what_was_before():
    X, Q = normal(30, 4, 5)
    index = fastnn.Neighbors(pruning="always").fit(X, np.arange(30))
    assert index.fit(-X[:20]) is index
    np.testing.assert_array_equal(index.search(Q, 20)[1], fastnn.Neighbors().fit(-X[:20]).search(Q, 20)[1])
    with pytest.raises(fastnn.FastnnError, match="with labels"):
        index.classify(Q)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda index: pickle.loads(pickle.dumps(index))])
def test_copies_find_the_same(dtype, duplicate):
    """Wherever their arrays come to lie in memory."""
    X = np.random.default_rng(0).integers(0, 256, (300, 40)).astype(dtype)
    index = fastnn.Neighbors(pruning="always").fit(X, np.arange(300) % 7)
    for _ in range(8):
        other = duplicate(index)
        for found, expected in zip(other.search(X[:20], 4), index.search(X[:20], 4), strict=True):
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(other.classify(X[:20]), index.classify(X[:20]))


# ---- radius


@each_metric
@each_pruning
def test_radius_as_scikit_learn(metric, pruning):
    X, Q = normal(300, 3, 60)
    radius = {"euclidean": 1.0, "manhattan": 1.5, "cosine": 0.2}[metric]
    found = fastnn.Neighbors(metric, pruning=pruning).fit(X).radius(Q, radius)
    wanted = theirs(metric, X, radius=radius).radius_neighbors(Q, sort_results=True)
    assert len(found[0]) == len(found[1]) == 60
    for distances, indices, expected, expected_indices in zip(*found, *wanted, strict=True):
        np.testing.assert_array_equal(indices, expected_indices)
        np.testing.assert_allclose(distances, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(("radius", "count"), [(0, 1), (0.999, 1), (1, 5), (math.sqrt(2), 9), (4.99, 69), (5, 81)])
def test_a_radius_is_inclusive(dtype, radius, count):
    """Points of a lattice: a circle of radius 5 passes through (3, 4)."""
    X = np.array([(i, j) for i in range(21) for j in range(21)], dtype)
    (distances,), (indices,) = fastnn.Neighbors().fit(X).radius([10, 10], radius)
    assert len(indices) == count
    expected = sorted((math.dist((10, 10), x), i) for i, x in enumerate(X.tolist()) if math.dist((10, 10), x) <= radius)
    np.testing.assert_array_equal(indices, [i for _, i in expected])
    np.testing.assert_allclose(distances, [distance for distance, _ in expected], rtol=1e-7)
    assert distances.dtype == ("float32" if dtype == "float32" else "float64")


@each_metric
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_every_distance_found_is_a_radius_that_includes_it(dtype, metric):
    """And the next smaller float64 excludes it, even where the distance is float32."""
    points = point_sets.make("random", dtype, 60, 5, 40)
    index = fastnn.Neighbors(metric).fit(points.X)
    distances, indices = index.search(points.Q, 60)
    for query, found in enumerate(distances.astype(np.float64)):
        for radius in (found[10], np.nextafter(found[10], 0)):
            (within,), (rows,) = index.radius(points.Q[query], radius)
            np.testing.assert_array_equal(rows, indices[query, found <= radius])
            np.testing.assert_array_equal(within, distances[query, found <= radius])


@each_metric
def test_a_radius_around_all_rows_and_around_none(metric):
    X, Q = normal(3000, 3, 7)
    index = fastnn.Neighbors(metric).fit(X)
    distances, indices = index.radius(Q, 1e300)
    expected, expected_indices = index.search(Q, 3000)
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_array_equal(distances, expected)
    distances, indices = index.radius(Q, 1e-200)
    assert [len(row) for row in (*distances, *indices)] == [0] * 14
    assert {(row.dtype.name, others.dtype.name) for row, others in zip(distances, indices, strict=True)} == {
        ("float64", "int64")
    }


@pytest.mark.parametrize("count", [63, 64, 65, 1023, 1024, 1025])
def test_as_many_rows_as_there_are_places(count):
    """Some queries have few rows within the radius, others about as many as the search has room for."""
    X = np.concatenate([np.zeros((count, 1)), np.full((1000, 1), 9.0), [[50.0]]])
    index = fastnn.Neighbors().fit(X)
    _, indices = index.radius([[50.0], [0.0], [9.0], [20.0]], 1)
    assert [len(row) for row in indices] == [1, count, 1000, 0]
    np.testing.assert_array_equal(indices[1], np.arange(count))
    np.testing.assert_array_equal(indices[2], np.arange(count, count + 1000))


# ---- votes


@pytest.mark.quick("metric")
@each_metric
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("k", [1, 4, 9])
def test_classify_as_scikit_learn(metric, weights, k):
    X, Q = normal(300, 4, 200)
    Q = np.concatenate([Q, X[:30] if metric != "cosine" else Q[:0]])  # whose own distance is 0
    y = np.random.default_rng(1).integers(0, 4, 300)
    found = fastnn.Neighbors(metric).fit(X, y).classify(Q, k, weights)
    expected = KNeighborsClassifier(
        k, weights=weights, metric=metric, algorithm="brute" if metric == "cosine" else "kd_tree"
    ).fit(X, y)
    np.testing.assert_array_equal(found, expected.predict(Q))
    assert found.dtype == y.dtype


@pytest.mark.parametrize("weights", ["uniform", "distance", lambda d: np.exp(-d), lambda d: 1.0 * (d < 3)])
def test_votes_one_by_one(weights):
    """Many equal distances, some of them 0, and many equal votes."""
    rng = np.random.default_rng(0)
    X, Q = rng.integers(0, 4, (80, 2)).astype(np.uint8), rng.integers(0, 4, (60, 2)).astype(np.uint8)
    y = np.array(["c", "a", "d", "b"])[rng.integers(0, 4, 80)]
    index = fastnn.Neighbors().fit(X, y)
    for k in (1, 2, 6, 80):
        distances, indices = index.search(Q, k)
        expected = [naive.vote(d, y[i].tolist(), weights) for d, i in zip(distances.tolist(), indices, strict=True)]
        assert index.classify(Q, k, weights).tolist() == expected


def test_votes_tie_to_the_lowest_class():
    index = fastnn.Neighbors().fit([[0.0], [1.0], [-1.0], [9.0]], ["pear", "quince", "apple", "medlar"])
    assert index.classify([[0.0]], 3).tolist() == ["apple"]
    assert index.classify([[0.0]], 4).tolist() == ["apple"]
    assert index.classify([[0.0]], 3, "distance").tolist() == ["pear"]
    assert index.classify([[0.5]], 2, "distance").tolist() == ["pear"]


def test_of_equal_distances_the_first_rows_vote():
    index = fastnn.Neighbors().fit([[1.0], [-1.0], [1.0], [-1.0]], [7, 3, 7, 3])
    assert index.classify([[0.0]], 1).tolist() == [7]
    assert index.classify([[0.0]], 2).tolist() == [3]
    assert index.classify([[0.0]], 3).tolist() == [7]


@pytest.mark.parametrize(
    "y", [[3, -1, 3], ["b", "a", "b"], [True, False, True], [0.5, 2.5, 0.5], [b"x", b"y", b"x"]], ids=str
)
def test_labels_of_any_type(y):
    index = fastnn.Neighbors().fit([[0.0], [10.0], [1.0]], y)
    found = index.classify([[0.4], [11.0]], 1)
    assert found.tolist() == y[:2]
    np.testing.assert_array_equal(index.classes_, np.unique(y))
    column = fastnn.Neighbors().fit([[0.0], [10.0], [1.0]], np.array(y)[:, np.newaxis])
    assert column.classify([[0.4], [11.0]], 1).tolist() == y[:2]


def test_classify_with_several_k():
    X, Q = normal(100, 3, 40)
    index = fastnn.Neighbors().fit(X, np.arange(100) % 7)
    found = index.classify(Q, [1, 8, 3], "distance")
    assert type(found) is list
    for votes, k in zip(found, (1, 8, 3), strict=True):
        np.testing.assert_array_equal(votes, index.classify(Q, k, "distance"))


def test_votes_may_be_negative():
    labels, weights = np.array([[2, 0, 2, 1], [1, 1, 0, 0]]), np.array([[-1.0, -3, 0.5, -0.5], [-2, -1, -1, -2]])
    assert neighbors.vote(labels, weights).tolist() == [1, 0]  # of two at -0.5 the lowest; nobody votes for 3


def test_a_function_of_weights_sees_the_distances():
    X, Q = normal(30, 3, 4)
    index = fastnn.Neighbors().fit(X, np.arange(30) % 3)
    seen = []
    index.classify(Q, 6, lambda distances: seen.append(distances.copy()) or np.ones(distances.shape, int))
    np.testing.assert_array_equal(seen[0], index.search(Q, 6)[0])


def test_a_function_of_weights_may_write_to_the_distances():
    X, Q = normal(100, 3, 40)
    index = fastnn.Neighbors().fit(X, np.arange(100) % 7)
    found = index.classify(Q, [1, 8, 3], lambda distances: np.exp(-distances, out=distances))
    for votes, k in zip(found, (1, 8, 3), strict=True):
        np.testing.assert_array_equal(votes, index.classify(Q, k, lambda distances: np.exp(-distances)))


@pytest.mark.parametrize("value", [1, 0.5, -1, 1e300, -1e300, np.inf, True, np.float32(2), np.uint64(2**64 - 1)])
def test_equal_weights_of_any_type_and_size_are_uniform(value):
    """Of infinite ones all sums are equal, so that the lowest class among the neighbours wins."""
    X, Q = normal(60, 3, 30)
    y = np.random.default_rng(1).integers(0, 4, 60)
    index = fastnn.Neighbors().fit(X, y)
    _, indices = index.search(Q, 7)
    counts = np.array([np.bincount(row, minlength=4) for row in y[indices]])
    votes = np.where(counts > 0, counts * float(value) if np.isfinite(value) else value, -np.inf)
    found = index.classify(Q, 7, lambda distances: np.full(distances.shape, value))
    np.testing.assert_array_equal(found, votes.argmax(axis=1))


@pytest.mark.parametrize("size", [1, 1e139, 1e-140, 1e-300, 5e-324])
def test_weights_by_distance_do_not_overflow(size):
    """Two rows at 2 and 3 outweigh one at 1.5; the smallest of them are 1.5 rounded to 2, and 2 to 2."""
    metric = "manhattan"  # squares would underflow
    X = np.array([[1.5], [-2.0], [-3.0], [9.0]]) * size
    index = fastnn.Neighbors(metric).fit(X, [0, 1, 1, 0])
    assert index.classify([[0.0]], 3, "distance").tolist() == [1]
    assert index.classify([[0.0]], 1, "distance").tolist() == [0]
    assert index.classify(X[:1], 3, "distance").tolist() == [0]


@each_metric
def test_distances_that_float32_cannot_hold_are_an_error(metric):
    """Not infinity, whether they are asked for or lie within a radius; rows of float64 have them."""
    X = np.array([[3e38, 0], [-3e38, 1], [3e38, 3e38]])
    index, wide = (fastnn.Neighbors(metric).fit(X.astype(dtype)) for dtype in ("float32", "float64"))
    distances, indices = wide.search(X, 3)
    if metric == "cosine":
        np.testing.assert_array_equal(index.search(X, 3)[1], indices)
        return
    np.testing.assert_array_equal(index.search(X[:1], 2)[1], indices[:1, :2])
    np.testing.assert_array_equal(index.radius(X[:1], 3.4e38)[1], indices[:1, :2])
    message = r"Q: expected distances up to 3.4e\+38, as X is float32, or X of float64, found [69].*e\+38"
    for call in (
        lambda: index.search(X[:1], 3),
        lambda: index.radius(X[:1], 1e39),
        lambda: index.kneighbors_graph(k=2),
        lambda: fastnn.cross_validate_k(X.astype("float32"), [0, 1, 0], [2], [([1, 2], [0])], metric=metric),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            call()
    assert distances[0, 2] > 5e38


# ---- graphs


def assert_same_graph(found, expected):
    """The same entries, zeros among them, in any order within a row."""
    found, expected = found.copy(), expected.copy()
    found.sort_indices()
    expected.sort_indices()
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-12, atol=1e-15)


@each_metric
@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_graphs_as_scikit_learn(metric, mode):
    X, Q = normal(120, 3, 30)
    index, other = fastnn.Neighbors(metric).fit(X), theirs(metric, X)
    assert_same_graph(index.kneighbors_graph(Q, 4, mode), other.kneighbors_graph(Q, 4, mode))
    assert_same_graph(index.kneighbors_graph(None, 4, mode), other.kneighbors_graph(None, 4, mode))
    radius = 0.7 if metric != "cosine" else 0.1
    found = index.radius_neighbors_graph(Q, radius, mode)
    assert_same_graph(found, other.radius_neighbors_graph(Q, radius, mode))
    assert 0 < found.nnz < 120 * 30


@each_metric
def test_no_row_is_its_own_neighbour_even_among_equals(metric):
    X = np.array([[1, 2]] * 4 + [[0, 0]] * 3 + [[200, 5]], np.uint8)
    graph = fastnn.Neighbors(metric).fit(X).kneighbors_graph(k=3, mode="distance")
    truth = point_sets.truth(point_sets.Points(X, X), metric)
    for row in range(8):
        others = np.where(np.arange(8) == row, np.inf, truth[row]).tolist()
        expected = naive.k_nearest(others, 3)
        found = slice(*graph.indptr[row : row + 2])
        np.testing.assert_array_equal(graph.indices[found], [index for _, index in expected])
        distances = np.array([value for value, _ in expected]) ** (0.5 if metric == "euclidean" else 1)
        np.testing.assert_allclose(graph.data[found], distances, atol=1e-15)


# ---- which k is best


@each_metric
@pytest.mark.parametrize("weights", ["uniform", "distance", lambda distances: 1 / (1 + distances)])
def test_cross_validation_is_a_classification_per_fold_and_k(metric, weights):
    X = np.random.default_rng(0).integers(0, 30, (90, 3)).astype(np.uint8)
    y = (X.sum(axis=1) > 45).astype(int) + (X[:, 0] > 20)
    folds, ks, steps = list(KFold(4, shuffle=True, random_state=0).split(X)), (1, 10, 3), []
    scores = fastnn.cross_validate_k(X, y, ks, folds, metric=metric, weights=weights, progress=steps.append)
    expected = [
        [
            np.mean(fastnn.Neighbors(metric).fit(X[train], y[train]).classify(X[test], k, weights) == y[test])
            for train, test in folds
        ]
        for k in ks
    ]
    np.testing.assert_array_equal(scores.accuracy, expected)
    assert scores.ks == ks
    assert scores.best_k == ks[int(np.argmax(np.mean(expected, axis=1)))]
    assert steps == [1, 2, 3, 4]
    again = fastnn.cross_validate_k(X, y, ks, iter(folds), metric=metric, weights=weights)
    np.testing.assert_array_equal(again.accuracy, expected)


def test_folds_are_stratified():
    """The rows of each class go to the folds in turn, one class after the other."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(53, 2)), np.array(["b", "a", "c"])[np.minimum(rng.integers(0, 6, 53), 2)]
    turn = [row for name in "abc" for row in range(53) if y[row] == name]
    tests = [sorted(turn[fold::5]) for fold in range(5)]
    pairs = [(np.setdiff1d(np.arange(53), test), test) for test in tests]
    found, expected = (fastnn.cross_validate_k(X, y, [1, 4], folds) for folds in (5, pairs))
    np.testing.assert_array_equal(found.accuracy, expected.accuracy)
    for name in "abc":
        sizes = [int((y[test] == name).sum()) for test in tests]
        assert max(sizes) - min(sizes) <= 1
    default = fastnn.cross_validate_k(X, y, [1, 4])
    np.testing.assert_array_equal(default.accuracy, found.accuracy)
    assert fastnn.cross_validate_k(X, y, [1], np.int64(2)).accuracy.shape == (1, 2)


def test_of_equally_good_ks_the_lowest_is_best():
    accuracy = np.array([[0.5, 0.5], [0.75, 0.5], [0.5, 0.75], [1.0, 0.25]])
    assert neighbors.Scores((9, 7, 3, 5), accuracy).best_k == 3
    assert neighbors.Scores((9, 7), accuracy[:2]).best_k == 7


# ---- properties


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["random", "few", "equal", "zeros"]),
    dtype=st.sampled_from(point_sets.DTYPES),
    metric=st.sampled_from(METRICS),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(1, 10)),
    data=st.data(),
)
def test_a_smaller_k_or_radius_takes_from_the_end(kind, dtype, metric, shape, data):
    points = point_sets.make(kind, dtype, *shape)
    index = fastnn.Neighbors(metric).fit(points.X)
    distances, indices = index.search(points.Q, len(points.X))
    k = data.draw(st.integers(1, len(points.X)))
    np.testing.assert_array_equal(index.search(points.Q, k)[1], indices[:, :k])
    radius = data.draw(st.sampled_from(sorted({float(d) for d in distances.ravel() if np.isfinite(d)})))
    for within, rows, all_distances, all_rows in zip(*index.radius(points.Q, radius), distances, indices, strict=True):
        count = np.count_nonzero(all_distances.astype(np.float64) <= radius)
        np.testing.assert_array_equal(within, all_distances[:count])
        np.testing.assert_array_equal(rows, all_rows[:count])
