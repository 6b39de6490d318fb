"""mnist.pkl.gz, as deeplearning.net made it with Python 2 and the book uses it, read without unpickling it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from .checks import check_labels
from .pickle_machine import PickledArray, PickleMachine
from .stream import ByteStream, StrPath

FloatSplit = tuple[NDArray[np.float32], NDArray[np.int64]]
PixelSplit = tuple[NDArray[np.uint8], NDArray[np.uint8]]

BLOCK_ROWS = 4096  # bounds the temporary arrays below


def read_mnist_pickle(path: StrPath) -> tuple[FloatSplit, FloatSplit, FloatSplit]:
    """Read a pickle, raw or gzip, of ((images, labels), (images, labels), (images, labels)), without executing it.

    Files written by Python 2 (protocols 0 to 2) and Python 3 (protocols 1 to 5) are read, of at most 512 MiB
    uncompressed; protocol 0, which writes arrays as text, up to 64 MiB an array.

    Returns the training, validation and test splits: float32 images (n, pixels) in [0, 1] and int64 labels (n,), 0..9,
    C-contiguous. Raises FileFormatError, with an offset into the decompressed bytes, for anything else; a name or
    opcode that such a file does not use is refused at its offset.
    """
    train, valid, test = (_check_floats(path, *split) for split in _read_splits(path))
    return train, valid, test


def read_mnist_pickle_pixels(path: StrPath) -> tuple[PixelSplit, PixelSplit, PixelSplit]:
    """Like read_mnist_pickle, with the images turned back to the uint8 pixels they were made from, and uint8 labels.

    Every image value must be exactly k/256 (as deeplearning.net divided) or every one exactly k/255, for k in 0..255.
    """
    splits = read_mnist_pickle(path)
    for divisor in (256, 255):
        pixels = [_to_pixels(images, divisor) for images, _ in splits]
        train, valid, test = pixels
        if train is not None and valid is not None and test is not None:
            y_train, y_valid, y_test = (labels.astype(np.uint8) for _, labels in splits)
            return (train, y_train), (valid, y_valid), (test, y_test)
    raise FileFormatError(path, 0, "images of pixel/256 or pixel/255, pixel in 0..255", "other values")


def _read_splits(path: StrPath) -> list[tuple[PickledArray, PickledArray]]:
    with ByteStream.open(path) as stream:
        pickled = PickleMachine(stream).run()
        splits = []
        for split in pickled if isinstance(pickled, tuple) else ():
            match split:
                case PickledArray() as images, PickledArray() as labels:
                    splits.append((images, labels))
        if not isinstance(pickled, tuple) or not len(pickled) == len(splits) == 3:
            raise stream.fault("a tuple of three (images, labels) pairs of arrays", type(pickled).__name__)
    return splits


def _check_floats(path: StrPath, pickled_images: PickledArray, pickled_labels: PickledArray) -> FloatSplit:
    images, labels = _values(path, pickled_images), _values(path, pickled_labels)
    offset = pickled_images.offset
    if images.dtype.kind != "f" or images.ndim != 2:
        found = f"{images.dtype} of shape {images.shape}"
        raise FileFormatError(path, offset, "images as floats in two dimensions", found)
    if not (images.min() >= 0 and images.max() <= 1):  # not: NaN compares false
        raise FileFormatError(path, offset, "image values from 0 to 1", f"{images.min()} to {images.max()}")
    check_labels(path, pickled_labels.offset, labels, len(images), largest=9)
    return np.ascontiguousarray(images, np.float32), np.ascontiguousarray(labels, np.int64)


def _values(path: StrPath, array: PickledArray) -> NDArray[Any]:
    if array.values is None:
        raise FileFormatError(path, array.offset, "an array with its state", "no BUILD")
    return array.values


def _to_pixels(images: NDArray[np.float32], divisor: int) -> NDArray[np.uint8] | None:
    """The uint8 pixels whose quotients the images are, or None if any value is not such a quotient."""
    pixels = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), BLOCK_ROWS):
        block = images[start : start + BLOCK_ROWS]
        nearest = np.rint(block * np.float32(divisor))
        if nearest.max() > 255 or (nearest / np.float32(divisor) != block).any():
            return None
        pixels[start : start + BLOCK_ROWS] = nearest
    return pixels
