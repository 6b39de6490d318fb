"""Draws examples/digits/0.png to 9.png, ten digits as one writes them with a blue pen and takes a photo of the paper.

    python docs/make_digits.py

The strokes are those of the tests of ``fastnn draw``; each digit is a little tilted, on paper with a shadow and grain.
"""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
from digit_strokes import DIGITS

FOLDER = Path(__file__).parents[1] / "examples" / "digits"
SIDE, FINER = 160, 4  # pixels of a picture, and how much finer the pen draws
PEN = 0.055  # of the side
INK, PAPER = (38, 52, 128), (236, 231, 219)
GRAIN = 2.5  # of 255
COLOURS = 32  # of a picture's palette


def tilted(x: float, y: float, angle: float) -> tuple[float, float]:
    x, y = x - 0.5, y - 0.5
    return 0.5 + x * math.cos(angle) - y * math.sin(angle), 0.5 + x * math.sin(angle) + y * math.cos(angle)


def written(digit: int, rng: np.random.Generator) -> Image.Image:
    """The share of ink (0..255) at each pixel."""
    side, angle = SIDE * FINER, rng.uniform(-0.12, 0.12)
    ink = Image.new("L", (side, side))
    pen = ImageDraw.Draw(ink)
    for stroke in DIGITS[digit]:
        corners = [tilted(*point, angle) for point in stroke]
        for (x0, y0), (x1, y1) in itertools.pairwise(corners):
            steps = 1 + int(200 * math.hypot(x1 - x0, y1 - y0))
            for t in np.linspace(0, 1, steps):
                x, y = side * (x0 + (x1 - x0) * t), side * (y0 + (y1 - y0) * t)
                radius = side * PEN / 2 * rng.uniform(0.85, 1.0)
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return ink.filter(ImageFilter.GaussianBlur(FINER)).resize((SIDE, SIDE), Image.Resampling.BOX)


def photographed(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blue on paper, with a shadow from one corner."""
    share = np.asarray(ink)[..., np.newaxis] / 255
    across, down = np.meshgrid(np.linspace(0, 1, SIDE), np.linspace(0, 1, SIDE))
    light = (1 - 0.1 * (across + down) / 2)[..., np.newaxis]
    colours = (share * INK + (1 - share) * PAPER) * light + rng.normal(0, GRAIN, (SIDE, SIDE, 1))
    return Image.fromarray(colours.clip(0, 255).astype(np.uint8))


if __name__ == "__main__":
    for digit in DIGITS:
        rng = np.random.default_rng(digit)
        picture = photographed(written(digit, rng), rng).quantize(COLOURS, dither=Image.Dither.NONE)
        path = FOLDER / f"{digit}.png"
        picture.save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size:,} bytes")
