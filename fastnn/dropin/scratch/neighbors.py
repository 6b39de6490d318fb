"""The k nearest neighbours as tutorials write them by hand in NumPy: the same signature and the same answers.

    from fastnn.dropin.scratch import knn, knn_batch, forget

The original computes np.sum((train_dataset - test_data) ** 2, axis=1) ** 0.5, takes the k least with np.argpartition
and returns the label that most of them have, of equal counts the lowest. Here equal distances go to the lowest index.

The training set is converted once and then known again, whoever passes it, by its numbers, every one of which is
compared at every call; so edits in place are seen. Milliseconds a call, for 20,000 images of 784 pixels, one core:

    array of uint8                          2    an array in memory order is compared at the speed of memory
    array of float64 or int64               9
    list of arrays of uint8, of float64     7, 16
    list of lists of whole numbers 0..255   11   objects are compared by identity, and by value only where that fails
    list of lists of other numbers          115  see _are_same_reals

The search itself comes on top. The first call with a set converts it, in up to 0.5 s for an array and about 1 s for
lists of lists, and makes its index. Labels are not kept: those of the neighbours found are read at each call.

One training set is kept, in the smallest of uint8, float32 and float64 that holds its numbers, and, for lists of
lists, references to their items (8 bytes a number). It is released with the array it came from (or the first of a list
of arrays), by a call with another, or by :func:`forget`; a list of lists cannot tell when it is dropped.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import dist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from ...errors import InvalidArgumentError, InvalidTypeError
from ...kernels.spec import IntArray
from ...neighbors import Neighbors, vote

__all__ = ["forget", "knn", "knn_batch"]

BLOCK = 1 << 17  # elements that are cast or compared at a time, in the cache

Check = Callable[[Any], bool]  # whether a training set has the numbers of the one that is kept


def knn(k: int, train_dataset: ArrayLike, train_labels: Sequence[int] | NDArray[Any], test_data: ArrayLike) -> int:
    """The label that most of the k training images nearest to ``test_data`` have; of equal counts the lowest.

    ``train_dataset`` (n, d) holds flattened images and ``test_data`` (d,) is one, of any numeric dtype, as arrays or
    lists; ``train_labels`` (n,) are whole numbers of at least 0, floats or not. Distances are Euclidean, in exact
    integer arithmetic where all values are whole numbers 0..255. Any number of threads may call it. Raises FastnnError
    for other shapes, k outside 1..n, NaN and infinity.
    """
    image = checks.numeric_array("test_data", test_data)
    if image.ndim == 2 and len(image) == 1:  # the original's subtraction takes it too
        image = image[0]
    if image.ndim != 1:
        raise InvalidArgumentError("test_data", "one flattened image (d,)", f"shape {image.shape}")
    return int(_classify(k, train_dataset, train_labels, "test_data", image[np.newaxis])[0])


def knn_batch(
    k: int, train_dataset: ArrayLike, train_labels: Sequence[int] | NDArray[Any], test_images: ArrayLike
) -> IntArray:
    """What :func:`knn` returns for each of ``test_images`` (q, d), as an array (q,)."""
    images = checks.numeric_array("test_images", test_images)
    if images.ndim != 2:
        raise InvalidArgumentError("test_images", "flattened images (q, d)", f"shape {images.shape}")
    return _classify(k, train_dataset, train_labels, "test_images", images)


def forget() -> None:
    """Release the training set that is kept."""
    global _kept
    _kept = None


def _classify(k: int, train_dataset: ArrayLike, train_labels: Any, argument: str, images: NDArray[Any]) -> IntArray:
    k = checks.integer("k", k, low=1)
    known = _training_set(train_dataset)
    n, d = known.rows.shape
    checks.counts("k", k, n)
    if images.shape[1] != d:
        raise InvalidArgumentError(argument, f"{d} numbers an image, as in train_dataset", images.shape[1])
    labels = train_labels if isinstance(train_labels, list | tuple) else np.asarray(train_labels)
    shape = labels.shape if isinstance(labels, np.ndarray) else (len(labels),)
    if len(shape) != 1 or shape[0] < n:  # of more, the original does not look at the rest either
        raise InvalidArgumentError("train_labels", f"shape ({n},), one label per image", f"shape {shape}")
    if len(images) == 0:
        return np.empty(0, np.int64)
    queries = _smallest(argument, images)
    dtype = np.promote_types(known.rows.dtype, queries.dtype)
    _, indices = known.index(dtype).search(queries.astype(dtype, copy=False), k)
    return vote(_labels_at(labels, indices), np.ones(indices.shape))


def _labels_at(labels: Sequence[Any] | NDArray[Any], indices: IntArray) -> IntArray:
    """The labels of the neighbours (q, k); of a list no more are read than these."""
    if isinstance(labels, np.ndarray) or indices.size >= len(labels):
        chosen = checks.numeric_array("train_labels", labels)[indices]
    else:
        chosen = checks.numeric_array("train_labels", [labels[i] for i in indices.ravel().tolist()])
        chosen = chosen.reshape(*indices.shape, *chosen.shape[1:])
    chosen = whole_labels(chosen)
    if chosen.dtype.kind not in "bui" or chosen.ndim != 2:
        found = f"{chosen.dtype} of shape {chosen.shape[2:]}" if chosen.ndim != 2 else f"dtype {chosen.dtype}"
        raise InvalidTypeError("train_labels", "whole numbers", found)
    chosen = chosen.astype(np.int64)
    if chosen.min() < 0:
        raise InvalidArgumentError("train_labels", "whole numbers of at least 0", chosen.min())
    return chosen


def whole_labels(labels: NDArray[Any]) -> NDArray[Any]:
    """Floats that are all whole numbers, as ``np.loadtxt`` reads labels, as int64; other arrays as they are."""
    if labels.dtype.kind != "f":
        return labels
    with np.errstate(invalid="ignore"):  # what int64 does not hold becomes another number
        integers = labels.astype(np.int64)
    return integers if (integers == labels).all() else labels


# The training set that is kept


class _TrainingSet:
    """The numbers of a training set, in a copy of the smallest dtype, and their indexes."""

    def __init__(self, rows: NDArray[Any], check: Check | None, owner: weakref.ref[Any] | None) -> None:
        self.rows, self.check, self.owner = rows, check, owner
        self._indexes: dict[np.dtype[Any], Neighbors] = {}  # by the dtype that rows and queries are searched in

    def holds(self, dataset: object) -> bool:
        try:
            return self.check is not None and self.check(dataset)
        except (TypeError, ValueError, OverflowError):  # of numbers that are none any more
            return False

    def index(self, dtype: np.dtype[Any]) -> Neighbors:
        if dtype not in self._indexes:  # two threads may both build it: the same
            self._indexes[dtype] = Neighbors().fit(self.rows.astype(dtype, copy=False))
        return self._indexes[dtype]


# No lock guards it, as one that is held when the process forks is never released: it is read once a call, a set in it
# never changes, and the worst of a race is that a set is converted twice.
_kept: _TrainingSet | None = None


def _training_set(dataset: Any) -> _TrainingSet:
    global _kept
    known = _kept
    if known is not None and known.holds(dataset):
        return known
    _kept = known = None  # not two at a time
    array = checks.pixels("train_dataset", dataset)
    rows = _smallest("train_dataset", array)
    known = _TrainingSet(rows, _check_of(dataset, array.dtype, rows), _reference(dataset))
    _kept = known if known.check is not None else None
    return known


def _reference(dataset: Any) -> weakref.ref[Any] | None:
    """A weak reference to what a training set's numbers belong to, which releases the copy in the end."""
    owner = dataset[0] if isinstance(dataset, list | tuple) else dataset
    while isinstance(owner, np.ndarray) and isinstance(owner.base, np.ndarray):
        owner = owner.base  # a view may be made anew for every call
    try:
        return weakref.ref(owner, _release)
    except TypeError:  # a list has none
        return None


def _release(dead: weakref.ref[Any]) -> None:
    global _kept
    known = _kept
    if known is not None and known.owner is dead:
        _kept = None


def _smallest(argument: str, array: NDArray[Any]) -> NDArray[Any]:
    """A copy (n, d) in the smallest of uint8, float32 and float64 that holds all its numbers, or points() raises."""
    if array.ndim == 2:
        for dtype in (np.uint8, np.float32) if array.dtype.kind == "f" else (np.uint8,):
            rows = _cast_exactly(array, np.dtype(dtype))
            if rows is not None:
                return checks.points(argument, rows)
    rows = checks.points(argument, array)
    return rows.copy() if np.may_share_memory(rows, array) else rows


def _cast_exactly(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    rows = np.empty(array.shape, dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        for here in _blocks(*array.shape):
            rows[here] = array[here]
            if not (rows[here] == array[here]).all():
                return None
    return rows


def _blocks(n: int, d: int) -> Iterator[slice]:
    step = max(1, BLOCK // max(1, d))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


# How a training set is known again


def _check_of(dataset: Any, dtype: np.dtype[Any], rows: NDArray[Any]) -> Check | None:
    """The fastest check that sees every edit; None: for such a mixture no check is faster than converting it."""
    if not isinstance(dataset, list | tuple):
        return partial(_is_same_array, dtype, rows)
    kinds = set(map(type, dataset))
    if all(issubclass(kind, np.ndarray) for kind in kinds):
        return partial(_are_same_arrays, dtype, rows)
    if type(dataset) not in (list, tuple) or not kinds <= {list, tuple}:
        return None
    kinds = set()
    for row in dataset:
        kinds.update(map(type, row))
    if not all(kind in (int, float, bool) or issubclass(kind, np.generic) for kind in kinds):
        return None  # an array () changes in place
    if rows.dtype == np.uint8:
        known_as = None if kinds == {int} else id(dataset)
        return partial(_are_same_items, type(dataset)(row[:] for row in dataset), known_as)
    return partial(_are_same_reals, [tuple(row) for row in dataset])


def _is_same_array(dtype: np.dtype[Any], rows: NDArray[Any], dataset: Any) -> bool:
    """Compare element by element, in the array's own dtype, which holds what ``rows`` were made from exactly."""
    if isinstance(dataset, list | tuple):
        return False
    array = np.asarray(dataset)
    if array.shape != rows.shape or array.dtype != dtype:
        return False
    return all(_equal(array[here], rows[here]) for here in _blocks(*rows.shape))


def _are_same_arrays(dtype: np.dtype[Any], rows: NDArray[Any], dataset: Any) -> bool:
    """The same for a list of arrays (d,), joined block by block."""
    n, d = rows.shape
    if not isinstance(dataset, list | tuple) or len(dataset) != n or set(map(len, dataset)) != {d}:
        return False
    for here in _blocks(n, d):
        block = np.concatenate(dataset[here])
        if block.ndim != 1 or block.dtype != dtype or not _equal(block, rows[here].reshape(-1)):
            return False
    return True


def _equal(block: NDArray[Any], rows: NDArray[Any]) -> bool:
    return bool((block == rows.astype(block.dtype, copy=False)).all())


def _are_same_items(items: Any, known_as: int | None, dataset: Any) -> bool:
    """Compare lists of lists of whole numbers 0..255 with copies of the lists, which refer to the same items.

    Python compares lists by their items' identities first, and what is identical cannot have changed, as numbers are
    immutable and those of ``items`` are kept alive. Where == is asked instead, it is exact for such numbers, but takes
    60 times as long; so but for ints, of which Python has one of each, another list is not even compared.
    """
    return type(dataset) is type(items) and known_as in (None, id(dataset)) and bool(items == dataset)


def _are_same_reals(items: list[tuple[Any, ...]], dataset: Any) -> bool:
    """Compare lists of lists of any numbers with tuples of the same items.

    Here == will not do: 0.1 == np.float32(0.1) is true, as NumPy rounds both to float32. The Euclidean distance of two
    rows of numbers, as float64, is 0 only if all are equal.
    """
    if not isinstance(dataset, list | tuple) or len(dataset) != len(items):
        return False
    return not any(map(dist, items, dataset))
