"""What the comparison of nearest neighbours searches, and the answers, from float64 matrix products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from workloads import as_floats

import fastnn

Array = NDArray[Any]

TRUTH_BLOCK = 250  # queries
DIGITS_BLOCK = 10_000  # rows
NOISE = 8.0  # standard deviation of the grey levels of synthetic digits
SHIFT = 2  # pixels


class Points(NamedTuple):
    X: Array  # (n, d) to search among
    Q: Array  # (q, d)


def images() -> Points:
    (X, _), (X_test, _) = fastnn.datasets.load_mnist()
    return Points(X, X_test)


def gaussian() -> Points:
    """Standard normal numbers: no code shorter than the rows tells them apart."""
    rng = np.random.default_rng(0)
    return Points(rng.standard_normal((60_000, 784), np.float32), rng.standard_normal((10_000, 784), np.float32))


DATA: Mapping[str, Callable[[], Points]] = {
    "uint8": images,
    "float32": lambda: Points(*(as_floats(part, "float32") for part in images())),
    "gaussian": gaussian,
}


@cache
def load(kind: str) -> Points:
    return DATA[kind]()


def digits(source: Array, count: int, seed: int) -> Array:
    """(count, 784) images drawn from ``source``, each moved by up to two pixels either way, with noise."""
    rng = np.random.default_rng(seed)
    rows = np.empty((count, 784), np.uint8)
    for start in range(0, count, DIGITS_BLOCK):
        block = rows[start : start + DIGITS_BLOCK]
        drawn = source[rng.integers(len(source), size=len(block))].reshape(-1, 28, 28)
        down, right = rng.integers(-SHIFT, SHIFT + 1, size=(2, len(block), 1, 1))
        pixel = np.arange(28)
        moved = drawn[np.arange(len(block))[:, None, None], (pixel[:, None] - down) % 28, (pixel - right) % 28]
        noisy = moved.reshape(len(block), 784) + NOISE * rng.standard_normal((len(block), 784), np.float32)
        block[:] = np.clip(np.rint(noisy), 0, 255)
    return rows


# Rows, and after them queries, on which short codes rule out little, or that mislead the choice of the codes

ROWS, QUERIES = 60_000, 5_000
Maker = Callable[[np.random.Generator, str, int], Array]  # (rng, dtype, count) -> (count, 784)


def as_is(pixels: Array, dtype: str) -> Array:
    return pixels if dtype == "uint8" else as_floats(pixels, dtype)


def equal(rng: np.random.Generator, dtype: str, count: int) -> Array:
    return np.tile(as_is(images().X[:1], dtype), (count, 1))


def cluster(rng: np.random.Generator, dtype: str, count: int) -> Array:
    """One image and the least noise; float32 far from the origin too."""
    image = images().X[0]
    if dtype == "uint8":
        return np.minimum(image, 253) + rng.integers(3, size=(count, 784), dtype=np.uint8)
    return np.float32(1000) + image + np.float32(0.01) * rng.standard_normal((count, 784), np.float32)


def noise(rng: np.random.Generator, dtype: str, count: int) -> Array:
    return as_is(np.clip(np.rint(128 + 40 * rng.standard_normal((count, 784), np.float32)), 0, 255).astype("u1"), dtype)


def constant_columns(rng: np.random.Generator, dtype: str, count: int) -> Array:
    """Noise in every other column."""
    array = noise(rng, dtype, count)
    array[:, ::2] = 0
    return array


def far_queries(rng: np.random.Generator, dtype: str, count: int) -> Array:
    """MNIST, but queries of noise, from which all rows are about as far."""
    return np.concatenate([as_is(images().X[:ROWS], dtype), noise(rng, dtype, count - ROWS)])


def outlier(rng: np.random.Generator, dtype: str, count: int) -> Array:
    """MNIST and one row as far away as the dtype allows."""
    array = as_is(np.concatenate(images())[:count], dtype)
    array[0] = 255 if dtype == "uint8" else 1e6
    return array


DEGENERATE: Mapping[str, Maker] = {
    "all rows equal": equal,
    "one tight cluster": cluster,
    "Gaussian noise bytes": noise,
    "constant columns": constant_columns,
    "far queries": far_queries,
    "an outlier": outlier,
}


def degenerate(kind: str, dtype: str) -> Points:
    both = DEGENERATE[kind](np.random.default_rng(0), dtype, ROWS + QUERIES)
    return Points(both[:ROWS], both[ROWS:])


class Truth(NamedTuple):
    squares: NDArray[np.float64]  # (q, k) squared distances, ascending
    indices: NDArray[np.int64]  # (q, k), equal distances by ascending index
    largest: NDArray[np.float64]  # (q,) |q|^2 + max |x|^2, to which the rounding of |q|^2 + |x|^2 - 2 q.x is relative


def truth(points: Points, k: int) -> Truth:
    """Brute force. In float64 the sums are exact for uint8; for floats those near the k-th are summed directly."""
    X, whole = points.X.astype(np.float64), points.X.dtype == np.uint8
    norms = np.square(X).sum(axis=1)
    found = Truth(np.empty((len(points.Q), k)), np.empty((len(points.Q), k), np.int64), np.empty(len(points.Q)))
    for start in range(0, len(points.Q), TRUTH_BLOCK):
        Q = points.Q[start : start + TRUTH_BLOCK].astype(np.float64)
        own = np.square(Q).sum(axis=1)
        squares = own[:, None] + norms - 2 * (Q @ X.T)
        found.largest[start : start + len(Q)] = own + norms.max()
        farthest = np.partition(squares, k - 1, axis=1)[:, k - 1] + (0 if whole else 1e-9 * (own + norms.max()))
        for row, query in enumerate(Q):
            near = np.flatnonzero(squares[row] <= farthest[row])
            exact = squares[row, near] if whole else np.square(X[near] - query).sum(axis=1)
            order = np.lexsort((near, exact))[:k]
            found.squares[start + row], found.indices[start + row] = exact[order], near[order]
    return found
