"""MNIST as the package ``mnist`` of PyPI gives it (datapythonista/mnist), from embedded data.

    import fastnn.dropin.mnist as mnist

Nothing is downloaded. Where the original looks for a file that it downloaded before, in ``target_dir`` or the folder
that the program's own ``mnist.temporary_dir`` returns, a file of that name is read; otherwise the embedded one.
"""

from __future__ import annotations

import os
import re
from typing import IO, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..datasets.idx import read_idx
from ..datasets.mnist import EMBEDDED, IDX_NAMES
from ..datasets.stream import StrPath, check_path
from ..errors import FastnnError, FileFormatError, InvalidArgumentError, InvalidTypeError

__all__ = [
    "IdxDecodeError",
    "datasets_url",
    "download_and_parse_mnist_file",
    "download_file",
    "parse_idx",
    "temporary_dir",
    "test_images",
    "test_labels",
    "train_images",
    "train_labels",
]

FILES = tuple(f"{name}.gz" for name in IDX_NAMES)
MIRROR = re.compile(r"(?!.*fashion).*(?<![\w-])mnist(?![\w-])", re.IGNORECASE)  # neither fashion-mnist nor kmnist

IdxDecodeError = FileFormatError

datasets_url = "http://yann.lecun.com/exdb/mnist/"  # programs assign the address of a mirror


def temporary_dir() -> str:
    """The folder of the embedded files; programs assign a function that returns another."""
    return EMBEDDED


def train_images() -> NDArray[np.uint8]:
    """The training images, a new uint8 array (60000, 28, 28), from 0 (background) to 255."""
    return download_and_parse_mnist_file("train-images-idx3-ubyte.gz")


def train_labels() -> NDArray[np.uint8]:
    """The training images' digits, a new uint8 array (60000,)."""
    return download_and_parse_mnist_file("train-labels-idx1-ubyte.gz")


def test_images() -> NDArray[np.uint8]:
    """The test images, a new uint8 array (10000, 28, 28), from 0 (background) to 255."""
    return download_and_parse_mnist_file("t10k-images-idx3-ubyte.gz")


def test_labels() -> NDArray[np.uint8]:
    """The test images' digits, a new uint8 array (10000,)."""
    return download_and_parse_mnist_file("t10k-labels-idx1-ubyte.gz")


def download_and_parse_mnist_file(
    fname: str, target_dir: StrPath | None = None, force: bool = False
) -> NDArray[np.uint8]:
    """The array of one of MNIST's four files, such as "train-images-idx3-ubyte.gz", or of an IDX file of one's own.

    ``fname`` is looked for in ``target_dir``, by default ``temporary_dir()``, and may be a whole path; with ``force``
    it is not looked for. Raises FileFormatError for other files than IDX, and FastnnError where the original would
    download what is not embedded: other names, and a ``datasets_url`` that is no mirror of MNIST.
    """
    path = os.path.join(check_path(target_dir or temporary_dir()), check_path(fname))
    if force or os.path.dirname(path) == EMBEDDED or not os.path.isfile(path):
        if not MIRROR.match(str(datasets_url)):
            expected = "a mirror of MNIST, or the files in temporary_dir(), as nothing is downloaded"
            raise InvalidArgumentError("datasets_url", expected, repr(datasets_url))
        if fname not in FILES:
            raise InvalidArgumentError("fname", f"one of {', '.join(FILES)}, or a file that is there", path)
        path = os.path.join(EMBEDDED, fname)
    return read_idx(path)


def download_file(fname: str, target_dir: StrPath | None = None, force: bool = False) -> NoReturn:
    """Raise FastnnError, as nothing is downloaded."""
    raise FastnnError("download_file: nothing is downloaded; download_and_parse_mnist_file(fname) returns the array")


def parse_idx(fd: IO[bytes]) -> NDArray[np.uint8]:
    """The array of an IDX file that was opened by its path, with ``open`` or ``gzip.open``, and not read from yet.

    Raises FileFormatError for what is no IDX file of unsigned bytes, and FastnnError for other file objects.
    """
    try:
        is_whole_file = os.path.samestat(os.fstat(fd.fileno()), os.stat(fd.name)) and fd.tell() == 0
    except (AttributeError, OSError, ValueError):  # what lies in memory has no number, what is closed none any more
        is_whole_file = False
    if not is_whole_file:
        raise InvalidTypeError("fd", "a file opened by its path, at its beginning", repr(fd))
    return read_idx(fd.name)
