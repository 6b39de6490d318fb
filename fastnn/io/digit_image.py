"""A picture of a digit, in any size and either polarity, as MNIST would have it.

The road of a picture: upright and grey; the uneven light taken off; ink told from paper; the ink's bounding box fitted
into 20 x 20; that placed in 28 x 28 with its centre of mass in the middle. Only this module imports Pillow.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import FastnnError, FileFormatError, access_error
from ..kernels.spec import FloatArray
from .atomic import StrPath, check_path
from .regions import Regions, box_counts, stroke_width
from .ruling import find_face, ruled_lines

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Grey = NDArray[np.float32]  # (height, width), 0 black to 255 white; for ink, 0 none to 1 full

SIDE, DIGIT_SIDE = 28, 20  # MNIST's field, in whose middle is its digit's centre of mass (pixel index), and its digit
MAX_PIXELS = 64_000_000  # a large phone photo; more than that is likely a decompression bomb
WORK_SIDE = 512  # larger pictures are reduced to this first, which also averages their noise away
SMOOTH_SIDE = 100  # a stroke in a picture this large survives a median of three pixels, and dust does not
MIN_CONTRAST = 12.0  # grey levels between ink and paper
MIN_SIGNAL = 4.0  # the same in standard deviations of the noise
BORDER_SAMPLE = 600  # pixels of the border are plenty to tell the light from
BETTER_FIT = 0.7  # a richer model of the light must bring the error down to this share
STROKE, THIN_STROKE = 2.5, 1.7  # MNIST's median and 5th percentile, in pixels of 28 x 28
FAINT = 0.15  # ink below this share of full ink is noise or shadow


# Telling ink from paper
MIXED = 0.2  # more ink than this share of the border: it is not paper alone
OUTLIER = 0.12  # of the picture's range: by no more than this a pixel of the border counts against a model of the light
FULL = 100.0  # so many grey levels of contrast are ink, however uneven the paper is
FAINTEST_LINE = 0.08  # of full ink: a ruled line that is fainter does no harm
SEPARATE = 0.82  # and so is what has this share of the variance between ink and paper (Otsu's separability)

# Telling one digit from several, by shares of a digit's height
GAP = 0.08  # parts that are no further apart may be those of one digit
SLIMMEST = 0.4  # two digits side by side are together wider than this
DUST = 0.04  # of the largest part's area: smaller parts are no digits

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # as Pillow calls what it reads; of several frames, the first
PICTURE = "PNG, JPEG, BMP, GIF, WebP or TIFF picture"


class _Ink(NamedTuple):
    amount: Grey  # 0 to 1
    contrast: float  # grey levels of full ink against the paper
    noise: float  # standard deviation of the paper, in grey levels
    blank: bool  # whether that is too little to be drawn


def load_digit(path: StrPath) -> NDArray[np.uint8]:
    """Read a PNG, JPEG, BMP, GIF, WebP or TIFF file that shows one digit, dark on light or light on dark.

    Lines along the border and thin lines across the picture, as of ruled or squared paper, are left out. Returns the
    digit as MNIST has it, uint8 (784,), 0 paper to 255 ink. Raises FileFormatError for a file that is missing, damaged,
    no such picture, too large, blank or shows more than one digit, and FastnnError if Pillow is not installed.
    """
    check_path(path)
    found = _find_ink(_read_grey(path))
    if found.blank:
        seen = f"a blank one (contrast {found.contrast:.0f} of 255, noise {found.noise:.0f})"
        raise FileFormatError(path, 0, "a picture of a digit", seen)
    digit = _one_digit(found.amount)
    if digit is None:
        raise FileFormatError(path, 0, "a picture of one digit", "more than one")
    return _centre(_thicken(_crop(digit)), SIDE).ravel()


def centre_digit(ink: ArrayLike, side: int = SIDE) -> NDArray[np.uint8]:
    """What was drawn, as MNIST would have it: the last steps of :func:`load_digit`, for ink that is known.

    ``ink`` is (height, width), 0 none to 1 full. Returns uint8 (side * side,), 0 paper to 255 ink: in the proportions
    of MNIST, whose side is 28. Raises FastnnError for other numbers, for no ink above 0.15 and without Pillow.
    """
    amount = checks.ink("ink", ink, FAINT)
    check_pillow()
    return _centre(_thicken(_crop(amount)), checks.integer("side", side, low=1)).ravel()


def check_pillow() -> None:
    """Raise FastnnError where Pillow is not installed."""
    try:
        import PIL.Image  # noqa: F401  # is it there?
    except ImportError as error:
        raise FastnnError(f'reading pictures needs Pillow ({error}); pip install "fastnn-cpu[image]"') from None


def _one_digit(amount: Grey) -> Grey | None:
    """The ink without what is too small and too far away to belong to it; None where two parts are digits each.

    Parts are joined first where so thin a pen would have to be widened that they meet, or where only a small gap is
    between them, as in a stroke that broke off.
    """
    inked = amount > FAINT
    parts = Regions(inked)
    if len(parts.area) == 1:
        return amount
    stroke, large = stroke_width(inked), parts.area >= DUST * parts.area.max()
    height = int(parts.bottom[large].max() - parts.top[large].min())
    thickening, gap = _thickening(stroke, height), GAP / 2 * height
    near = Regions(inked, max(1, round(thickening + gap)))
    # Of two digits above one another each is half as high, and has strokes and gaps to match.
    is_thin = thickening > 0 and _thickening(stroke, height / 2) > 0
    above = Regions(inked, max(1, round(thickening + gap if is_thin else gap / 2)))
    if _side_by_side(Regions(inked, round(thickening)), 1.0) or _side_by_side(near, SLIMMEST) or _stacked(above):
        return None
    return np.where(near.paint(near.area >= DUST * near.area.max()), amount, np.float32(0))


def _side_by_side(parts: Regions, slimmest: float) -> bool:
    """Whether two of the parts stand beside one another, each at least half as high as all together."""
    boxes = _Spans(parts.left, parts.right, parts.top, parts.bottom)
    return _are_two(parts.area, boxes, slimmest, lambda width, height, whole: height >= 0.5 * whole[1])


def _stacked(parts: Regions) -> bool:
    """Whether two of the parts stand above one another, each a third as high as all together, which is tall."""
    boxes = _Spans(parts.top, parts.bottom, parts.left, parts.right)
    return _are_two(parts.area, boxes, 1.8, lambda height, width, whole: height >= 0.35 * whole[0])


class _Spans(NamedTuple):
    """Where parts begin and end, in the direction in which they may stand apart and across it."""

    start: NDArray[Any]
    stop: NDArray[Any]
    near: NDArray[Any]
    far: NDArray[Any]


def _are_two(
    area: NDArray[Any], spans: _Spans, ratio: float, is_large: Callable[[int, int, tuple[int, int]], bool]
) -> bool:
    """Whether two large parts stand apart, where all together are longer than ``ratio`` times their width across."""
    kept = area >= DUST * area.max()
    whole = (
        int(spans.stop[kept].max() - spans.start[kept].min()),
        int(spans.far[kept].max() - spans.near[kept].min()),
    )
    if whole[0] <= ratio * whole[1]:
        return False
    largest = np.argsort(-area)[:5]
    for pair in itertools.combinations(largest[area[largest] >= 0.1 * area.max()], 2):
        start, stop, near, far = (values[list(pair)] for values in spans)
        along, across = int((stop - start).min()), int((far - near).min())
        gap, gap_across = (start.max() - stop.min()) / along, (near.max() - far.min()) / across
        if gap > max(-0.15, gap_across) and is_large(along, across, whole):
            return True
    return False


def _read_grey(path: StrPath) -> Grey:
    """The picture upright, its transparent parts filled, at most WORK_SIDE pixels a side."""
    check_pillow()
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; what matters here raises
            with Image.open(path, formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise FileFormatError(path, 0, f"at most {MAX_PIXELS:,} pixels", f"{width} x {height}")
                picture.draft("L", (WORK_SIDE, WORK_SIDE))  # a large JPEG is decoded at a fraction of its size
                upright = ImageOps.exif_transpose(picture)
            return _to_grey(upright)
    except Image.DecompressionBombError as error:
        raise FileFormatError(path, 0, f"at most {MAX_PIXELS:,} pixels", error) from None
    except UnidentifiedImageError:
        raise FileFormatError(path, 0, f"a {PICTURE}", "something else") from None
    except FastnnError:
        raise
    except OSError as error:
        if error.errno is not None:  # missing, unreadable
            raise access_error(path, error) from error
        raise FileFormatError(path, 0, f"a readable {PICTURE}", error) from error  # cut short
    except Exception as error:  # what Pillow raises for damaged files is not documented: SyntaxError, ValueError, ...
        raise FileFormatError(path, 0, f"an undamaged {PICTURE}", error) from error


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
    """Tell ink from paper, within a frame if there is one, and leave out the lines of ruled paper."""
    if min(grey.shape) >= SMOOTH_SIDE:
        grey = _remove_dust(grey)
    residual = _residual(grey, np.ones(grey.shape, np.bool_))
    found = _measure(residual)
    lines = _lines(residual, found)
    face = find_face(found.amount > FAINT, lines)
    if face is not None:
        grey = np.ascontiguousarray(grey[face.box])
        residual = np.where(face.mask, _residual(grey, face.mask), np.float32(0))
        found = _measure(residual)
        lines = _lines(residual, found)
    return _measure(np.where(lines, np.float32(0), residual)) if lines.any() else found


def _lines(residual: Grey, found: _Ink) -> NDArray[np.bool_]:
    """The pixels of ruled lines; what stands out less than the noise, or than the faintest lines, makes none."""
    return ruled_lines(residual, found.amount > FAINT, max(2 * found.noise, FAINTEST_LINE * found.contrast))


def _residual(grey: Grey, valid: NDArray[np.bool_]) -> Grey:
    """What differs from the paper, ink above zero, where the picture is ``valid``.

    Ink is what departs further from the paper. Where the border is neither paper nor ink alone, as around a digit that
    was cut out tightly, it is what does not reach from edge to edge.
    """
    paper = _paper(grey, valid)
    residual = grey - paper
    # Noise is symmetric, so that its third powers cancel, and those of ink do not.
    if np.vdot(np.square(residual), residual * valid) < 0:
        bright = float(paper.max())
        residual = -residual * (bright / np.maximum(paper, bright / 4)) if bright > 0 else -residual
    ink = np.abs(residual) > 0.25 * np.ptp(residual)
    rings = [ink[_ring(grey.shape, number) & valid] for number in (0, 1)]
    is_mixed = min(float(ring.mean()) if ring.size else 0.0 for ring in rings) > MIXED
    if is_mixed and _spans(~ink) and not _spans(ink):
        residual = grey - np.median(grey[ink])
        if np.median(residual[~ink]) < 0:
            residual = -residual
    return residual


def _spans(mask: NDArray[np.bool_]) -> bool:
    """Whether one region of the mask reaches from the left edge to the right and from the upper to the lower."""
    regions = Regions(mask)
    height, width = (side - 2 * max(1, side // 25) for side in mask.shape)
    return bool(((regions.height >= height) & (regions.width >= width)).any())


def _measure(residual: Grey) -> _Ink:
    """The amount of ink in every pixel, by the level that best splits the picture in two, and whether there is any."""
    ink = np.maximum(residual, 0)
    threshold = _otsu(ink)
    strong, paper = ink[ink > threshold], residual[ink <= threshold]
    contrast = float(np.percentile(strong, 75)) if strong.size else 0.0
    middle, upper = np.percentile(paper, (50, 75)) if paper.size else (0, 0)  # below, black may cut the noise off
    spread = 1.4826 * float(upper - middle)  # as in a normal distribution
    fine = _fine_noise(residual)
    noise = min(spread, fine)
    floor = min(max(3 * noise, FAINT * contrast), 0.5 * contrast)
    amount: Grey = np.clip((ink - floor) / np.float32(max(contrast - floor, 1e-6)), 0, 1)
    if min(residual.shape) >= SMOOTH_SIDE:
        amount[_is_speck(amount > FAINT)] = 0
    has_ink = bool((amount > FAINT).any())
    is_clear = _separability(ink, threshold) >= SEPARATE or contrast >= min(FULL, MIN_SIGNAL * spread)
    blank = not has_ink or not is_clear or contrast < max(MIN_CONTRAST, MIN_SIGNAL * fine)
    return _Ink(amount, contrast if has_ink else 0.0, noise, blank)


def _separability(values: Grey, threshold: float) -> float:
    """The share of the variance of ``values`` between those above the threshold and the others (Otsu 1979)."""
    above = values > threshold
    share = float(above.mean())
    if not 0 < share < 1:
        return 0.0
    between = share * (1 - share) * float(values[above].mean() - values[~above].mean()) ** 2
    return between / max(float(values.var()), 1e-9)


def _fine_noise(grey: Grey) -> float:
    """The standard deviation of noise that changes from pixel to pixel, which the strokes of a digit do not.

    By the second differences in both directions (Immerkaer 1996), of which the median is taken; 3 pixels apart where
    the picture has been smoothed.
    """
    lag = 3 if min(grey.shape) >= SMOOTH_SIDE else 1
    if min(grey.shape) <= 2 * lag:
        return 0.0
    for axis in (0, 1):
        low, middle, high = (grey.take(np.arange(s, s + grey.shape[axis] - 2 * lag), axis) for s in (0, lag, 2 * lag))
        grey = low - 2 * middle + high
    return 1.4826 * float(np.median(np.abs(grey))) / 6


def _ring(shape: tuple[int, ...], number: int) -> NDArray[np.bool_]:
    """Ring 0 is the outermost 4% on every side, at least one pixel; ring 1 is as wide and lies within it."""
    ring = np.zeros(shape, np.bool_)
    y, x = (max(1, side // 25) for side in shape)
    ring[number * y : shape[0] - number * y, number * x : shape[1] - number * x] = True
    ring[(number + 1) * y : shape[0] - (number + 1) * y, (number + 1) * x : shape[1] - (number + 1) * x] = False
    return ring


def _paper(grey: Grey, valid: NDArray[np.bool_]) -> Grey:
    """The brightness of the paper everywhere, told from the border: constant, or a plane, or a quadratic.

    Each only if it fits much better than the last, lest it follow ink that touches the border; and so the ring within
    the outermost one, where a thin frame spoils that.
    """
    y, x = (np.linspace(-1, 1, side) for side in grey.shape)
    y, x = y[:, np.newaxis], x[np.newaxis]
    terms = [np.ones((1, 1)), x, y, x * x, x * y, y * y]
    cap = OUTLIER * float(np.ptp(grey[valid]))
    best: FloatArray = np.array([np.median(grey[valid])])
    best_error = np.inf
    for number in (0, 1):
        ring = _ring(grey.shape, number) & valid
        if not ring.any():
            continue
        sample = slice(None, None, 1 + int(ring.sum()) // BORDER_SAMPLE)
        design = np.stack([np.broadcast_to(term, grey.shape)[ring][sample] for term in terms], axis=1)
        values = grey[ring][sample].astype(np.float64)
        for count in (1, 3, 6):
            surface = _least_absolute(design[:, :count], values)
            error = float(np.minimum(np.abs(values - design[:, :count] @ surface), cap).mean())
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
    if len(solution) == 1:
        return solution
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
    return inked & (box_counts(inked, 2) < 5)


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
    radius = round(_thickening(stroke_width(ink > 0.5), max(ink.shape)))
    if not radius or max(ink.shape) < 2 * DIGIT_SIDE:  # in a small picture the width cannot be told
        return ink
    ink = np.pad(ink, 2 * radius)
    for axis in (0, 1):
        ink = np.lib.stride_tricks.sliding_window_view(ink, 2 * radius + 1, axis).max(axis=-1)
    return ink


def _thickening(stroke: float, size: float) -> float:
    """By how much to widen strokes to each side, where a digit so large has strokes so wide."""
    width = stroke * DIGIT_SIDE / size
    return (STROKE - width) / 2 * size / DIGIT_SIDE if width < THIN_STROKE else 0.0


def _centre(ink: Grey, side: int) -> NDArray[np.uint8]:
    """Fit the ink into 20 x 20 and put its centre of mass into the middle of 28 x 28, by whole pixels as MNIST does.

    Likewise with another ``side`` than 28.
    """
    scale = max(1, round(side * DIGIT_SIDE / SIDE)) / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    shrunk = _from_array(ink).resize((width, height), resample=2)  # 2: bilinear, over all pixels that it covers
    small = np.asarray(shrunk, np.float32)
    levels = np.rint(small / small.max() * 255).astype(np.int64)
    # Of whole numbers, as what is symmetric has its centre on a pixel or exactly between two.
    total = int(levels.sum())
    centre_y = int((levels.sum(axis=1) * np.arange(height)).sum()) / total
    centre_x = int((levels.sum(axis=0) * np.arange(width)).sum()) / total
    top = min(max(round(side / 2 - centre_y), 0), side - height)
    left = min(max(round(side / 2 - centre_x), 0), side - width)
    field = np.zeros((side, side), np.uint8)
    field[top : top + height, left : left + width] = levels
    return field
