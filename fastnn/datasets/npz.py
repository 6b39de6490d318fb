"""Keras' mnist.npz: a zip file of four NumPy arrays, x_train, y_train, x_test and y_test."""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from .checks import check_labels
from .pickled_objects import read_object_array
from .stream import MAX_DEFLATE_RATIO, ByteStream, StrPath


class Header(NamedTuple):
    """What an .npy file says of its array."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]


Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]

LOCAL_HEADER, END_RECORD, END_RECORD_BYTES = b"PK\x03\x04", b"PK\x05\x06", 22
NPY_MAGIC = b"\x93NUMPY"
MAX_NPY_HEADER = 10_000  # NumPy's own limit for a header that it is safe to parse

# What zipfile raises for damaged files besides BadZipFile: unknown flags, encryption, impossible offsets or names.
ZIP_FAULTS = (
    zipfile.BadZipFile,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    struct.error,
    IndexError,
    OverflowError,
    MemoryError,
)


def read_npz(path: StrPath) -> tuple[Split, Split]:
    """Read x_train, y_train, x_test and y_test from an .npz file; other members are not looked at.

    Returns (x_train, y_train), (x_test, y_test): uint8 images (n, ...) of the file's shape and uint8 labels (n,),
    C-contiguous. Raises FileFormatError for anything else; inside a member, its path is path/member and its offset
    counts the member's own decompressed bytes.
    """
    with _opened(path) as archive:
        return _read_split(archive, path, "train"), _read_split(archive, path, "test")


def read_npz_arrays(path: StrPath, names: Sequence[str]) -> list[NDArray[Any]]:
    """Read members of an .npz file by name, without ".npy": integers or floats of any shape but (), or object arrays.

    An object array (n,) has lists of integers; these are pickled in the file and read without executing that. Raises
    FileFormatError, as :func:`read_npz` does, for anything else.
    """
    with _opened(path) as archive:
        return [_read_any_member(archive, path, f"{name}.npy") for name in names]


@contextmanager
def _opened(path: StrPath) -> Iterator[zipfile.ZipFile]:
    """The zip file; whatever goes wrong with it inside the ``with`` block leaves it as a FileFormatError."""
    _check_ends(path)
    try:
        with zipfile.ZipFile(path) as archive:
            start = min((info.header_offset for info in archive.infolist()), default=0)
            if start != 0:
                raise FileFormatError(path, 0, "a zip file from its first byte on", f"its start at {start}")
            yield archive
    except FileFormatError:
        raise
    except ZIP_FAULTS as error:
        raise FileFormatError(path, 0, "an undamaged zip file", f"{type(error).__name__}: {error}") from error


def _check_ends(path: StrPath) -> None:
    """zipfile looks for a zip anywhere in a file; what is after it, say, would go unnoticed."""
    with ByteStream.open(path) as stream:
        start = stream.read(len(LOCAL_HEADER))
        if start != LOCAL_HEADER:
            raise stream.fault("an .npz (zip) file", bytes(start), 0)
        end_offset = max(0, os.path.getsize(path) - END_RECORD_BYTES)
        with open(path, "rb") as file:
            file.seek(end_offset)
            if not file.read().startswith(END_RECORD):
                raise stream.fault("a zip end record in the last 22 bytes", "none", end_offset)


def _read_split(archive: zipfile.ZipFile, path: StrPath, name: str) -> Split:
    images, labels = _read_member(archive, path, f"x_{name}.npy"), _read_member(archive, path, f"y_{name}.npy")
    images_path, labels_path = os.path.join(path, f"x_{name}.npy"), os.path.join(path, f"y_{name}.npy")
    if images.dtype != np.uint8:
        raise FileFormatError(images_path, 0, "pixels of dtype uint8", images.dtype)
    check_labels(labels_path, 0, labels, len(images))
    return np.ascontiguousarray(images), np.ascontiguousarray(labels, np.uint8)


def _read_member(archive: zipfile.ZipFile, path: StrPath, name: str) -> NDArray[Any]:
    """Read one .npy member of integers; its sizes are checked before anything of them is allocated."""
    with _open_member(archive, path, name) as stream:
        header = _read_npy_header(stream)
        if header.dtype.kind not in "ui" or not 1 <= len(header.shape) <= 3 or min(header.shape) < 1:
            found = f"{header.dtype} of shape {header.shape}"
            raise stream.fault("integers in 1 to 3 dimensions, none of them empty", found, 0)
        return _read_numbers(stream, header)


def _read_any_member(archive: zipfile.ZipFile, path: StrPath, name: str) -> NDArray[Any]:
    """The same of a member of numbers or of lists of integers."""
    with _open_member(archive, path, name) as stream:
        header = _read_npy_header(stream)
        if header.dtype.kind == "O" and len(header.shape) == 1:
            lists = read_object_array(stream)
            if lists.shape != header.shape:
                raise stream.fault(f"{header.shape[0]} lists", len(lists), 0)
            return lists
        if header.dtype.kind not in "uif" or min(header.shape, default=0) < 1:
            found = f"{header.dtype} of shape {header.shape}"
            raise stream.fault("numbers or lists, and dimensions of which none is empty", found, 0)
        return _read_numbers(stream, header)


def _open_member(archive: zipfile.ZipFile, path: StrPath, name: str) -> ByteStream:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise FileFormatError(path, 0, f"a member {name}", f"{len(archive.namelist())} others") from None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # zipfile can bound the memory of these two only.
        raise FileFormatError(path, info.header_offset, f"{name} stored or deflated", f"method {info.compress_type}")
    most_bytes = min(info.file_size, MAX_DEFLATE_RATIO * info.compress_size)
    return ByteStream(cast(io.BufferedIOBase, archive.open(info)), os.path.join(path, name), most_bytes)


def _read_numbers(stream: ByteStream, header: Header) -> NDArray[Any]:
    shape, fortran_order, dtype = header
    data = stream.read_exactly(math.prod(shape) * dtype.itemsize, f"{dtype} elements of shape {shape}")
    stream.expect_end()
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")


def _read_npy_header(stream: ByteStream) -> Header:
    magic = bytes(stream.read_exactly(8, "NPY magic and version"))
    if not magic.startswith(NPY_MAGIC) or magic[6:] not in (b"\1\0", b"\2\0"):
        raise stream.fault("an NPY file of version 1.0 or 2.0", magic, 0)
    length_bytes = stream.read_exactly(2 if magic[6] == 1 else 4, "NPY header length")
    length = int.from_bytes(length_bytes, "little")
    if length > MAX_NPY_HEADER:
        raise stream.fault(f"an NPY header of at most {MAX_NPY_HEADER} bytes", length, 8)
    start = stream.offset
    header = io.BytesIO(length_bytes + stream.read_exactly(length, "NPY header"))
    parse = np.lib.format.read_array_header_1_0 if magic[6] == 1 else np.lib.format.read_array_header_2_0
    try:
        return Header(*parse(header, max_header_size=MAX_NPY_HEADER))
    except Exception as error:  # a Python literal of unknown contents: NumPy's parser may raise nearly anything
        raise stream.fault("an NPY header", f"{type(error).__name__}: {error}"[:200], start) from error
