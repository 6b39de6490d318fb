"""The files of CIFAR: pickles, read without executing them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....datasets.pickled_objects import read_pickled_dict
from ....errors import FileFormatError
from .cache import DATASETS, cached

ORIGIN = "https://www.cs.toronto.edu/~kriz/{}.tar.gz, unpacked"

Images = tuple[NDArray[np.uint8], NDArray[Any]]


def batch(archive: str, folder: str, name: str, key: str) -> Images:
    """uint8 images (n, 32, 32, 3), int64 labels (n, 1) of one file of ``folder``, as Keras 3 or 2 unpacked it."""
    homes = os.path.join(DATASETS, f"{folder}-target", folder), os.path.join(DATASETS, folder)
    path = cached(name, ORIGIN.format(archive), *homes)
    content = read_pickled_dict(path)
    pixels, labels = content.get(b"data"), content.get(key.encode())
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise FileFormatError(path, 0, "data, uint8 (n, 3072)", type(pixels).__name__)
    if not isinstance(labels, list) or len(labels) != len(pixels) or not set(labels) <= set(range(256)):
        raise FileFormatError(path, 0, f"{key}, a list of {len(pixels)} labels", type(labels).__name__)
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, np.array(labels, np.int64)[:, None]
