"""What callers hand to ``fit`` and its kin, as Keras reads it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import checks
from ...errors import InvalidArgumentError, InvalidTypeError
from .layer import Shape

DEFAULT_BATCH = 32
NAMES = "x", "y", "sample_weight"  # as callers know the parts of Samples


class Samples(NamedTuple):
    """Arrays of as many rows."""

    x: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None  # of the samples

    def part(self, rows: slice) -> Samples:
        """Some of the rows."""
        return Samples(self.x[rows], self.y[rows], None if self.weights is None else self.weights[rows])

    def first_batches(self, steps: int | None, size: int) -> Samples:
        """The rows of so many batches, of all if None."""
        return self if steps is None else self.part(slice(steps * size))

    def weighted_by_class(self, class_weight: object) -> Samples:
        """The same with weights by class, if there are any."""
        if class_weight is None:
            return self
        if self.weights is not None:
            raise InvalidArgumentError("class_weight", "none beside sample_weight, as in Keras", "both")
        return self._replace(weights=class_weights(class_weight, self.y))


def array(argument: str, values: object) -> NDArray[Any]:
    """Numbers from whatever holds them: an array, a list, a DataFrame or Series, or a list of one of these alone."""
    if isinstance(values, list | tuple) and len(values) == 1 and np.ndim(values[0]) and hasattr(values[0], "shape"):
        values = values[0]
    if hasattr(values, "__array__"):
        values = checks.plain_array(argument, values)  # columns of pandas may hold their numbers as objects
    return checks.numeric_array(argument, values)


def samples(x: object, y: object, sample_weight: object, names: tuple[str, str, str] = NAMES) -> Samples:
    """Check that there is a target, and a weight if any, for every row."""
    x_array = array(names[0], x)
    if y is None:
        raise InvalidTypeError(names[1], "targets", "None")
    y_array = array(names[1], y)
    if x_array.ndim == 0:
        raise InvalidArgumentError(names[0], "one row per sample", "a single number")
    count = len(x_array)
    checks.nonempty(names[0], count)
    if y_array.ndim == 0 or len(y_array) != count:
        raise InvalidArgumentError(names[1], f"{count} rows, as many as {names[0]}", f"shape {y_array.shape}")
    weights = None
    if sample_weight is not None:
        weights = array(names[2], sample_weight)
        if weights.shape == (count, 1):
            weights = weights[:, 0]
        if weights.shape != (count,):
            raise InvalidArgumentError(names[2], f"shape ({count},), a weight per sample", f"shape {weights.shape}")
        checks.blame_nonfinite(names[2], weights)
    return Samples(x_array, y_array, weights)


def rows_of(argument: str, x: NDArray[Any], shape: Shape, dtype: np.dtype[Any]) -> checks.Inputs:
    """Rows (n, width) from inputs (n, *shape), give or take a last axis of 1, as in Keras; uint8 stands for 0..255."""
    if shape not in (x.shape[1:], (*x.shape[1:], 1)) and (*shape, 1) != x.shape[1:]:
        expected = ", ".join(map(str, shape))
        raise InvalidArgumentError(argument, f"shape (n, {expected})", f"shape {x.shape}")
    return checks.rows(argument, x.reshape(len(x), math.prod(shape)), math.prod(shape), dtype, 1.0)


def split(data: Samples, share: float) -> tuple[Samples, Samples]:
    """All but the last rows, and the last: ``share`` of them."""
    first = checks.rows_to_train("validation_split", len(data.x), share)
    return data.part(slice(first)), data.part(slice(first, None))


def validation_samples(pair: object) -> Samples:
    """The samples of (x, y) or (x, y, sample_weight)."""
    if not isinstance(pair, tuple | list) or len(pair) not in (2, 3):
        checks.unsupported("validation_data", "(x, y) or (x, y, sample_weight)", pair)
    x, y, *weights = pair
    names = "validation_data[0]", "validation_data[1]", "validation_data[2]"
    return samples(x, y, weights[0] if weights else None, names)


def class_weights(class_weight: object, y: NDArray[Any]) -> NDArray[np.float64]:
    """The weight of each sample's class, 1 where none is given."""
    if not isinstance(class_weight, dict):
        checks.unsupported("class_weight", "a dict of classes and their weights", class_weight)
    labels = y.reshape(len(y), -1)
    classes = np.round(labels[:, 0]) if labels.shape[1] == 1 else labels.argmax(axis=1)
    weights = np.ones(len(y))
    for label, weight in class_weight.items():
        if isinstance(label, float | np.floating) and float(label).is_integer():  # of labels that are floats
            label = int(label)
        label = checks.integer("class_weight's class", label, low=0)
        weights[classes == label] = checks.number(f"class_weight[{label}]", weight, low=-math.inf)
    return weights


def checked_batch_size(value: int | None, count: int, steps: int | None, argument: str = "batch_size") -> int:
    """So many rows; if None, as many as make ``steps`` batches of ``count`` rows, or else :data:`DEFAULT_BATCH`."""
    if value is not None:
        return checks.integer(argument, value, low=1)
    return DEFAULT_BATCH if steps is None else math.ceil(count / steps)


def checked_steps(argument: str, value: int | None) -> int | None:
    """A number of batches, or None."""
    return None if value is None else checks.integer(argument, value, low=1)


def epochs_due(validation_freq: object) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 0."""
    if isinstance(validation_freq, Sequence | range | set) and not isinstance(validation_freq, str):
        chosen = {checks.integer("validation_freq", epoch, low=1) for epoch in validation_freq}
        return lambda epoch: epoch + 1 in chosen
    every = checks.integer("validation_freq", validation_freq, low=1)
    return lambda epoch: (epoch + 1) % every == 0


def effective(options: dict[str, Any]) -> dict[str, Any]:
    """The options without those of threads and queues, which change no figure."""
    idle = {"workers", "use_multiprocessing", "max_queue_size"}
    return {name: value for name, value in options.items() if name not in idle}
