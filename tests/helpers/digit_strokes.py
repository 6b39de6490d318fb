"""The strokes of ten digits as a person draws them: points (x, y) of the unit square, y downwards."""

from __future__ import annotations

import itertools
import math

Stroke = list[tuple[float, float]]


def arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float, count: int = 24) -> Stroke:
    """Along an ellipse, by angles in degrees: 0 is at the right, 90 below."""
    angles = [math.radians(start + (end - start) * i / (count - 1)) for i in range(count)]
    return [(cx + rx * math.cos(angle), cy + ry * math.sin(angle)) for angle in angles]


def line(*corners: tuple[float, float], count: int = 9) -> Stroke:
    """Along straight lines."""
    points = [corners[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        points += [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(1, count + 1)]
    return points


DIGITS: dict[int, list[Stroke]] = {
    0: [arc(0.5, 0.5, 0.2, 0.32, -80, 285)],
    1: [line((0.55, 0.18), (0.48, 0.82))],
    2: [[*arc(0.5, 0.34, 0.19, 0.16, 190, 395), *line((0.62, 0.48), (0.3, 0.8), (0.74, 0.78))]],
    3: [[*arc(0.47, 0.33, 0.19, 0.15, 210, 440), *arc(0.47, 0.63, 0.22, 0.17, 280, 510)]],
    4: [line((0.36, 0.2), (0.3, 0.52), (0.7, 0.5)), line((0.64, 0.2), (0.6, 0.82))],
    5: [[*line((0.36, 0.22), (0.34, 0.47)), *arc(0.48, 0.62, 0.2, 0.18, 225, 500)], line((0.36, 0.22), (0.68, 0.2))],
    6: [[*line((0.6, 0.18), (0.4, 0.42)), *arc(0.5, 0.64, 0.16, 0.17, 195, 560)]],
    7: [line((0.28, 0.24), (0.7, 0.2), (0.48, 0.52), (0.42, 0.84))],
    8: [
        [
            *arc(0.5, 0.34, 0.14, 0.15, -60, -270),
            *arc(0.5, 0.66, 0.17, 0.17, -90, 270),
            *arc(0.5, 0.34, 0.14, 0.15, 90, -60),
        ]
    ],
    9: [[*arc(0.5, 0.36, 0.16, 0.16, -20, -370), *line((0.66, 0.36), (0.6, 0.84))]],
}
