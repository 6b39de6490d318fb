"""Calls of every size of scikit-learn's estimators and of fastnn's: which are slower than 0.83x?

    python benchmarks/sweep_sklearn.py                      # perceptrons, of sparse rows as well, and neighbours
    python benchmarks/sweep_sklearn.py --only neighbors     # or one of them
    python benchmarks/sweep_sklearn.py --against 0.83       # the ratio below which a call is named slow

Both sides are alternated in one process. The ratios are of the fastest runs, for these calls are short.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import roofline
from scipy import sparse
from sklearn import neighbors, neural_network
from sklearn.exceptions import ConvergenceWarning

from fastnn.dropin.sklearn import neighbors as fast_neighbors
from fastnn.dropin.sklearn import neural_network as fast_networks

LEAST_SECONDS = 0.02  # of repetitions of a call whose fastest counts
Sides = tuple[Callable[[], object], Callable[[], object]]  # fastnn's and scikit-learn's


def ratio(sides: Sides, repeats: int) -> float:
    """How many times faster fastnn is: of the fastest of ``repeats`` turns, more if a call is short."""
    taken: list[list[float]] = [[], []]
    for side in sides:
        side()
    start = time.perf_counter()
    while len(taken[0]) < repeats or time.perf_counter() - start < LEAST_SECONDS:
        for seconds, side in zip(taken, sides, strict=True):
            begin = time.perf_counter()
            side()
            seconds.append(time.perf_counter() - begin)
    return min(taken[1]) / min(taken[0])


def of_neighbors() -> Iterator[tuple[str, Sides]]:
    """fit, fit with a first search, and further searches."""
    rng = np.random.default_rng(0)
    modules = fast_neighbors, neighbors
    for rows, columns in product((150, 500, 1000, 2000, 5000, 20_000), (2, 4, 8, 16, 64, 300)):
        X, all_queries = rng.normal(size=(rows, columns)), rng.normal(size=(1000, columns))
        for algorithm in ("auto", "brute") if columns < 16 else ("brute",):
            makers = [lambda module=module, a=algorithm: module.NearestNeighbors(algorithm=a) for module in modules]
            fits = [lambda make=make, X=X: make().fit(X) for make in makers]
            name = f"NearestNeighbors({algorithm}), {rows} x {columns}"
            yield f"{name}, fit", (fits[0], fits[1])
            fitted = [fit() for fit in fits]
            for queries in (1, 10, 100, 1000):
                Q = all_queries[:queries]
                first = [lambda fit=fit, Q=Q: fit().kneighbors(Q) for fit in fits]
                again = [lambda index=index, Q=Q: index.kneighbors(Q) for index in fitted]
                yield f"{name}, fit and {queries} queries", (first[0], first[1])
                yield f"{name}, {queries} queries", (again[0], again[1])


def of_perceptrons() -> Iterator[tuple[str, Sides]]:
    """fit of a few epochs, partial_fit, and predict."""
    rng = np.random.default_rng(0)
    shapes = product((20, 150, 1000, 5000), (2, 8, 64, 500), ((5,), (50,), (100, 50), (500,)), ("sgd", "adam", "lbfgs"))
    for rows, columns, hidden, solver in shapes:
        if rows * columns * hidden[0] > 5e7:
            continue
        X = rng.normal(size=(rows, columns))
        y = (X.sum(axis=1) > 0).astype(int)
        asked = [rng.normal(size=(queries, columns)) for queries in (1, 20, 1000)]
        yield from of_a_perceptron(f"{rows} x {columns}", hidden, solver, X, y, asked)


def of_sparse_rows() -> Iterator[tuple[str, Sides]]:
    """The same of CSR."""
    rng = np.random.default_rng(0)
    shapes = product((20, 200, 2000), (20, 300, 5000, 50_000), (1, 10, 100), ((5,), (50,), (200, 50)), ("sgd", "adam"))
    for (rows, columns, nonzeros, hidden, solver), dtype in product(shapes, ("float64", "float32")):
        if nonzeros > columns or rows * columns * hidden[0] > 1e10:
            continue
        places = np.repeat(np.arange(rows), nonzeros), rng.integers(columns, size=rows * nonzeros)
        X = sparse.csr_matrix((rng.random(rows * nonzeros), places), shape=(rows, columns)).astype(dtype)
        title = f"CSR {rows} x {columns} {dtype}, {nonzeros} a row"
        yield from of_a_perceptron(title, hidden, solver, X, np.arange(rows) % 10, [X[:1], X])


def of_a_perceptron(
    rows: str, hidden: tuple[int, ...], solver: str, X: Any, y: np.ndarray, asked: list[Any]
) -> Iterator[tuple[str, Sides]]:
    modules = fast_networks, neural_network
    options: dict[str, Any] = {"hidden_layer_sizes": hidden, "solver": solver, "max_iter": 3, "random_state": 1}
    fits = [lambda module=module: module.MLPClassifier(**options).fit(X, y) for module in modules]
    name = f"MLPClassifier({hidden}, {solver}), {rows}"
    yield f"{name}, fit", (fits[0], fits[1])
    fitted = [fit() for fit in fits]
    for Q in asked:
        predicts = [lambda network=network, Q=Q: network.predict_proba(Q) for network in fitted]
        yield f"{name}, predict {Q.shape[0]}", (predicts[0], predicts[1])
    if solver != "lbfgs":
        parts = [lambda network=network: network.partial_fit(X, y) for network in fitted]
        yield f"{name}, partial_fit", (parts[0], parts[1])


SWEEPS = {"neighbors": of_neighbors, "perceptrons": of_perceptrons, "sparse": of_sparse_rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*SWEEPS], default=[*SWEEPS])
    parser.add_argument("--against", type=float, default=0.83)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in options.only:
        ratios = {}
        for call, sides in SWEEPS[name]():
            found = ratios[call] = ratio(sides, options.repeats)
            print(f"{call}: {found:.2f}x{' SLOW' if found < options.against else ''}", flush=True)
        slow = [call for call, found in ratios.items() if found < options.against]
        print(f"{name}: {len(slow)} of {len(ratios)} calls below {options.against}x")
    print(roofline.hardware())


if __name__ == "__main__":
    main()
