"""Find and load MNIST, embedded or from a path, in any of the formats it is passed around in."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, MissingFileError
from .checks import check_labels
from .csv_file import read_digits
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
        return _load_idx(EMBEDDED)
    path = check_path(path)
    return _load_folder(path) if os.path.isdir(path) else _load_file(path)


def _load_folder(folder: str) -> tuple[Split, Split]:
    """The first format of which the folder holds any file; a missing one of its other files is then an error."""
    if any(_find(folder, _idx_variants(name)) for name in IDX_NAMES):
        return _load_idx(folder)
    if any(_find(folder, _csv_variants(name)) for name in CSV_NAMES):
        train_path, test_path = (_require(folder, _csv_variants(name)) for name in CSV_NAMES)
        return _flatten(train_path, *read_digits(train_path)), _flatten(test_path, *read_digits(test_path))
    if found := _find(folder, (NPZ_NAME, *PICKLE_NAMES)):
        return _load_file(found)
    expected = f"IDX files, {' and '.join(CSV_NAMES)}, {NPZ_NAME} or {PICKLE_NAMES[0]}"
    raise FileFormatError(folder, 0, expected, "none of them in this folder")


def _load_file(path: str) -> tuple[Split, Split]:
    name = os.path.basename(path).lower()
    if name.endswith(".npz"):
        train, test = read_npz(path)
        for half, (_, labels) in (("train", train), ("test", test)):
            check_labels(os.path.join(path, f"y_{half}.npy"), 0, labels, len(labels), largest=9)
        return _flatten(path, *train), _flatten(path, *test)
    if name.endswith((".pkl", ".pkl.gz", ".pickle", ".pickle.gz")):
        train, valid, test = read_mnist_pickle_pixels(path)
        images, labels = (np.concatenate(parts) for parts in zip(train, valid, strict=True))
        return _flatten(path, images, labels), _flatten(path, *test)
    if not os.path.lexists(path):
        raise MissingFileError(path, "there is no such file or folder")
    with ByteStream.open(path):  # raises where it cannot be read
        raise FileFormatError(path, 0, f"a folder, {NPZ_NAME} or {PICKLE_NAMES[0]}", "a file of another name")


def _load_idx(folder: str) -> tuple[Split, Split]:
    paths = [_require(folder, _idx_variants(name)) for name in IDX_NAMES]
    train, test = read_idx_split(paths[0], paths[1]), read_idx_split(paths[2], paths[3])
    for labels_path, (_, labels) in ((paths[1], train), (paths[3], test)):
        check_labels(labels_path, 8, labels, len(labels), item_bytes=1, largest=9)
    return _flatten(paths[0], *train), _flatten(paths[2], *test)


def _flatten(path: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Split:
    if images.shape[1:] not in ((28, 28), (N_PIXELS,)):
        raise FileFormatError(path, 0, f"images of 28 x 28 = {N_PIXELS} pixels", f"an array of shape {images.shape}")
    return images.reshape(-1, N_PIXELS), labels


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
