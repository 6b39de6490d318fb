"""Times native's ways through the first layer, and through bytes that are searched, where its rules change over.

    python benchmarks/crossover.py [--rounds 5] [--only PART] [--json FILE]

The rules and their constants are in kernels/native/src/unit.h, if nothing else is said. For each case the ways take
turns, one epoch or search each; the table has the median milliseconds, marks what the rule takes with * and says where
that is slower than the best.

form     the inputs dense, in lists of samples, or in teams of samples (MOST_ACTIVE_LISTS, MOST_ACTIVE_TEAMS,
         LIST_LINES, LIST_WORK, LIST_WORK_BYTES), by batch size, width and share of active pixels: digits with more
         pixels set
usual    standardised digits dense, or less their usual row (USUAL_GAIN, USUAL_ROWS), by width, batch size and share
         of pixels that differ from it
online   a run of batches at a time, or batch by batch (MOST_ONLINE); the inputs of a run dense, or in a
         group of samples (MOST_ACTIVE_GROUPS)
splits   what threads share out of the first layer, its inputs or its outputs (WIDE_LINES), by width, type and batch
         size
threads  one or all (THREAD_WORK)
packing  images given as reals, trained on as they are or as bytes (LEAST_PACKED_WORK; fastnn/nn/fit.py), by width,
         type and epochs
listing  digits in order, with lists of what is active in each batch or without (LEAST_LISTED_BATCH,
         LEAST_LISTED_EPOCHS; fastnn/nn/fit.py), by width, type, batch size and epochs
queries  a plain search of bytes with the queries in tiles or micro-batches (LEAST_MICRO_BATCH_ROWS,
         MOST_ACTIVE_BLOCKS; plan_search.c), by rows, queries and share of active pixels
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np

import fastnn
from fastnn.kernels import native, num_threads
from fastnn.nn import fit as training

ROWS = 12_000
SPLITS = "inputs", "outputs", None
RUN_FORMS = {"dense": "dense", "group": "teams", "rule": None}
Ways = dict[str, Callable[[], float]]  # each trains an epoch and returns its seconds


def digits(active: float) -> np.ndarray:
    """MNIST's first rows, with further quads of pixels set until a share `active` of all is other than zero."""
    X = fastnn.datasets.load_mnist()[0][0][:ROWS].copy()
    quads = X.reshape(ROWS, -1, 4)
    present = quads.any(axis=2)
    missing = max(0.0, (active - present.mean()) / (1 - present.mean()))
    extra = (np.random.default_rng(0).random(present.shape) < missing) & ~present
    quads[extra] = 100
    return X


@contextlib.contextmanager
def forced(form: str | None, split: str | None = None) -> Iterator[None]:
    native.force_form(form)
    native.force_split(split)
    try:
        yield
    finally:
        native.force_form(None)
        native.force_split(None)


def trainer(
    X: np.ndarray, hidden: int, batch_size: int, way: str | None = None, **options: object
) -> Callable[[], float]:
    y = fastnn.datasets.load_mnist()[0][1][:ROWS]
    threads, split, dtype = options.pop("threads", None), options.pop("split", None), options.pop("dtype", np.float32)
    model = fastnn.MLP((X.shape[1], hidden, 10), activation="relu", dtype=dtype, seed=1)

    def epoch() -> float:
        with fastnn.use("native", num_threads=threads), forced(way, split):
            history = model.fit(X, y, epochs=1, batch_size=batch_size, learning_rate=1e-3, **options)
        return history.seconds[0]

    return epoch


def measure(title: str, ways: Ways, chosen: str, rounds: int) -> dict[str, object]:
    """Time the ways in turn; `chosen` is the rule's."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):  # the first is a warm-up
        for name, epoch in ways.items():
            taken[name].append(epoch())
    medians = {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}
    loss = medians[chosen] / min(medians.values())
    cells = "  ".join(f"{name} {1e3 * s:8.2f}{'*' if name == chosen else ' '}" for name, s in medians.items())
    print(f"{title:58} {cells}  {'' if loss < 1.05 else f'{loss:.2f} times the best'}", flush=True)
    return {"case": title, "seconds": medians, "rule": chosen, "times_the_best": loss}


def forms(rounds: int) -> Iterator[dict[str, object]]:
    for hidden in (30, 64, 128, 500):
        for batch_size in (5, 10, 16, 32, 200):
            for active in (0.0, 0.45, 0.6, 0.7):
                X = digits(active)
                ways = {way or "rule": trainer(X, hidden, batch_size, way) for way in ("dense", "lists", "teams", None)}
                share = X.reshape(ROWS, -1, 4).any(axis=2).mean()
                yield measure(f"hidden {hidden}, batch {batch_size}, {share:.0%} of quads active", ways, "rule", rounds)


def usual(rounds: int) -> Iterator[dict[str, object]]:
    for hidden in (30, 128, 500):
        for batch_size in (1, 3, 5, 10, 32, 200):
            for active in (0.0, 0.45, 0.7):
                pixels = digits(active)
                X = ((pixels - pixels.mean()) / pixels.std()).astype(np.float32)
                ways = {way or "rule": trainer(X, hidden, batch_size, way) for way in ("dense", None)}
                share = pixels.reshape(ROWS, -1, 4).any(axis=2).mean()
                yield measure(f"hidden {hidden}, batch {batch_size}, {share:.0%} of quads active", ways, "rule", rounds)


def online(rounds: int) -> Iterator[dict[str, object]]:
    for hidden in (30, 88, 300):
        for batch_size in (1, 2, 3, 4, 6):
            X = digits(1.0)
            # a penalty, however small, makes plain SGD go batch by batch
            ways = {"runs": trainer(X, hidden, batch_size), "batches": trainer(X, hidden, batch_size, l2=1e-30)}
            chosen = "runs" if batch_size <= 4 else "batches"
            yield measure(f"hidden {hidden}, batch {batch_size}, dense", ways, chosen, rounds)
        for active in (0.0, 0.45, 0.6):
            X = digits(active)
            # a run has a group in place of a batch's teams
            ways = {way: trainer(X, hidden, 1, form) for way, form in RUN_FORMS.items()}
            share = X.reshape(ROWS, -1, 4).any(axis=2).mean()
            yield measure(f"hidden {hidden}, batch 1, {share:.0%} of quads active", ways, "rule", rounds)


def splits(rounds: int) -> Iterator[dict[str, object]]:
    X = digits(0.0)
    for dtype in (np.float32, np.float64):
        for lines in (4, 5, 6, 7, 8, 16):
            hidden = lines * 64 // np.dtype(dtype).itemsize
            for batch_size in (10, 32, 200):
                ways = {way or "rule": trainer(X, hidden, batch_size, split=way, dtype=dtype) for way in SPLITS}
                yield measure(f"hidden {hidden}, {np.dtype(dtype)}, batch {batch_size}", ways, "rule", rounds)


def threads(rounds: int) -> Iterator[dict[str, object]]:
    every = num_threads()
    for hidden, batch_size in ((8, 10), (16, 8), (30, 5), (30, 10), (30, 20), (100, 10)):
        X = digits(0.0)
        ways = {"one": trainer(X, hidden, batch_size, threads=1), "all": trainer(X, hidden, batch_size, threads=every)}
        yield measure(f"hidden {hidden}, batch {batch_size}, {every} threads", ways, "all", rounds)


def whole_fit(
    X: np.ndarray, hidden: int, epochs: int, rules: dict[str, float], **options: object
) -> Callable[[], float]:
    """A fit of `epochs`, packing and listing included, with these constants of fastnn/nn/fit.py."""
    y = fastnn.datasets.load_mnist()[0][1]
    dtype, options = options.pop("dtype", X.dtype), {"batch_size": 32, "learning_rate": 1e-3} | options
    model = fastnn.MLP((X.shape[1], hidden, 10), dtype=dtype, seed=1)

    def fit() -> float:
        start = time.perf_counter()
        with mock.patch.multiple(training, **rules), fastnn.use("native"):
            model.fit(X, y, epochs=epochs, **options)
        return time.perf_counter() - start

    return fit


def packing(rounds: int) -> Iterator[dict[str, object]]:
    pixels = fastnn.datasets.load_mnist()[0][0]
    for dtype in (np.float32, np.float64):
        X = pixels.astype(dtype) / dtype(255)
        for hidden in (30, 64, 128, 500):
            for work in (128, 256, 512):
                epochs = max(1, round(work / hidden))
                ways = {
                    name: whole_fit(X, hidden, epochs, {"LEAST_PACKED_WORK": least})
                    for name, least in (("reals", math.inf), ("bytes", 0))
                }
                chosen = "bytes" if epochs * hidden >= training.LEAST_PACKED_WORK else "reals"
                yield measure(f"hidden {hidden}, {np.dtype(dtype)}, epochs {epochs}", ways, chosen, rounds)


def listing(rounds: int) -> Iterator[dict[str, object]]:
    X = fastnn.datasets.load_mnist()[0][0]
    names = "LEAST_LISTED_BATCH", "LEAST_LISTED_EPOCHS", "LEAST_PACKED_WORK"
    rules = {
        "rows": dict.fromkeys(names, math.inf),
        "lists": dict.fromkeys(names, 0),
        "rule": {name: getattr(training, name) for name in names},
    }
    for dtype in (np.float32, np.float64):
        for hidden in (30, 64, 128, 500):
            for batch_size in (20, 32, 100, len(X)):
                options = {"dtype": dtype, "batch_size": batch_size, "shuffle": False}
                for epochs in sorted({3, 5, max(5, -(-training.LEAST_PACKED_WORK // hidden)), 20}):
                    ways = {way: whole_fit(X, hidden, epochs, rule, **options) for way, rule in rules.items()}
                    title = f"hidden {hidden}, {np.dtype(dtype)}, batch {batch_size}, epochs {epochs}"
                    yield measure(title, ways, "rule", rounds)


def searcher(X: np.ndarray, Q: np.ndarray, way: str | None) -> Callable[[], float]:
    index = fastnn.Neighbors(pruning="never").fit(X)

    def search() -> float:
        native.force_queries(way)
        try:
            with fastnn.use("native"):
                start = time.perf_counter()
                index.search(Q)
        finally:
            native.force_queries(None)
        return time.perf_counter() - start

    return search


def queries(rounds: int) -> Iterator[dict[str, object]]:
    for active in (0.0, 0.45, 0.7, 0.9):
        X = digits(active)
        share = X.reshape(ROWS, -1, 4).any(axis=2).mean()
        for rows in (500, 1000, 2000, 10_000):
            for count in (4, 100, 2000):
                ways = {way or "rule": searcher(X[:rows], X[-count:], way) for way in ("tiles", "micro-batches", None)}
                yield measure(f"{count} queries among {rows}, {share:.0%} of quads active", ways, "rule", rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="the part of this name")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    arguments = parser.parse_args()
    report = {}
    for part in (forms, usual, online, splits, threads, packing, listing, queries):
        if arguments.only not in (None, part.__name__):
            continue
        print(f"\n{part.__name__}")
        report[part.__name__] = list(part(arguments.rounds))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
