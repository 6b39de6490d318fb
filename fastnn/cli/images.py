"""The images of digits that networks are trained and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FastnnError, InvalidArgumentError
from ..nn.display import short_sizes
from ..nn.evaluate import evaluate
from ..nn.mlp import MLP

Split = tuple[NDArray[np.uint8], NDArray[np.uint8]]

# Of MNIST, and of every set that load_mnist reads.
PIXELS, CLASSES = 784, 10


def check_sizes(where: str, sizes: Sequence[int]) -> None:
    """The images have 784 pixels and 10 classes; a model file of other sizes is not at fault, but cannot be used."""
    if len(sizes) < 2 or sizes[0] != PIXELS or sizes[-1] != CLASSES:
        expected, found = f"{PIXELS} inputs and {CLASSES} outputs for these images", short_sizes(sizes) or "none"
        if where.startswith("--"):
            raise InvalidArgumentError(where, expected, found)
        raise FastnnError(f"{where}: expected {expected}, found {found}")


def loss_and_accuracy(model: MLP, test: Split) -> tuple[float, float]:
    """Loss and accuracy; a regressor on one-hot targets has an accuracy too."""
    return evaluate(model.net, model.params, model.check_data(*test))


def predicted(model: MLP, X: NDArray[np.uint8]) -> NDArray[Any]:
    """The class (n,) of each image; by a regressor on one-hot targets that of its largest output."""
    said = model.predict(X)
    return said if model.is_classifier else said.argmax(axis=1)
