"""Rows whose numbers all lie on one grid, low + c * step with whole c in 0..255, as those of scaled images do.

Pixels divided by 255, or less their mean and by their deviation, are such numbers. The bytes c are codes of the rows
with next to no error, which rule out all but the neighbours themselves; and short codes of them are made and refined in
a fraction of the time that floats take.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.spec import EUCLIDEAN, Codes, FloatArray, Kernels
from . import codes as pruning
from .codes import Pruning

ELEMENTS = 50_000  # of some rows, which tell whether numbers may lie on a grid
MOST_ERROR = 0.25  # of a row's bytes, in steps of the grid
RANGES = {np.dtype(np.float32): (1e-6, 1e12), np.dtype(np.float64): (1e-130, 1e130)}  # whose squares they hold


@dataclass(frozen=True, eq=False)
class GridPruning:
    """The bytes of rows on a grid, and short codes of these."""

    whole: Pruning  # u(v) = v
    short: Pruning | None  # of the bytes; None where to compare all bytes should be as fast
    row_errors: NDArray[np.float32]  # (n,) of the short codes and the bytes together, in units of the codes
    most_verified: float  # of what the short codes leave

    @property
    def widths(self) -> tuple[int, ...]:
        """The bytes of a row's codes, those first that are compared first."""
        return (*(() if self.short is None else self.short.widths), *self.whole.widths)

    def __str__(self) -> str:
        first = "" if self.short is None else f"{self.short}, then "
        return f"{first}all {self.whole.width} numbers as bytes on a grid"

    def for_neighbors(self, k: int, kernels: Kernels) -> GridPruning | None:
        """The codes that should make a search for the k nearest fastest; None: to do without."""
        if self.short is not None and self.short.for_neighbors(k, kernels) is not None:
            return self
        return None if self.whole.for_neighbors(k, kernels) is None else replace(self, short=None)

    def of(self, queries: NDArray[Any]) -> Codes:
        """The codes for one call of the kernel.

        With errors e in the grid's steps and i in units of short codes, and the bytes b and the codes c of v and w,
        |v - w| >= step (|b - b'| - e - e') and |b - b'| >= scale (|c - c'| - i - i').
        """
        whole = self.whole.of(queries)
        if self.short is None:
            return whole
        short = self.short.of(whole.queries)
        errors = short.query_errors + whole.query_errors / np.float32(short.scale)

        def of_rows(codes: Codes, finer: Codes) -> Codes:
            scale = codes.scale * whole.scale
            return Codes(codes.rows, self.row_errors, codes.queries, errors, scale, self.most_verified, finer)

        return of_rows(short, whole if short.finer is None else of_rows(short.finer, whole))


def build(X: NDArray[Any], metric: int, *, always: bool, long: bool = False) -> GridPruning | None:
    """Code the rows X (n, d), or return None where their numbers lie on no grid, or that saves no time.

    ``long``: by their bytes alone.
    """
    n, d = X.shape
    if metric != EUCLIDEAN or X.dtype not in RANGES or d > pruning.MOST_CODED:
        return None
    if n < pruning.FEWEST_ROWS and not always:
        return None
    found = find_grid(X[np.linspace(0, n - 1, max(1, min(n, ELEMENTS // d))).astype(np.int64)])
    if found is None:
        return None
    low, step = found
    # Of the whole bytes each pair that they leave is summed from floats, of short codes by these bytes.
    plain, tiles = d * X.itemsize / 64, d / 64 * pruning.SEEDING
    verify, verify_bytes = (pruning.VERIFY + size / pruning.VERIFY_BYTES for size in (d * X.itemsize, d))
    most_verified = math.inf if always else (plain - tiles) / verify
    most_neighbors = math.inf if always else most_verified / pruning.LOOSE * n
    if most_neighbors < 1:
        return None
    nothing_taken_off, lows = np.empty(0, X.dtype), np.full(d, low, X.dtype)
    whole = Pruning(metric, True, nothing_taken_off, None, lows, step, most_verified, most_neighbors, d).with_rows(X)
    if whole.row_errors.max() > MOST_ERROR:
        return None
    short = None if long else pruning.build(whole.rows, metric, always=always)
    if short is None:
        return GridPruning(whole, None, whole.row_errors, most_verified)
    errors = short.row_errors + whole.row_errors / np.float32(short.scale)
    left = math.inf if always else (plain - short.width / 64 * pruning.SEEDING) / verify_bytes
    return GridPruning(whole, short, errors, left)


def find_grid(numbers: FloatArray) -> tuple[float, float] | None:
    """(low, step) if all numbers are low + c * step, to a rounding, with whole c in 0..255."""
    levels = np.unique(numbers).astype(np.float64)
    least, most = RANGES[numbers.dtype]
    if not 1 < len(levels) <= 256 or not least < np.abs(levels).max() < most:
        return None
    places = np.rint((levels - levels[0]) / np.diff(levels).min())
    step = (levels[-1] - levels[0]) / places[-1]
    rounding = 4 * np.finfo(numbers.dtype).eps * np.abs(levels).max()
    is_grid = places[-1] <= 255 and np.abs(levels[0] + places * step - levels).max() <= rounding
    return (float(levels[0]), float(numbers.dtype.type(step))) if is_grid else None
