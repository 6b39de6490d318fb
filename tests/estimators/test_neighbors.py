"""The neighbours against scikit-learn's own: the same indices, distances to rounding, votes and attributes."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import base, datasets, exceptions, neighbors
from sklearn_swap import compute_everywhere

from fastnn.dropin.sklearn import neighbors as dropin
from fastnn.estimators import neighbors as compiled
from fastnn.estimators import records

RNG = np.random.default_rng(0)
ROWS, QUERIES = RNG.normal(size=(3000, 10)), RNG.normal(size=(300, 10))
LABELS = RNG.integers(0, 4, len(ROWS))
WIDE_ROWS, WIDE_QUERIES = RNG.normal(size=(2500, 40)), RNG.normal(size=(400, 40))
PAIRS = {
    "classifier": (dropin.KNeighborsClassifier, neighbors.KNeighborsClassifier),
    "regressor": (dropin.KNeighborsRegressor, neighbors.KNeighborsRegressor),
    "search": (dropin.NearestNeighbors, neighbors.NearestNeighbors),
}
ALGORITHMS = {
    "brute": ["euclidean", "minkowski", "manhattan", "cityblock", "l1", "l2", "sqeuclidean", "cosine"],
    "kd_tree": ["euclidean", "minkowski", "manhattan", "l1", "l2"],
    "ball_tree": ["euclidean", "minkowski", "cityblock", "l2"],
    "auto": ["minkowski", "cosine", "sqeuclidean", "manhattan"],
}
CASES = [(algorithm, metric) for algorithm, metrics in ALGORITHMS.items() for metric in metrics]


@pytest.fixture
def calls():
    """What the estimators did, in the order in which it was over."""
    found = []
    records.listeners.append(found.append)
    yield found
    records.listeners.remove(found.append)


@pytest.fixture
def everywhere(monkeypatch):
    """Let fastnn search whatever the size."""
    compute_everywhere(monkeypatch.setattr)


def both(kind, X, y=None, **parameters):
    ours, theirs = PAIRS[kind]
    return [cls(**parameters).fit(X) if y is None else cls(**parameters).fit(X, y) for cls in (ours, theirs)]


def assert_same_neighbors(ours, theirs, *args, tolerance=1e-7, **kwargs):
    distances, indices = ours.kneighbors(*args, **kwargs)
    expected_distances, expected_indices = theirs.kneighbors(*args, **kwargs)
    assert distances.dtype == expected_distances.dtype
    assert indices.dtype == expected_indices.dtype
    np.testing.assert_array_equal(indices, expected_indices)
    np.testing.assert_allclose(distances, expected_distances, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("algorithm", "metric"), CASES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_neighbors_are_scikit_learns(calls, algorithm, metric, dtype):
    X, Q = (WIDE_ROWS, WIDE_QUERIES) if algorithm == "brute" else (ROWS, QUERIES)
    ours, theirs = both("search", X.astype(dtype), algorithm=algorithm, metric=metric)
    assert ours._fit_method == theirs._fit_method
    tolerance = 1e-5 if dtype == np.float32 else 1e-9
    assert_same_neighbors(ours, theirs, Q.astype(dtype), tolerance=tolerance)
    assert_same_neighbors(ours, theirs, tolerance=tolerance)
    assert [call.method for call in calls] == ["fit", "kneighbors", "kneighbors"]
    if (metric, dtype) != ("cosine", np.float32):  # which is scikit-learn's
        assert all(call.accelerated for call in calls)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_ties_have_scikit_learns_order(data):
    """Few values on few columns: most of the distances are equal."""
    algorithm, metric = data.draw(st.sampled_from(CASES))
    rows, columns, values = data.draw(st.integers(2, 200)), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 40))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dtype = data.draw(st.sampled_from([np.float64, np.float32, np.int64, np.uint8]))
    scale = data.draw(st.sampled_from([1, 0.1])) if np.dtype(dtype).kind == "f" else 1
    X, Q = ((rng.integers(0, values, (count, columns)) * scale).astype(dtype) for count in (rows, 60))
    k = data.draw(st.integers(1, rows - 1))
    with pytest.MonkeyPatch.context() as monkeypatch:
        compute_everywhere(monkeypatch.setattr)
        ours, theirs = both("search", X, n_neighbors=k, algorithm=algorithm, metric=metric)
        assert_same_neighbors(ours, theirs, Q, tolerance=3e-4 if dtype == np.float32 else 1e-7)
        assert_same_neighbors(ours, theirs, tolerance=3e-4 if dtype == np.float32 else 1e-7)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_votes_are_scikit_learns(data):
    algorithm, metric = data.draw(st.sampled_from(CASES))
    weights = data.draw(st.sampled_from(["uniform", "distance", None, np.ones_like]))
    rows, columns, values = data.draw(st.integers(3, 150)), data.draw(st.integers(1, 4)), data.draw(st.integers(2, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    X, Q = (rng.integers(0, values, (count, columns)).astype(float) for count in (rows, 50))
    labels = rng.integers(0, 3, (rows, 2) if data.draw(st.booleans()) else rows)
    parameters = {"n_neighbors": data.draw(st.integers(1, rows - 1)), "algorithm": algorithm, "metric": metric}
    with pytest.MonkeyPatch.context() as monkeypatch:
        compute_everywhere(monkeypatch.setattr)
        ours, theirs = both("classifier", X, labels, weights=weights, **parameters)
        for queries in (Q, None):
            np.testing.assert_array_equal(ours.predict(queries), theirs.predict(queries))
            found, expected = ours.predict_proba(queries), theirs.predict_proba(queries)
            for a, b in zip(*((p if isinstance(p, list) else [p]) for p in (found, expected)), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
        ours, theirs = both("regressor", X, labels, weights=weights, **parameters)
        np.testing.assert_allclose(ours.predict(Q), theirs.predict(Q), rtol=1e-6, atol=1e-7)


def test_a_tree_is_built_when_a_tie_asks_for_it(calls):
    X = np.concatenate([ROWS, np.full((2, 10), 100.0)])
    ours, theirs = both("search", X)
    assert ours._index._tree is None
    assert_same_neighbors(ours, theirs, QUERIES)
    assert ours._index._tree is None
    assert_same_neighbors(ours, theirs, X[-5:])
    assert isinstance(ours._index._tree, neighbors.KDTree)
    assert all(call.accelerated for call in calls)


def test_many_ties_and_few_dimensions_are_left_to_the_tree(calls):
    grid = np.stack(np.meshgrid(*[np.arange(6.0)] * 5), -1).reshape(-1, 5)
    line = np.sort(RNG.uniform(size=(100_000, 1)), 0) * RNG.normal(size=(1, 8))
    for X, reason in (
        (grid, "rows with many ties, which the tree orders"),
        (line, "a tree is faster for rows that fill 1.0 dimensions"),
        (line[:, :1], "a tree is faster for so many rows of so few columns"),
        (ROWS[:100], f"fewer than {compiled.LEAST_ROWS} rows"),
    ):
        calls.clear()
        ours, theirs = both("search", X)
        assert_same_neighbors(ours, theirs, X[:10])
        assert [call.accelerated for call in calls] == [False, False]
        assert calls[1].reason == reason or reason.split("1.0")[0] in calls[1].reason


def test_few_queries_of_many_rows_are_left_to_the_tree(calls):
    X = RNG.normal(size=(60_000, 8))
    ours, theirs = both("search", X)
    assert_same_neighbors(ours, theirs, X[:300] + 0.01)
    assert ours._index._tree is None
    assert_same_neighbors(ours, theirs, X[:1] + 0.01)
    assert [call.reason for call in calls] == ["", "", "a tree is faster for so few queries"]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"metric": "chebyshev"}, "metric 'chebyshev'"),
        ({"p": 3}, "metric 'minkowski' with p=3"),
        ({"metric": "minkowski", "metric_params": {"w": np.ones(10)}}, "metric_params"),
        ({"metric": lambda a, b: abs(a - b).max(), "algorithm": "brute"}, "a metric that is a function"),
    ],
)
def test_what_fastnn_does_not_search_is_scikit_learns(calls, parameters, reason):
    ours, theirs = both("search", ROWS[:600], **parameters)
    assert_same_neighbors(ours, theirs, QUERIES[:5])
    assert {call.reason for call in calls} == {reason}


def test_sparse_input_trees_and_estimators_are_scikit_learns(calls):
    ours, theirs = both("search", sparse.csr_array(ROWS), algorithm="brute")
    assert_same_neighbors(ours, theirs, sparse.csr_array(QUERIES))
    ours, theirs = both("search", neighbors.KDTree(ROWS))
    assert_same_neighbors(ours, theirs, QUERIES)
    assert not any(call.accelerated for call in calls)
    ours, theirs = both("search", dropin.NearestNeighbors().fit(ROWS))
    assert_same_neighbors(ours, theirs, QUERIES)


def test_numbers_beyond_fastnns_are_scikit_learns(calls):
    ours, theirs = both("search", ROWS * 1e141)
    assert_same_neighbors(ours, theirs, QUERIES * 1e141)
    ours, theirs = both("search", ROWS)
    assert_same_neighbors(ours, theirs, QUERIES * 1e145)
    assert [call.accelerated for call in calls] == [False, False, True, False]


@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.int16, np.float32), (np.uint8, np.float64)])
def test_rows_and_queries_of_two_types(calls, dtypes):
    X, Q = (ROWS * 1000).astype(dtypes[0]), (QUERIES * 1000).astype(dtypes[1])
    for algorithm in ("brute", "kd_tree"):
        ours, theirs = both("search", X, algorithm=algorithm)
        assert_same_neighbors(ours, theirs, Q)
        assert calls[-1].accelerated


def test_whole_numbers_are_searched_as_bytes(calls):
    images = RNG.integers(0, 256, (6000, 30))
    for dtype in (np.uint8, np.float32, np.float64):
        X, Q = images[:5500].astype(dtype), images[5000:].astype(dtype)
        ours, theirs = both("search", X, algorithm="brute")
        assert_same_neighbors(ours, theirs, Q)
        assert any(kind == np.uint8 for kind, coded in ours._index._searchers)
        assert_same_neighbors(ours, theirs, Q[:500] + (0 if dtype == np.uint8 else 0.5))
    assert all(call.accelerated for call in calls)


@pytest.mark.parametrize("algorithm", ["brute", "auto"])
def test_pickles_are_scikit_learns(calls, algorithm):
    ours, theirs = both("classifier", ROWS, LABELS, algorithm=algorithm)
    state = ours.__getstate__()
    assert state.keys() == {*theirs.__getstate__()} - {"_sklearn_version"}
    assert (state["_tree"] is None) == (theirs._tree is None)
    plain = neighbors.KNeighborsClassifier()
    plain.__dict__.update(state)
    loaded = pickle.loads(pickle.dumps(ours))
    for other in (plain, loaded):
        np.testing.assert_array_equal(other.predict_proba(QUERIES), theirs.predict_proba(QUERIES))
    assert calls[-1].accelerated
    assert base.clone(loaded).get_params() == theirs.get_params()
    assert not hasattr(base.clone(loaded), "_index")


@pytest.mark.parametrize("kind", PAIRS)
def test_parameters_and_text_are_scikit_learns(kind):
    ours, theirs = PAIRS[kind]
    assert ours().get_params() == theirs().get_params()
    assert repr(ours(n_neighbors=3)) == repr(theirs(n_neighbors=3))
    assert ours().__sklearn_tags__() == theirs().__sklearn_tags__()
    assert ours.__doc__ == theirs.__doc__


def test_graphs_and_scores():
    ours, theirs = both("classifier", ROWS, LABELS)
    for mode in ("connectivity", "distance"):
        a, b = ours.kneighbors_graph(QUERIES, mode=mode), theirs.kneighbors_graph(QUERIES, mode=mode)
        assert type(a) is type(b)
        np.testing.assert_allclose(a.toarray(), b.toarray())
    assert ours.score(ROWS, LABELS) == theirs.score(ROWS, LABELS)
    assert ours.score(None, LABELS) == theirs.score(None, LABELS)
    ours, theirs = both("search", ROWS, radius=1.5)
    for a, b in zip(ours.radius_neighbors(QUERIES), theirs.radius_neighbors(QUERIES), strict=True):
        for one, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(one, other)


def test_errors_and_warnings_are_scikit_learns():
    ours, theirs = both("search", ROWS)
    for call in (
        lambda nn: nn.kneighbors(QUERIES[:, :3]),
        lambda nn: nn.kneighbors(QUERIES * np.nan),
        lambda nn: nn.kneighbors(QUERIES[0]),
        lambda nn: nn.kneighbors(QUERIES, 0),
        lambda nn: nn.kneighbors(QUERIES, 2.5),
        lambda nn: nn.kneighbors(QUERIES, 3001),
        lambda nn: nn.kneighbors(None, 3000),
        lambda nn: base.clone(nn).kneighbors(QUERIES),
        lambda nn: base.clone(nn).set_params(algorithm="none").fit(ROWS),
        lambda nn: base.clone(nn).fit(ROWS * np.inf),
        lambda nn: base.clone(nn).set_params(algorithm="kd_tree", metric="cosine").fit(ROWS),
    ):
        with pytest.raises(Exception) as expected:  # noqa: PT011  # whatever scikit-learn raises
            call(theirs)
        with pytest.raises(type(expected.value)) as found:
            call(ours)
        assert str(found.value) == str(expected.value)
    assert isinstance(exceptions.NotFittedError(), ValueError)


def test_names_of_columns_are_checked():
    pandas = pytest.importorskip("pandas")  # an extra
    frame = pandas.DataFrame(ROWS, columns=[f"x{i}" for i in range(10)])
    ours, theirs = both("search", frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = pandas.concat([frame, frame[:2]])
        ours, theirs = both("search", frame)
        assert_same_neighbors(ours, theirs, frame[:50])  # with ties, whose queries scikit-learn gets as arrays
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        ours.kneighbors(QUERIES)


def test_threads_are_scikit_learns(monkeypatch):
    monkeypatch.setattr(compiled, "num_threads", lambda: 8)
    monkeypatch.setattr(compiled, "openmp_threads", lambda: 3)
    for n_jobs, expected in ((None, 1), (1, 1), (2, 2), (100, 8)):
        assert dropin.NearestNeighbors(n_jobs=n_jobs).fit(ROWS)._threads() == expected
    assert dropin.NearestNeighbors(algorithm="brute").fit(WIDE_ROWS)._threads() == 3


@pytest.mark.parametrize("algorithm", ["auto", "brute", "kd_tree", "ball_tree"])
@pytest.mark.parametrize("shape", [(500, 3), (600, 15), (600, 16), (501, 4)])
@pytest.mark.parametrize("n_neighbors", [5, 249, 250, 300])
def test_the_fit_method_is_scikit_learns(everywhere, algorithm, shape, n_neighbors):
    ours, theirs = both("search", RNG.normal(size=shape), algorithm=algorithm, n_neighbors=n_neighbors)
    assert ours._fit_method == theirs._fit_method
    assert type(ours._tree) is type(theirs._tree)
    assert ours.effective_metric_ == theirs.effective_metric_


def test_iris_is_scikit_learns(calls):
    X, y = datasets.load_iris(return_X_y=True)
    ours, theirs = both("classifier", X, y)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert not any(call.accelerated for call in calls)
