"""Sequences of unequal lengths as the rows of one array, as ``keras.preprocessing.sequence`` has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .... import checks
from ..subset import outside

__all__ = ["pad_sequences"]

__getattr__ = outside(__name__, __all__)

_ENDS = ("pre", "post")


def pad_sequences(
    sequences: Sequence[ArrayLike],
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> NDArray[Any]:
    """An array (len(sequences), maxlen) of the sequences, each of numbers (n,).

    Shorter ones get ``value`` before ("pre") or after ("post") them, from longer ones the first or the last numbers
    are left out; ``maxlen`` is by default the length of the longest.

    Raises
    ------
    InvalidArgumentError (a ValueError)
        ``padding`` or ``truncating`` is neither "pre" nor "post", or ``maxlen`` is negative.
    """
    checks.choice("padding", padding, _ENDS)
    checks.choice("truncating", truncating, _ENDS)
    rows = [np.asarray(row, dtype) for row in sequences]
    longest = max((len(row) for row in rows), default=0)
    width = longest if maxlen is None else checks.integer("maxlen", maxlen, low=0)
    padded = np.full((len(rows), width), value, dtype)
    for row, out in zip(rows, padded, strict=True):
        kept = row[max(len(row) - width, 0) :] if truncating == "pre" else row[:width]
        if padding == "pre":
            out[width - len(kept) :] = kept
        else:
            out[: len(kept)] = kept
    return padded
