"""Pickles of more than plain arrays: object arrays of lists of integers, and dicts. Read, as all here, as data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pickle_machine import Name, PickledArray, PickledDtype, PickleMachine
from .stream import ByteStream, StrPath

MAX_INTEGERS = 1 << 24  # in lists; the reviews of imdb.npz have 6 million in either half


class ObjectMachine(PickleMachine):
    """A PickleMachine that also builds lists, dicts with strings for keys, and object arrays of lists of integers."""

    most_opcodes = 1 << 20

    def __init__(self, stream: ByteStream) -> None:
        super().__init__(stream)
        self._integers = 0

    def _step(self, name: str) -> None:
        match name:
            case "EMPTY_LIST":
                self._push([])
            case "EMPTY_DICT":
                self._push({})
            case "APPEND":
                self._extend((self._pop(),))
            case "APPENDS":
                self._extend(self._pop_to_mark())
            case "SETITEM":
                value, key = self._pop(), self._pop()
                self._set_items((key, value))
            case "SETITEMS":
                self._set_items(self._pop_to_mark())
            case "BININT" | "BININT1" | "BININT2":
                super()._step(name)
                self._push_integers()
            case _:
                super()._step(name)

    def _push_integers(self) -> None:
        """Take the integers that follow at once: lists of words are millions of them."""
        integers = self._reader.integers()
        self._integers += 1 + len(integers)
        if self._integers > MAX_INTEGERS:
            raise self._reader.fault(f"at most {MAX_INTEGERS} integers", "more")
        self._stack += integers

    def _extend(self, items: tuple[object, ...]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise self._reader.fault("a list to put items into", type(target).__name__)
        target += items

    def _set_items(self, items: tuple[object, ...]) -> None:
        target, keys = self._top(), items[::2]
        if not isinstance(target, dict) or len(items) % 2 or not all(isinstance(key, bytearray) for key in keys):
            raise self._reader.fault("a dict, and strings for keys", type(target).__name__)
        # mypy does not see that the keys have been looked at.
        target.update((bytes(key), value) for key, value in zip(keys, items[1::2], strict=True))  # type: ignore[call-overload]

    def _call(self, function: object, arguments: object) -> object:
        match function, arguments:
            case Name.DTYPE, (bytearray(b"O8"), 0, 1):
                return PickledDtype(np.dtype(object))
        return super()._call(function, arguments)

    def _set_state(self, target: object, state: object) -> None:
        match target, state:
            case PickledDtype(dtype), (3, bytearray(b"|"), None, None, None, -1, -1, 63) if dtype.kind == "O":
                return
            case PickledArray(), (1, shape, PickledDtype(dtype), 0 | 1, items) if dtype.kind == "O":
                target.values = self._lists(shape, items)
            case _:
                super()._set_state(target, state)

    def _lists(self, shape: object, items: object) -> NDArray[Any]:
        if not isinstance(items, list) or shape != (len(items),):
            raise self._reader.fault("an object array of one axis, and a list of as many items", "another state")
        array = np.empty(len(items), object)
        for i, item in enumerate(items):
            if not isinstance(item, list) or not set(map(type, item)) <= {int}:
                raise self._reader.fault("lists of integers in an object array", f"{type(item).__name__} at index {i}")
            array[i] = item
        return array


def read_object_array(stream: ByteStream) -> NDArray[Any]:
    """The object array (n,) of lists of integers that is pickled in the rest of a stream, as NumPy's files have it."""
    start = stream.offset
    pickled = ObjectMachine(stream).run()
    if not isinstance(pickled, PickledArray) or pickled.values is None:
        raise stream.fault("a pickled array", type(pickled).__name__, start)
    return pickled.values


def read_pickled_dict(path: StrPath) -> dict[bytes, Any]:
    """Read a pickle, raw or gzip, of a dict of arrays, lists, integers and strings, without executing it.

    The data batches of CIFAR are such files. Strings of every kind are bytearrays. Raises FileFormatError for
    anything else.
    """
    with ByteStream.open(path) as stream:
        pickled = ObjectMachine(stream).run()
        if not isinstance(pickled, dict):
            raise stream.fault("a pickled dict", type(pickled).__name__, 0)
        return {key: value.values if isinstance(value, PickledArray) else value for key, value in pickled.items()}
