"""The neighbours against scikit-learn's own: the same indices, distances to rounding, votes and attributes."""

from __future__ import annotations

import importlib
import inspect
import pickle
import warnings

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import base, datasets, exceptions, neighbors
from sklearn_swap import compute_everywhere

from fastnn import estimators
from fastnn.dropin.sklearn import neighbors as dropin
from fastnn.estimators import index, records
from fastnn.estimators import neighbors as compiled

RNG = np.random.default_rng(0)
ROWS, QUERIES = RNG.normal(size=(3000, 10)), RNG.normal(size=(300, 10))
LABELS = RNG.integers(0, 4, len(ROWS))
WIDE_ROWS, WIDE_QUERIES = RNG.normal(size=(4000, 40)), RNG.normal(size=(600, 40))
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
    is_brute = algorithm == "brute" or metric in ("cosine", "sqeuclidean")
    X, Q = (WIDE_ROWS, WIDE_QUERIES) if is_brute else (ROWS, QUERIES)
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
        (ROWS[:100], f"fewer than {index.LEAST_ROWS} rows"),
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


@pytest.mark.parametrize("scale", [1e-17, 1e-165])  # the squares of the smaller ones are 0
def test_cosines_of_what_scikit_learn_takes_for_0_are_its_own(calls, everywhere, scale):
    X, Q = WIDE_ROWS.copy(), WIDE_QUERIES.copy()
    ours, theirs = both("search", X, metric="cosine")
    assert_same_neighbors(ours, theirs, Q)
    Q[3] *= scale
    assert_same_neighbors(ours, theirs, Q)
    X[5] *= scale
    ours, theirs = both("search", X, metric="cosine")
    assert_same_neighbors(ours, theirs)
    assert_same_neighbors(pickle.loads(pickle.dumps(ours)), theirs)
    first, *others = [call.reason for call in calls if call.method == "kneighbors"]
    assert first == ""
    assert [call.reason for call in calls if call.method == "fit"] == ["", ""]
    assert len(others) == 3
    assert all("so small" in reason for reason in others)


@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.int16, np.float32), (np.uint8, np.float64)])
def test_rows_and_queries_of_two_types(calls, dtypes):
    X, Q = (ROWS * 1000).astype(dtypes[0]), (QUERIES * 1000).astype(dtypes[1])
    for algorithm in ("brute", "kd_tree"):
        ours, theirs = both("search", X, algorithm=algorithm)
        assert_same_neighbors(ours, theirs, Q)
        assert calls[-1].accelerated


def test_whole_numbers_are_searched_as_bytes(calls):
    images = RNG.integers(0, 256, (6000, 30))
    for dtype in (np.uint8, np.int64, np.float32, np.float64):
        X, Q = images[:5500].astype(dtype), images[5000:].astype(dtype)
        ours, theirs = both("search", X, algorithm="brute")
        assert_same_neighbors(ours, theirs, Q)
        assert any(kind == np.uint8 for kind, coded in ours._index._searchers)
        assert_same_neighbors(ours, theirs, Q[:500] + (0.5 if np.dtype(dtype).kind == "f" else 0))
    assert all(call.accelerated for call in calls)


@pytest.mark.parametrize("algorithm", ["brute", "auto"])
def test_pickles_are_scikit_learns(calls, algorithm):
    X, Q = (WIDE_ROWS, WIDE_QUERIES) if algorithm == "brute" else (ROWS, QUERIES)
    ours, theirs = both("classifier", X, np.resize(LABELS, len(X)), algorithm=algorithm)
    state = ours.__getstate__()
    assert state.keys() == {*theirs.__getstate__()} - {"_sklearn_version"}
    assert (state["_tree"] is None) == (theirs._tree is None)
    plain = neighbors.KNeighborsClassifier()
    plain.__dict__.update(state)
    loaded = pickle.loads(pickle.dumps(ours))
    for other in (plain, loaded):
        np.testing.assert_array_equal(other.predict_proba(Q), theirs.predict_proba(Q))
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


@pytest.mark.parametrize("algorithm", ["auto", "brute", "kd_tree"])
def test_a_fit_that_fails_leaves_the_one_before(algorithm):
    ours, theirs = both("search", ROWS, algorithm=algorithm)
    for nn in (ours, theirs):
        with pytest.raises(ValueError, match="NaN"):
            nn.fit(np.full_like(ROWS, np.nan))
    assert_same_neighbors(ours, theirs, QUERIES)
    assert_same_neighbors(ours, theirs, ROWS[:5])  # with ties
    assert type(ours._tree) is type(theirs._tree)


@pytest.mark.parametrize("algorithm", ["auto", "brute", "kd_tree"])
def test_frames_of_sparse_columns_are_scikit_learns(calls, everywhere, algorithm):
    pandas = pytest.importorskip("pandas")  # an extra
    frame = pandas.DataFrame.sparse.from_spmatrix(sparse.csr_array(ROWS))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours, theirs = both("search", frame, algorithm=algorithm)
    messages = [str(warning.message) for warning in caught]
    assert messages[: len(messages) // 2] == messages[len(messages) // 2 :]
    assert ("cannot use tree with sparse input: using brute force" in messages) == (algorithm == "kd_tree")
    assert_same_neighbors(ours, theirs, frame[:20])
    ours, theirs = both("search", pandas.DataFrame(ROWS, columns=frame.columns), algorithm="brute")
    assert_same_neighbors(ours, theirs, frame[:20])
    assert calls[-1].reason == "sparse input"
    assert not any(call.accelerated for call in calls if call.method == "kneighbors")


def tied_votes(queries):
    """Rows and queries with equal distances at the last neighbour, whose labels differ; most queries have none."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 4, (1500, 12)).astype(float), rng.integers(0, 3, 1500)
    few = queries // 20
    Q = np.concatenate([rng.random((queries - few, 12)) * 4, rng.integers(0, 4, (few, 12))])
    return X, y, rng.permutation(Q)


@pytest.mark.parametrize(
    ("metric", "p"),
    [(name, 2) for name in ("minkowski", "euclidean", "sqeuclidean", "l2", "manhattan")] + [("minkowski", 1)],
)
@pytest.mark.parametrize("form", ["array", "fortran", "list", "frame"])
@pytest.mark.parametrize("queries", [1400, 400])
def test_votes_with_ties_take_the_rows_that_scikit_learn_takes(calls, monkeypatch, metric, p, form, queries):
    """Which these are depends on how many queries there are, and on whether it counts the votes by itself."""
    compute_everywhere(monkeypatch.setattr)
    X, y, Q = tied_votes(queries)
    pandas = pytest.importorskip("pandas")  # an extra
    asked = {"array": Q, "fortran": np.asfortranarray(Q), "list": Q.tolist(), "frame": pandas.DataFrame(Q)}[form]
    ours, theirs = both("classifier", X, y, n_neighbors=4, algorithm="brute", metric=metric, p=p)
    with sklearn.config_context(pairwise_dist_chunk_size=128):  # so that 1,400 are many for two threads
        np.testing.assert_array_equal(ours.predict_proba(asked), theirs.predict_proba(asked))
        np.testing.assert_array_equal(ours.predict(asked), theirs.predict(asked))
    assert all(call.accelerated for call in calls)


@pytest.mark.parametrize("queries", [600, 258, 20])
@pytest.mark.parametrize("columns", [64, 100])
def test_few_ties_among_many_queries_are_rounded_as_all_are(queries, columns):
    """Products of few rows have other kernels in BLAS than those of many; the last of 258 are a chunk of two."""
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(3000, columns)), rng.normal(size=(queries, columns))
    for place, query in enumerate((3, queries // 2, queries - 1)):
        near = Q[query] + rng.normal(size=(6, columns)) * 0.3
        X[20 * place : 20 * place + 12] = np.concatenate([near, 2 * Q[query] - near])  # equal but for rounding
    ours, theirs = both("search", X, algorithm="brute", metric="euclidean")
    assert_same_neighbors(ours, theirs, Q)


def test_methods_that_a_program_overrides_are_called():
    X, Q = WIDE_ROWS, WIDE_QUERIES
    labels = np.arange(len(X)) % 3

    def last_rows(self, X=None, n_neighbors=None, return_distance=True):
        indices = np.full((len(X), 3), len(labels) - 1)
        return (np.ones(indices.shape), indices) if return_distance else indices

    def no_votes(self, X):
        return np.eye(3)[np.zeros(len(X), int)]

    for method, function in (("kneighbors", last_rows), ("predict_proba", no_votes)):
        for parameters in ({}, {"metric": "manhattan"}):
            found = []
            for base_class in PAIRS["classifier"]:
                derived = type("Derived", (base_class,), {method: function})
                model = derived(algorithm="brute", **parameters).fit(X, labels)
                plain = base_class(algorithm="brute", **parameters).fit(X, labels)
                setattr(plain, method, function.__get__(plain))
                found.append([m.predict(Q) for m in (model, plain)] + [m.predict_proba(Q) for m in (model, plain)])
            for one, other in zip(*found, strict=True):
                np.testing.assert_array_equal(one, other)


def test_parameters_set_after_fit_are_scikit_learns():
    ours, theirs = both("classifier", WIDE_ROWS, np.arange(len(WIDE_ROWS)) % 3, algorithm="brute")
    for changed in ({"p": 1}, {"metric": "manhattan"}, {"n_neighbors": 3}):
        for model in (ours, theirs):
            model.set_params(**changed)
        np.testing.assert_array_equal(ours.predict_proba(WIDE_QUERIES), theirs.predict_proba(WIDE_QUERIES))


@pytest.mark.parametrize(
    ("metric", "dtype"),
    [("euclidean", "float64"), ("manhattan", "float64"), ("cosine", "float64"), ("euclidean", "uint8")],
)
def test_brute_force_with_many_ties_is_left_after_the_first_queries(calls, monkeypatch, metric, dtype):
    X, Q = (
        RNG.normal(size=(rows, 20)) if dtype == "float64" else RNG.integers(0, 256, (rows, 20)).astype(dtype)
        for rows in (3000, 800)
    )
    X = np.repeat(X, 2, 0)
    ours, theirs = both("classifier", X, np.arange(len(X)) % 3, algorithm="brute", metric=metric, n_neighbors=4)
    searched = []
    search = index.Neighbors.search_values

    def search_values(self, Q, k):
        searched.append(len(Q))
        return search(self, Q, k)

    monkeypatch.setattr(index.Neighbors, "search_values", search_values)
    assert_same_neighbors(ours, theirs, Q)
    assert (calls[-1].accelerated, calls[-1].reason) == (False, index.TIES)
    # A search of bytes takes so little that nothing is lost by searching for all.
    assert searched == [800 if dtype == "uint8" else 800 // 32]


def test_a_call_that_scikit_learn_answered_mostly_is_not_accelerated(calls):
    ours, theirs = both("search", np.repeat(WIDE_ROWS, 2, 0), algorithm="brute", metric="manhattan")
    assert_same_neighbors(ours, theirs, WIDE_QUERIES[:100])
    assert (calls[-1].accelerated, calls[-1].reason) == (False, index.TIES)


def test_near_ties_of_l2_in_two_types_are_scikit_learns():
    """It takes |x|^2 - 2 x y + |y|^2 there, as it does not where both are of one type."""
    rng = np.random.default_rng(0)
    X = (rng.integers(0, 3, (2000, 20)) + 3e3).astype(np.float32)
    Q = X[:200].astype(float) + rng.normal(size=(200, 20)) * 1e-7
    for metric in ("l2", "euclidean"):
        ours, theirs = both("search", X, algorithm="brute", metric=metric)
        np.testing.assert_array_equal(ours.kneighbors(Q)[1], theirs.kneighbors(Q)[1])


def test_an_estimator_fitted_on_another_searches_the_tree_of_that_for_good():
    theirs = neighbors.NearestNeighbors().fit(neighbors.NearestNeighbors(metric="manhattan").fit(ROWS))
    ours = dropin.NearestNeighbors().fit(dropin.NearestNeighbors(metric="manhattan").fit(ROWS))
    for model in (ours, pickle.loads(pickle.dumps(ours))):
        assert_same_neighbors(model, theirs, QUERIES)


def test_what_is_checked_once_warns_once():
    pandas = pytest.importorskip("pandas")  # an extra
    ours, theirs = both("search", pandas.DataFrame(ROWS, columns=[*"abcdefghij"]), algorithm="brute", metric="cosine")
    Q = np.concatenate([QUERIES[:200], np.zeros((1, 10))])  # as far from all rows
    for nn in (theirs, ours):
        with pytest.warns(UserWarning, match="does not have valid feature names") as caught:
            nn.kneighbors(Q)
        assert len(caught) == 1


@pytest.mark.parametrize("name", estimators.__all__)
def test_methods_have_scikit_learns_signatures_and_texts(name):
    module = "neural_network" if name.startswith("MLP") else "neighbors"
    ours, theirs = (
        vars(importlib.import_module(f"{root}.{module}"))[name] for root in ("fastnn.dropin.sklearn", "sklearn")
    )
    for method in dir(theirs):
        own = getattr(theirs, method)
        if not method.startswith(("_", "set_")) and callable(own):
            assert inspect.signature(getattr(ours, method)) == inspect.signature(own), method
            assert getattr(ours, method).__doc__ == own.__doc__, method
