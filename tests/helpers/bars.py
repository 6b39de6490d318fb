"""A small set of MNIST's form with ten easy classes, for the tests of the command."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

TRAINING, TESTING = 600, 200


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten easy classes: class c is a bright bar across row 2c + 4, with some noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = rng.integers(0, 40, (count, 28, 28)).astype(np.uint8)
    images[np.arange(count), 2 * labels + 4, 4:24] = 255
    return images, labels


def write_bars(folder: Path) -> str:
    """MNIST's four IDX files of bars."""
    for name, count, seed in (("train", TRAINING, 0), ("t10k", TESTING, 1)):
        images, labels = bars(count, seed)
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return str(folder)
