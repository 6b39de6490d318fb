"""Pictures of digits: MNIST's own digits drawn large, dark, noisy and turned must come back as they were."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from digit_strokes import DIGITS
from drawings import ink_of
from PIL import Image

import fastnn
from fastnn.datasets import load_mnist
from fastnn.digit_image import MAX_PIXELS, centre_digit, load_digit
from fastnn.errors import FastnnError, FileFormatError, InvalidTypeError

COUNT = 100


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_mnist()[1][0][:COUNT].reshape(-1, 28, 28)


@pytest.fixture(scope="module")
def classify():
    """A network of fixed seed, trained for a moment, and the labels of ``digits``."""
    (X, y), (_, labels) = load_mnist()
    with fastnn.use("numpy"):
        model = fastnn.MLP([784, 30, 10], seed=1)
        model.fit(X[:20000], y[:20000], epochs=2, batch_size=10, learning_rate=0.3)

    def accuracy(images: list[np.ndarray]) -> float:
        with fastnn.use("numpy"):
            return model.score(np.reshape(images, (len(images), 784)), labels[: len(images)])

    return accuracy


def canvas(digit: np.ndarray, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """The digit, 0 to 255, somewhere on a larger field; float64 (height, width)."""
    side = int(0.8 * min(width, height))
    field = np.zeros((height, width))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    field[top : top + side, left : left + side] = np.asarray(large)
    return field


def write(path: Path, values: np.ndarray, **options) -> Path:
    Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)).save(path, **options)
    return path


def light(shape: tuple[int, int]) -> np.ndarray:
    """A lamp at the left and a darker rim."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return 0.85 - 0.15 * x - 0.1 * (x * x + y * y)


SCENES = {
    "light.png": lambda ink, rng: ink,
    "dark.png": lambda ink, rng: 255 - ink,
    "noisy.jpg": lambda ink, rng: 230 - 0.8 * ink + rng.normal(0, 15, ink.shape),
    "chalk.jpg": lambda ink, rng: 20 + 0.8 * ink + rng.normal(0, 25, ink.shape),
    "photo.jpg": lambda ink, rng: (240 - 0.8 * ink) * light(ink.shape) + rng.normal(0, 8, ink.shape),
    "faint.png": lambda ink, rng: 150 - 0.15 * ink + rng.normal(0, 3, ink.shape),
    "dusty.png": lambda ink, rng: np.where(rng.random(ink.shape) < 0.002, 0, 255 - ink),
}


@pytest.mark.parametrize("name", SCENES)
def test_accuracy_survives(tmp_path, digits, classify, name):
    rng = np.random.default_rng(0)
    size = (200, 300) if name == "photo.jpg" else (120, 160)
    options = {"quality": 60} if name.endswith("jpg") else {}
    scenes = (SCENES[name](canvas(digit, *size, rng), rng) for digit in digits)
    found = [load_digit(write(tmp_path / name, scene, **options)) for scene in scenes]
    assert classify(digits) > 0.9
    assert classify(found) >= classify(digits) - 0.03


def test_a_thin_pen_is_thickened(tmp_path, digits, classify):
    """Its line breaks off here and there, so that a few of these seem to be more than one digit."""
    found, refused = [], 0
    for digit in digits:
        large = np.asarray(Image.fromarray(digit).resize((140, 140), Image.Resampling.BICUBIC)) > 128
        ridge = large & ~np.roll(large, (3, 3), (0, 1))  # one edge of each stroke, a thin line
        try:
            found.append(load_digit(write(tmp_path / "thin.png", 255.0 * ~ridge)))
        except FileFormatError:
            found.append(digit.ravel() * 0)
            refused += 1
    assert refused <= 5
    assert np.mean(found) > 0.6 * digits.mean()
    assert classify(found) > 0.5


def test_a_fine_stem_is_not_cut_off(tmp_path):
    seven = np.full((500, 400), 255.0)
    seven[50:56, 50:350] = 0
    seven[50:450, 344:350] = 0
    field = load_digit(write(tmp_path / "seven.png", seven)).reshape(28, 28)
    assert np.count_nonzero(field.any(axis=1)) == 20
    assert np.count_nonzero(field[:8]) < np.count_nonzero(field)


def test_mnist_comes_back_as_it_was(tmp_path, digits):
    for digit in digits[:50]:
        light_on_dark = load_digit(write(tmp_path / "a.png", digit))
        assert light_on_dark.dtype == np.uint8
        assert light_on_dark.shape == (784,)
        np.testing.assert_array_equal(load_digit(write(tmp_path / "b.png", 255.0 - digit)), light_on_dark)
        assert np.abs(light_on_dark - digit.ravel().astype(float)).mean() < 20  # half a pixel's shift at most


@pytest.mark.quick
@pytest.mark.parametrize("box", [(30, 20, 40, 160), (20, 100, 160, 30), (60, 60, 45, 45), (5, 3, 6, 9)])
def test_fits_20x20_and_centres_the_mass(tmp_path, box):
    left, top, width, height = box
    pixels = np.full((200, 200), 240.0)
    pixels[top : top + height, left : left + width] = 30
    pixels[top : top + height, left : left + width // 3] = 90
    field = load_digit(write(tmp_path / "box.png", pixels)).reshape(28, 28).astype(float)
    rows, columns = (np.flatnonzero(field.sum(axis=axis)) for axis in (1, 0))
    sides = (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
    assert max(sides) == 20
    assert min(sides) == pytest.approx(20 * min(width, height) / max(width, height), abs=1.5)
    index = np.arange(28)
    for axis in (0, 1):
        centre = (field.sum(axis=axis) * index).sum() / field.sum()
        assert centre == pytest.approx(14, abs=0.51)


@pytest.fixture
def expected(tmp_path, digits):
    """A picture in plain grey, and what it must give in any other form."""
    grey = 255 - canvas(digits[4], 120, 100, np.random.default_rng(1))
    path = write(tmp_path / "plain.png", grey)
    return Image.open(path), load_digit(path)


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return float(np.abs(found.astype(float) - expected).mean()) < 1.0


def test_every_pixel_format(tmp_path, expected):
    picture, digit = expected
    grey = np.asarray(picture)
    ink = Image.fromarray(255 - grey)
    dark, light = Image.new("RGBA", picture.size, "navy"), Image.new("RGBA", picture.size, "white")
    dark.putalpha(ink)
    light.putalpha(ink)
    grey_with_alpha = Image.new("LA", picture.size, 0)
    grey_with_alpha.putalpha(ink)
    variants = {
        "rgb": picture.convert("RGB"),
        "rgba": picture.convert("RGBA"),
        "palette": picture.convert("P"),
        "16 bits": Image.fromarray(grey.astype(np.uint16) * 257),
        "dark on nothing": dark,
        "light on nothing": light,
        "grey on nothing": grey_with_alpha,
        "colour": Image.merge("RGB", [picture, picture, Image.new("L", picture.size, 200)]),
    }
    for name, variant in variants.items():
        path = tmp_path / f"{name}.png"
        variant.save(path)
        assert same(load_digit(path), digit), name
    path = tmp_path / "transparent colour.png"
    palette = picture.convert("P")
    palette.save(path, transparency=int(np.argmax(palette.histogram())))
    assert same(load_digit(path), digit)
    black = Image.new("P", picture.size, 0)
    black.putpalette([0, 0, 0] * 2)
    black.paste(1, mask=ink.point(lambda value: 255 * (value < 128)))
    black.save(path, transparency=1)  # black on clear black
    assert np.abs(load_digit(path).astype(float) - digit).mean() < 30
    picture.convert("1").save(tmp_path / "bits.png")
    assert np.abs(load_digit(tmp_path / "bits.png").astype(float) - digit).mean() < 30
    for mode in ("L", "RGB", "CMYK"):
        picture.convert(mode).save(tmp_path / "a.jpg", quality=95)
        assert np.abs(load_digit(tmp_path / "a.jpg").astype(float) - digit).mean() < 4


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)],
)
def test_exif_orientation(tmp_path, expected, suffix, orientation, turn):
    picture, digit = expected
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    picture.transpose(turn).save(path, exif=exif, **({"quality": 95} if suffix == "jpg" else {}))
    assert np.abs(load_digit(path).astype(float) - digit).mean() < 4


def test_large_pictures(tmp_path, digits):
    rng = np.random.default_rng(3)
    for digit, name in zip(digits, ("large.jpg", "large.png"), strict=False):
        ink = canvas(digit, 2400, 1800, rng)
        found = load_digit(write(tmp_path / name, 230 - 0.8 * ink, **({"quality": 70} if "jpg" in name else {})))
        assert np.corrcoef(found, digit.ravel())[0, 1] > 0.9


def test_blank_pictures_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    slope = np.linspace(120, 200, 200)[np.newaxis] * np.ones((150, 1))
    blanks = [
        np.zeros((28, 28)),
        np.full((300, 200), 255.0),
        128 + rng.normal(0, 20, (300, 200)),
        np.where(rng.random((300, 200)) < 0.01, 0.0, 255.0),
        128 + rng.normal(0, 20, (28, 28)),
        slope + rng.normal(0, 4, slope.shape),
        np.full((1, 1), 255.0),
        np.full((1, 700), 3.0),
        np.full((700, 1), 3.0),
        np.full((2, 2), 90.0),
    ]
    for blank in blanks:
        with pytest.raises(FileFormatError, match="a picture of a digit, found a blank one"):
            load_digit(write(tmp_path / "blank.png", blank))
    Image.new("RGBA", (30, 30), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    with pytest.raises(FileFormatError, match="a blank one"):
        load_digit(tmp_path / "clear.png")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(MAX_PIXELS // 8000 + 1, 8000), (10_000, 10_000), (60_000, 60_000)])
def test_huge_pictures_are_refused_before_they_are_decoded(tmp_path, size):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(*size))
    with pytest.raises(FileFormatError, match="at most 64,000,000 pixels"):
        load_digit(path)


def test_what_is_no_picture_is_refused(tmp_path, expected):
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.jpg").touch()
    expected[0].save(tmp_path / "other.png", format="PPM")
    for name in ("text.png", "empty.jpg", "other.png"):
        with pytest.raises(FileFormatError, match="a PNG, JPEG, BMP, GIF, WebP or TIFF picture, found something else"):
            load_digit(tmp_path / name)
    for name, match in (("missing.png", "missing.png: there is no such file"), (".", "is a directory")):
        with pytest.raises(FileFormatError, match=match):
            load_digit(str(tmp_path) + "/" + name)
    with pytest.raises(InvalidTypeError, match="path"):
        load_digit(3)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_damaged_pictures_never_crash(tmp_path, expected, suffix):
    expected[0].save(tmp_path / f"good.{suffix}")
    good = (tmp_path / f"good.{suffix}").read_bytes()
    rng = np.random.default_rng(0)
    damaged = [good[:size] for size in range(0, len(good), 97)]
    for _ in range(150):
        data = bytearray(good)
        for position in rng.integers(0, len(good) if rng.random() < 0.5 else 200, 3):
            data[position] = rng.integers(256)
        damaged.append(bytes(data))
    refused = 0
    for data in damaged:
        (tmp_path / "bad").write_bytes(data)
        try:
            assert load_digit(tmp_path / "bad").shape == (784,)
        except FileFormatError:
            refused += 1
    assert refused > 20


def test_without_pillow():
    script = (
        "import sys; sys.modules['PIL'] = None; import fastnn.digit_image as d\n"
        "try: d.load_digit('x.png')\nexcept d.FastnnError as error: print(error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(fastnn.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert 'pip install "fastnn-cpu[image]"' in done.stdout


# ---- crops, frames, ruled paper, several digits


def drawn(digit: np.ndarray, side: int = 280) -> np.ndarray:
    """The digit as MNIST has it, but large: ink 0..255 (side, side)."""
    return np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)).astype(float)


def cut(digit: np.ndarray, margin: int) -> np.ndarray:
    """The digit and so many pixels around it."""
    rows, columns = (np.flatnonzero(digit.any(axis=axis)) for axis in (1, 0))
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return digit[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin]


@pytest.mark.parametrize("margin", [0, 2])
@pytest.mark.parametrize("inverted", [True, False])
def test_a_digit_cut_out_tightly_is_not_blank(tmp_path, digits, classify, margin, inverted):
    found = []
    for digit in digits:
        part = cut(digit, margin)
        large = Image.fromarray(part).resize((8 * part.shape[1], 8 * part.shape[0]), Image.Resampling.BICUBIC)
        ink = np.asarray(large).astype(float)
        found.append(load_digit(write(tmp_path / "cut.png", 255 - ink if inverted else ink)))
    assert classify(found) >= classify(digits) - 0.03


def test_a_bar_with_a_clean_margin_is_a_one(tmp_path, classify):
    bar = np.full((220, 60), 255.0)
    bar[10:210, 10:50] = 0
    field = load_digit(write(tmp_path / "bar.png", bar)).reshape(28, 28)
    assert (field.max(axis=1) == 255).sum() == 20
    assert np.count_nonzero(field[14]) in (4, 5)


def framed(ink: np.ndarray) -> np.ndarray:
    """At the picture's edge, as the cell of a form has it."""
    return np.pad(ink, 3, constant_values=255)


def framed_within(ink: np.ndarray) -> np.ndarray:
    """A grey one with some paper around it."""
    return np.pad(np.pad(ink, 3, constant_values=140), 12)


def ruled(ink: np.ndarray) -> np.ndarray:
    lines = np.zeros_like(ink)
    for y in range(30, len(ink), 40):
        lines[y : y + 2] = 160
    return np.maximum(ink, lines)


def squared(ink: np.ndarray) -> np.ndarray:
    return np.maximum(ruled(ink), ruled(ink.T).T)


@pytest.mark.parametrize(
    ("around", "inverted"),
    [
        *((framed, inverted) for inverted in (True, False)),  # the edge tells what is paper
        *((framed_within, inverted) for inverted in (True, False)),
        (ruled, True),
        (squared, False),
    ],
)
def test_lines_are_no_ink(tmp_path, digits, classify, around, inverted):
    digits, found = digits[:60], []
    for digit in digits:
        ink = around(drawn(digit))
        found.append(load_digit(write(tmp_path / "lines.png", 255 - ink if inverted else ink)))
    assert classify(found) >= classify(digits) - 0.05


@pytest.mark.parametrize("around", [ruled, squared, framed])
def test_lines_alone_are_no_digit(tmp_path, around):
    with pytest.raises(FileFormatError, match="expected a picture of a digit, found a blank one"):
        load_digit(write(tmp_path / "lines.png", 255 - around(np.zeros((280, 280)))))


@pytest.mark.parametrize(("axis", "gap"), [(1, 5), (1, 40), (0, 15)])
def test_two_digits_are_refused(tmp_path, digits, axis, gap):
    """Side by side, and one above the other where they do not nearly touch."""
    for first, second in zip(digits[:20], digits[40:60], strict=True):
        parts = [np.kron(cut(digit, 0), np.ones((6, 6))) for digit in (first, second)]
        across = max(part.shape[1 - axis] for part in parts) + gap
        widths = [[(gap, gap), (0, across - part.shape[1 - axis])] for part in parts]
        padded = [np.pad(p, w if axis == 0 else w[::-1]) for p, w in zip(parts, widths, strict=True)]
        with pytest.raises(FileFormatError, match="expected a picture of one digit, found more than one"):
            load_digit(write(tmp_path / "two.png", 255 - np.pad(np.concatenate(padded, axis), 20)))


@pytest.mark.parametrize(
    ("suffix", "mode", "options"),
    [
        ("bmp", "L", {}),
        ("bmp", "1", {}),
        ("gif", "L", {}),
        ("gif", "P", {}),
        ("webp", "RGB", {"lossless": True}),
        ("tif", "L", {}),
        ("tif", "1", {}),
        ("tif", "I;16", {}),
        ("jpg", "CMYK", {"quality": 95}),
    ],
)
def test_other_formats(tmp_path, digits, suffix, mode, options):
    ink = drawn(digits[0])
    expected = load_digit(write(tmp_path / "digit.png", 255 - ink)).astype(int)
    picture = Image.fromarray((255 - ink).astype(np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(((255 - ink) * 257).astype(np.uint16))
    elif mode == "P":
        picture = picture.quantize(2)
    else:
        picture = picture.convert(mode, dither=Image.Dither.NONE)
    picture.save(tmp_path / f"digit.{suffix}", **options)
    found = load_digit(tmp_path / f"digit.{suffix}").astype(int)
    assert np.abs(found - expected).mean() < (1 if mode in ("L", "RGB", "I;16") else 12)


def test_drawn_ink_is_centred_as_a_picture_of_it_is(tmp_path):
    for digit, strokes in DIGITS.items():
        ink = ink_of(strokes)
        drawn = centre_digit(ink)
        np.testing.assert_array_equal(drawn, load_digit(write(tmp_path / f"{digit}.png", 255.0 * (1 - ink))))
        assert drawn.shape == (784,)
        rows, columns = np.mgrid[:28, :28].reshape(2, -1)
        assert np.abs(np.average([rows, columns], axis=1, weights=drawn) - 14).max() <= 0.5


@pytest.mark.parametrize(("side", "box"), [(8, 6), (20, 14), (32, 23), (64, 46)])
def test_drawn_ink_for_images_of_other_sides(side, box):
    field = centre_digit(ink_of(DIGITS[0]), side).reshape(side, side)
    rows = np.flatnonzero(field.any(axis=1))
    assert rows[-1] - rows[0] + 1 == box
    assert np.abs((rows[0] + rows[-1]) / 2 - side / 2) <= 1


@pytest.mark.parametrize(
    ("ink", "message"),
    [
        (np.zeros((5, 5)), "some ink above 0.15, found at most 0"),
        (np.full((5, 5), 0.1), "some ink above 0.15, found at most 0.1"),
        (np.full((5, 5), 255), "numbers from 0 to 1"),
        (np.full((5, 5), np.nan), "numbers from 0 to 1"),
        (np.ones(25), r"of shape \(height, width\)"),
        (np.ones((0, 5)), r"of shape \(height, width\)"),
        ([["a"]], "real numbers"),
    ],
)
def test_ink_that_is_none(ink, message):
    with pytest.raises(FastnnError, match=message):
        centre_digit(ink)
