"""What is drawn around a digit and is no part of it: the lines of ruled or squared paper, a frame, a dark surround."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .regions import Mask, Regions, Runs, box_counts, stroke_width

SLANT = 0.055  # the steepest line: three degrees off the picture's edges
THICKEST = 0.04  # a line's thickness as a share of the picture's shorter side; a large digit's stroke has about 0.1
COVERED = 0.75  # this share of a line is inked, by the line itself or by the digit,
BARE = 0.3  # this share by the line alone,
ACROSS = 0.9  # and from one end to the other is this share of the picture
THIN = 0.45  # a line as thick as this share of the digit's strokes may be one of them,
FREE = 0.04  # unless it goes on, to both sides of the digit, for this share of the picture
LEAST = 0.1  # what is less high and wide than this share of the picture is no digit

FACE = 0.6  # the inside of a frame takes up this share of the picture's height and width
EDGE, REACHED = 0.05, 0.75  # within a band of EDGE it reaches each side of its box for this share of its length
DRAWN = 0.2  # what is drawn in it has at least this share of its height or width
HOLLOW, SLIM = 0.75, 0.35  # the holes of a printed 0 or 8 fill their box so far and are wider


class _Lines(NamedTuple):
    mask: Mask  # their pixels
    number: int
    thickness: float  # the largest
    ends: tuple[int, int]  # of the shortest, exclusive


def ruled_lines(ink: NDArray[Any], inked: Mask, least: float) -> Mask:
    """The pixels of thin straight lines across the picture, along its edges or through the digit.

    ``ink`` (height, width) is the ink in grey levels, ``inked`` where it is more than faint; a faint line stands out by
    ``least``.

    A stroke that crosses a line stays. A line that may be the digit's own stroke stays as well: one as thick as the
    strokes that is not longer than the digit on both sides, or one upright line where there is nothing else.
    """
    limit = max(2.0, THICKEST * min(inked.shape))
    distance = int(limit) + 2
    level = _level_lines(inked | _ridges(ink, distance, least), limit)
    upright = _level_lines((inked & ~level.mask).T | _ridges(ink.T, distance, least), limit)
    lines = level.mask | upright.mask.T
    if not level.number + upright.number:
        return lines
    parts = Regions(inked & ~lines)
    sizes = np.maximum(parts.height, parts.width)
    if not (sizes >= LEAST * min(inked.shape)).any():
        return np.zeros_like(lines) if (level.number, upright.number) == (0, 1) else lines
    main = parts.area >= 0.1 * parts.area.max()
    stroke = stroke_width(parts.paint(main))
    if _may_be_a_stroke(level, stroke, parts.left[main].min(), parts.right[main].max(), inked.shape[1]):
        lines = upright.mask.T
    if _may_be_a_stroke(upright, stroke, parts.top[main].min(), parts.bottom[main].max(), inked.shape[0]):
        lines = lines & ~upright.mask.T
    return lines


def _may_be_a_stroke(lines: _Lines, stroke: float, first: int, last: int, length: int) -> bool:
    free = max(FREE * length, lines.thickness)
    return lines.thickness > THIN * stroke and min(first - lines.ends[0], lines.ends[1] - last) < free


def _ridges(ink: NDArray[Any], distance: int, least: float) -> Mask:
    """The pixels with more ink, by ``least``, than those so far above and below them: those of thin level lines."""
    padded = np.pad(ink, ((distance, distance), (0, 0)))
    return ink - np.maximum(padded[: -2 * distance], padded[2 * distance :]) > least


def _level_lines(inked: Mask, limit: float) -> _Lines:
    """Lines from the left to the right, all of one slope: y = y0 + slope * (x - middle)."""
    height, width = inked.shape
    tolerance = 1 + max(height, width) // 250
    x = np.arange(width) - (width - 1) / 2
    slopes = np.unique(np.concatenate([-(s := np.arange(0, SLANT, 2 / width)), s]))
    sums = _running_sums(inked)
    best = max(slopes, key=lambda slope: float(np.square(np.maximum(_covered(sums, slope) - 0.5, 0)).sum()))
    thick = inked.copy()
    for step in range(1, tolerance + 1):
        thick[step:] |= inked[:-step]
        thick[:-step] |= inked[step:]
    covered = _covered(_running_sums(thick), best)
    margin = (len(covered) - height) // 2
    peaks = Runs((covered >= COVERED)[np.newaxis])
    columns = Runs(inked.T)  # a run of this is one of a column
    lengths = columns.stop - columns.start
    found = np.zeros(len(lengths), np.bool_)
    count, thickest, ends = 0, 0.0, (0, width)
    for first, last in zip(peaks.start, peaks.stop, strict=True):
        y = first + np.flatnonzero(covered[first:last] == covered[first:last].max()).mean() - margin + best * x
        inside = np.flatnonzero((y >= -0.5) & (y <= height - 0.5))
        near = (columns.start <= y[columns.row] + tolerance) & (columns.stop > y[columns.row] - tolerance)
        if not near.any():
            continue
        thickness = float(np.percentile(lengths[near], 25))
        own = near & (lengths <= 1.5 * thickness + 1)
        bare = np.unique(columns.row[own])
        if thickness > limit or len(bare) < BARE * len(inside) or bare[-1] + 1 - bare[0] < ACROSS * len(inside):
            continue
        found |= own
        count += 1
        thickest = max(thickest, float(np.median(lengths[own])))
        ends = max(ends[0], int(bare[0])), min(ends[1], int(bare[-1]) + 1)
    return _Lines(columns.paint(found).T, count, thickest, ends)


def _running_sums(mask: Mask) -> NDArray[np.int32]:
    """The counts of set pixels to the left of each column, (height, width + 1)."""
    return np.cumsum(np.pad(mask, ((0, 0), (1, 0))), axis=1, dtype=np.int32)


def _covered(sums: NDArray[np.int32], slope: float) -> NDArray[np.float64]:
    """The share of ink along lines of one slope, by the row in which they pass the middle column.

    There are more rows than the picture has, above and below, by the same number. Of a line only the part within the
    picture counts; where that is less than a third, the share is 0.
    """
    height, width = sums.shape[0], sums.shape[1] - 1
    offsets = np.rint(slope * (np.arange(width) - (width - 1) / 2)).astype(int)
    margin = int(np.abs(offsets).max())
    ink, length = np.zeros((2, height + 2 * margin))
    steps = [0, *(np.flatnonzero(np.diff(offsets)) + 1), width]  # between them, lines stay in one row
    for start, stop in pairwise(steps):
        top = margin - offsets[start]
        ink[top : top + height] += sums[:, stop] - sums[:, start]
        length[top : top + height] += stop - start
    return np.where(length >= width / 3, ink / np.maximum(length, 1), 0)


class Face(NamedTuple):
    """The inside of a frame, or a card on a darker or brighter ground."""

    box: tuple[slice, slice]  # of the picture
    mask: Mask  # in the box, what belongs to it


def find_face(inked: Mask, lines: Mask) -> Face | None:
    """The rectangle, perhaps turned by a few degrees, that a frame surrounds and in which something is drawn.

    It may be inked, with the frame and the drawing blank, where the frame was taken for paper.
    """
    drawn = Regions(inked & ~lines)
    for mask in (inked, ~inked):
        regions = Regions(mask)
        large = (regions.height >= FACE * mask.shape[0]) & (regions.width >= FACE * mask.shape[1])
        whole = (regions.height == mask.shape[0]) & (regions.width == mask.shape[1])
        for k in np.flatnonzero(large & ~whole):
            box = slice(regions.top[k], regions.bottom[k]), slice(regions.left[k], regions.right[k])
            face = regions.paint(np.arange(len(large)) == k)[box]
            drawing = _off_the_edges(~face)
            if _is_rectangle(face) and _is_drawn(drawing & ~mask[box]):
                found = Face(box, face | drawing)
                if not _is_cut(drawn, found):
                    return _without_rim(found)
    return None


def _bands(shape: tuple[int, ...]) -> tuple[int, int]:
    return max(1, round(EDGE * shape[0])), max(1, round(EDGE * shape[1]))


def _is_rectangle(face: Mask) -> bool:
    y, x = _bands(face.shape)
    sides = face[:y].any(axis=0), face[-y:].any(axis=0), face[:, :x].any(axis=1), face[:, -x:].any(axis=1)
    return min(float(side.mean()) for side in sides) >= REACHED


def _off_the_edges(mask: Mask) -> Mask:
    """Without the regions that lie along the edges, as the corners do that a turned rectangle leaves in its box."""
    (height, width), (y, x) = mask.shape, _bands(mask.shape)
    regions = Regions(mask)
    edges = (regions.bottom <= y) | (regions.right <= x) | (regions.top >= height - y) | (regions.left >= width - x)
    return regions.paint(~edges)


def _is_drawn(mask: Mask) -> bool:
    box = mask[np.ix_(mask.any(axis=1), mask.any(axis=0))]  # what lies between the parts does not matter here
    height, width = (side / whole for side, whole in zip(box.shape, mask.shape, strict=True))
    return max(height, width) >= DRAWN and (width < SLIM or bool(box.mean() < HOLLOW))


def _without_rim(face: Face) -> Face:
    """Without the blurred rim; as much of the box as is left."""
    rim = 1 + max(face.mask.shape) // 200
    inner = box_counts(face.mask, rim) == (2 * rim + 1) ** 2
    rows, columns = np.flatnonzero(inner.any(axis=1)), np.flatnonzero(inner.any(axis=0))
    y, x = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    top, left = face.box[0].start, face.box[1].start
    return Face((slice(top + y.start, top + y.stop), slice(left + x.start, left + x.stop)), inner[y, x])


def _is_cut(drawn: Regions, face: Face) -> bool:
    """Whether something that is drawn lies partly within the box and partly outside."""
    y, x = face.box
    meet = (drawn.top < y.stop) & (drawn.bottom > y.start) & (drawn.left < x.stop) & (drawn.right > x.start)
    leave = (drawn.top < y.start) | (drawn.bottom > y.stop) | (drawn.left < x.start) | (drawn.right > x.stop)
    for k in np.flatnonzero(meet & leave):
        if (drawn.paint(np.arange(len(meet)) == k)[face.box] & face.mask).any():
            return True
    return False
