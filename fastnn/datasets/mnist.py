"""Find and load MNIST, embedded or from a path, in any of the formats it is passed around in."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, MissingFileError
from .checks import check_labels
from .csv_file import read_csv, read_digits
from .csv_header import picture_side
from .idx import read_idx_split
from .npz import read_npz
from .pickled import read_mnist_pickle_pixels
from .stream import ByteStream, StrPath, check_path

Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]

EMBEDDED = os.path.join(os.path.dirname(__file__), "data")
N_PIXELS = 784

IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CSV_NAMES = ("mnist_train.csv", "mnist_test.csv")
NPZ_NAME = "mnist.npz"
PICKLE_NAMES = ("mnist.pkl.gz", "mnist.pkl")
HELD_OUT = 7  # of so many rows of a class one is for testing, where a set has no other half, as of MNIST's 70,000


class _Form(NamedTuple):
    """What a set may have."""

    largest_label: int
    pixels: int | None  # None: any square


_MNIST, _ANY = _Form(9, N_PIXELS), _Form(255, None)


def load_mnist(path: StrPath | None = None) -> tuple[Split, Split]:
    """Load MNIST: the embedded set, or the same set from files of yours.

    path is a folder that holds one of these, or, of the last two, the file itself:
    the four IDX files (train-images-idx3-ubyte or train-images.idx3-ubyte and so on, raw or .gz); mnist_train.csv and
    mnist_test.csv (raw or .gz); Keras' mnist.npz; the book's mnist.pkl.gz, read without unpickling it, whose training
    and validation splits are joined.

    Returns (X_train, y_train), (X_test, y_test): uint8 images (n, 784), 0..255, and uint8 labels (n,), 0..9,
    C-contiguous and writable. MNIST has 60,000 and 10,000 rows; smaller and larger sets of the same form are read too.

    Raises FileFormatError, which names file, offset, expected and found, for whatever is missing (it is a
    FileNotFoundError too), cut short, damaged or of another format, and InvalidTypeError for a path that is not a str
    or os.PathLike.
    """
    if path is None:
        return _load_idx(EMBEDDED, _MNIST)
    path = check_path(path)
    return _load_folder(path, _MNIST) if os.path.isdir(path) else _load_file(path, _MNIST)


def load_images(path: StrPath | None = None) -> tuple[Split, Split]:
    """Load a labelled set of square images of any size, as :func:`load_mnist` does with labels up to 255.

    None is the embedded MNIST; path may also be a CSV file (raw or .gz) as :func:`read_csv` takes it, or an IDX file of
    images with that of its labels, of the same name with "labels" in place of "images", beside it. Where its name has
    "train" and a file with "test" or "t10k" in place of that is beside it, this is the other half; else every seventh
    row of each class is.

    Returns (X_train, y_train), (X_test, y_test): uint8 images (n, side * side), 0..255, and uint8 labels (n,). Raises
    FileFormatError as :func:`load_mnist` does, and where a label of the test images is none of the training images'.
    """
    if path is None:
        return load_mnist()
    path = check_path(path)
    if os.path.isdir(path):
        train, test = _load_folder(path, _ANY)
    elif not _is_half(path):
        train, test = _load_file(path, _ANY)
    else:
        train, other = _load_half(path), _other_half(path)
        train, test = _split(path, *train) if other is None else (train, _load_half(other))
    (images, labels), (others, others_labels) = train, test
    if others.shape[1] != images.shape[1]:
        expected = f"images to test with of {images.shape[1]} pixels, as those to train with"
        raise FileFormatError(path, 0, expected, others.shape[1])
    if len(unknown := np.setdiff1d(others_labels, labels)):
        raise FileFormatError(path, 0, "labels to test with that are among those to train with", unknown.tolist())
    return train, test


def labels_beside(path: str) -> str | None:
    """t10k-labels-idx1-ubyte for t10k-images-idx3-ubyte, each of them raw or .gz; None where there is no such file."""
    folder, name = os.path.split(path.removesuffix(".gz"))
    other = name.replace("images", "labels").replace("idx3", "idx1")
    candidates = [os.path.join(folder, other + ending) for ending in ("", ".gz")] if other != name else []
    return next((candidate for candidate in candidates if os.path.lexists(candidate)), None)


def _is_half(path: str) -> bool:
    """Whether a file is one of images with their labels, by its name: CSV or IDX."""
    name = os.path.basename(path).lower().removesuffix(".gz")
    return name.endswith(".csv") or "idx3" in name or "images" in name


def _load_half(path: str) -> Split:
    if path.lower().removesuffix(".gz").endswith(".csv"):
        return _flatten(path, *read_csv(path), _ANY)
    labels = labels_beside(path)
    if labels is None:
        raise FileFormatError(path, 0, "a file of labels beside it", "none")
    return _flatten(path, *read_idx_split(path, labels), _ANY)


def _other_half(path: str) -> str | None:
    folder, name = os.path.split(path)
    others = (name.replace("train", word) for word in ("test", "t10k"))
    return _find(folder, [other for other in others if other != name])


def _split(path: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> tuple[Split, Split]:
    """Every seventh row of each class, from the fourth on, is for testing."""
    held_out = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        held_out[np.flatnonzero(labels == label)[HELD_OUT // 2 :: HELD_OUT]] = True
    if not held_out.any():
        raise FileFormatError(path, 0, f"a class of at least {HELD_OUT // 2 + 1} images, to test with one", "none")
    return (images[~held_out], labels[~held_out]), (images[held_out], labels[held_out])


def _load_folder(folder: str, form: _Form) -> tuple[Split, Split]:
    """The first format of which the folder holds any file; a missing one of its other files is then an error."""
    if any(_find(folder, _idx_variants(name)) for name in IDX_NAMES):
        return _load_idx(folder, form)
    if any(_find(folder, _csv_variants(name)) for name in CSV_NAMES):
        read = read_digits if form is _MNIST else read_csv
        train_path, test_path = (_require(folder, _csv_variants(name)) for name in CSV_NAMES)
        return _flatten(train_path, *read(train_path), form), _flatten(test_path, *read(test_path), form)
    if found := _find(folder, (NPZ_NAME, *PICKLE_NAMES)):
        return _load_file(found, form)
    expected = f"IDX files, {' and '.join(CSV_NAMES)}, {NPZ_NAME} or {PICKLE_NAMES[0]}"
    raise FileFormatError(folder, 0, expected, "none of them in this folder")


def _load_file(path: str, form: _Form) -> tuple[Split, Split]:
    name = os.path.basename(path).lower()
    if name.endswith(".npz"):
        train, test = read_npz(path)
        for half, (_, labels) in (("train", train), ("test", test)):
            check_labels(os.path.join(path, f"y_{half}.npy"), 0, labels, len(labels), largest=form.largest_label)
        return _flatten(path, *train, form), _flatten(path, *test, form)
    if name.endswith((".pkl", ".pkl.gz", ".pickle", ".pickle.gz")):
        train, valid, test = read_mnist_pickle_pixels(path)
        images, labels = (np.concatenate(parts) for parts in zip(train, valid, strict=True))
        return _flatten(path, images, labels, form), _flatten(path, *test, form)
    if not os.path.lexists(path):
        raise MissingFileError(path, "there is no such file or folder")
    with ByteStream.open(path):  # raises where it cannot be read
        expected = f"a folder, {NPZ_NAME} or {PICKLE_NAMES[0]}" + ("" if form is _MNIST else ", CSV or IDX images")
        raise FileFormatError(path, 0, expected, "a file of another name")


def _load_idx(folder: str, form: _Form) -> tuple[Split, Split]:
    paths = [_require(folder, _idx_variants(name)) for name in IDX_NAMES]
    train, test = read_idx_split(paths[0], paths[1]), read_idx_split(paths[2], paths[3])
    for labels_path, (_, labels) in ((paths[1], train), (paths[3], test)):
        check_labels(labels_path, 8, labels, len(labels), item_bytes=1, largest=form.largest_label)
    return _flatten(paths[0], *train, form), _flatten(paths[2], *test, form)


def _flatten(path: str, images: NDArray[np.uint8], labels: NDArray[np.uint8], form: _Form) -> Split:
    """The images in rows, where they are such as the form has."""
    pixels = math.prod(images.shape[1:])
    if form.pixels is not None and images.shape[1:] not in ((28, 28), (N_PIXELS,)):
        raise FileFormatError(path, 0, f"images of 28 x 28 = {N_PIXELS} pixels", f"an array of shape {images.shape}")
    side = picture_side(pixels)
    if images.shape[1:] not in ((side, side), (side * side,)):
        raise FileFormatError(path, 0, "square images of at least 8 x 8 pixels", f"an array of shape {images.shape}")
    return images.reshape(-1, pixels), labels


def _idx_variants(name: str) -> tuple[str, ...]:
    dotted = name.replace("-idx", ".idx")  # as some unpackers of the .gz files name them
    return name, dotted, name + ".gz", dotted + ".gz"


def _csv_variants(name: str) -> tuple[str, ...]:
    return name, name + ".gz"


def _find(folder: str, names: Sequence[str]) -> str | None:
    paths = (os.path.join(folder, name) for name in names)
    return next((path for path in paths if os.path.lexists(path)), None)


def _require(folder: str, names: Sequence[str]) -> str:
    path = _find(folder, names)
    if path is None:
        reason = f"there is no such file; expected one of {', '.join(names)}"
        raise MissingFileError(os.path.join(folder, names[0]), reason)
    return path
