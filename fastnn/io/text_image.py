"""A grey picture as text, which needs no window and no matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

SHADES = " .:-=+*#%@"  # of pixels 0..255


def text_rows(pixels: NDArray[Any]) -> Iterator[str]:
    """A line of text for each row of ``pixels`` (height, width) of 0..255, two characters a pixel, dark to light."""
    for row in (pixels * (len(SHADES) / 256)).astype(int):
        yield "".join(2 * SHADES[shade] for shade in row).rstrip()
