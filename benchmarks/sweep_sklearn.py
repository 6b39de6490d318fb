"""Calls of every size of scikit-learn's estimators and of fastnn's: which are slower than 0.83x?

    python benchmarks/sweep_sklearn.py                      # all, within ten minutes
    python benchmarks/sweep_sklearn.py --only ties cosine   # some of them
    python benchmarks/sweep_sklearn.py --every 20           # each twentieth call
    python benchmarks/sweep_sklearn.py --against 0.83       # the ratio below which a call is named slow
    python benchmarks/sweep_sklearn.py --write              # keep the ratios in results_sweep.json

Both sides are alternated in one process. The ratios are of the fastest runs, for these calls are short; what seems slow
is measured longer. The exit code is 1 if a call is slow.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np
import roofline
from reports import HERE, TABLES, Report, write_between, write_json
from scipy import sparse
from sklearn import neighbors, neural_network
from sklearn.exceptions import ConvergenceWarning

from fastnn.dropin.sklearn import neighbors as fast_neighbors
from fastnn.dropin.sklearn import neural_network as fast_networks

RESULTS = HERE / "results_sweep.json"
START, END = "<!-- sweep: written by benchmarks/sweep_sklearn.py -->", "<!-- end of the sweep -->"
FEWEST, SECONDS = 3, 0.02  # turns, and how long they go on at least
DOUBTED = 6  # times as long for a call that seems slow
Call = Callable[[], object]
Sides = tuple[Call, Call]  # fastnn's and scikit-learn's


def ratio(sides: Sides, against: float) -> float:
    """How many times faster fastnn is, of the fastest turns."""
    taken: list[list[float]] = [[], []]
    for side in sides:
        side()
    for seconds in (SECONDS, DOUBTED * SECONDS):
        start, turns = time.perf_counter(), 0
        while turns < FEWEST or time.perf_counter() - start < seconds:
            turns += 1
            for found, side in zip(taken, sides, strict=True):
                begin = time.perf_counter()
                side()
                found.append(time.perf_counter() - begin)
        if min(taken[1]) >= against * min(taken[0]):
            break
    return min(taken[1]) / min(taken[0])


def both(call: Callable[[Any], object], ours: Any, theirs: Any) -> Sides:
    return lambda: call(ours), lambda: call(theirs)


def of_an_index(title: str, X: Any, Q: Any, **options: Any) -> Iterator[tuple[str, Sides]]:
    """fit, fit with a first search, and further searches."""
    modules = fast_neighbors, neighbors
    name = f"NearestNeighbors({', '.join(map(str, options.values()))}), {title}"

    def fit(module: Any) -> Any:
        return module.NearestNeighbors(**options).fit(X)

    yield f"{name}, fit", both(fit, *modules)
    fitted = [fit(module) for module in modules]
    for queries in (1, 10, 100, 1000):
        some = Q[:queries]
        yield f"{name}, fit and {queries} queries", both(lambda module, Q=some: fit(module).kneighbors(Q), *modules)
        yield f"{name}, {queries} queries", both(lambda index, Q=some: index.kneighbors(Q), *fitted)


def of_neighbors() -> Iterator[tuple[str, Sides]]:
    rng = np.random.default_rng(0)
    for rows, columns in product((150, 500, 1000, 2000, 5000, 20_000), (2, 4, 8, 16, 64, 300)):
        X, Q = rng.normal(size=(rows, columns)), rng.normal(size=(1000, columns))
        for algorithm in ("auto", "brute") if columns < 16 else ("brute",):
            yield from of_an_index(f"{rows} x {columns}", X, Q, algorithm=algorithm)


def of_types() -> Iterator[tuple[str, Sides]]:
    """float32, and whole numbers as in images."""
    rng = np.random.default_rng(0)
    for rows, columns in product((1000, 20_000), (8, 64, 300)):
        X, Q = (rng.integers(0, 256, (count, columns)) for count in (rows, 1000))
        for dtype in ("int64", "float64"):
            yield from of_an_index(f"whole {dtype} {rows} x {columns}", X.astype(dtype), Q.astype(dtype))
        X, Q = (rng.normal(size=(count, columns)).astype("float32") for count in (rows, 1000))
        yield from of_an_index(f"float32 {rows} x {columns}", X, Q)


def of_cosine() -> Iterator[tuple[str, Sides]]:
    rng = np.random.default_rng(0)
    for rows, columns in product((500, 2000, 20_000), (8, 64, 300)):
        X, Q = rng.normal(size=(rows, columns)), rng.normal(size=(1000, columns))
        yield from of_an_index(f"{rows} x {columns}", X, Q, metric="cosine")


def of_ties() -> Iterator[tuple[str, Sides]]:
    """Rows that stand there twice, so that each query has ties, and whole numbers so small that many have."""
    rng = np.random.default_rng(0)
    for rows, columns in product((1000, 5000, 20_000), (4, 64)):
        Q = rng.normal(size=(1000, columns))
        X = np.repeat(rng.normal(size=(rows // 2, columns)), 2, 0)
        for metric in ("euclidean", "manhattan", "cosine"):
            yield from of_an_index(f"twins {rows} x {columns}", X, Q, algorithm="brute", metric=metric)
        yield from of_an_index(f"twins {rows} x {columns}", X, Q, algorithm="auto")
        X, Q = (rng.integers(0, 17, (count, columns)).astype(float) for count in (rows, 1000))
        yield from of_an_index(f"0 to 16 {rows} x {columns}", X, Q, algorithm="brute")


def of_predictions() -> Iterator[tuple[str, Sides]]:
    """predict of classifiers and regressors."""
    rng = np.random.default_rng(0)
    for rows, columns in product((150, 1000, 5000, 20_000), (4, 20, 300)):
        X, Q, y = rng.normal(size=(rows, columns)), rng.normal(size=(1000, columns)), np.arange(rows) % 5
        for kind, algorithm, weights in product(
            ("KNeighborsClassifier", "KNeighborsRegressor"), ("auto", "brute"), ("uniform", "distance")
        ):
            made = [getattr(module, kind) for module in (fast_neighbors, neighbors)]
            fitted = [make(algorithm=algorithm, weights=weights).fit(X, y) for make in made]
            for queries in (1, 100, 1000):
                name = f"{kind}({algorithm}, {weights}), {rows} x {columns}, predict {queries}"
                yield name, both(lambda model, Q=Q[:queries]: model.predict(Q), *fitted)


def of_perceptrons() -> Iterator[tuple[str, Sides]]:
    """fit of a few epochs, partial_fit, and predict."""
    rng = np.random.default_rng(0)
    shapes = product((20, 150, 1000, 5000), (2, 64, 500), ((5,), (50,), (100, 50), (500,)), ("sgd", "adam", "lbfgs"))
    for rows, columns, hidden, solver in shapes:
        if rows * columns * hidden[0] > 1e7:
            continue
        X = rng.normal(size=(rows, columns))
        asked = [rng.normal(size=(queries, columns)) for queries in (1, 20, 1000)]
        y = (X.sum(axis=1) > 0).astype(int)
        yield from of_a_perceptron(f"{rows} x {columns}", X, y, asked, hidden_layer_sizes=hidden, solver=solver)


def of_options() -> Iterator[tuple[str, Sides]]:
    """The same of regressors, of float32, with weights of rows and with early stopping."""
    rng = np.random.default_rng(0)
    has_weights = "sample_weight" in inspect.signature(neural_network.MLPClassifier.fit).parameters  # since 1.7
    shapes = product((100, 1000, 5000), (8, 64), ((10,), (100, 50)), ("sgd", "adam", "lbfgs"))
    for rows, columns, hidden, solver in shapes:
        X, Q = rng.normal(size=(rows, columns)), [rng.normal(size=(1000, columns))]
        y, weights = X.sum(axis=1), rng.random(rows)
        title, options = f"{rows} x {columns}", {"hidden_layer_sizes": hidden, "solver": solver}
        yield from of_a_perceptron(title, X, y, Q, kind="MLPRegressor", **options)
        single = X.astype("float32"), y > 0, [some.astype("float32") for some in Q]
        yield from of_a_perceptron(f"float32 {title}", *single, **options)
        if has_weights:
            yield from of_a_perceptron(f"{title} with weights", X, y > 0, [], weights=weights, **options)
        if solver != "lbfgs":
            yield from of_a_perceptron(title, X, y > 0, [], **options, early_stopping=True)


def of_sparse_rows() -> Iterator[tuple[str, Sides]]:
    """The same of CSR."""
    rng = np.random.default_rng(0)
    shapes = product((20, 200, 2000), (20, 300, 5000, 50_000), (1, 10, 100), ((5,), (200, 50)))
    for (rows, columns, nonzeros, hidden), (solver, dtype) in product(
        shapes, (("sgd", "float32"), ("adam", "float64"))
    ):
        if nonzeros > columns or rows * nonzeros * hidden[0] > 1e7 or columns * hidden[0] > 3e6:
            continue
        places = np.repeat(np.arange(rows), nonzeros), rng.integers(columns, size=rows * nonzeros)
        X = sparse.csr_matrix((rng.random(rows * nonzeros), places), shape=(rows, columns)).astype(dtype)
        title = f"CSR {rows} x {columns} {dtype}, {nonzeros} a row"
        y = np.arange(rows) % 10
        yield from of_a_perceptron(title, X, y, [X[:1], X], hidden_layer_sizes=hidden, solver=solver)


def of_a_perceptron(
    title: str,
    X: Any,
    y: Any,
    asked: Iterable[Any],
    *,
    kind: str = "MLPClassifier",
    weights: Any = None,
    **options: Any,
) -> Iterator[tuple[str, Sides]]:
    modules = fast_networks, neural_network
    rest = {} if weights is None else {"sample_weight": weights}

    def fit(module: Any) -> Any:
        return getattr(module, kind)(**options, max_iter=3, random_state=1).fit(X, y, **rest)

    name = f"{kind}({', '.join(map(str, options.values()))}), {title}"
    yield f"{name}, fit", both(fit, *modules)
    fitted = [fit(module) for module in modules]
    for Q in asked:
        yield f"{name}, predict {Q.shape[0]}", both(lambda network, Q=Q: network.predict(Q), *fitted)
    if options["solver"] != "lbfgs" and not options.get("early_stopping"):
        yield f"{name}, partial_fit", both(lambda network: network.partial_fit(X, y, **rest), *fitted)


SWEEPS = {
    "neighbors": of_neighbors,
    "types": of_types,
    "cosine": of_cosine,
    "ties": of_ties,
    "predictions": of_predictions,
    "perceptrons": of_perceptrons,
    "options": of_options,
    "sparse": of_sparse_rows,
}


def words(report: Report) -> str:
    """What the page says of the ratios: how many there are of each size, and which calls are slow."""
    ratios = [ratio for found in report["ratios"].values() for ratio in found.values()]
    slow = "1 is" if len(report["slow"]) == 1 else f"{len(report['slow'])} are"
    faster, twice = (sum(ratio >= least for ratio in ratios) for least in (1.2, 2))
    lines = [
        f"Of {len(ratios):,} calls of {len(report['ratios'])} kinds, {faster:,} are more than a fifth faster than "
        f"scikit-learn's, {twice:,} at least twice as fast, and {slow} more than a fifth slower:",
        "",
        *(f"- {ratio:.2f} times as fast: {call}" for call, ratio in sorted(report["slow"].items(), key=lambda o: o[1])),
        "",
        f"Of rows called twins each stands there twice, so that every query has ties. {report['hardware']}.",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*SWEEPS], default=[*SWEEPS])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th call")
    parser.add_argument("--against", type=float, default=0.83)
    parser.add_argument("--write", action="store_true", help=f"rewrite {RESULTS.name} and what the page says of it")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    ratios: dict[str, dict[str, float]] = {}
    for name in options.only:
        start, found = time.perf_counter(), ratios.setdefault(name, {})
        for place, (call, sides) in enumerate(SWEEPS[name]()):
            if place % options.every:
                continue
            assert call not in found, call
            found[call] = round(ratio(sides, options.against), 3)
            print(f"{call}: {found[call]:.2f}x{' SLOW' if found[call] < options.against else ''}", flush=True)
        print(f"{name}: {len(found)} calls in {time.perf_counter() - start:.0f} s", flush=True)
    slow = {call: times for found in ratios.values() for call, times in found.items() if times < options.against}
    print(f"{len(slow)} of {sum(map(len, ratios.values()))} calls are below {options.against}x")
    for call, times in sorted(slow.items(), key=lambda item: item[1]):
        print(f"  {times:.2f}x  {call}")
    hardware = roofline.hardware()
    print(hardware)
    if options.write:
        report = {"hardware": hardware, "against": options.against, "slow": slow, "ratios": ratios}
        write_json(RESULTS, report)
        write_between(TABLES, START, END, words(report))
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
