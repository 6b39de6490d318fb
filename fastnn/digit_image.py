"""A picture of a digit, in any size and either polarity, as MNIST would have it.

The road of a picture: upright and grey; the uneven light taken off; ink told from paper; the ink's bounding box fitted
into 20 x 20; that placed in 28 x 28 with its centre of mass in the middle. Only this module imports Pillow.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import FastnnError, FileFormatError, access_error
from .files import StrPath, check_path
from .kernels.spec import FloatArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Grey = NDArray[np.float32]  # (height, width), 0 black to 255 white; for ink, 0 none to 1 full

SIDE, DIGIT_SIDE, CENTRE = 28, 20, 14.0  # MNIST's field, its digit, and its mean centre of mass (pixel index)
MAX_PIXELS = 64_000_000  # a large phone photo; more than that is likely a decompression bomb
WORK_SIDE = 512  # larger pictures are reduced to this first, which also averages their noise away
SMOOTH_SIDE = 100  # a stroke in a picture this large survives a median of three pixels, and dust does not
MIN_CONTRAST = 12.0  # grey levels between ink and paper
MIN_SIGNAL = 4.0  # the same in standard deviations of the noise
BORDER_SAMPLE = 600  # pixels of the border are plenty to tell the light from
BETTER_FIT = 0.7  # a richer model of the light must bring the error down to this share
STROKE, THIN_STROKE = 2.5, 1.7  # MNIST's median and 5th percentile, in pixels of 28 x 28
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
    check_path(path)
    grey = _read_grey(path)
    found = _find_ink(grey)
    if found.contrast < max(MIN_CONTRAST, MIN_SIGNAL * found.noise):
        seen = f"a blank one (contrast {found.contrast:.0f} of 255, noise {found.noise:.0f})"
        raise FileFormatError(path, 0, "a picture of a digit", seen)
    return _centre(_thicken(_crop(found.amount))).ravel()


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
    except OSError as error:
        if error.errno is not None:  # missing, unreadable
            raise access_error(path, error) from error
        raise FileFormatError(path, 0, "a readable PNG or JPEG picture", error) from error  # cut short
    except Exception as error:  # what Pillow raises for damaged files is not documented: SyntaxError, ValueError, ...
        raise FileFormatError(path, 0, "an undamaged PNG or JPEG picture", error) from error


def _to_grey(picture: Picture) -> Grey:
    if picture.mode.startswith(("I", "F")):  # 16 bits; convert("L") would clip them
        values = np.asarray(picture, np.float32) / np.float32(257)
        return np.asarray(_shrink(_from_array(values)))
    grey: Grey = np.asarray(_shrink(picture.convert("RGB").convert("L")), np.float32)
    one_colour_is_clear = isinstance(picture.info.get("transparency"), int | tuple)  # and was drawn upon, if not blank
    if picture.has_transparency_data and not (one_colour_is_clear and np.ptp(grey) > MIN_CONTRAST):
        rgba = _shrink(picture.convert("RGBA"))
        grey, alpha = (
            np.asarray(band, np.float32) for band in (rgba.convert("RGB").convert("L"), rgba.getchannel("A"))
        )
        alpha = alpha / np.float32(255)
        visible = float((grey * alpha).sum() / max(float(alpha.sum()), 1.0))
        backdrop = np.float32(0 if visible > 127 else 255)  # what is drawn must stand out
        return np.asarray(grey * alpha + (1 - alpha) * backdrop, np.float32)
    return grey


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
    large = min(grey.shape) >= SMOOTH_SIDE
    if large:
        grey = _remove_dust(grey)
    residual = grey - _paper(grey)
    if np.vdot(np.square(residual), residual) < 0:  # the third powers: noise is symmetric and cancels, ink is not
        residual = -residual
    ink = np.maximum(residual, 0)
    threshold = _otsu(ink)
    strong, paper = ink[ink > threshold], residual[ink <= threshold]
    contrast = float(np.percentile(strong, 75)) if strong.size else 0.0
    middle, upper = np.percentile(paper, (50, 75)) if paper.size else (0, 0)  # below, black may cut the noise off
    noise = 1.4826 * float(upper - middle)  # as in a normal distribution
    floor = min(max(3 * noise, FAINT * contrast), 0.5 * contrast)
    amount: Grey = np.clip((ink - floor) / np.float32(max(contrast - floor, 1e-6)), 0, 1)
    if large:
        amount[_is_speck(amount > FAINT)] = 0
    return _Ink(amount, contrast if (amount > FAINT).any() else 0.0, noise)


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
    y, x = (np.linspace(-1, 1, side) for side in grey.shape)
    y, x = y[:, np.newaxis], x[np.newaxis]
    terms = [np.ones((1, 1)), x, y, x * x, x * y, y * y]
    ring = _border(grey.shape)
    sample = slice(None, None, 1 + int(ring.sum()) // BORDER_SAMPLE)
    design = np.stack([np.broadcast_to(term, grey.shape)[ring][sample] for term in terms], axis=1)
    values = grey[ring][sample].astype(np.float64)
    best: FloatArray = np.array([np.median(values)])
    best_error = float(np.abs(values - np.median(values)).mean())
    for count in (3, 6):
        surface = _least_absolute(design[:, :count], values)
        error = float(np.abs(values - design[:, :count] @ surface).mean())
        if error < BETTER_FIT * best_error:
            best, best_error = surface, error
    paper = np.zeros(grey.shape)
    for factor, term in zip(best, terms, strict=False):
        paper += factor * term
    return paper.astype(np.float32)


def _least_absolute(design: FloatArray, values: FloatArray) -> FloatArray:
    """Coefficients (columns,) of least absolute deviations, by reweighted least squares: outliers count little."""
    solution: FloatArray = np.zeros(design.shape[1])
    solution[0] = np.median(values)  # column 0 is the constant
    for _ in range(15):
        weighted = design / np.maximum(np.abs(values - design @ solution), 1.0)[:, np.newaxis]
        solution = np.linalg.lstsq(weighted.T @ design, weighted.T @ values, rcond=None)[0]
    return solution


def _remove_dust(grey: Grey) -> Grey:
    """The median of three neighbours, down the columns and then along the rows; the edges are repeated outwards."""
    for axis in (0, 1):
        padded = np.pad(grey, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        a, b, c = (padded.take(np.arange(start, start + grey.shape[axis]), axis) for start in range(3))
        grey = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return grey


def _is_speck(inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Inked pixels with fewer inked ones in the 5 x 5 around them than even the end of a fine line has."""
    counts = np.pad(inked, 2).astype(np.uint8)
    for axis in (0, 1):
        counts = np.lib.stride_tricks.sliding_window_view(counts, 5, axis).sum(axis=-1, dtype=np.uint8)
    return inked & (counts < 5)


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
    """The bounding box of the ink."""
    inked = amount > FAINT
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    return amount[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _thicken(ink: Grey) -> Grey:
    """Widen the strokes of a thin pen, which would all but vanish at 20 x 20, to those of MNIST."""
    scale = DIGIT_SIDE / max(ink.shape)
    mask = np.pad(ink > 0.5, 1)
    steps = int(np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1]))
    outline = max(steps, 1) * np.pi / 4  # of a curve in any direction, from the pixel steps along it
    width = 2 * int(np.count_nonzero(mask)) / outline * scale
    if width >= THIN_STROKE or scale > 0.5:  # in a small picture the width cannot be told
        return ink
    radius = round((STROKE - width) / 2 / scale)
    ink = np.pad(ink, 2 * radius)
    for axis in (0, 1):
        ink = np.lib.stride_tricks.sliding_window_view(ink, 2 * radius + 1, axis).max(axis=-1)
    return ink


def _centre(ink: Grey) -> NDArray[np.uint8]:
    """Fit the ink into 20 x 20 and put its centre of mass into the middle of 28 x 28, by whole pixels as MNIST does."""
    scale = DIGIT_SIDE / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    shrunk = _from_array(ink).resize((width, height), resample=2)  # 2: bilinear, over all pixels that it covers
    small = np.asarray(shrunk, np.float32)
    small = small / small.max()
    field: Grey = np.zeros((SIDE, SIDE), np.float32)
    total = small.sum()
    centre_y = float((small.sum(axis=1) * np.arange(height)).sum() / total)
    centre_x = float((small.sum(axis=0) * np.arange(width)).sum() / total)
    top = min(max(round(CENTRE - centre_y), 0), SIDE - height)
    left = min(max(round(CENTRE - centre_x), 0), SIDE - width)
    field[top : top + height, left : left + width] = small
    return np.rint(field * 255).astype(np.uint8)
