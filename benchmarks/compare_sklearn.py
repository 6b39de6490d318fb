"""Seconds of scikit-learn's perceptrons and neighbours, and of the same calls with fastnn's classes; writes a table.

    python benchmarks/compare_sklearn.py                    # measure all rows, print
    python benchmarks/compare_sklearn.py --only mnist csr   # the rows whose names begin so
    python benchmarks/compare_sklearn.py --write            # and rewrite results_sklearn.json and its table

Both sides of a row make the same calls on the same data from the same random state, in turn, ``--rounds`` times, in one
process; a ratio is the median of the rounds' ratios, with the least and the greatest. scikit-learn's products have the
faster of one and all BLAS threads, its brute force takes all cores by itself, its trees have n_jobs=-1. Afterwards the
results are compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pairs
from contenders import blas_settings, fastest_setting, with_blas_threads
from numpy.typing import NDArray
from pairs import Pair, in_turn, without_result
from reports import HERE, Report
from scipy import sparse
from sklearn import datasets, model_selection, neighbors, neural_network
from sklearn.exceptions import ConvergenceWarning

import fastnn
from fastnn.dropin.sklearn import neighbors as fast_neighbors
from fastnn.dropin.sklearn import neural_network as fast_networks

Array = NDArray[Any]
RESULTS = HERE / "results_sklearn.json"
START = "<!-- scikit-learn table: written by benchmarks/compare_sklearn.py -->"
END = "<!-- end of the scikit-learn table -->"

NAMES = "MLPClassifier", "MLPRegressor", "KNeighborsClassifier", "KNeighborsRegressor", "NearestNeighbors"


def classes(networks: Any, neighbors: Any) -> Any:
    return SimpleNamespace(**{name: getattr(networks if "MLP" in name else neighbors, name) for name in NAMES})


OWN, FAST = classes(neural_network, neighbors), classes(fast_networks, fast_neighbors)


@cache
def mnist(dtype: str) -> tuple[Array, Array, Array]:
    """Images in [0, 1] (60,000, 784), their labels, and 10,000 test images."""
    (X, y), (X_test, _) = fastnn.datasets.load_mnist()
    scaled = [(images.reshape(-1, 784) / 255).astype(dtype) for images in (X, X_test)]
    return scaled[0], y, scaled[1]


def classifier(module: Any, X: Array, y: Array, **options: Any) -> Any:
    return module.MLPClassifier(random_state=1, **options).fit(X, y)


def mnist_defaults(module: Any) -> Any:
    X, y, _ = mnist("float32")
    return classifier(module, X, y, max_iter=5)


def mnist_small_batches(module: Any) -> Any:
    X, y, _ = mnist("float32")
    rest = {"activation": "logistic", "solver": "sgd", "batch_size": 10, "learning_rate_init": 0.1, "max_iter": 5}
    return classifier(module, X, y, hidden_layer_sizes=(30,), **rest)


@cache
def small_digits() -> tuple[Array, Array]:
    X, y = datasets.load_digits(return_X_y=True)
    return X / 16, y


def digits(module: Any) -> Any:
    return classifier(module, *small_digits(), max_iter=1000)


@cache
def measured_rows() -> tuple[Array, Array]:
    """20,000 rows of 8 normal columns, and a smooth function of three of them."""
    X = np.random.default_rng(0).normal(size=(20_000, 8)).astype(np.float32)
    return X, np.sin(X[:, 0]) + X[:, 1] * X[:, 2]


def regression(module: Any) -> Any:
    options = {"hidden_layer_sizes": (64, 64), "batch_size": 32, "max_iter": 3, "random_state": 1}
    return module.MLPRegressor(**options).fit(*measured_rows())


@cache
def cover_type_rows() -> tuple[Array, Array]:
    """50,000 rows in the shape of the forest cover types: 54 columns, 7 classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50_000, 54)).astype(np.float32)
    return X, (X @ rng.normal(size=(54, 7))).argmax(axis=1)


def cover_types(module: Any) -> Any:
    return classifier(module, *cover_type_rows(), hidden_layer_sizes=(128, 64), batch_size=128, max_iter=3)


def wide(size: int) -> Callable[[Any], Any]:
    def run(module: Any) -> Any:
        X, y, _ = mnist("float64")
        return classifier(module, X[:20_000], y[:20_000], hidden_layer_sizes=(size,), max_iter=2)

    return run


@cache
def sparse_rows() -> tuple[sparse.csr_matrix, Array]:
    rng = np.random.default_rng(0)
    X = sparse.random(20_000, 100_000, 0.001, format="csr", random_state=rng)  # an integer would take 16 GB
    return X, (X @ rng.normal(size=100_000) > 0).astype(int)


def csr(module: Any) -> Any:
    return classifier(module, *sparse_rows(), hidden_layer_sizes=(50,), solver="sgd", max_iter=1)


def grid_search(module: Any) -> Any:
    grid = {"hidden_layer_sizes": [(20,), (50,), (100,)], "learning_rate_init": [0.0003, 0.001, 0.003]}
    network = module.MLPClassifier(max_iter=50, random_state=1)
    return model_selection.GridSearchCV(network, grid, cv=3, n_jobs=2).fit(*small_digits())


@cache
def bytes_as_float64() -> tuple[Array, Array, Array]:
    """MNIST as fetch_openml gives it: whole numbers from 0 to 255 in float64."""
    (X, y), (X_test, _) = fastnn.datasets.load_mnist()
    return X.reshape(-1, 784).astype(float), y, X_test.reshape(-1, 784).astype(float)


def mnist_neighbors(images: Callable[[], tuple[Array, Array, Array]]) -> Callable[[Any], Any]:
    def run(module: Any) -> Any:
        X, y, X_test = images()
        return module.KNeighborsClassifier(5, algorithm="brute").fit(X, y).predict(X_test)

    return run


@cache
def random_rows() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(200_000, 8)), rng.normal(size=(20_000, 8))


def many_rows(module: Any) -> Any:
    rows, queries = random_rows()
    return module.NearestNeighbors(n_neighbors=5, n_jobs=-1).fit(rows).kneighbors(queries)[1]


def iris(module: Any) -> Any:
    """The first programs of the tutorials, end to end."""
    X, y = datasets.load_iris(return_X_y=True)
    X_train, X_test, y_train, y_test = model_selection.train_test_split(X, y, random_state=0)
    knn = module.KNeighborsClassifier(5).fit(X_train, y_train)
    knn.score(X_test, y_test)
    return knn.predict(X_test)


@dataclass(frozen=True)
class Row:
    """One of the table's rows: what ``run`` returns of each module is compared.

    ``asked`` is how many times faster fastnn is to be. With ``calls`` that many runs are timed together.
    """

    name: str
    title: str
    asked: float
    run: Callable[[Any], Any]
    has_products: bool = True  # of scikit-learn's, so that its BLAS threads matter
    calls: int = 1


ROWS = [
    Row("mnist-defaults", "MLPClassifier(), MNIST float32, 5 epochs", 7, mnist_defaults),
    Row("mnist-small", "(30,), logistic, sgd, batches of 10, MNIST float32, 5 epochs", 40, mnist_small_batches),
    Row("digits", "MLPClassifier(), load_digits, to convergence", 5, digits),
    Row("regression", "MLPRegressor 8-64-64-1, batches of 32, 20,000 rows float32, 3 epochs", 20, regression),
    Row("cover-types", "54-128-64-7, batches of 128, 50,000 rows float32, 3 epochs", 6, cover_types),
    Row("wide-500", "(500,), adam, 20,000 digits float64, 2 epochs", 5, wide(500)),
    Row("wide-2000", "(2000,), adam, 20,000 digits float64, 2 epochs", 5, wide(2000)),
    Row("grid-search", "GridSearchCV, 3 sizes x 3 rates, cv=3, n_jobs=2, load_digits", 6, grid_search, False),
    Row("csr", "(50,), sgd, CSR 20,000 x 100,000 of density 0.1%, an epoch", 10, csr),
    Row("knn-float64", "KNeighborsClassifier(5, brute), MNIST float64", 20, mnist_neighbors(bytes_as_float64), False),
    Row("knn-float32", "the same of MNIST / 255, float32", 20, mnist_neighbors(lambda: mnist("float32")), False),
    Row("nearest", "NearestNeighbors(5, n_jobs=-1), 200,000 x 8, 20,000 queries", 4, many_rows, False),
    Row("iris", "iris: split, fit, score and predict of KNeighborsClassifier", 0.83, iris, False, 100),
]


def difference(ours: Any, theirs: Any) -> str:
    """How the results differ, in words."""
    if isinstance(ours, np.ndarray):
        return f"{np.mean(ours != theirs):.2%} of the answers differ" if (ours != theirs).any() else "equal"
    if hasattr(ours, "best_params_"):
        scores = [search.cv_results_["mean_test_score"] for search in (ours, theirs)]
        return f"scores to {np.abs(scores[0] - scores[1]).max():.0e}, best {ours.best_params_ == theirs.best_params_}"
    curves = np.array(ours.loss_curve_), np.array(theirs.loss_curve_)
    if len(curves[0]) != len(curves[1]):
        return f"{len(curves[0])} epochs and {len(curves[1])}"
    return f"losses to {np.abs(curves[0] / curves[1] - 1).max():.0e} in {len(curves[0])} epochs"


def repeated(row: Row, module: Any) -> Callable[[], Any]:
    def run() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return [row.run(module) for _ in range(row.calls)][-1]

    return run


def measure(row: Row, rounds: int) -> Report:
    """Time both sides in turn, after one run of each to warm up."""
    ours, theirs = repeated(row, FAST), repeated(row, OWN)
    settings = blas_settings() if row.has_products else [{"threads": None}]
    setting = fastest_setting(settings, lambda **setting: with_blas_threads(without_result(theirs), **setting))
    ours()
    pair = Pair(ours, with_blas_threads(theirs, **setting), lambda: difference(ours(), theirs()), row.calls)
    return {"title": row.title, "asked": row.asked, "settings": setting} | in_turn(pair, rounds)


def table(report: Report) -> str:
    heads = {"theirs": "scikit-learn", "ours": "fastnn", "disagreement": "results"}
    return pairs.table(report, heads, f"Medians of {report['rounds']} runs each, taken in turn.")


if __name__ == "__main__":
    pairs.compare(__doc__, ROWS, measure, table, RESULTS, (START, END))
