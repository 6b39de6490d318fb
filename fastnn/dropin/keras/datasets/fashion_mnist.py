"""Fashion-MNIST, from Keras' files."""

from __future__ import annotations

import os

from ....datasets.idx import read_idx
from ....datasets.mnist import IDX_NAMES
from .cache import DATASETS, TENSORFLOW, cached
from .mnist import Split

__all__ = ["load_data"]

FOLDER = os.path.join(DATASETS, "fashion-mnist")


def load_data() -> tuple[Split, Split]:
    """(x_train, y_train), (x_test, y_test): images (n, 28, 28), 0..255, and labels (n,), all uint8.

    Read from the original's four files, such as "train-images-idx3-ubyte.gz", in Keras' ``datasets/fashion-mnist``.
    """
    files = [f"{name}.gz" for name in IDX_NAMES]
    x_train, y_train, x_test, y_test = (read_idx(cached(file, TENSORFLOW + file, FOLDER)) for file in files)
    return (x_train, y_train), (x_test, y_test)
