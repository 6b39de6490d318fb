"""scikit-learn's nearest neighbours against fastnn's estimators: the two headline workloads, or a sweep over shapes.

    python benchmarks/sklearn_neighbors.py            # MNIST by brute force, and 200,000 rows of 8 columns
    python benchmarks/sklearn_neighbors.py --sweep    # calls of every size; says which are slower than 0.83x

Both sides are alternated in one process; the ratios are of medians, in the sweep of the fastest, for these calls are
short. scikit-learn runs in its best configuration: its brute force, which takes all cores by itself, and the tree with
n_jobs=-1.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn import neighbors as own

import fastnn
from fastnn.dropin.sklearn import neighbors as compiled

LEAST_RATIO = 0.83


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def alternated(sides: list[Callable[[], object]], repeats: int) -> np.ndarray:
    """Seconds (repeats, sides); one run of each side apart for warming up."""
    for side in sides[1:]:
        side()
    seconds = np.empty((repeats, len(sides)))
    for i in range(repeats):
        for j, side in enumerate(sides):
            start = time.perf_counter()
            side()
            seconds[i, j] = time.perf_counter() - start
    return seconds


def headline(repeats: int, queries: int) -> None:
    (X, y), (T, _) = fastnn.datasets.load_mnist()
    rng = np.random.default_rng(0)
    rows, asked = rng.normal(size=(200_000, 8)), rng.normal(size=(20_000, 8))
    digits = [images.astype(float) for images in (X, T[:queries])]
    scaled = [images.astype(np.float32) / 255 for images in (X, T[:queries])]
    workloads = {
        f"KNeighborsClassifier(5, algorithm='brute'), MNIST, float64, {queries} queries": lambda module: (
            module.KNeighborsClassifier(5, algorithm="brute").fit(digits[0], y).predict(digits[1])
        ),
        "the same of MNIST / 255, float32": lambda module: (
            module.KNeighborsClassifier(5, algorithm="brute").fit(scaled[0], y).predict(scaled[1])
        ),
        "NearestNeighbors(5, n_jobs=-1), 200,000 x 8, 20,000 queries": lambda module: (
            module.NearestNeighbors(n_neighbors=5, n_jobs=-1).fit(rows).kneighbors(asked)
        ),
    }
    for name, run in workloads.items():
        seconds = np.median(alternated([lambda: run(own), lambda: run(compiled)], repeats), axis=0)  # noqa: B023
        print(f"{name}: {seconds[0]:.3f} s, {seconds[1]:.3f} s, {seconds[0] / seconds[1]:.1f}x", flush=True)


def sweep(repeats: int) -> None:
    rng = np.random.default_rng(0)
    for rows in (150, 500, 1000, 2000, 5000, 20_000):
        for columns in (2, 4, 8, 16, 64, 300):
            for algorithm in ("auto", "brute") if columns < 16 else ("brute",):
                X, all_queries = rng.normal(size=(rows, columns)), rng.normal(size=(1000, columns))
                for queries in (1, 10, 100, 1000):
                    if rows * columns * queries <= 2e9:
                        sweep_one(X, all_queries[:queries], algorithm, repeats)


def sweep_one(X: np.ndarray, Q: np.ndarray, algorithm: str, repeats: int) -> None:
    fitted = [module.NearestNeighbors(algorithm=algorithm).fit(X) for module in (own, compiled)]
    phases = {
        "fit": [lambda: own.NearestNeighbors(algorithm=algorithm).fit(X)]
        + [lambda: compiled.NearestNeighbors(algorithm=algorithm).fit(X)],
        "first": [lambda: own.NearestNeighbors(algorithm=algorithm).fit(X).kneighbors(Q)]
        + [lambda: compiled.NearestNeighbors(algorithm=algorithm).fit(X).kneighbors(Q)],
        "again": [lambda: fitted[0].kneighbors(Q), lambda: fitted[1].kneighbors(Q)],
    }
    ratios = {}
    for name, sides in phases.items():
        seconds = alternated(sides, repeats).min(axis=0)
        ratios[name] = seconds[0] / seconds[1]
    slow = " SLOW" if min(ratios.values()) < LEAST_RATIO else ""
    shown = ", ".join(f"{name} {ratio:.2f}x" for name, ratio in ratios.items())
    print(f"{len(X)} x {X.shape[1]}, {fitted[1]._fit_method}, {len(Q)} queries: {shown}{slow}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--queries", type=int, default=10_000)
    arguments = parser.parse_args()
    print(cpu(), fastnn.backends()["native"].detail, flush=True)
    if arguments.sweep:
        sweep(max(arguments.repeats, 15))
    else:
        headline(arguments.repeats, arguments.queries)


if __name__ == "__main__":
    main()
