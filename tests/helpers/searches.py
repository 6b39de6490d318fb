"""What native searches among many points find, as SHA-256, for one to four threads, without codes and with them.

A build's digests must depend on neither these nor the instruction set. Run as a program, this prints them as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np

import fastnn
from fastnn.kernels import native
from fastnn.kernels.spec import MANHATTAN, METRICS
from fastnn.neighbors import codes as pruning

THREADS = (1, 2, 3, 4)
SHAPES = {"wide": (1500, 130, 90), "narrow": (6000, 7, 300), "one query": (30_000, 40, 1)}  # n, d, q


def digests() -> dict[str, list[str]]:
    """Each search's digest for each number of threads, even on a machine with fewer cores."""
    os.sched_getaffinity = lambda _: set(range(max(THREADS)))  # type: ignore[assignment,misc]  # more cores
    found: dict[str, list[str]] = {}
    for shape, (n, d, q) in SHAPES.items():
        rng = np.random.default_rng(0)
        both = rng.normal(size=(n + q, 5)) @ rng.normal(size=(5, d)) + 0.1 * rng.normal(size=(n + q, d))
        for dtype in ("uint8", "float32", "float64"):
            points = (np.clip(both * 20 - 20, 0, 255) if dtype == "uint8" else both).astype(dtype)
            X, Q = points[:n], points[n:]
            for metric, name in enumerate(METRICS):
                built = None if metric == MANHATTAN else pruning.build(X, metric, always=True)
                for codes in (None, built and built.of(Q)):
                    for threads in THREADS:
                        values, indices = np.empty((q, 9)), np.empty((q, 9), np.int64)
                        with fastnn.use("native", num_threads=threads):
                            native.neighbors(metric, X, Q, codes, np.inf, values, indices)
                        digest = hashlib.sha256(values.tobytes() + indices.tobytes()).hexdigest()
                        found.setdefault(f"{shape} {dtype} {name}", []).append(digest)
    return found


if __name__ == "__main__":
    print(json.dumps({"simd": native.simd, "digests": digests()}, indent=1))
