"""MNIST in Keras' shapes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....datasets import load_mnist

__all__ = ["load_data"]

Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def load_data(path: str = "mnist.npz") -> tuple[Split, Split]:
    """(x_train, y_train), (x_test, y_test): images (n, 28, 28), 0..255, and labels (n,), all uint8.

    They are embedded in fastnn: nothing is downloaded, so ``path``, Keras' name for the download, means nothing.
    """
    (X, y), (X_test, y_test) = load_mnist()
    return (X.reshape(-1, 28, 28), y), (X_test.reshape(-1, 28, 28), y_test)
