"""MNIST in the shapes of the book's mnist_loader.py (Nielsen, Neural Networks and Deep Learning), from embedded data.

    import fastnn.dropin.mnist_loader as mnist_loader

The numbers are those of the book's mnist.pkl.gz: pixels / 256 as float32, the first 50,000 training images for
training and the last 10,000 for validation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets import load_mnist
from .base import vectorized_result

__all__ = ["load_data", "load_data_wrapper", "vectorized_result"]

TRAINING = 50_000

Split = tuple[NDArray[np.float32], NDArray[np.int64]]
Pairs = list[tuple[NDArray[Any], Any]]


def load_data() -> tuple[Split, Split, Split]:
    """Training, validation and test data, 50,000, 10,000 and 10,000 images.

    Each is a pair of images (n, 784), float32 from 0 (background) to 255/256, and labels (n,), int64.
    """
    (X, y), (X_test, y_test) = load_mnist()
    return _split(X[:TRAINING], y[:TRAINING]), _split(X[TRAINING:], y[TRAINING:]), _split(X_test, y_test)


def load_data_wrapper() -> tuple[Pairs, Pairs, Pairs]:
    """Training, validation and test data as lists of pairs (x, y), as the book's networks take them.

    x is a column (784, 1), float32. y is, in the training data, a column (10, 1), float64, with 1.0 at the digit, and
    in the other two the digit, an int64.
    """
    (X, y), validation, test = load_data()
    targets = np.eye(10)[y]
    return list(zip(_columns(X), _columns(targets), strict=True)), _labelled(*validation), _labelled(*test)


def _split(X: NDArray[np.uint8], y: NDArray[np.uint8]) -> Split:
    return np.multiply(X, np.float32(1 / 256), dtype=np.float32), y.astype(np.int64)


def _columns(X: NDArray[Any]) -> list[NDArray[Any]]:
    return list(X[:, :, np.newaxis])


def _labelled(X: NDArray[np.float32], y: NDArray[np.int64]) -> Pairs:
    return list(zip(_columns(X), y, strict=True))
