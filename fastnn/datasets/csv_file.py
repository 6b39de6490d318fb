"""MNIST as CSV: one image a line, the label first, then its pixels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from fastnn.datasets.stream import CHUNK_BYTES, ByteStream, StrPath
from fastnn.errors import FileFormatError

COMMA, NEWLINE, DIGIT_0, DIGIT_9 = b",\n09"
INTEGER = re.compile(rb"[0-9]{1,3}")


def read_csv(path: StrPath) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a CSV file (raw or gzip) of lines "label,pixel,pixel,...", with a header line or without.

    Returns uint8 images (n, columns - 1), 0..255, and uint8 labels (n,), 0..9, both C-contiguous. Raises
    FileFormatError, with a line number counted from 1, for a line that is not such integers, as many as in the first.
    """
    with ByteStream.open(path) as stream:
        parse, line, columns = _parser(), 1, 0
        parts = []
        for block in _blocks_of_lines(stream):
            if line == 1:
                first, newline, rest = block.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
                columns = first.count(b",") + 1
                if _is_header(path, first):
                    line, block = 2, rest
                else:
                    block = first + newline + rest
            rows = parse(block, columns)
            if rows is None or rows[:, 0].max(initial=0) > 9:
                rows = _parse_line_by_line(path, line, block, columns)
            parts.append(rows)
            line += len(rows)
        if columns < 2:
            raise FileFormatError(path, 1, "a label, a comma and pixels", "no comma", unit="line")
        data = np.concatenate(parts)
        if not len(data):
            raise FileFormatError(path, line, "at least one image", "the end of the file", unit="line")
        return np.ascontiguousarray(data[:, 1:]), data[:, 0].copy()


def _blocks_of_lines(stream: ByteStream) -> Iterator[bytes]:
    r"""Yield the file in blocks of whole lines that end in \n, for a file that may have \r\n, and none at its end."""
    line, rest = 1, b""
    while data := stream.read(CHUNK_BYTES):
        lines, newline, rest = (rest + data).rpartition(b"\n")
        if len(rest) > CHUNK_BYTES:
            raise FileFormatError(stream.path, line, f"a line of at most {CHUNK_BYTES} bytes", "more", unit="line")
        if newline:
            block = lines + newline
            if b"\r" in block:
                block = block.replace(b"\r\n", b"\n")
            line += int(np.count_nonzero(np.frombuffer(block, np.uint8) == NEWLINE))
            yield block
    if rest:
        yield rest.removesuffix(b"\r") + b"\n"


def _is_header(path: StrPath, line: bytes) -> bool:
    """A header's first field is a name. ("nan" is not a name, but a damaged row, which must not be skipped.)"""
    name = _decode(path, 1, line.split(b",", 1)[0]).strip(' "').lower()
    return name[:1].isalpha() and name not in ("nan", "inf", "infinity")


def _parser() -> Callable[[bytes, int], NDArray[np.uint8] | None]:
    """The compiled _parse, if there is one."""
    try:
        from fastnn.kernels.native import parse_fields
    except ImportError:
        return _parse
    return parse_fields


def _parse(block: bytes, columns: int) -> NDArray[np.uint8] | None:
    """Parse whole lines at once into (rows, columns); None if any field is not one to three digits, at most 255."""
    text = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(text < DIGIT_0)  # commas and newlines, when all is well
    rows = block.count(b"\n")
    if len(ends) != rows * columns or text.max(initial=0) > DIGIT_9:
        return None
    separators = text[ends].reshape(rows, columns)
    if (separators[:, :-1] != COMMA).any() or (separators[:, -1] != NEWLINE).any():
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    if len(ends) and (lengths.min() < 1 or lengths.max() > 3):
        return None
    values = (text[ends - 1] - DIGIT_0).astype(np.uint16)
    for place, power in ((2, 10), (3, 100)):  # most pixels are 0: few fields have a second digit
        longer = np.flatnonzero(lengths >= place)
        values[longer] += (text[ends[longer] - place] - DIGIT_0) * np.uint16(power)
    if values.max(initial=0) > 255:
        return None
    return values.astype(np.uint8).reshape(rows, columns)


def _parse_line_by_line(path: StrPath, first_line: int, block: bytes, columns: int) -> NDArray[np.uint8]:
    """The slow twin of _parse, which names the line and the field that is at fault."""
    rows = []
    for number, line in enumerate(block.split(b"\n")[:-1], first_line):
        _decode(path, number, line)
        fields = line.split(b",")
        if len(fields) != columns:
            raise FileFormatError(path, number, f"{columns} fields, as in line 1", len(fields), unit="line")
        for column, field in enumerate(fields):
            what, largest = ("a label", 9) if column == 0 else ("a pixel", 255)
            if not INTEGER.fullmatch(field) or int(field) > largest:
                expected = f"{what}, an integer from 0 to {largest}, in field {column + 1}"
                raise FileFormatError(path, number, expected, repr(field[:20].decode()), unit="line")
        rows.append([int(field) for field in fields])
    return np.array(rows, np.uint8).reshape(-1, columns)


def _decode(path: StrPath, number: int, text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise FileFormatError(path, number, "UTF-8 text", f"byte 0x{text[error.start]:02x}", unit="line") from error
