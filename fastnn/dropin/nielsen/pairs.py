"""The book's training data, lists of (x, y) columns, as the rows that kernels take."""

from __future__ import annotations

import contextlib
import ctypes
import random
from collections.abc import Callable, Iterable, Sequence, Sized
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import checks
from ...errors import InvalidArgumentError, InvalidTypeError
from ...kernels import get_backend
from ...kernels.spec import Data

CHUNK = 64  # columns that change their type together: small enough for the cache

_shuffle = random.shuffle
_address = ctypes.addressof
_pointer = ctypes.c_char.from_buffer
_base, _dtype, _ndim, _shape = map(attrgetter, ("base", "dtype", "ndim", "shape"))


class Rows(NamedTuple):
    """Converted pairs: ``data`` has one row per pair, and pair k is its row ``places[k]``."""

    data: Data
    places: list[int]


def as_list(argument: str, pairs: Iterable[Any], *, copy: bool = False) -> list[Any]:
    """The caller's own list (or a ``copy``), or a list of what a zip or another iterator yields: at least one pair."""
    if isinstance(pairs, list):
        return pairs[:] if copy else pairs
    try:
        found = list(pairs)
    except TypeError:
        raise InvalidTypeError(argument, "a list or an iterator of pairs (x, y)", type(pairs).__name__) from None
    if not found and not isinstance(pairs, Sized):
        raise InvalidArgumentError(argument, "at least one pair (x, y)", "none (an iterator can be read only once)")
    return found


def vector_rows(argument: str, pairs: Sequence[Any], inputs: int, outputs: int, dtype: np.dtype[Any]) -> Rows:
    """Pairs of an input column (inputs, 1) and a target column (outputs, 1)."""
    if len(pairs) == 1 and (row := _single_row(pairs[0], inputs, outputs, dtype)):
        return row
    pack_pairs = get_backend().capabilities.pack_pairs
    packed = pack_pairs(pairs, inputs, outputs) if pack_pairs and type(pairs) is list else None
    if packed is not None:
        X, scale, y, places = packed
        return Rows(Data(X, scale, y.astype(dtype, copy=False)), places.tolist())
    xs, ys, order = _unzip(argument, pairs)
    X, scale, rows = _inputs(argument, pairs, xs, inputs, dtype)
    y = _gather(argument, "y", pairs, ys, outputs).astype(dtype, copy=False)
    return _rows(X, scale, rows, y, order)


def _single_row(pair: Any, inputs: int, outputs: int, dtype: np.dtype[Any]) -> Rows | None:
    """One pair of plain arrays, which takes no longer than the update by it; None for all else."""
    if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not np.ndarray or type(pair[1]) is not np.ndarray:
        return None
    x, y = pair
    if x.shape != (inputs, 1) or y.shape != (outputs, 1) or x.dtype.kind not in "buif" or y.dtype.kind not in "buif":
        return None
    X = checks.for_kernels(x.T, x.dtype if x.dtype == np.uint8 else dtype)
    return Rows(Data(X, 1.0, checks.for_kernels(y.T, dtype)), [0])


def label_rows(argument: str, pairs: Sequence[Any], inputs: int, dtype: np.dtype[Any]) -> Rows:
    """Pairs of an input column (inputs, 1) and a label, a number."""
    xs, labels, order = _unzip(argument, pairs)
    X, scale, rows = _inputs(argument, pairs, xs, inputs, dtype)
    if any(map(np.ndim, labels)):
        k, label = next((k, label) for k, (_, label) in enumerate(pairs) if np.ndim(label))
        raise InvalidArgumentError(f"{argument}[{k}]", "a number as its label", f"shape {np.shape(label)}")
    return _rows(X, scale, rows, _numeric(argument, "label", np.asarray(labels)), order)


def shuffle(pairs: list[Any], places: list[int]) -> None:
    """What random.shuffle(pairs) does to list and global generator; ``places`` sees the same exchanges.

    random.shuffle itself, at 0.3 microseconds an item, would take a third of a fast epoch. Its draws are written out
    here: an i that needs b bits takes b random bits until they are at most i.
    """
    if random.shuffle is _shuffle and _draws_as_expected():
        _exchange(random.getrandbits, pairs, places)
        return
    before, rows, order = pairs[:], places[:], list(range(len(pairs)))
    random.shuffle(order)
    pairs[:], places[:] = [before[k] for k in order], [rows[k] for k in order]


def blame_nonfinite(argument: str, pairs: Sequence[Any]) -> None:
    """Raise for the first pair that holds NaN or infinity."""
    for k, (x, y) in enumerate(pairs):
        for part, values in (("x", x), ("y", y)):
            if not np.isfinite(values).all():
                raise InvalidArgumentError(f"{argument}[{k}]", f"finite numbers in {part}", "NaN or infinity")


def _exchange(draw: Callable[[int], int], first: list[Any], second: list[Any]) -> None:
    top = len(first) - 1
    while top > 0:
        bits = (top + 1).bit_length()
        below = (1 << bits - 1) - 2  # i + 1 has as many bits from i = top down to below + 1
        for i in range(top, below, -1):
            j = draw(bits)
            while j > i:
                j = draw(bits)
            first[i], first[j] = first[j], first[i]
            second[i], second[j] = second[j], second[i]
        top = below


@cache
def _draws_as_expected() -> bool:
    """Whether this Python's random.shuffle does what ``_exchange`` does."""
    theirs, ours = random.Random(0), random.Random(0)
    expected, found = list(range(300)), list(range(300))
    theirs.shuffle(expected)
    _exchange(ours.getrandbits, found, list(range(300)))
    return found == expected and ours.getstate() == theirs.getstate()


def _unzip(argument: str, pairs: Sequence[Any]) -> tuple[list[Any], list[Any], NDArray[np.intp] | None]:
    """All x, all y, and the order they are in (None: the list's).

    That is the order of the pairs' addresses, mostly that in which they and their arrays were made: a list that an
    earlier training has shuffled would otherwise take several times as long to read, as each step misses the cache.
    """
    if not pairs:
        raise InvalidArgumentError(argument, "at least one pair (x, y)", "none")
    addresses = np.fromiter(map(id, pairs), np.uintp, len(pairs))
    order = None if (addresses[1:] >= addresses[:-1]).all() else np.argsort(addresses, kind="stable")
    chosen = pairs if order is None else [pairs[k] for k in order.tolist()]
    try:
        return [x for x, _ in chosen], [y for _, y in chosen], order
    except (TypeError, ValueError):
        for k, pair in enumerate(pairs):
            if not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:
                found = f"{len(pair)} items" if isinstance(pair, Sequence | np.ndarray) else type(pair).__name__
                raise InvalidTypeError(f"{argument}[{k}]", "a pair (x, y)", found) from None
        raise


def _rows(
    X: NDArray[Any], scale: float, rows: NDArray[np.intp] | None, y: NDArray[Any], order: NDArray[np.intp] | None
) -> Rows:
    """Put y beside X, whose row of the i-th x is rows[i], and find the rows of the caller's list."""
    if rows is not None:
        beside = np.empty_like(y)
        beside[rows] = y
        y = beside
    if order is None:
        places = np.arange(len(y)) if rows is None else rows
    else:
        places = np.empty(len(y), np.intp)
        places[order] = np.arange(len(y)) if rows is None else rows
    return Rows(Data(X, scale, y), places.tolist())


def _inputs(
    argument: str, pairs: Sequence[Any], columns: list[Any], height: int, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], float, NDArray[np.intp] | None]:
    """Rows (n, height) as kernels take them, their scale, and each column's row (None: in order)."""
    pixels = _pixels(columns, height)
    if pixels is not None:
        return pixels, 1 / 256, None
    X, rows = _shared_rows(columns, height)
    if X is None:
        X = _gather(argument, "x", pairs, columns, height)
    if X.dtype == np.uint8:
        return X, 1.0, rows  # used as given, not scaled
    return checks.for_kernels(X, dtype), 1.0, rows


def _gather(argument: str, part: str, pairs: Sequence[Any], columns: list[Any], height: int) -> NDArray[Any]:
    """The columns as rows (n, height) of a new array."""
    # Lengths, and that concatenate gives (m, 1), tell as much as shapes in a quarter of the time.
    joined = None
    if all(issubclass(kind, np.ndarray) for kind in set(map(type, columns))) and set(
        map(attrgetter("ndim"), columns)
    ) == {2}:
        with contextlib.suppress(TypeError, ValueError):
            joined = np.concatenate(columns)
    if joined is None or joined.shape[1] != 1 or set(map(len, columns)) != {height}:
        _blame_column(argument, part, pairs, (height, 1))
        raise InvalidTypeError(argument, f"real numbers in every {part}", "types without a common one")
    return _numeric(argument, part, joined).reshape(len(columns), height)


def _blame_column(argument: str, part: str, pairs: Sequence[Any], shape: tuple[int, int]) -> None:
    for k, pair in enumerate(pairs):
        column = pair[0 if part == "x" else 1]
        if not isinstance(column, np.ndarray):
            raise InvalidTypeError(f"{argument}[{k}]", f"{part} an array of shape {shape}", type(column).__name__)
        if column.shape != shape:
            raise InvalidArgumentError(f"{argument}[{k}]", f"{part} of shape {shape}", f"shape {column.shape}")


def _numeric(argument: str, part: str, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind not in "buif":
        raise InvalidTypeError(argument, f"real numbers in every {part}", f"dtype {values.dtype}")
    return values


def _shared_rows(columns: list[NDArray[Any]], height: int) -> tuple[NDArray[Any] | None, NDArray[np.intp] | None]:
    """Where the columns are the rows of one array in any order, those rows, uncopied, and each column's row."""
    base = getattr(columns[0], "base", None)
    if not isinstance(base, np.ndarray) or not base.flags.c_contiguous or base.dtype.kind not in "buif":
        return None, None
    if set(map(type, columns)) != {np.ndarray} or set(map(id, map(_base, columns))) != {id(base)}:
        return None, None
    if set(map(_dtype, columns)) != {base.dtype} or set(map(_shape, columns)) != {(height, 1)}:
        return None, None
    # a quarter of the time of __array_interface__; refuses read-only and strided columns. (NumPy's stubs know no map.)
    try:
        addresses = np.fromiter(map(_address, map(_pointer, columns)), np.uintp, len(columns))  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return None, None
    places, rest = np.divmod(addresses - addresses.min(), height * base.itemsize)
    start, odd = divmod(int(addresses.min()) - base.ctypes.data, base.itemsize)
    taken = np.zeros(len(columns), dtype=bool)
    if odd or rest.any() or places.max() >= len(columns):
        return None, None
    taken[places] = True
    if not taken.all():
        return None, None
    X = base.reshape(-1)[start : start + len(columns) * height].reshape(len(columns), height)
    in_order = bool((places[1:] > places[:-1]).all())
    return X, None if in_order else places.astype(np.intp)


def _pixels(columns: list[Any], height: int) -> NDArray[np.uint8] | None:
    """256 times float32 columns as rows of bytes, where that is exact, as for the book's data.

    An epoch over bytes is faster, and bytes are made in less time than float64.
    """
    if set(map(type, columns)) != {np.ndarray} or set(map(_dtype, columns)) != {np.dtype(np.float32)}:
        return None
    if set(map(_shape, columns)) != {(height, 1)}:
        return None
    pixels = np.empty((len(columns), height), np.uint8)
    for first in range(0, len(columns), CHUNK):
        rows = slice(first, first + CHUNK)
        part = np.concatenate(columns[rows]).reshape(-1, height)
        with np.errstate(invalid="ignore", over="ignore"):
            part *= np.float32(256)
            np.copyto(pixels[rows], part, casting="unsafe")
        if not (pixels[rows] == part).all():
            return None
    return pixels
