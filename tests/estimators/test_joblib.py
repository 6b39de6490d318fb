"""Many models at once over joblib's workers: how many threads they use, and whether they copy what they share."""

from __future__ import annotations

import json
import os
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import workers
from joblib import Parallel, delayed, parallel_config
from sklearn_swap import compute_everywhere

import fastnn
from fastnn.dropin.sklearn.neighbors import KNeighborsClassifier
from fastnn.dropin.sklearn.neural_network import MLPClassifier, MLPRegressor
from fastnn.kernels import get_backend, num_threads

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

# Prints, for each of joblib's backends, the processes in which models were, and the most threads at work in each.
MANY_MODELS = """
import json
import os
import warnings

os.environ.pop("OMP_NUM_THREADS", None)  # which comes before joblib's own rule

import numpy as np
from joblib import parallel_config
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from {package}.neighbors import KNeighborsClassifier
from {package}.neural_network import MLPClassifier

from fastnn.kernels import native

warnings.simplefilter("ignore")
counts = {{}}

def tell():
    native.override_plan(all_threads=True)  # from the next call on, however small the work is
    return 1000 * os.getpid() + native.most_threads()

def score(model, X, y):
    model.predict(X)
    return tell()

class Told(MLPClassifier):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y)
        self.told_ = tell()
        return self

def take(told):
    for process, threads in [divmod(int(number), 1000) for number in np.ravel(told)]:
        counts[process] = max(threads, counts.get(process, 0))

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 40)), np.arange(2000) % 4
    grid = {{"hidden_layer_sizes": [(60,), (70,)]}}
    found = {{}}
    for backend in ("sequential", "loky", "multiprocessing", "threading"):
        with parallel_config(backend, n_jobs=2):
            for call in range(2):
                search = GridSearchCV(MLPClassifier(max_iter=3), grid, cv=2, scoring=score, refit=False).fit(X, y)
                take([search.cv_results_[name] for name in ("split0_test_score", "split1_test_score")])
                take(cross_val_score(KNeighborsClassifier(algorithm="brute"), X, y, cv=4, scoring=score))
                take([model.told_ for model in BaggingClassifier(Told((60,), max_iter=3), 4).fit(X, y).estimators_])
        found[backend], counts = counts, {{}}
    print(json.dumps(found))
"""


@pytest.mark.parametrize("accel", [False, True], ids=["dropin", "accel"])
def test_workers_times_threads_never_exceed_the_cores(tmp_path, run_python, accel):
    script = tmp_path / "many.py"
    script.write_text(MANY_MODELS.format(package="sklearn" if accel else "fastnn.dropin.sklearn"))
    run = "import runpy, sys; del sys.argv[0]; runpy.run_{}(sys.argv[0], run_name='__main__')"
    if accel:
        child = run_python(run.format("module"), "fastnn.accel", str(script))
    else:
        child = run_python(run.format("path"), str(script))
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    assert max(found["sequential"].values()) >= min(CORES, 2)  # so that more than a share would be seen
    for backend in ("loky", "multiprocessing"):  # whose processes are two at a time
        assert max(found[backend].values()) <= max(1, CORES // 2), found
    assert max(found["threading"].values()) <= max(2, CORES), found
    assert [len(found[backend]) for backend in ("sequential", "threading")] == [1, 1]


def test_what_parallel_config_says_of_inner_threads_holds():
    for inner in (1, 2):
        with parallel_config("loky", n_jobs=2, inner_max_num_threads=inner):
            assert Parallel()(delayed(num_threads)() for _ in range(2)) == [min(inner, CORES)] * 2


# ---- data


@pytest.fixture
def on_disk(tmp_path):
    """Read-only numbers in a file, as joblib hands them to its workers, of 3.2 MB."""

    def make(dtype):
        numbers = np.random.default_rng(0).normal(size=(2000, 200)).astype(dtype)
        np.save(tmp_path / "X.npy", numbers)
        return np.load(tmp_path / "X.npy", mmap_mode="r")

    return make


def seen_by_kernels(monkeypatch, module):
    """The arrays of rows that the kernels get from a module from now on."""
    kernels, seen = get_backend(), []

    def train_epoch(net, params, state, data, *rest):
        seen.append(data.X)
        return kernels.train_epoch(net, params, state, data, *rest)

    def forward(net, params, X, *rest):
        seen.append(X)
        return kernels.forward(net, params, X, *rest)

    def neighbors(metric, X, *rest):
        seen.append(X)
        return kernels.neighbors(metric, X, *rest)

    table = {name: getattr(kernels, name) for name in dir(kernels)}
    watched = SimpleNamespace(**{**table, "train_epoch": train_epoch, "forward": forward, "neighbors": neighbors})
    monkeypatch.setattr(f"{module}.get_backend", lambda: watched)
    return seen


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs do not converge
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("model", [MLPClassifier, MLPRegressor])
def test_a_perceptron_trains_on_read_only_files_without_a_copy(monkeypatch, on_disk, model, dtype):
    compute_everywhere(monkeypatch.setattr)
    X, seen = on_disk(dtype), seen_by_kernels(monkeypatch, "fastnn.estimators.mlp")
    y = np.arange(len(X)) % 2
    tracemalloc.start()
    try:
        model(hidden_layer_sizes=(8,), max_iter=2).fit(X, y).predict(X)
        assert tracemalloc.get_traced_memory()[1] < X.nbytes / 2
    finally:
        tracemalloc.stop()
    assert len(seen) == 3
    assert all(np.shares_memory(rows, X) for rows in seen)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neighbours_search_read_only_files_without_a_copy(monkeypatch, on_disk, dtype):
    compute_everywhere(monkeypatch.setattr)
    X, seen = on_disk(dtype), seen_by_kernels(monkeypatch, "fastnn.neighbors.index")
    y = np.arange(len(X)) % 2
    tracemalloc.start()
    try:
        KNeighborsClassifier(algorithm="brute").fit(X, y).predict(X[:200])
        assert tracemalloc.get_traced_memory()[1] < X.nbytes / 2
    finally:
        tracemalloc.stop()
    assert len(seen) == 1
    assert np.shares_memory(seen[0], X)


@pytest.mark.parametrize("name", ["native", "numpy"])  # Numba takes them too, but compiles everything once more
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fastnn_s_own_models_take_read_only_files(on_disk, dtype, name):
    X = on_disk(dtype)
    with fastnn.use(name):
        check_own_models(X, dtype)


def check_own_models(X, dtype):
    index = fastnn.Neighbors().fit(X)
    assert np.shares_memory(index.X, X)
    np.testing.assert_array_equal(index.search(X[:30], 1)[1][:, 0], np.arange(30))
    models = [fastnn.MLP([200, 4, 2], seed=0, dtype=dtype) for _ in range(2)]
    for model, rows in zip(models, (X, np.array(X)), strict=True):
        model.fit(rows, np.arange(len(X)) % 2, epochs=1)
    np.testing.assert_array_equal(models[0].params, models[1].params)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs do not converge
def test_workers_share_rows_and_indices():
    X = np.random.default_rng(0).normal(size=(6000, 50))
    index = fastnn.Neighbors(pruning="always").fit(X)
    with Parallel(n_jobs=2, backend="loky", max_nbytes="1K") as parallel:
        for shared in parallel(delayed(workers.is_shared)(X) for _ in range(2)):
            assert shared == dict.fromkeys(shared, True)
        for parts in parallel(delayed(workers.parts_on_disk)(index) for _ in range(2)):
            assert parts == [True] * len(parts)
