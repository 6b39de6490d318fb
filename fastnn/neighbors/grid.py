"""Rows whose numbers all lie on one grid, low + c * step with whole c in 0..255, as those of scaled images do.

Pixels divided by 255, or less their mean and by their deviation, are such numbers. The bytes c are codes of the rows
with next to no error, which rule out all but the neighbours themselves; and short codes of them are made and refined in
a fraction of the time that floats take.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.spec import EUCLIDEAN, Codes, FloatArray, Kernels
from . import codes as pruning
from .codes import Pruning

ELEMENTS = 50_000  # of some rows, by which a grid is found: enough to show two neighbouring places and the whole range
FEW_ELEMENTS = 512  # by which most that are on none are told
MOST_ERROR = 0.25  # of a row's bytes, in steps: rows beyond it are not on the grid, but for rounding
RANGES = {np.dtype(np.float32): pruning.FLOAT32_RANGE, np.dtype(np.float64): (1e-130, 1e130)}  # whose squares they hold


@dataclass(frozen=True, eq=False)
class GridPruning:
    """The bytes of rows on a grid, and short codes of these."""

    whole: Pruning  # u(v) = v
    short: Pruning | None = None  # of the bytes
    row_errors: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))  # (n,) see _both_errors

    def with_short(self, *, always: bool) -> GridPruning:
        """The same with short codes, unless to compare all bytes should be as fast."""
        d, itemsize = self.whole.width, self.whole.low.itemsize
        short = pruning.build(self.whole.rows, EUCLIDEAN, always=always, skips_zeros=False)
        if short is None or short.width >= d:
            return self
        short = replace(short, most_verified=math.inf if always else _worth(d, itemsize, short.width))
        return GridPruning(self.whole, short, _both_errors(short, short.row_errors, self.whole.row_errors))

    @property
    def widths(self) -> tuple[int, ...]:
        """The bytes of a row's codes, those first that are compared first."""
        return (*(() if self.short is None else self.short.widths), *self.whole.widths)

    @property
    def most_verified(self) -> float:
        """See Codes."""
        return (self.short or self.whole).most_verified

    def __str__(self) -> str:
        first = "" if self.short is None else f"{self.short}, then "
        return f"{first}all {self.whole.width} numbers as bytes on a grid"

    def for_neighbors(self, k: int, kernels: Kernels) -> GridPruning | None:
        """The codes that should make a search for the k nearest fastest; None: to do without."""
        if self.short is not None and self.short.for_neighbors(k, kernels) is not None:
            return self
        return None if self.whole.for_neighbors(k, kernels) is None else GridPruning(self.whole)

    def of(self, queries: NDArray[Any]) -> Codes:
        """The codes for one call of the kernel.

        Let b and c be the bytes and the short codes of v, e the error of b in steps and i that of c in its units. Then
        |v - w| >= step (|b - b'| - e - e') and |b - b'| >= scale (|c - c'| - i - i'), so that

            |v - w| >= step scale (|c - c'| - (i + e / scale) - (i' + e' / scale)).
        """
        whole = self.whole.of(queries)
        if self.short is None:
            return whole
        short = self.short.of(whole.queries)
        scale, errors = whole.scale * short.scale, _both_errors(self.short, short.query_errors, whole.query_errors)

        def of_numbers(of_bytes: Codes, finer: Codes) -> Codes:
            return of_bytes._replace(row_errors=self.row_errors, query_errors=errors, scale=scale, finer=finer)

        return of_numbers(short, whole if short.finer is None else of_numbers(short.finer, whole))


def _both_errors(short: Pruning, of_codes: NDArray[np.float32], of_bytes: NDArray[np.float32]) -> NDArray[np.float32]:
    """i + e / scale, in units of the short codes: either is by a thousandth too great, which covers this rounding."""
    with np.errstate(over="ignore"):  # to infinity, which rules nothing out
        return of_codes + of_bytes / np.float32(short.scale)


def build(X: NDArray[Any], metric: int, *, always: bool) -> GridPruning | None:
    """The bytes of the rows X (n, d), or None where their numbers lie on no grid, or that saves no time."""
    n, d = X.shape
    if metric != EUCLIDEAN or X.dtype not in RANGES or d > pruning.MOST_CODED:
        return None
    if n < pruning.FEWEST_ROWS and not always:
        return None
    found = find_grid(pruning.spread_rows(X, max(1, ELEMENTS // d)))
    if found is None:
        return None
    low, step = found
    most_verified = math.inf if always else _worth(d, X.itemsize, d)
    most_neighbors = most_verified * n / pruning.LOOSE
    if most_neighbors < 1:
        return None
    whole = Pruning(
        metric,
        raw=True,
        mean=np.empty(0, X.dtype),
        layer=None,
        low=np.full(d, low, X.dtype),
        scale=step,
        most_verified=most_verified,
        most_neighbors=most_neighbors,
        width=d,
    ).with_rows(X)
    return GridPruning(whole) if whole.row_errors.max() <= MOST_ERROR else None


def _worth(d: int, itemsize: int, width: int) -> float:
    """The share of pairs summed from d floats of so many bytes that takes as long as codes of ``width`` bytes save."""
    saved = d * itemsize / 64 - width / 64 * pruning.SEEDING
    return saved / (pruning.VERIFY + d * itemsize / pruning.VERIFY_BYTES)


def find_grid(numbers: FloatArray) -> tuple[float, float] | None:
    """(low, step) if all numbers are low + c * step, to a rounding, with whole c in 0..255.

    Unless the least is 0, numbers that are not among these may be less: low is so far below that the others have the
    middle of the range.
    """
    if len(np.unique(numbers[:FEW_ELEMENTS])) > 256:  # as of most data that lie on none
        return None
    levels = np.unique(numbers).astype(np.float64)
    least, most = RANGES[numbers.dtype]
    if not 1 < len(levels) <= 256 or not least < np.abs(levels).max() < most:
        return None
    gap, spread = np.diff(levels).min(), levels[-1] - levels[0]
    if spread > 255.5 * gap:
        return None
    places = np.rint((levels - levels[0]) / gap)
    step = spread / places[-1]
    rounding = 4 * np.finfo(numbers.dtype).eps * np.abs(levels).max()
    if np.abs(levels[0] + places * step - levels).max() > rounding:
        return None
    below = 0 if levels[0] == 0 else (255 - places[-1]) // 2
    return float(levels[0] - below * step), float(numbers.dtype.type(step))
