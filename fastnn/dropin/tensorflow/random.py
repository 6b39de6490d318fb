"""``tf.random``: the seed of fastnn.dropin.keras' random stream, and arrays drawn from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ... import checks
from ..keras import randomness
from ..keras.subset import outside
from ..keras.tensor import Tensor, tensor
from .names import TENSORFLOW

__all__ = ["normal", "set_random_seed", "set_seed", "shuffle", "uniform"]

__getattr__ = outside(__name__, __all__, frozenset(TENSORFLOW["random"].split()))


def set_seed(seed: int) -> None:
    """Start the random stream of fastnn.dropin.keras anew; ``keras.utils.set_random_seed`` says what it draws.

    Its numbers are not TensorFlow's.
    """
    randomness.restart(checks.integer("seed", seed, low=0))


set_random_seed = set_seed


def normal(
    shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: DTypeLike = np.float32, seed: int | None = None
) -> Tensor:
    """Normal numbers, drawn from the stream or, with ``seed``, from one of their own."""
    return tensor(_stream(seed).normal(mean, stddev, tuple(np.asarray(shape).tolist())), dtype)


def uniform(
    shape: Sequence[int], minval: Any = 0, maxval: Any = None, dtype: DTypeLike = np.float32, seed: int | None = None
) -> Tensor:
    """Numbers from ``minval`` to below ``maxval``, by default 1; integers for an integer type."""
    dims = tuple(np.asarray(shape).tolist())
    if np.dtype(dtype).kind in "ui":
        return tensor(_stream(seed).integers(minval, maxval, dims), dtype)
    return tensor(_stream(seed).uniform(minval, 1.0 if maxval is None else maxval, dims), dtype)


def shuffle(value: ArrayLike, seed: int | None = None, name: str = "") -> Tensor:
    """The rows in another order."""
    return tensor(_stream(seed).permutation(np.asarray(value)))


def _stream(seed: int | None) -> np.random.Generator:
    return randomness.generator() if seed is None else np.random.default_rng(seed)
