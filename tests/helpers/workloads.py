"""What well-known programs' networks weigh after two epochs of some MNIST, as SHA-256, for one to four threads.

A build's digests must depend on neither the threads nor the instruction set, as long as that fuses multiply-add. Run
as a program, this prints them as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import numpy as np

import fastnn
from fastnn.kernels import native

ROWS = 2999  # so that last batches are smaller
THREADS = (1, 2, 3, 4)
SIGMOID = {"activation": "sigmoid", "loss": "quadratic"}
RELU: dict[str, Any] = {"activation": "relu", "output": "softmax"}
WORKLOADS: dict[str, tuple[list[int], dict[str, Any], dict[str, Any]]] = {
    "A float32": ([784, 30, 10], SIGMOID, {"batch_size": 10, "learning_rate": 3.0}),
    "A float64": ([784, 30, 10], {**SIGMOID, "dtype": "float64"}, {"batch_size": 10, "learning_rate": 3.0}),
    "A in 32s": (
        [784, 30, 10],
        SIGMOID,
        {"batch_size": 32, "learning_rate": 3.0},
    ),  # block-CSC by AVX2, else micro-batches
    "B float64": ([784, 88, 10], {**SIGMOID, "bias": False, "dtype": "float64"}, {"batch_size": 1}),
    "C float64": ([784, 64, 32, 10], {**SIGMOID, "dtype": "float64"}, {"batch_size": 30, "learning_rate": 3.0}),
    "narrow": ([100, 30, 10], RELU, {"batch_size": 129, "optimizer": "adam"}),  # the samples are split
    "D float32": ([784, 128, 10], RELU, {"batch_size": 32, "optimizer": "adam", "learning_rate": 0.001}),
}


def digests() -> dict[str, list[str]]:
    """Each workload's digest for each number of threads, even on a machine with fewer cores."""
    os.sched_getaffinity = lambda _: set(range(max(THREADS)))  # type: ignore[assignment,misc]  # more cores
    (X, y), _ = fastnn.datasets.load_mnist()
    X, y = X[:ROWS], y[:ROWS]
    dense = (X / 255 * 0.99 + 0.01).astype(np.float64)  # no zeros, as in B's program
    middle = np.ascontiguousarray(X.reshape(-1, 28, 28)[:, 9:19, 9:19].reshape(-1, 100))
    found: dict[str, list[str]] = {}
    for name, (sizes, shape, rule) in WORKLOADS.items():
        for threads in THREADS:
            model = fastnn.MLP(sizes, seed=1, **shape)
            with fastnn.use("native", num_threads=threads):
                rows = dense if name.startswith("B") else middle if name == "narrow" else X
                model.fit(rows, y, epochs=2, **rule)
            found.setdefault(name, []).append(hashlib.sha256(model.params.tobytes()).hexdigest())
    return found


if __name__ == "__main__":
    print(json.dumps({"simd": native.simd, "digests": digests()}, indent=1))
