"""Neighbours and searches over parameters on a cluster of Dask whose workers are processes, some of which die."""

from __future__ import annotations

import os
import signal
import time
from unittest import mock

import dask
import dask.array as da
import distributed
import numpy as np
import pytest
import workers
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

import fastnn
from fastnn import kernels
from fastnn.distributed import Neighbors, merge
from fastnn.dropin.sklearn.neighbors import KNeighborsClassifier
from fastnn.dropin.sklearn.neural_network import MLPClassifier
from fastnn.errors import FastnnError, InvalidArgumentError, InvalidTypeError

METRICS = ("euclidean", "manhattan", "cosine")
SETTINGS = {
    "distributed.scheduler.worker-ttl": None,  # a busy worker is not dead
    "distributed.scheduler.active-memory-manager.start": False,  # what is scattered to all workers stays with all
}


@pytest.fixture(scope="module")
def client():
    """Two workers of one thread, which their nannies replace when they die."""
    with (
        mock.patch.dict(os.environ),  # which nannies change
        dask.config.set(SETTINGS),
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def wait_for_two(client, *, without=None):
    """Wait until there are two workers, none of which is the process ``without``; return their processes."""
    while True:
        processes = {worker.pid for worker in client.cluster.scheduler.workers.values()} - {without}
        if len(processes) == 2:
            return processes
        time.sleep(0.05)


def wait_for_the_dead(client, flag):
    """The same once the process has died that has left its id in a file."""
    wait_for_two(client, without=int(flag.read_text()))


def points(dtype, n=60, d=3, q=20, seed=0):
    """Rows and queries of few values, so that there are many ties."""
    rng = np.random.default_rng(seed)
    X, Q = rng.integers(0, 4, (n, d)).astype(dtype), rng.integers(0, 4, (q, d)).astype(dtype)
    return (X, Q) if dtype == "uint8" else (X / dtype(4) - dtype(0.3), Q / dtype(4) - dtype(0.3))


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


# ---- the merge


@given(st.data())
def test_merge_is_the_sorted_list_of_all(data):
    counts = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    n, q = sum(counts), data.draw(st.integers(1, 3))
    k = data.draw(st.integers(1, n))
    value = st.integers(0, 3).map(float) | st.just(np.inf)  # inf: beyond the limit of a search
    table = np.array(data.draw(st.lists(value, min_size=n * q, max_size=n * q))).reshape(q, n)
    found, start = [], 0
    for count in counts:
        rows = table[:, start : start + count].tolist()
        some = [sorted((v, start + i if v < np.inf else -1) for i, v in enumerate(row)) for row in rows]
        pairs = np.array(some)[:, : min(k, count)]
        found.append((pairs[..., 0], pairs[..., 1].astype(np.int64)))
        start += count
    values, indices = merge(found, k)
    for row, row_values, row_indices in zip(table.tolist(), values, indices, strict=True):
        expected = sorted((v, i if v < np.inf else n) for i, v in enumerate(row))[:k]
        assert row_values.tolist() == [v for v, _ in expected]
        assert row_indices.tolist() == [i if i < n else -1 for _, i in expected]


# ---- the answers of one index of all rows


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("metric", METRICS)
def test_the_bits_are_those_of_one_index(client, metric, dtype):
    X, Q = points(dtype, n=20)
    y = np.arange(len(X)) % 3
    whole = fastnn.Neighbors(metric).fit(X, y)
    for shards in (None, 7, len(X) + 5):
        index = Neighbors(metric, shards=shards, client=client).fit(X, y)
        assert len(index._shards) == (2 if shards is None else min(shards, len(X)))
        for k in (1, 5, len(X)):
            assert_same(index.search_values(Q, k), whole.search_values(Q, k))
    assert_same(index.search(Q, 5), whole.search(Q, 5))
    np.testing.assert_array_equal(index.classify(Q, 5, "distance"), whole.classify(Q, 5, "distance"))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_real_numbers_and_codes(client, dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(128, 30, (6000, 4)) @ rng.normal(size=(4, 40)) % 256).astype(dtype)
    for metric in METRICS[::2]:
        whole = fastnn.Neighbors(metric, pruning="always").fit(X)
        index = Neighbors(metric, pruning="always", client=client).fit(X)
        assert_same(index.search_values(X[:300], 9), whole.search_values(X[:300], 9))


def test_dask_arrays_whose_chunks_differ(client):
    X, Q = points(np.float32)
    y = np.array(["b", "a", "c"])[np.arange(len(X)) % 3]
    whole = fastnn.Neighbors().fit(X, y)
    chunked = da.from_array(X, chunks=((1, 0, 40, 19), (2, 1)))
    index = Neighbors(client=client).fit(chunked, da.from_array(y, chunks=7))
    assert len(index._shards) == 3
    assert_same(index.search(da.from_array(Q, chunks=6), 5), whole.search(Q, 5))
    np.testing.assert_array_equal(index.classify(Q, 5), whole.classify(Q, 5))
    for half in (np.float16, np.int32):  # which become other types
        found = Neighbors(client=client).fit(da.from_array(X.astype(half), chunks=(25, 3))).search(Q, 3)
        assert_same(found, fastnn.Neighbors().fit(X.astype(half)).search(Q, 3))
    graph = index.kneighbors_graph(k=4, mode="distance")
    assert abs(graph - whole.kneighbors_graph(k=4, mode="distance")).max() == 0
    transposed = da.from_array(np.asfortranarray(X), chunks=(30, 3))
    assert abs(Neighbors(client=client).fit(transposed).kneighbors_graph(k=4) - whole.kneighbors_graph(k=4)).max() == 0


def test_radius_several_k_progress_and_explain(client):
    X, Q = points(np.float64, q=50)
    whole, index, seen = fastnn.Neighbors().fit(X), Neighbors(shards=5, client=client).fit(X), []
    for found, expected in zip(index.radius(Q, 0.5), whole.radius(Q, 0.5), strict=True):
        assert_same(found, expected)
    for found, expected in zip(index.search(Q, [1, 4], progress=seen.append), whole.search(Q, [1, 4]), strict=True):
        assert_same(found, expected)
    assert seen == [50]
    assert "12 rows" in str(index.explain(Q, 60))
    assert isinstance(index, fastnn.Neighbors)


def test_the_last_client_is_the_default(client):
    X, Q = points(np.float32)
    assert Neighbors().client is client
    assert_same(Neighbors().fit(X).search(Q), fastnn.Neighbors().fit(X).search(Q))


# ---- errors


def test_input_that_is_refused(client):
    X, Q = points(np.float64)
    bad = X.copy()
    bad[31, 2] = np.nan
    with pytest.raises(InvalidArgumentError, match=r"X: expected finite numbers, found nan at index \(31, 2\)"):
        Neighbors(client=client).fit(bad)
    with pytest.raises(InvalidArgumentError, match=r"X\[30:60\]: expected finite numbers, found nan at index \(1, 2\)"):
        Neighbors(client=client).fit(da.from_array(bad, chunks=(30, 3)))
    for wrong in (da.zeros(3), da.zeros((0, 3)), da.from_array(X)[da.from_array(X)[:, 0] > 0]):
        with pytest.raises(
            InvalidArgumentError, match=r"X: expected an array \(n, d\) .* chunks are known, found shape"
        ):
            Neighbors(client=client).fit(wrong)
    with pytest.raises(InvalidTypeError, match="X: expected an array of NumPy or of Dask"):
        Neighbors(client=client).fit(dask.delayed(X))
    with pytest.raises(InvalidTypeError, match="X: expected an array of real numbers, found dtype complex128"):
        Neighbors(client=client).fit(da.ones((3, 3), dtype=complex))
    with pytest.raises(InvalidArgumentError, match="shards: expected an integer of at least 1, found 0"):
        Neighbors(shards=0, client=client)
    with pytest.raises(InvalidTypeError, match=r"client: expected a distributed\.Client"):
        Neighbors(client="tcp://127.0.0.1:8786")
    index = Neighbors(client=client)
    with pytest.raises(FastnnError, match=r"expected fit\(X\) before a search"):
        index.search(Q)
    index.fit(X)
    with pytest.raises(InvalidArgumentError, match="Q: expected shape"):
        index.search(Q[:, :2])
    with pytest.raises(InvalidArgumentError, match="k: expected at most 60"):
        index.search(Q, 61)
    with pytest.raises(FastnnError, match="with labels before classify"):
        index.classify(Q)
    with pytest.raises(InvalidArgumentError, match=r"y: expected shape \(60,\)"):
        index.fit(X, np.zeros(59))
    assert_same(index.search(Q), fastnn.Neighbors().fit(X).search(Q))  # as it was fitted before


def test_without_a_client_or_dask(run_python):
    program = """
import sys
import fastnn.distributed
assert not {"dask", "distributed"} & set(sys.modules)
def attempt():
    try:
        fastnn.distributed.Neighbors()
    except fastnn.FastnnError as error:
        print(error)
attempt()
sys.modules["distributed"] = None
attempt()
"""
    child = run_python(program)
    assert child.stdout.splitlines() == [
        "Neighbors: expected a Dask client, as distributed.Client() makes one; found none",
        "neighbours over a cluster need Dask (import of distributed halted; None in sys.modules); "
        'pip install "fastnn-cpu[dask]"',
    ], child.stderr


# ---- workers that die


@pytest.mark.parametrize("array", [np.asarray, lambda X: da.from_array(X, chunks=(700, 3))], ids=["numpy", "dask"])
def test_a_worker_killed_in_a_search_loses_nothing(client, tmp_path, array):
    X, Q = points(np.float32, n=2000)
    index = Neighbors(shards=4, client=client).fit(array(X))
    client.run(workers.arm, str(tmp_path / "flag"))
    assert_same(index.search(Q, 7), fastnn.Neighbors().fit(X).search(Q, 7))
    wait_for_the_dead(client, tmp_path / "flag")


def test_a_worker_killed_between_blocks_of_queries_loses_nothing(client, monkeypatch):
    monkeypatch.setattr("fastnn.neighbors.index.QUERIES_AT_A_TIME", 8)
    X, Q = points(np.uint8)
    index = Neighbors(shards=4, client=client).fit(X)
    victim = min(wait_for_two(client))

    def kill(done):
        if done == 8:
            os.kill(victim, signal.SIGKILL)

    assert_same(index.search(Q, 7, progress=kill), fastnn.Neighbors().fit(X).search(Q, 7))
    wait_for_two(client, without=victim)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs do not converge
@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (MLPClassifier(max_iter=3, random_state=0), {"hidden_layer_sizes": [(5,), (20,), (40,)]}),
        (KNeighborsClassifier(), {"n_neighbors": [1, 5, 9]}),
    ],
    ids=["MLP", "neighbours"],
)
def test_a_grid_search_goes_on_where_a_worker_dies(client, tmp_path, model, grid):
    X, y = load_iris(return_X_y=True)
    flag = tmp_path / "flag"
    flag.touch()  # nobody dies yet
    scorer = workers.Mortal(str(flag))
    folds = np.arange(len(X)) % 3
    splits = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(3)]
    expected = GridSearchCV(model, grid, cv=splits, scoring=scorer, error_score="raise").fit(X, y)
    flag.unlink()
    # joblib sends each array to one worker, and does not send it again.
    shared = [X, y, *(part for split in splits for part in split)]
    with parallel_config("dask", scatter=shared):
        found = GridSearchCV(model, grid, cv=splits, scoring=scorer, error_score="raise").fit(X, y)
    wait_for_the_dead(client, flag)
    for split in range(3):
        name = f"split{split}_test_score"
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    assert found.best_params_ == expected.best_params_
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


def test_workers_use_one_thread_each(client):
    assert set(client.run(kernels.num_threads).values()) == {1}
