"""MNIST as CSV: one image a line, its label and its pixels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import compress
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from .csv_header import (
    Columns,
    check_unnamed,
    decode,
    is_one_hot,
    picture_side,
    read_header,
    unnamed_columns,
)
from .stream import CHUNK_BYTES, ByteStream, StrPath

Pixels = NDArray[np.uint8]
Labels = NDArray[np.uint8]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
COMMA, NEWLINE, DIGIT_0, DIGIT_9 = b",\n09"
INTEGER = re.compile(rb"[0-9]{1,3}")
FIRST_LINE = "a label, a comma and pixels"
OTHER_SEPARATORS = {b";": "semicolons", b"\t": "tabs", b" ": "spaces"}


@overload
def read_csv(path: StrPath, *, labels: Literal[True] = True) -> tuple[Pixels, Labels]: ...
@overload
def read_csv(path: StrPath, *, labels: Literal[False]) -> Pixels: ...
def read_csv(path: StrPath, *, labels: bool = True) -> tuple[Pixels, Labels] | Pixels:
    """Read a CSV file (raw or gzip) of one image a line: integers 0..255, separated by commas.

    A header line says which column is the label (label, class, target, y or digit), or that there is one for each class
    (class_0, class_1, ..., one-hot), and which numbers the rows (index, id, "Unnamed: 0" or no name, dropped unread);
    the others are the pixels, in their order. Without a header the label is first, and a square number of columns from
    8 x 8 on, such as 784, is pixels without a label.

    Returns uint8 images (n, pixels) and uint8 labels (n,), both 0..255 and C-contiguous; with ``labels=False`` the
    images alone, of a file with labels or without. Raises FileFormatError, with a line number counted from 1, for a
    line that is not such integers, as many as in the first, for labels that are missing, and where names or columns
    leave open which is the label. One empty line at the end is no fault.
    """
    images, found = read_csv_rows(path)
    return (images, _required(path, images, found)) if labels else images


def read_digits(path: StrPath) -> tuple[Pixels, Labels]:
    """Like read_csv, for labels 0..9 alone."""
    images, found = read_csv_rows(path, largest_label=9)
    return images, _required(path, images, found)


def _required(path: StrPath, images: Pixels, labels: Labels | None) -> Labels:
    if labels is None:
        pixels = images.shape[1]
        side = picture_side(pixels)
        found = f"images of {side} x {side} = {pixels} pixels" if side else f"{pixels} columns of pixels"
        expected = "a column of labels"
        raise FileFormatError(path, 1, expected, f"{found} without labels", unit="line")
    return labels


def read_csv_rows(path: StrPath, largest_label: int = 255) -> tuple[Pixels, Labels | None]:
    """Like read_csv, with None for the labels of a file that has none."""
    with ByteStream.open(path) as stream:
        parse, line, columns = _parser(), 1, None
        parts = []
        for block in _blocks_of_lines(stream):
            if columns is None:
                columns, block = _read_columns(path, block)
                line += columns.named
            rows = parse(_without_indices(block, columns), columns.fields - len(columns.indices))
            if rows is None:
                rows = _parse_line_by_line(path, line, block, columns)
            parts.append(rows)
            line += len(rows)
        if columns is None:
            raise FileFormatError(path, 1, FIRST_LINE, "an empty file", unit="line")
        data = np.concatenate(parts)
        if not len(data):
            raise FileFormatError(path, line, "at least one image", "the end of the file", unit="line")
        if not columns.named:
            check_unnamed(path, data)
        if not columns.labels:
            return data, None
        is_label = np.isin(columns.kept, columns.labels)
        images = np.ascontiguousarray(np.delete(data, np.flatnonzero(is_label), axis=1))  # a lone label is sliced off
        labels = _labels(path, data[:, is_label], columns)
        if (outside := labels > largest_label).any():
            row = int(outside.argmax())
            expected = f"a label, an integer from 0 to {largest_label}"
            raise FileFormatError(path, row + 1 + columns.named, expected, labels[row], unit="line")
        return images, labels


def _labels(path: StrPath, found: Pixels, columns: Columns) -> Labels:
    """The labels (n,) in the fields of the labels (n, 1), or in those of the classes (n, classes)."""
    if not columns.classes:
        return found[:, 0].copy()
    if not (right := is_one_hot(found)).all():
        row = int(right.argmin())
        expected = f"a single 1 in the {len(columns.classes)} columns of one-hot labels"
        raise FileFormatError(path, row + 2, expected, str(found[row].tolist())[:60], unit="line")
    return np.array(columns.classes, np.uint8)[found.argmax(axis=1)]


def _read_columns(path: StrPath, block: bytes) -> tuple[Columns, bytes]:
    """What the first line says of the columns, and the lines of data in the block that it begins."""
    first, newline, rest = block.removeprefix(BYTE_ORDER_MARK).partition(b"\n")
    if b"," not in first:
        others = (f"{name} instead of commas" for mark, name in OTHER_SEPARATORS.items() if mark in first)
        found = next(others, "no comma")
        raise FileFormatError(path, 1, FIRST_LINE, found, unit="line")
    if columns := read_header(path, first):
        return columns, rest
    return unnamed_columns(first.count(b",") + 1), first + newline + rest


def _blocks_of_lines(stream: ByteStream) -> Iterator[bytes]:
    r"""Yield the file in blocks of whole lines that end in \n, for a file that may have \r\n, and none at its end.

    One empty line at the end is left out.
    """
    line, rest = 1, b""
    while data := stream.read(CHUNK_BYTES):
        lines, newline, rest = (rest + data).rpartition(b"\n")
        if len(rest) > CHUNK_BYTES:
            raise FileFormatError(stream.path, line, f"a line of at most {CHUNK_BYTES} bytes", "more", unit="line")
        if newline:
            block = lines + newline
            if b"\r" in block:
                block = block.replace(b"\r\n", b"\n")
            last = block.rfind(b"\n", 0, -1) + 1
            if block[last:].isspace():
                block, rest = block[:last], block[last:] + rest
            line += int(np.count_nonzero(np.frombuffer(block, np.uint8) == NEWLINE))
            if block:
                yield block
    if rest.strip() or b"\n" in rest[:-1]:
        yield rest.removesuffix(b"\r") + b"\n"


def _without_indices(block: bytes, columns: Columns) -> bytes:
    """The lines without the fields that are dropped unread; a line that has too few fields becomes an empty one."""
    if not columns.indices:
        return block
    *lines, end = block.split(b"\n")
    dropped, first, last = set(columns.indices), columns.indices[0], columns.indices[-1]
    keep = [field not in dropped for field in range(columns.fields)]
    if last < columns.fields - first:  # cut from the nearer end; what is beyond the last cut stays one part
        keep = keep[: last + 1] + [True] * (last + 1 < columns.fields)
        parts_of_lines = (line.split(b",", last + 1) for line in lines)
    else:
        keep = [True] + keep[first:]
        parts_of_lines = (line.rsplit(b",", columns.fields - first) for line in lines)
    kept = [b",".join(compress(parts, keep)) if len(parts) == len(keep) else b"" for parts in parts_of_lines]
    return b"\n".join([*kept, end])


def _parser() -> Callable[[bytes, int], NDArray[np.uint8] | None]:
    """The compiled _parse, if there is one."""
    try:
        from ..kernels.native import parse_fields
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


def _parse_line_by_line(path: StrPath, first_line: int, block: bytes, columns: Columns) -> NDArray[np.uint8]:
    """The slow twin of _parse, which names the line and the field that is at fault."""
    kept = columns.kept
    rows = []
    for number, line in enumerate(block.split(b"\n")[:-1], first_line):
        decode(path, number, line)
        fields = line.split(b",")
        if len(fields) != columns.fields:
            raise FileFormatError(path, number, f"{columns.fields} fields, as in line 1", len(fields), unit="line")
        for place in kept:
            field = fields[place]
            if not INTEGER.fullmatch(field) or int(field) > 255:
                what = "a label" if place in columns.labels else "a pixel"
                expected = f"{what}, an integer from 0 to 255, in field {place + 1}"
                raise FileFormatError(path, number, expected, repr(field[:20].decode(errors="replace")), unit="line")
        rows.append([int(fields[place]) for place in kept])
    return np.array(rows, np.uint8).reshape(-1, len(kept))
