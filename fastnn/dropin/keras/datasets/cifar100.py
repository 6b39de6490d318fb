"""CIFAR-100, from Keras' files."""

from __future__ import annotations

from .... import checks
from .cifar import Images, batch

__all__ = ["load_data"]


def load_data(label_mode: str = "fine") -> tuple[Images, Images]:
    """(x_train, y_train), (x_test, y_test): uint8 images (n, 32, 32, 3), 0..255, and int64 labels (n, 1).

    ``label_mode`` is "fine", 100 classes, or "coarse", 20. Read from "train" and "test" in Keras' ``datasets``.
    """
    key = f"{checks.choice('label_mode', label_mode, ('fine', 'coarse'))}_labels"
    train, test = (batch("cifar-100-python", "cifar-100-python", name, key) for name in ("train", "test"))
    return train, test
