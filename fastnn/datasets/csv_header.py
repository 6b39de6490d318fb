"""What each column of a CSV file holds: told by the header's names or, without any, by the number of columns."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from .stream import StrPath

# Names are compared by their letters and digits alone, in lower case.
LABEL_NAMES = frozenset(
    ("label", "labels", "class", "classes", "classlabel", "target", "targets", "y", "digit", "digits", "category")
)
INDEX_NAMES = frozenset(
    ("index", "idx", "id", "ids", "rowid", "rowindex", "rownames", "level0", "imageid", "imageindex")
)
PIXEL_NAMES = frozenset(("pixel", "pixels", "pix", "px", "p"))
PANDAS_INDEX = re.compile(r"unnamed: *0[.0-9]*")  # what pandas calls a first column that has no name
NUMBER = re.compile(r"[0-9]{1,9}")

SMALLEST_SIDE = 8  # A square number of columns below 8 x 8 is as likely a table as a picture.
MOST_CLASSES = 62  # EMNIST has the most classes of all sets of this form: digits, capital and small letters.
TELLING_ROWS = 10  # So many labels are hardly ever 0 throughout by chance.
TELLING_COLUMNS = 10  # A line of this many numbers 0, 1, 2, ... is hardly ever a row of data.


class Columns(NamedTuple):
    """What the fields of a line are, by their numbers from 0; those that are neither indices nor labels are pixels."""

    fields: int  # of a line
    named: bool  # by a header
    indices: tuple[int, ...] = ()  # the fields that number or name the rows; they are dropped unread
    labels: tuple[int, ...] = ()  # the field of the labels, or one for each class (one-hot)
    classes: tuple[int, ...] = ()  # the label that each one-hot field stands for

    @property
    def kept(self) -> list[int]:
        """The fields that are read, in order: the columns of what is read."""
        dropped = set(self.indices)
        return [field for field in range(self.fields) if field not in dropped]


def decode(path: StrPath, line: int, text: bytes) -> str:
    """Decode UTF-8 or raise FileFormatError."""
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise FileFormatError(path, line, "UTF-8 text", f"byte 0x{text[error.start]:02x}", unit="line") from error


def picture_side(pixels: int) -> int:
    """The side of a square picture of so many pixels, 0 where there is none of at least 8 x 8."""
    side = math.isqrt(max(pixels, 0))
    return side if side >= SMALLEST_SIDE and side * side == pixels else 0


# With a header


def read_header(path: StrPath, line: bytes) -> Columns | None:
    """What the names in a file's first line say of its columns; None where the line is a row of data.

    There may be a column of labels, or one for each class, and columns that number the rows, each at any place. The
    others are pixels: numbered alike and ascending (pixel0, pixel1; 1x1, 1x2; 0, 1) or, beside labels, of any names
    that are not numbered. Raises FileFormatError for names that leave open what a column is.
    """
    names = _names(path, line)
    if names is None:
        return None
    plain = ["".join(filter(str.isalnum, name.lower())) for name in names]
    labels = [i for i, name in enumerate(plain) if name in LABEL_NAMES]
    indices = {i for i, name in enumerate(names) if _is_index(i, name.lower(), plain[i])}
    if len(names) > 2 and labels and plain[labels[0]] == "y" and "x" in plain:  # places, most likely, and no label
        raise _fault(path, "a column named label, class, target or digit", names)
    if len(labels) > 1:
        raise _fault(path, "one column of labels", [names[i] for i in labels])

    kinds: dict[str, list[int]] = {}  # Columns are of one kind where their names differ in the numbers alone.
    for i in sorted({*range(len(names))} - {*labels, *indices}):
        kinds.setdefault(NUMBER.sub("0", names[i].lower()), []).append(i)
    classes: list[int] = []
    if not labels and (one_hot := _one_hot_kind(kinds)):
        labels = kinds.pop(one_hot)
        classes = [numbers[0] for numbers in _ascending(path, [names[i] for i in labels])]
        if classes[-1] > 255:
            raise _fault(path, "classes from 0 to 255", [names[labels[-1]]])
    _check_pixels(path, names, kinds, has_labels=bool(labels))
    return Columns(len(names), True, tuple(sorted(indices)), tuple(labels), tuple(classes))


def _names(path: StrPath, line: bytes) -> list[str] | None:
    """The names in the first line; None for numbers, unless they count the columns, as pandas does without names.

    A field such as "nan" is no name: the row that it is in is damaged, and must not be skipped.
    """
    if re.search(rb"[a-zA-Z\x80-\xff]", line):
        try:
            (fields,) = csv.reader([decode(path, 1, line)], skipinitialspace=True)
        except csv.Error as error:
            raise FileFormatError(path, 1, "names or numbers separated by commas", error, unit="line") from error
        names = [field.strip() for field in fields]
        return names if any(map(_is_name, names)) else None
    numbers = line.replace(b'"', b"").replace(b" ", b"").decode().split(",")
    counted = numbers[1:] if numbers[0] == "" else numbers
    if len(counted) < TELLING_COLUMNS or counted[0] not in ("0", "1"):
        return None
    return numbers if counted == [str(int(counted[0]) + i) for i in range(len(counted))] else None


def _is_name(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return any(map(str.isalpha, field))
    return False


def _is_index(column: int, name: str, plain: str) -> bool:
    """pandas and R write the numbers of the rows into a first column without a name."""
    return plain in INDEX_NAMES or bool(PANDAS_INDEX.fullmatch(name)) or (column == 0 and not name)


def _one_hot_kind(kinds: dict[str, list[int]]) -> str | None:
    """Which of two kinds of columns are one-hot labels: class_0, class_1, ..., or 0, 1, ... beside named pixels."""
    for kind, columns in kinds.items():
        if len(kinds) == 2 and len(columns) > 1 and kind.count("0") == 1:
            (other,) = kinds.keys() - {kind}
            if _letters(kind) in LABEL_NAMES or (kind == "0" and _letters(other)):
                return kind
    return None


def _check_pixels(path: StrPath, names: Sequence[str], kinds: dict[str, list[int]], *, has_labels: bool) -> None:
    """Raise unless the columns that are left, by the kinds of their names, are pixels in order, and all of them."""
    kind = max(kinds, key=lambda kind: len(kinds[kind]) if "0" in kind else 0, default="")
    pixels = [names[i] for i in kinds.get(kind, ())]
    strange = [names[i] for other in kinds for i in kinds[other] if other != kind]
    if not pixels or _letters(kind) in LABEL_NAMES:
        raise _fault(path, "columns of pixels", names)
    numbered = "0" in kind and len(pixels) > 1
    named = "0" in kind and (_letters(kind) in PIXEL_NAMES or kind.count("0") == 2)
    if not has_labels and not named and not (numbered and picture_side(len(pixels))):
        raise _fault(path, "a column named label (or class, target, y or digit)", names)
    if strange and (numbered or not has_labels):
        raise _fault(path, f"columns named label, index or as {pixels[0]!r}", strange)
    if numbered:
        _ascending(path, pixels)


def _letters(kind: str) -> str:
    return "".join(filter(str.isalpha, kind))


def _ascending(path: StrPath, names: Sequence[str]) -> list[list[int]]:
    """The numbers in each name, which must ascend from name to name."""
    numbers = [[int(digits) for digits in NUMBER.findall(name)] for name in names]
    for i in range(1, len(names)):
        if numbers[i] <= numbers[i - 1]:
            raise _fault(path, "columns in the order of their numbers", names[i - 1 : i + 1])
    return numbers


def _fault(path: StrPath, expected: str, names: Sequence[str]) -> FileFormatError:
    shown = ", ".join(repr(name[:30]) for name in names[:3]) + f" and {len(names) - 3} more" * (len(names) > 3)
    return FileFormatError(path, 1, expected, f"columns named {shown}", unit="line")


# Without a header


def unnamed_columns(fields: int) -> Columns:
    """Columns without names: the label first, or, where they make a square picture, pixels alone."""
    return Columns(fields, False, labels=() if picture_side(fields) else (0,))


def check_unnamed(path: StrPath, data: NDArray[np.uint8]) -> None:
    """Raise FileFormatError where columns (rows, columns) without names do not look like a label and its pixels."""
    if picture_side(data.shape[1]):
        return
    if found := _row_numbers(data) or _one_hot_labels(data) or _label_last(data):
        expected = "a label and its pixels in each line, or a header that names the columns"
        raise FileFormatError(path, 1, expected, f"{data.shape[1]} columns without names, {found}", unit="line")


def _row_numbers(data: NDArray[np.uint8]) -> str:
    """As labels, numbers that count the rows would make more classes than any set has, or leave one pixel too many."""
    rows, columns = data.shape
    counts = (np.diff(data[:, 0].astype(int)) == 1).all()
    too_many = (rows > MOST_CLASSES and columns > SMALLEST_SIDE**2) or (rows > 1 and picture_side(columns - 2))
    return "of which the first numbers the rows" if counts and too_many else ""


def _one_hot_labels(data: NDArray[np.uint8]) -> str:
    """As many columns as a picture has pixels and a set has classes, with a single 1 among those of the classes."""
    columns = data.shape[1]
    if picture_side(columns - 1):
        return ""
    for classes in range(2, MOST_CLASSES + 1):
        if side := picture_side(columns - classes):
            for where, part in (("last", data[:, -classes:]), ("first", data[:, :classes])):
                if is_one_hot(part).all():
                    return f"{side} x {side} pixels and, as the {where} {classes}, one-hot labels"
    return ""


def is_one_hot(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which rows (rows, classes) hold a single 1 and 0 elsewhere."""
    return data.sum(axis=1, dtype=np.int64) == 1


def _label_last(data: NDArray[np.uint8]) -> str:
    """A last column as of labels, unlike the pixels before it, and a first one as of pixels.

    A pixel in a corner is nearly always 0, or has values beyond those of the labels and of digits. A label is neither.
    """
    rows, columns = data.shape
    first, last = data[:, 0].copy(), data[:, -1].copy()
    greatest = last.max()
    tell = rows >= TELLING_ROWS or (picture_side(columns - 1) and greatest <= 9)
    is_label = greatest < 100 and 10 * np.count_nonzero(last) > rows
    is_corner = 100 * np.count_nonzero(first) <= rows or first.max() > max(9, greatest)
    if not (tell and is_label and is_corner) or data[:, 1:-1].max(initial=0) <= greatest:
        return ""
    values = f"{first.min()}..{first.max()} and the last, as labels would, {last.min()}..{greatest}"
    return f"of which the first has values {values}"
