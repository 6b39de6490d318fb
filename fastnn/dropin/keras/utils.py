"""One-hot targets, the random seed, pictures of models and the like, as ``keras.utils`` has them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from ...errors import InvalidArgumentError
from . import randomness
from .backend import clear_session as clear_session
from .backend import is_keras_tensor as is_keras_tensor
from .datasets.cache import cached
from .plotting import plot_model as plot_model
from .subset import outside, refuse

__all__ = [
    "clear_session",
    "get_file",
    "is_keras_tensor",
    "normalize",
    "plot",
    "plot_model",
    "set_random_seed",
    "to_categorical",
]

__getattr__ = outside(__name__, __all__)

plot = plot_model  # as Keras 1 calls it


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float64]:
    """One-hot rows (..., num_classes), float64, for integers (...) or (..., 1) from 0 to num_classes - 1.

    Without ``num_classes`` there is one class more than the largest integer. Raises FastnnError for others.
    """
    array = checks.numeric_array("x", x)
    if array.ndim > 1 and array.shape[-1] == 1:
        array = array[..., 0]
    labels = array.astype(np.int64)
    if num_classes is None:
        checks.nonempty("x", labels.size)
        classes = int(labels.max()) + 1
    else:
        classes = checks.integer("num_classes", num_classes, low=1)
    if (wrong := (labels != array) | (labels < 0) | (labels >= classes)).any():
        raise InvalidArgumentError("x", f"integers from 0 to {max(classes - 1, 0)}", array[wrong][0])
    return np.eye(classes)[labels]


def set_random_seed(seed: int) -> None:
    """Seed Python's ``random``, ``numpy.random`` and the stream of fastnn.dropin.keras, ``default_rng(seed)``.

    From that stream are drawn, in this order: when a model is built, which is as soon as its input shape is known, the
    weights of its Dense layers, first to last, uniform(-limit, limit, (inputs, units)) with
    limit = sqrt(6 / (inputs + units)); in every epoch of ``fit``, with ``shuffle``, the order of the samples,
    permutation(n); then, for every Dropout layer, first to last, random((n, width), float32), whose numbers below the
    rate drop that output of that sample (row i is for sample i). Epochs whose masks are beyond 256 MB are drawn in
    several parts, after the permutation, with row i for the part's i-th sample.
    """
    seed = checks.integer("seed", seed, low=0)
    if seed >= 2**32:
        raise InvalidArgumentError("seed", "an integer below 2^32", seed)
    random.seed(seed)
    np.random.seed(seed)
    randomness.restart(seed)


def normalize(x: ArrayLike, axis: int = -1, order: float = 2) -> NDArray[Any]:
    """The array divided by its norms of an order along an axis; what has the norm 0 stays."""
    array = checks.numeric_array("x", x)
    norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    norms[norms == 0] = 1
    quotients: NDArray[Any] = array / np.expand_dims(norms, axis)
    return quotients


def get_file(
    fname: str | None = None,
    origin: str = "",
    *,
    cache_subdir: str = "datasets",
    cache_dir: str | None = None,
    file_hash: str | None = None,
    md5_hash: str | None = None,
    **options: Any,
) -> str:
    """The path of a file that is in Keras' folder already; raises MissingFileError, which says what to put where.

    ``fname`` is by default what ``origin`` ends in. Nothing is downloaded, checked by its
    hash or unpacked.
    """
    refuse("get_file", options, extract=False, untar=False, archive_format="auto", hash_algorithm="auto")
    name = fname or origin.rpartition("/")[2]
    return cached(name, origin, cache_subdir, cache_dir=cache_dir)
