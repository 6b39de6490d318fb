"""Times native's ways through the first layer, and through bytes that are searched, where its plan changes over.

    python benchmarks/crossover.py [--rounds 5] [--only PART] [--json FILE]

The constants are in kernels/native/src/plan_train.c, if nothing else is said; each names the part that sets it. For
each case the ways take turns, one epoch or search each; the table has the median milliseconds, marks what the plan
takes with * and says where that is slower than the best.

inputs   the inputs dense, as block-CSC, or by micro-batches, by batch size, width and share of active pixels: digits
         with more pixels set
offset   standardised digits dense, or less their column offset, by width, batch size and share of pixels that differ
         from it
online   single samples: dense inputs in online blocks, or active ones sample by sample
splits   what threads split, the first layer's inputs or outputs or the samples, by type, network and batch size
threads  one or all, by network and batch size; and by the multiply-adds of an epoch
packing  images given as reals, trained on as they are or as bytes, by width, type and epochs
storing  digits in order, with stored block-CSC of each batch or without, by width, type, batch size and epochs
lazy     sparse rows by momentum with l2, where inputs without a nonzero wait for their updates, or by the same with a
         trace of l1, where none waits, by inputs and nonzeros of a batch
queries  a plain search of bytes with the queries in tiles or micro-batches (LEAST_MICRO_BATCH_ROWS,
         MOST_ACTIVE_BLOCKS; plan_search.c), by rows, queries and share of active pixels
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

import fastnn
from fastnn.kernels import native, num_threads

ROWS = 12_000
SPLITS = "inputs", "outputs", "samples", None
Ways = dict[str, Callable[[], float]]  # each trains an epoch and returns its seconds


def digits(active: float) -> np.ndarray:
    """MNIST's first rows, with further blocks of four pixels set until a share `active` of all is other than zero."""
    X = fastnn.datasets.load_mnist()[0][0][:ROWS].copy()
    blocks = X.reshape(ROWS, -1, 4)
    present = blocks.any(axis=2)
    missing = max(0.0, (active - present.mean()) / (1 - present.mean()))
    extra = (np.random.default_rng(0).random(present.shape) < missing) & ~present
    blocks[extra] = 100
    return X


@contextlib.contextmanager
def forced(**choices: object) -> Iterator[None]:
    native.override_plan(**choices)
    try:
        yield
    finally:
        native.override_plan(**dict.fromkeys(choices))


def trainer(
    X: np.ndarray, hidden: int, batch_size: int, way: str | None = None, **options: object
) -> Callable[[], float]:
    y = fastnn.datasets.load_mnist()[0][1][: X.shape[0]]
    threads, epochs, dtype = options.pop("threads", None), options.pop("epochs", 1), options.pop("dtype", np.float32)
    choices = {"inputs": way, "split": options.pop("split", None), "all_threads": options.pop("all_threads", None)}
    model = fastnn.MLP((X.shape[1], hidden, 10), activation="relu", dtype=dtype, seed=1)

    def epoch() -> float:
        with fastnn.use("native", num_threads=threads), forced(**choices):
            history = model.fit(X, y, epochs=epochs, batch_size=batch_size, learning_rate=1e-3, **options)
        return statistics.median(history.seconds)

    return epoch


def measure(title: str, ways: Ways, chosen: str, rounds: int) -> dict[str, object]:
    """Time the ways in turn; `chosen` is the plan's."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):  # the first is a warm-up
        for name, epoch in ways.items():
            taken[name].append(epoch())
    medians = {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}
    loss = medians[chosen] / min(medians.values())
    cells = "  ".join(f"{name} {1e3 * s:8.2f}{'*' if name == chosen else ' '}" for name, s in medians.items())
    print(f"{title:58} {cells}  {'' if loss < 1.05 else f'{loss:.2f} times the best'}", flush=True)
    return {"case": title, "seconds": medians, "plan": chosen, "times_the_best": loss}


def inputs(rounds: int) -> Iterator[dict[str, object]]:
    for hidden in (30, 64, 128, 500):
        for batch_size in (5, 10, 16, 32, 200):
            for active in (0.0, 0.45, 0.6, 0.7):
                X = digits(active)
                ways = {
                    way or "plan": trainer(X, hidden, batch_size, way)
                    for way in ("dense", "block-CSC", "micro-batches", None)
                }
                share = X.reshape(ROWS, -1, 4).any(axis=2).mean()
                yield measure(
                    f"hidden {hidden}, batch {batch_size}, {share:.0%} of blocks active", ways, "plan", rounds
                )


def offset(rounds: int) -> Iterator[dict[str, object]]:
    for hidden in (30, 128, 500):
        for batch_size in (1, 3, 5, 10, 32, 200):
            for active in (0.0, 0.45, 0.7):
                pixels = digits(active)
                X = ((pixels - pixels.mean()) / pixels.std()).astype(np.float32)
                ways = {way or "plan": trainer(X, hidden, batch_size, way) for way in ("dense", None)}
                share = pixels.reshape(ROWS, -1, 4).any(axis=2).mean()
                yield measure(
                    f"hidden {hidden}, batch {batch_size}, {share:.0%} of blocks active", ways, "plan", rounds
                )


def online(rounds: int) -> Iterator[dict[str, object]]:
    for hidden in (30, 88, 300):
        for active in (0.0, 0.45, 0.6, 1.0):
            X = digits(active)
            # what is not dense and has no column offset goes sample by sample
            ways = {way or "plan": trainer(X, hidden, 1, way) for way in ("dense", "micro-batches", None)}
            share = X.reshape(ROWS, -1, 4).any(axis=2).mean()
            yield measure(f"hidden {hidden}, batch 1, {share:.0%} of blocks active", ways, "plan", rounds)


def splits(rounds: int) -> Iterator[dict[str, object]]:
    X = digits(0.0)
    for dtype in (np.float32, np.float64):
        for lines in (4, 5, 6, 7, 8, 16):
            hidden = lines * 64 // np.dtype(dtype).itemsize
            for batch_size in (10, 32, 200):
                ways = {way or "plan": trainer(X, hidden, batch_size, split=way, dtype=dtype) for way in SPLITS}
                yield measure(f"hidden {hidden}, {np.dtype(dtype)}, batch {batch_size}", ways, "plan", rounds)
        for columns, hidden in ((8, 64), (32, 64), (64, 20), (64, 40), (128, 64), (256, 16), (512, 16), (640, 16)):
            X_dense = np.random.default_rng(0).normal(size=(ROWS, columns)).astype(dtype)
            # what there is: at least 16 inputs, or a cache line of outputs, in each of four splits
            there = {"inputs": columns >= 64, "outputs": hidden * np.dtype(dtype).itemsize > 3 * 64}
            for batch_size in (32, 64, 128, 200):
                ways = {
                    way or "plan": trainer(X_dense, hidden, batch_size, split=way, dtype=dtype)
                    for way in SPLITS
                    if there.get(way, True)
                }
                title = f"{columns} inputs, hidden {hidden}, {np.dtype(dtype)}, batch {batch_size}"
                yield measure(title, ways, "plan", rounds)


def threads(rounds: int) -> Iterator[dict[str, object]]:
    every = num_threads()
    for hidden, batch_size in ((8, 10), (16, 8), (30, 5), (30, 10), (30, 20), (100, 10)):
        X = digits(0.0)
        ways = {"one": trainer(X, hidden, batch_size, threads=1), "all": trainer(X, hidden, batch_size, threads=every)}
        yield measure(f"hidden {hidden}, batch {batch_size}, {every} threads", ways, "all", rounds)
    for dtype in (np.float32, np.float64):
        for rows in (300, 600, 1_200, 2_400, 4_800):
            X_dense, options = np.random.default_rng(0).normal(size=(rows, 64)).astype(dtype), {"epochs": 30}
            choices = {"one": {"threads": 1}, "all": {"all_threads": True}, "plan": {}}
            ways = {
                name: trainer(X_dense, 100, 200, dtype=dtype, **choice, **options) for name, choice in choices.items()
            }
            title = f"{rows * (64 * 100 + 100 * 10) / 1e6:.0f} million multiply-adds, {np.dtype(dtype)}"
            yield measure(title, ways, "plan", rounds)


def whole_fit(X: np.ndarray, hidden: int, epochs: int, rows: str | None, **options: object) -> Callable[[], float]:
    """A fit of `epochs`, with what is made of the rows before it."""
    y = fastnn.datasets.load_mnist()[0][1]
    dtype, options = options.pop("dtype", X.dtype), {"batch_size": 32, "learning_rate": 1e-3} | options
    model = fastnn.MLP((X.shape[1], hidden, 10), dtype=dtype, seed=1)

    def fit() -> float:
        start = time.perf_counter()
        with forced(rows=rows), fastnn.use("native"):
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
                ways = {way or "plan": whole_fit(X, hidden, epochs, way) for way in ("as they are", "bytes", None)}
                yield measure(f"hidden {hidden}, {np.dtype(dtype)}, epochs {epochs}", ways, "plan", rounds)


def storing(rounds: int) -> Iterator[dict[str, object]]:
    X = fastnn.datasets.load_mnist()[0][0]
    for dtype in (np.float32, np.float64):
        for hidden in (30, 64, 128, 500):
            for batch_size in (20, 32, 100, len(X)):
                options = {"dtype": dtype, "batch_size": batch_size, "shuffle": False}
                for epochs in (3, 5, 9, 20):
                    ways = {
                        way or "plan": whole_fit(X, hidden, epochs, way, **options)
                        for way in ("as they are", "block-CSC", None)
                    }
                    title = f"hidden {hidden}, {np.dtype(dtype)}, batch {batch_size}, epochs {epochs}"
                    yield measure(title, ways, "plan", rounds)


def lazy(rounds: int) -> Iterator[dict[str, object]]:
    rng = np.random.default_rng(0)
    for columns in (2000, 20_000, 100_000):
        for share in (0.1, 0.3, 0.5):
            nonzeros = round(share * columns / 200)
            places = np.repeat(np.arange(4000), nonzeros), rng.integers(columns, size=4000 * nonzeros)
            X = sparse.csr_matrix((rng.random(4000 * nonzeros), places), shape=(4000, columns))
            for dtype in (np.float32, np.float64):
                options = {"optimizer": "momentum", "l2": 1e-6, "dtype": dtype}
                ways = {"plan": trainer(X, 50, 200, **options), "fused": trainer(X, 50, 200, l1=1e-30, **options)}
                title = f"{columns} inputs, {np.dtype(dtype)}, {share:.0%} nonzeros a batch"
                yield measure(title, ways, "plan", rounds)


def searcher(X: np.ndarray, Q: np.ndarray, way: str | None) -> Callable[[], float]:
    index = fastnn.Neighbors(pruning="never").fit(X)

    def search() -> float:
        with fastnn.use("native"), forced(queries=way):
            start = time.perf_counter()
            index.search(Q)
        return time.perf_counter() - start

    return search


def queries(rounds: int) -> Iterator[dict[str, object]]:
    for active in (0.0, 0.45, 0.7, 0.9):
        X = digits(active)
        share = X.reshape(ROWS, -1, 4).any(axis=2).mean()
        for rows in (500, 1000, 2000, 10_000):
            for count in (4, 100, 2000):
                ways = {way or "plan": searcher(X[:rows], X[-count:], way) for way in ("tiles", "micro-batches", None)}
                yield measure(f"{count} queries among {rows}, {share:.0%} of blocks active", ways, "plan", rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="the part of this name")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    arguments = parser.parse_args()
    report = {}
    for part in (inputs, offset, online, splits, threads, packing, storing, lazy, queries):
        if arguments.only not in (None, part.__name__):
            continue
        print(f"\n{part.__name__}")
        report[part.__name__] = list(part(arguments.rounds))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
