"""Read pickled NumPy arrays as data: an interpreter of the few pickle opcodes they consist of, which executes nothing.

Python's own unpickler calls whatever a file names. This one knows five names, builds tuples, integers, byte strings,
dtypes and arrays, and refuses everything else.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pickle_reader import MAX_SHORT_LINE, PickleReader
from .stream import ByteStream

MAX_PROTOCOL = 5
MAX_OPCODES = 10_000  # six arrays take about 250


class Name(enum.Enum):
    """The callables and classes that a pickled array may name."""

    RECONSTRUCT = enum.auto()
    FROMBUFFER = enum.auto()
    NDARRAY = enum.auto()
    DTYPE = enum.auto()
    ENCODE = enum.auto()


NAMES = {
    (b"numpy.core.multiarray", b"_reconstruct"): Name.RECONSTRUCT,
    (b"numpy._core.multiarray", b"_reconstruct"): Name.RECONSTRUCT,
    (b"numpy.core.numeric", b"_frombuffer"): Name.FROMBUFFER,
    (b"numpy._core.numeric", b"_frombuffer"): Name.FROMBUFFER,
    (b"numpy", b"ndarray"): Name.NDARRAY,
    (b"numpy", b"dtype"): Name.DTYPE,
    (b"_codecs", b"encode"): Name.ENCODE,
}
TYPE_CODES = (b"f4", b"f8", b"i1", b"i2", b"i4", b"i8", b"u1", b"u2", b"u4", b"u8")


@dataclass
class PickledDtype:
    dtype: np.dtype[Any]


@dataclass
class PickledArray:
    """An array and the offset of the opcode that made it; values is None until its BUILD."""

    offset: int
    values: NDArray[Any] | None = None


class PickleMachine:
    """Runs one pickle from a stream. Strings of every kind, bytes or latin-1 text, are bytearrays on its stack."""

    most_opcodes = MAX_OPCODES

    def __init__(self, stream: ByteStream) -> None:
        self._reader = PickleReader(stream)
        self._stack: list[object] = []
        self._marks: list[int] = []  # heights of the stack
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        """Run up to STOP, which must end the stream, and return what was pickled."""
        for _ in range(self.most_opcodes):
            name = self._reader.next_opcode()
            if name == "STOP":
                result = self._pop()
                self._reader.expect_end()
                return result
            self._step(name)
        raise self._reader.fault(f"at most {self.most_opcodes} opcodes", "more")

    def _step(self, name: str) -> None:
        match name:
            case "PROTO":
                if (protocol := self._reader.integer(1)) > MAX_PROTOCOL:
                    raise self._reader.fault(f"pickle protocol at most {MAX_PROTOCOL}", protocol)
            case "FRAME":
                self._reader.integer(8)  # only a hint for buffering
            case "MARK":
                self._marks.append(len(self._stack))
            case "NONE":
                self._push(None)
            case "NEWTRUE" | "NEWFALSE":
                self._push(name == "NEWTRUE")
            case "BININT":
                self._push(self._reader.integer(4, signed=True))
            case "BININT1":
                self._push(self._reader.integer(1))
            case "BININT2":
                self._push(self._reader.integer(2))
            case "LONG1":
                self._push(self._reader.integer(self._reader.integer(1), signed=True))
            case "INT" | "LONG":
                self._push(self._reader.decimal())
            case "STRING":
                self._push(self._reader.quoted_string())
            case "SHORT_BINSTRING" | "SHORT_BINBYTES":
                self._push(self._reader.bytes(self._reader.integer(1)))
            case "BINSTRING" | "BINBYTES":
                self._push(self._reader.bytes(self._reader.integer(4)))
            case "BYTEARRAY8":
                self._push(self._reader.bytes(self._reader.integer(8)))
            case "SHORT_BINUNICODE":
                self._push(self._reader.latin1(self._reader.integer(1)))
            case "BINUNICODE":
                self._push(self._reader.latin1(self._reader.integer(4)))
            case "EMPTY_TUPLE":
                self._push(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [self._pop() for _ in range(int(name[-1]))]
                self._push(tuple(reversed(items)))
            case "TUPLE":
                self._push(self._pop_to_mark())
            case "PUT":
                self._memo[self._reader.decimal()] = self._top()
            case "BINPUT":
                self._memo[self._reader.integer(1)] = self._top()
            case "LONG_BINPUT":
                self._memo[self._reader.integer(4)] = self._top()
            case "MEMOIZE":
                self._memo[len(self._memo)] = self._top()
            case "GET":
                self._push_memo(self._reader.decimal())
            case "BINGET":
                self._push_memo(self._reader.integer(1))
            case "LONG_BINGET":
                self._push_memo(self._reader.integer(4))
            case "GLOBAL":
                module = self._reader.line()
                self._push(self._find_name(module, self._reader.line()))
            case "STACK_GLOBAL":
                qualified_name, module_name = self._pop(), self._pop()
                self._push(self._find_name(module_name, qualified_name))
            case "REDUCE":
                arguments, function = self._pop(), self._pop()
                self._push(self._call(function, arguments))
            case "BUILD":
                state = self._pop()
                self._set_state(self._top(), state)
            case _:
                raise self._reader.fault("an opcode of pickled tuples and arrays", name)

    # What the names do.

    def _find_name(self, module: object, name: object) -> Name:
        if isinstance(module, bytes | bytearray) and isinstance(name, bytes | bytearray):
            module, name = bytes(module[:MAX_SHORT_LINE]), bytes(name[:MAX_SHORT_LINE])
            if found := NAMES.get((module, name)):
                return found
            raise self._reader.fault("a name that pickled arrays use", f"{(module + b'.' + name).decode('latin-1')!r}")
        raise self._reader.fault("a module and a name", f"{type(module).__name__} and {type(name).__name__}")

    def _call(self, function: object, arguments: object) -> object:
        match function, arguments:
            case Name.ENCODE, (bytearray() as text, bytearray(b"latin1")):
                return text
            case Name.DTYPE, (bytearray() as code, 0, 1) if bytes(code[:3]) in TYPE_CODES:
                return PickledDtype(np.dtype(code.decode()))
            case Name.RECONSTRUCT, (Name.NDARRAY, (0,), bytearray(b"b")):
                return PickledArray(self._reader.opcode_offset)
            case Name.FROMBUFFER, (
                bytearray() as data,
                PickledDtype(dtype),
                tuple() as shape,
                bytearray(b"C" | b"F") as order,
            ):
                return PickledArray(self._reader.opcode_offset, self._array(data, dtype, shape, order == b"F"))
        raise self._reader.fault("a call that makes an array", f"{_describe(function)} of {_describe(arguments)}")

    def _set_state(self, target: object, state: object) -> None:
        match target, state:
            case PickledDtype(dtype), (3, bytearray(b"<" | b">" | b"|") as order, None, None, None, -1, -1, 0) if (
                order != b"|" or dtype.itemsize == 1
            ):
                target.dtype = dtype.newbyteorder(">" if order == b">" else "<")
            case PickledArray(), (
                1,
                tuple() as shape,
                PickledDtype(dtype),
                0 | 1 as fortran_order,
                bytearray() as data,
            ):
                target.values = self._array(data, dtype, shape, fortran_order == 1)
            case _:
                found = f"{_describe(state)} for {_describe(target)}"
                raise self._reader.fault("the state of a dtype or an array", found)

    def _array(
        self, data: bytearray, dtype: np.dtype[Any], shape: tuple[object, ...], fortran_order: bool
    ) -> NDArray[Any]:
        sizes = [size for size in shape if isinstance(size, int) and size > 0]
        if len(sizes) != len(shape) or not 1 <= len(shape) <= 2:
            raise self._reader.fault("one or two sizes of at least 1", _describe(shape))
        if math.prod(sizes) * dtype.itemsize != len(data):
            raise self._reader.fault(f"{dtype} elements for shape {tuple(sizes)}", f"{len(data)} bytes")
        return np.frombuffer(data, dtype).reshape(sizes, order="F" if fortran_order else "C")

    # Stack and memo.

    def _push(self, item: object) -> None:
        self._stack.append(item)

    def _top(self) -> object:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise self._reader.fault("an item on the stack", "none")
        return self._stack[-1]

    def _pop(self) -> object:
        item = self._top()
        del self._stack[-1]
        return item

    def _pop_to_mark(self) -> tuple[object, ...]:
        if not self._marks:
            raise self._reader.fault("a MARK before TUPLE", "none")
        mark = self._marks.pop()
        items = tuple(self._stack[mark:])
        del self._stack[mark:]
        return items

    def _push_memo(self, key: int) -> None:
        if key not in self._memo:
            raise self._reader.fault("a memo key that was put before", key)
        self._push(self._memo[key])


def _describe(item: object) -> str:
    """Types only, one level deep: an item from a file may be huge, or nested without end."""
    if isinstance(item, Name):
        return item.name.lower()
    if isinstance(item, tuple):
        return f"({', '.join(type(part).__name__ for part in item[:10])})"
    return type(item).__name__
