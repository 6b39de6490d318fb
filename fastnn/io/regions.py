"""Connected regions of a mask, found by its runs: a step of NumPy does all the rows of a picture at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # (height, width)
Ints = NDArray[np.intp]


class Runs:
    """The runs of set pixels along the rows of a mask, from above to below and from left to right.

    Run i covers the columns ``start[i]`` to ``stop[i]``, exclusive, of row ``row[i]``; ``first`` and ``end`` are the
    same where the rows lie one after another, each with an unset column at its end.
    """

    def __init__(self, mask: Mask) -> None:
        self.shape = mask.shape
        self.stride = mask.shape[1] + 1
        flat = np.zeros(1 + mask.shape[0] * self.stride, np.int8)
        flat[1:].reshape(mask.shape[0], self.stride)[:, :-1] = mask
        changes = np.flatnonzero(np.diff(flat))
        self.first, self.end = changes[::2], changes[1::2]
        self.row, self.start = np.divmod(self.first, self.stride)
        self.stop = self.end - self.row * self.stride

    def paint(self, chosen: NDArray[np.bool_]) -> Mask:
        """The mask of the runs ``chosen`` (runs,)."""
        steps = np.zeros(self.shape[0] * self.stride, np.int8)
        steps[self.first[chosen]] = 1
        steps[self.end[chosen]] = -1
        return np.cumsum(steps, dtype=np.int8).reshape(self.shape[0], self.stride)[:, :-1].astype(np.bool_)

    def regions(self) -> Ints:
        """The region of each run (runs,): the lowest run that it is connected to, by columns in adjoining rows."""
        low = np.searchsorted(self.end, self.first + self.stride, "right")
        counts = np.searchsorted(self.first, self.end + self.stride, "left") - low
        upper = np.repeat(np.arange(len(counts)), counts)
        lower = np.arange(len(upper)) - np.repeat(np.cumsum(counts) - counts - low, counts)
        region = np.arange(len(counts))
        while True:
            lowest = np.minimum(region[upper], region[lower])
            joined = region.copy()
            np.minimum.at(joined, region[upper], lowest)
            np.minimum.at(joined, region[lower], lowest)
            joined = joined[joined]
            if np.array_equal(joined, region):
                return region
            region = joined


class Regions:
    """The regions of a mask, pixels that touch by an edge, or parts that lie within twice ``reach`` of each other.

    Each has its ``area`` in pixels and its box: ``top``, ``bottom``, ``left`` and ``right``, ends exclusive, all (n,).
    """

    def __init__(self, mask: Mask, reach: int = 0) -> None:
        self._runs = runs = Runs(mask)
        if reach:
            near = Runs(box_counts(mask, reach) > 0)
            region = near.regions()[np.searchsorted(near.first, runs.first, "right") - 1]
        else:
            region = runs.regions()
        names, self._region = np.unique(region, return_inverse=True)
        count, (height, width) = len(names), mask.shape
        self.area = np.bincount(self._region, runs.stop - runs.start, count).astype(np.intp)
        self.top, self.left = np.full(count, height), np.full(count, width)
        self.bottom, self.right = np.zeros(count, np.intp), np.zeros(count, np.intp)
        np.minimum.at(self.top, self._region, runs.row)
        np.maximum.at(self.bottom, self._region, runs.row + 1)
        np.minimum.at(self.left, self._region, runs.start)
        np.maximum.at(self.right, self._region, runs.stop)
        self.height, self.width = self.bottom - self.top, self.right - self.left

    def paint(self, chosen: NDArray[np.bool_]) -> Mask:
        """The mask of the regions ``chosen`` (n,)."""
        return self._runs.paint(chosen[self._region])


def box_counts(mask: Mask, radius: int) -> NDArray[np.int32]:
    """How many pixels of the square around each, ``radius`` to each side, are set."""
    counts = mask.astype(np.int32)
    for axis in (0, 1):
        before = [(radius + 1, radius) if a == axis else (0, 0) for a in (0, 1)]
        sums = np.cumsum(np.pad(counts, before), axis=axis, dtype=np.int32)
        size, width = mask.shape[axis], 2 * radius + 1
        counts = sums.take(np.arange(width, width + size), axis) - sums.take(np.arange(size), axis)
    return counts


def stroke_width(mask: Mask) -> float:
    """The mean width of the strokes that a mask shows: twice its area over the length of its outline."""
    padded = np.pad(mask, 1)
    steps = np.count_nonzero(padded[1:] != padded[:-1]) + np.count_nonzero(padded[:, 1:] != padded[:, :-1])
    outline = max(int(steps), 1) * np.pi / 4  # of a curve in any direction, from the pixel steps along it
    return 2 * int(np.count_nonzero(mask)) / outline
