"""CIFAR-10, from Keras' files."""

from __future__ import annotations

import numpy as np

from .cifar import Images, batch

__all__ = ["load_data"]


def load_data() -> tuple[Images, Images]:
    """(x_train, y_train), (x_test, y_test): images (n, 32, 32, 3), 0..255, and labels (n, 1), all uint8.

    Read from "data_batch_1" to "data_batch_5" and "test_batch" in Keras' ``datasets``, below
    ``cifar-10-batches-py-target`` or not.
    """
    names = [f"data_batch_{i}" for i in range(1, 6)]
    parts = [batch("cifar-10-python", "cifar-10-batches-py", name, "labels") for name in [*names, "test_batch"]]
    images, labels = [x for x, _ in parts], [y.astype(np.uint8) for _, y in parts]
    return (np.concatenate(images[:5]), np.concatenate(labels[:5])), (images[5], labels[5])
