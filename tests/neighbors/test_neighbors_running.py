"""Searches in the world: MNIST, memory, interrupts, forks and threads."""

from __future__ import annotations

import dataclasses
import os
import threading
import types

import numpy as np
import pytest
from code_bounds import code_arrays

import fastnn
from fastnn.kernels import native

# ---- MNIST


@pytest.fixture(scope="module")
def mnist():
    """All training images, 1,000 test images, and the 5 nearest of each by whole numbers, which float64 holds."""
    (X, y), (Q, labels) = fastnn.datasets.load_mnist()
    Q, labels = Q[:1000], labels[:1000]
    wide = X.astype(np.float64)
    squares = (wide**2).sum(axis=1)
    indices, values = np.empty((1000, 5), int), np.empty((1000, 5))
    for start in range(0, 1000, 100):
        here = slice(start, start + 100)
        queries = Q[here].astype(np.float64)
        table = squares - 2 * (queries @ wide.T) + (queries**2).sum(axis=1, keepdims=True)
        indices[here] = [first_of(row, 5) for row in table]
        values[here] = np.take_along_axis(table, indices[here], axis=1)
    return X, y, Q, labels, values, indices


def first_of(row, k):
    """The indices of the k least, the lowest index first among equals."""
    near = np.flatnonzero(row <= np.partition(row, k - 1)[k - 1])
    return near[np.argsort(row[near], kind="stable")][:k]


@pytest.mark.usefixtures("backend")
def test_mnist(mnist):
    X, y, Q, labels, values, indices = mnist
    index = fastnn.Neighbors().fit(X, y)
    votes = [np.bincount(row).argmax() for row in y[indices]]
    predictions = index.classify(Q, 5)
    np.testing.assert_array_equal(predictions, votes)
    assert np.mean(predictions == labels) == np.mean(votes == labels) > 0.95
    for searched, count in ((index, 200), (fastnn.Neighbors(pruning="never").fit(X), 1000)):
        distances, found = searched.search(Q[:count], 5)
        np.testing.assert_array_equal(found, indices[:count])
        np.testing.assert_array_equal(distances, np.sqrt(values[:count]))


# ---- memory


@pytest.mark.parametrize("pruning", ["auto", "always"])
@pytest.mark.parametrize(("metric", "d"), [("euclidean", 784), ("euclidean", 400), ("cosine", 784), ("manhattan", 784)])
def test_the_index_adds_little_to_bytes(metric, pruning, d):
    (X, _), _ = fastnn.datasets.load_mnist()
    X = np.ascontiguousarray(X[:4000, :d])
    index = fastnn.Neighbors(metric, pruning=pruning).fit(X)
    assert index.X is X
    index.search(X[:3])  # so few that all codes are made
    arrays = [value for value in vars(index).values() if isinstance(value, np.ndarray) and value is not X]
    for codes in filter(None, index._codes.values()):
        arrays += code_arrays(codes)
    size = sum(array.nbytes for array in arrays)
    assert size <= 0.3 * X.nbytes
    assert (size > 0) == (metric != "manhattan")


# ---- interrupts, forks, threads


def test_ctrl_c_within_a_long_search(backend, run_python):
    """Within 0.25 s of the processor's time, which other programs cannot take; each search needs more than that."""
    program = """
import signal, sys, time
import numpy as np, fastnn
from fastnn.neighbors import codes as pruning
from fastnn.kernels.spec import METRICS

signal.signal(signal.SIGPROF, signal.default_int_handler)
kernels, rng = fastnn.get_backend(sys.argv[1]), np.random.default_rng(0)
for metric, dtype, q, coded in (
    ("euclidean", "uint8", 60_000, False), ("euclidean", "uint8", 60_000, True),
    ("euclidean", "float64", 20_000, False), ("manhattan", "float32", 20_000, False),
    ("cosine", "float64", 20_000, False),
):
    code = METRICS.index(metric)
    X, Q = rng.integers(0, 256, (20_000, 784)).astype(dtype), rng.integers(0, 256, (q, 784)).astype(dtype)
    built = pruning.build(X, code, always=True) if coded else None
    values, indices = np.empty((q, 5)), np.empty((q, 5), np.int64)

    def search(count):
        codes = built and built.of(Q[:count])
        def call():
            kernels.neighbors(code, X, Q[:count], codes, np.inf, values[:count], indices[:count])
        return call

    few, all = search(3), search(q)
    few()  # what compiles is compiled
    expected, took = indices[:3].copy(), None
    signal.setitimer(signal.ITIMER_PROF, 0.1)
    start = time.process_time()
    try:
        all()
    except KeyboardInterrupt:
        took = time.process_time() - start
    signal.setitimer(signal.ITIMER_PROF, 0)
    assert took is not None and took <= 0.1 + 0.25, (metric, dtype, coded, took)
    few()
    assert (indices[:3] == expected).all()
    print(metric, dtype, coded, took)
"""
    threads = dict.fromkeys(("FASTNN_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    child = run_python(program, backend.name, **threads)
    assert child.returncode == 0, child.stderr
    assert len(child.stdout.splitlines()) == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_children_search_too(backend, run_python):
    """The parent has searched with threads, and goes on between its 20 children."""
    program = """
import os, signal, sys
import numpy as np, fastnn
os.sched_getaffinity = lambda _: set(range(4))
fastnn.set_backend(sys.argv[1])
rng = np.random.default_rng(0)
X, Q = rng.integers(0, 256, (3000, 64)).astype(np.uint8), rng.integers(0, 256, (300, 64)).astype(np.uint8)
indices = [fastnn.Neighbors(pruning=pruning).fit(X) for pruning in ("always", "never")]

def result():
    return [part.tobytes() for index in indices for part in index.search(Q, 5)]

expected = result()
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # rather than hang
        os._exit(0 if result() == expected else 1)
    assert result() == expected
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    child = run_python(program, backend.name)
    assert child.returncode == 0, child.stderr


@pytest.mark.usefixtures("many_cores")
def test_threads_may_search_the_same_index_at_once(backend):
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(4000, 40)).astype(np.float32), rng.normal(size=(4, 200, 40)).astype(np.float32)
    index = fastnn.Neighbors(pruning="always").fit(X)
    expected = [index.search(queries, 5) for queries in Q]
    found = [None] * 4
    together = threading.Barrier(4)

    def work(number):
        with fastnn.use(backend.name):
            together.wait()
            for _ in range(3):
                found[number] = index.search(Q[number], 5)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (distances, indices), (expected_distances, expected_indices) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(indices, expected_indices)
        np.testing.assert_array_equal(distances, expected_distances)


@pytest.mark.parametrize("name", ["native", "numpy"])
def test_native_leaves_codes_out_for_many_neighbours(monkeypatch, name):
    """But not for a radius search, which only has room for many."""
    (X, _), (Q, _) = fastnn.datasets.load_mnist()
    index = fastnn.Neighbors().fit(X[:5000])
    index.search(Q[:3], 4)
    assert 5 < index._codes[False].most_neighbors < 5000
    index._codes[False] = dataclasses.replace(index._codes[False], most_neighbors=4.0)
    kernels, seen = fastnn.get_backend(name), []

    def neighbors(metric, X, Q, codes, *rest):
        seen.append(codes is not None)
        kernels.neighbors(metric, X, Q, codes, *rest)

    watched = types.SimpleNamespace(neighbors=neighbors, name=kernels.name)
    monkeypatch.setattr("fastnn.neighbors.index.get_backend", lambda: watched)
    index.search(Q[:3], 4)
    index.search(Q[:3], 5)
    index.radius(Q[:3], 900.0)
    assert seen == [True, name != "native", True]


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_what_a_matrix_unit_compares(monkeypatch, metric, dtype):
    """Many queries meet bytes of whole rows, few short codes that these searches make; all find the same."""
    monkeypatch.setattr(native, "capabilities", native.capabilities._replace(matrix_unit=True))
    (X, _), (Q, _) = fastnn.datasets.load_mnist()
    X, Q = (np.ascontiguousarray(some).astype(dtype) for some in (X[:5000], Q[:40]))
    index, seen = fastnn.Neighbors(metric).fit(X), []

    def neighbors(metric, X, Q, codes, *rest):
        seen.append(None if codes is None else codes.rows.shape[1])
        native.neighbors(metric, X, Q, codes, *rest)

    watched = types.SimpleNamespace(neighbors=neighbors, name=native.name)
    monkeypatch.setattr("fastnn.neighbors.index.get_backend", lambda: watched)
    expected = fastnn.Neighbors(metric, pruning="never").fit(X).search(Q, 5)
    assert seen.pop() is None
    for count in (40, 16, 40):
        for found, truth in zip(index.search(Q[:count], 5), expected, strict=True):
            np.testing.assert_array_equal(found, truth[:count])
    many, few, again = seen
    assert many == again
    if metric == "manhattan":
        assert (many, few) == (None, None)
    elif dtype == "uint8":
        assert few < 100
        assert many == (None if metric == "euclidean" else few)
    else:
        assert many == 784
        assert set(index._codes) == {True, False}
