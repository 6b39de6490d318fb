"""A picture of a digit, in any size and either polarity, as MNIST would have it.

The road of a picture: upright and grey; the uneven light taken off; ink told from paper; the ink's bounding box fitted
into 20 x 20; that placed in 28 x 28 with its centre of mass in the middle. Only this module imports Pillow.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import FastnnError, FileFormatError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

StrPath = str | os.PathLike[str]
Grey = NDArray[np.float32]  # (height, width), 0 black to 255 white; for ink, 0 none to 1 full

SIDE, DIGIT_SIDE, CENTRE = 28, 20, 14.0  # MNIST's field, its digit, and its mean centre of mass (pixel index)
MAX_PIXELS = 64_000_000  # a large phone photo; more than that is likely a decompression bomb
WORK_SIDE = 512  # larger pictures are reduced to this first, which also averages their noise away
SMOOTH_SIDE = 100  # a stroke in a picture this large survives a 3 x 3 median, and dust does not
MIN_CONTRAST = 12.0  # grey levels between ink and paper
MIN_SIGNAL = 4.0  # the same in standard deviations of the noise
BETTER_FIT = 0.7  # a richer model of the light must bring the error down to this share
FAINT = 0.15  # ink below this share of full ink is noise or shadow


class _Ink(NamedTuple):
    amount: Grey  # 0 to 1
    contrast: float  # grey levels of full ink against the paper
    noise: float  # standard deviation of the paper, in grey levels


def load_digit(path: StrPath) -> NDArray[np.uint8]:
    """Read a PNG or JPEG file that shows one digit, dark on light or light on dark.

    Returns it as MNIST has it, uint8 (784,), 0 paper to 255 ink. Raises FileFormatError for a file that is missing,
    damaged, no such picture, too large or blank, and FastnnError if Pillow is not installed.
    """
    grey = _read_grey(path)
    found = _find_ink(grey)
    if found.contrast < max(MIN_CONTRAST, MIN_SIGNAL * found.noise):
        seen = f"a blank one (contrast {found.contrast:.0f} of 255, noise {found.noise:.0f})"
        raise FileFormatError(path, 0, "a picture of a digit", seen)
    return _centre(_crop(found.amount)).ravel()


def _read_grey(path: StrPath) -> Grey:
    """The picture upright, its transparent parts filled, at most WORK_SIDE pixels a side."""
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise FastnnError(f'reading pictures needs Pillow ({error}); pip install "fastnn[image]"') from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; what matters here raises
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise FileFormatError(path, 0, f"at most {MAX_PIXELS:,} pixels", f"{width} x {height}")
                picture.draft("L", (WORK_SIDE, WORK_SIDE))  # a large JPEG is decoded at a fraction of its size
                upright = ImageOps.exif_transpose(picture)
            return _to_grey(upright)
    except Image.DecompressionBombError as error:
        raise FileFormatError(path, 0, f"at most {MAX_PIXELS:,} pixels", error) from None
    except UnidentifiedImageError:
        raise FileFormatError(path, 0, "a PNG or JPEG picture", "something else") from None
    except FastnnError:
        raise
    except OSError as error:  # missing, unreadable, cut short
        raise FileFormatError(path, 0, "a readable PNG or JPEG picture", error.strerror or error) from error
    except Exception as error:  # what Pillow raises for damaged files is not documented: SyntaxError, ValueError, ...
        raise FileFormatError(path, 0, "an undamaged PNG or JPEG picture", error) from error


def _to_grey(picture: Picture) -> Grey:
    if picture.mode.startswith(("I", "F")):  # 16 bits; convert("L") would clip them
        values = np.asarray(picture, np.float32) / np.float32(257)
        return np.asarray(_shrink(_from_array(values)))
    if picture.has_transparency_data:
        rgba = _shrink(picture.convert("RGBA"))
        alpha = np.asarray(rgba.getchannel("A"), np.float32) / np.float32(255)
        grey = np.asarray(rgba.convert("RGB").convert("L"), np.float32)
        visible = float((grey * alpha).sum() / max(float(alpha.sum()), 1.0))
        backdrop = np.float32(0 if visible > 127 else 255)  # what is drawn must stand out
        return np.asarray(grey * alpha + (1 - alpha) * backdrop, np.float32)
    return np.asarray(_shrink(picture.convert("RGB").convert("L")), np.float32)


def _from_array(values: Grey) -> Picture:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(values, np.float32))


def _shrink(picture: Picture) -> Picture:
    longest = max(picture.size)
    if longest <= WORK_SIDE:
        return picture
    width, height = (max(1, round(side * WORK_SIDE / longest)) for side in picture.size)
    return picture.resize((width, height), resample=4, reducing_gap=2.0)  # 4: Pillow's box filter, plain averages


def _find_ink(grey: Grey) -> _Ink:
    """Tell ink from paper: what departs from the paper's brightness, in the direction that departs further."""
    if min(grey.shape) >= SMOOTH_SIDE:
        grey = _median3(grey)
    residual = grey - _paper(grey)
    if np.sum(residual**3, dtype=np.float64) < 0:  # noise is symmetric and cancels, ink is not
        residual = -residual
    ink = np.maximum(residual, 0)
    threshold = _otsu(ink)
    strong, paper = ink[ink > threshold], residual[ink <= threshold]
    contrast = float(np.percentile(strong, 75)) if strong.size else 0.0
    noise = 1.4826 * float(np.median(np.abs(paper - np.median(paper)))) if paper.size else 0.0
    floor = min(max(3 * noise, FAINT * contrast), 0.5 * contrast)
    amount = np.clip((ink - floor) / max(contrast - floor, 1e-6), 0, 1)
    return _Ink(amount.astype(np.float32), contrast, noise)


def _border(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The outermost 4% on every side, at least one pixel."""
    ring = np.ones(shape, np.bool_)
    y, x = (max(1, side // 25) for side in shape)
    ring[y : shape[0] - y, x : shape[1] - x] = False
    return ring


def _paper(grey: Grey) -> Grey:
    """The brightness of the paper everywhere, told from the border: constant, or a plane, or a quadratic.

    Each only if it fits much better than the last, lest it follow ink that touches the border.
    """
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    ring = _border(grey.shape)
    design, values = terms[ring], grey[ring].astype(np.float64)
    best, best_error = np.array([np.median(values)]), float(np.abs(values - np.median(values)).mean())
    for count in (3, 6):
        surface = _least_absolute(design[:, :count], values)
        error = float(np.abs(values - design[:, :count] @ surface).mean())
        if error < BETTER_FIT * best_error:
            best, best_error = surface, error
    return np.asarray(terms[..., : len(best)] @ best, np.float32)


def _least_absolute(design: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients (columns,) of least absolute deviations, by reweighted least squares: outliers count little."""
    solution = np.zeros(design.shape[1])
    solution[0] = np.median(values)  # column 0 is the constant
    for _ in range(15):
        weighted = design / np.maximum(np.abs(values - design @ solution), 1.0)[:, np.newaxis]
        solution = np.linalg.lstsq(weighted.T @ design, weighted.T @ values, rcond=None)[0]
    return solution


def _median3(grey: Grey) -> Grey:
    """The median of each 3 x 3 neighbourhood; the outermost pixels are repeated outwards."""
    padded = np.pad(grey, 1, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, (3, 3)), axis=(2, 3)), np.float32)


def _otsu(values: NDArray[Any]) -> float:
    """The threshold that best splits ``values`` in two (Otsu 1979): largest variance between the classes."""
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = values.size - below
    sums = np.cumsum(counts * middles)
    means_below = sums[:-1] / np.maximum(below, 1)
    means_above = (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1 + int(np.argmax(below * above * np.square(means_above - means_below)))])


def _crop(amount: Grey) -> Grey:
    """The bounding box of the ink; rows and columns with hardly any, as dust makes them, do not count."""
    inked = amount > FAINT
    spans = []
    for axis in (1, 0):
        counts = inked.sum(axis=axis)
        lines = np.flatnonzero(counts >= max(1.0, 0.03 * counts.max()))
        spans.append(slice(int(lines[0]), int(lines[-1]) + 1))
    return amount[spans[0], spans[1]]


def _centre(ink: Grey) -> NDArray[np.uint8]:
    """Fit the ink into 20 x 20 and put its centre of mass into the middle of 28 x 28, by whole pixels as MNIST does."""
    scale = DIGIT_SIDE / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    shrunk = _from_array(ink).resize((width, height), resample=2)  # 2: bilinear, over all pixels that it covers
    small: Grey = np.asarray(shrunk, np.float32)
    small = np.clip(small / small.max(), 0, 1)
    field = np.zeros((SIDE, SIDE), np.float32)
    total = small.sum()
    centre_y = float((small.sum(axis=1) * np.arange(height)).sum() / total)
    centre_x = float((small.sum(axis=0) * np.arange(width)).sum() / total)
    top = min(max(round(CENTRE - centre_y), 0), SIDE - height)
    left = min(max(round(CENTRE - centre_x), 0), SIDE - width)
    field[top : top + height, left : left + width] = small
    return np.rint(field * 255).astype(np.uint8)
