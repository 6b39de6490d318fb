"""Whole runs of fastnn.dropin.nielsen beside the book's network: mean accuracy over seeds, and conversion times.

    python benchmarks/nielsen_parity.py --seeds 10 --epochs 3

784-30-10 on MNIST / 255, mini-batches of 10, eta 3.0, float64. The same seeds start both, but after an epoch the digits
of the two have nothing in common (see the docstring of fastnn.dropin.nielsen): only their distributions can agree.
The original's side is tests/oracles/book_oracle.py, in NumPy sample by sample.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracles"))

import book_oracle

import fastnn
from fastnn.datasets import load_mnist
from fastnn.dropin import mnist_loader, nielsen
from fastnn.dropin.nielsen import pairs
from fastnn.kernels.spec import SGD, EpochArgs, Rule
from fastnn.nn.fit import run_epoch

SIZES = [784, 30, 10]


def accuracies(net_class: type, data: list, tests: list, seed: int, epochs: int) -> list[float]:
    """Test accuracy in percent after every epoch."""
    np.random.seed(seed)
    random.seed(seed)
    net, printed = net_class(SIZES), io.StringIO()
    with contextlib.redirect_stdout(printed):
        net.SGD(list(data), epochs, 10, 3.0, test_data=tests)
    return [100 * int(line.split()[2]) / len(tests) for line in printed.getvalue().splitlines()]


def compare(seeds: int, epochs: int) -> None:
    (X, y), (X_test, y_test) = load_mnist()
    data = [(x.reshape(784, 1), book_oracle.one_hot(digit)) for x, digit in zip(X[:50_000] / 255, y, strict=False)]
    tests = [(x.reshape(784, 1), digit) for x, digit in zip(X_test / 255, y_test, strict=True)]
    ours, theirs = [], []
    for seed in range(seeds):
        ours.append(accuracies(nielsen.Network, data, tests, seed, epochs))
        theirs.append(accuracies(book_oracle.Network, data, tests, seed, epochs))
        print(f"seed {seed}: fastnn {ours[-1]}, original {theirs[-1]}", flush=True)
    for epoch in range(epochs):
        a, b = [run[epoch] for run in ours], [run[epoch] for run in theirs]
        a_mean, b_mean = statistics.fmean(a), statistics.fmean(b)
        spread = [statistics.stdev(v) if seeds > 1 else 0.0 for v in (a, b)]
        print(
            f"epoch {epoch}: mean of {seeds} seeds: fastnn {a_mean:.3f} % (sd {spread[0]:.3f}), "
            f"original {b_mean:.3f} % (sd {spread[1]:.3f}), difference {a_mean - b_mean:+.3f} points"
        )


def forms() -> dict[str, list]:
    """The training lists people make."""
    loaded = mnist_loader.load_data_wrapper()[0]
    targets = [y for _, y in loaded]
    pixels = np.ascontiguousarray((np.hstack([x for x, _ in loaded]).T * 256).astype(np.uint8))
    block = pixels / 255
    made = {
        "mnist_loader, float32": loaded,
        "float32, an array each": [(x.copy(), y) for x, y in loaded],
        "pixels uint8, views": list(zip(pixels[:, :, None], targets, strict=True)),
        "pixels / 255 float64, views": list(zip(block[:, :, None], targets, strict=True)),
        "pixels / 255 float64, an array each": [(x.copy(), y) for x, y in zip(block[:, :, None], targets, strict=True)],
    }
    return made | {f"{name}, shuffled": random.Random(0).sample(data, len(data)) for name, data in made.items()}


def conversion(repeats: int) -> None:
    """Time converting a list beside one epoch of the kernels on it, in turn; the least of each."""
    dtype = np.dtype(np.float64)
    net = nielsen.Network(SIZES)
    for name, data in forms().items():
        converting, epoch, whole = [], [], []
        for _ in range(repeats):
            start = time.perf_counter()
            rows = pairs.vector_rows("training_data", data, 784, 10, dtype)
            converting.append(time.perf_counter() - start)
            slab = net._renew()
            order = np.random.permutation(len(data))
            args = EpochArgs(order, 10, Rule(SGD, learning_rate=3.0))
            start = time.perf_counter()
            run_epoch(slab.net, slab.params, np.empty((0, slab.params.size)), rows.data, args)
            epoch.append(time.perf_counter() - start)
            del rows
            start = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                net.SGD(list(data), 1, 10, 3.0)
            whole.append(time.perf_counter() - start)
        print(
            f"{name:46s} converting {1e3 * min(converting):6.1f} ms, "
            f"an epoch of the kernels {1e3 * min(epoch):6.1f} ms, SGD of one epoch {1e3 * min(whole):6.1f} ms",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--conversion", action="store_true", help="only time the conversion of training lists")
    parser.add_argument("--repeats", type=int, default=7, help="of each timing")
    options = parser.parse_args()
    with fastnn.use(options.backend):
        if options.conversion:
            conversion(options.repeats)
        else:
            compare(options.seeds, options.epochs)


if __name__ == "__main__":
    main()
