"""What the page makes of strokes, once more in NumPy."""

from __future__ import annotations

import numpy as np
from digit_strokes import Stroke
from numpy.typing import NDArray

RASTER, PEN = 96, 3.3  # pixels a side, and half the width of a stroke, as in page.html


def ink_of(strokes: list[Stroke]) -> NDArray[np.uint8]:
    """The pixels (RASTER, RASTER) whose middle is within PEN of a stroke, 1 each."""
    y, x = np.mgrid[:RASTER, :RASTER] + 0.5
    ink = np.zeros((RASTER, RASTER), bool)
    for stroke in strokes:
        points = np.array(stroke) * RASTER
        for (x0, y0), (x1, y1) in zip(points[[0, *range(len(points) - 1)]], points, strict=True):
            length = (x1 - x0) ** 2 + (y1 - y0) ** 2
            along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1) if length else 0
            ink |= (x - x0 - along * (x1 - x0)) ** 2 + (y - y0 - along * (y1 - y0)) ** 2 <= PEN**2
    return ink.astype(np.uint8)
