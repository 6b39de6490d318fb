"""How many threads calls use beside others: the environment, pools, Dask's workers, and calls at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest

import fastnn
from fastnn import kernels
from fastnn.kernels import native, threads


@pytest.fixture(autouse=True)
def four_cores(many_cores, monkeypatch):
    """As far as calls can see."""
    monkeypatch.setattr(threads, "LIMIT", None)


@pytest.mark.parametrize(
    ("value", "limit"),
    [("1", 1), (" 12 ", 12), ("2,4,1", 2), ("", None), ("0", None), ("-1", None), ("many", None), ("1.5", None)],
)
def test_what_openmp_s_variable_says(value, limit):
    assert threads.openmp_limit(value) == limit


def test_openmp_s_variable_limits_as_it_is_at_import(run_python):
    program = """
import os
os.sched_getaffinity = lambda _: set(range(4))
from fastnn import kernels
os.environ["OMP_NUM_THREADS"] = "1"
print(kernels.num_threads())
"""
    for value, expected in (("2", "2"), ("9", "4"), ("", "4")):
        child = run_python(program, OMP_NUM_THREADS=value)
        assert child.stdout.split() == [expected], child.stderr


def test_the_least_of_the_environment_counts_and_the_program_comes_first(monkeypatch):
    monkeypatch.setattr(threads, "LIMIT", 3)
    assert kernels.num_threads() == 3
    monkeypatch.setenv("FASTNN_NUM_THREADS", "2")
    assert kernels.num_threads() == 2
    monkeypatch.setattr(threads, "LIMIT", 1)
    assert kernels.num_threads() == 1
    with fastnn.use(num_threads=3):
        assert kernels.num_threads() == 3


def together(pool, work, count):
    """What ``work`` returns in ``count`` threads of a pool at the same time."""
    barrier = threading.Barrier(count)

    def task(number):
        barrier.wait()
        result = work()
        barrier.wait()
        return result

    return list(pool.map(task, range(count)))


@pytest.mark.parametrize(("workers", "share"), [(1, 4), (2, 2), (3, 1), (4, 1), (6, 1)])
def test_the_workers_of_a_pool_of_threads_share_the_cores(workers, share):
    with ThreadPool(workers) as pool:
        assert together(pool, kernels.num_threads, workers) == [share] * workers
        assert kernels.num_threads() == 4  # of the thread that waits for them
        with ThreadPoolExecutor(1) as other:
            assert other.submit(kernels.num_threads).result() == 4
    assert kernels.num_threads() == 4


def test_limits_within_a_pool(monkeypatch):
    def limited(most):
        with fastnn.use(num_threads=most):
            return kernels.num_threads()

    with ThreadPool(2) as pool:
        assert pool.map(limited, (1, 2, 4), chunksize=1) == [1, 2, 2]
        monkeypatch.setattr(threads, "LIMIT", 2)  # of a process whose workers share what it may use
        assert pool.apply(kernels.num_threads) == 1


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_of_a_pool_of_processes_has_one(run_python, method):
    program = f"""
import multiprocessing, os, sys
from fastnn import kernels
if __name__ == "__main__":
    os.sched_getaffinity = lambda _: set(range(4))
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.apply(kernels.num_threads), kernels.num_threads())
    process = multiprocessing.get_context({method!r}).Process(target=print, args=(1,), daemon=True)
    process.start()
    process.join()
"""
    child = run_python(program)
    assert child.stdout.split() == ["1", "4", "1"], child.stderr


def train(rows=2000):
    X = np.random.default_rng(0).normal(size=(rows, 64)).astype(np.float32)
    fastnn.MLP([64, 64, 3], seed=0).fit(X, np.arange(rows) % 3, epochs=3, batch_size=200)


def search():
    X = np.random.default_rng(0).normal(size=(3000, 20))
    fastnn.Neighbors(pruning="never").fit(X).search(X[:1000])


@pytest.mark.parametrize("call", [train, search])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_threads_at_work_in_a_pool_are_no_more_than_the_cores(call, workers):
    native.most_threads()
    with ThreadPoolExecutor(1) as fresh:  # a thread that no call before has found the cores taken in
        fresh.submit(call).result()
    assert native.most_threads() == 4
    with ThreadPool(workers) as pool:
        together(pool, call, workers)
    assert native.most_threads() <= 4


@pytest.mark.parametrize("call", [train, search])
def test_threads_that_know_nothing_of_one_another(call):
    """A call takes what others leave, and one more, its caller's, where they leave nothing."""
    native.most_threads()
    with ThreadPoolExecutor(3) as pool:
        together(pool, call, 3)
    assert 4 <= native.most_threads() <= 4 + 2
