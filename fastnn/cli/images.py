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

# Units of the hidden layer of a network whose sizes nobody gives.
HIDDEN = 30


def sizes_for(train: Split, hidden: Sequence[int] = (HIDDEN,)) -> list[int]:
    """The sizes of a network for images (n, pixels) with labels (n,): pixels, hidden layers and classes."""
    X, y = train
    return [X.shape[1], *hidden, len(np.unique(y))]


def check_sizes(sizes: Sequence[int], train: Split) -> None:
    """--sizes begin with the images' pixels and end with their classes, or with more of them that occur nowhere."""
    inputs, outputs = sizes_for(train, ())
    fits = len(sizes) >= 2 and sizes[0] == inputs
    if not fits or (sizes[-1] != outputs and sizes[-1] <= int(train[1].max())):
        expected = f"{inputs} inputs and {outputs} outputs for these images"
        raise InvalidArgumentError("--sizes", expected, short_sizes(sizes) or "none")


def check_model(path: str, model: MLP, test: Split) -> None:
    """A model file of other images is not at fault, but cannot be tested with these."""
    X, y = test
    if model.sizes[0] != X.shape[1]:
        raise FastnnError(f"{path}: expected {X.shape[1]} inputs for these images, found {short_sizes(model.sizes)}")
    unknown = np.setdiff1d(y, classes_of(model))
    if len(unknown):
        expected, found = f"a network that knows the labels {_listed(unknown)}", _listed(classes_of(model))
        raise FastnnError(f"{path}: expected {expected}, found one of {found}")


def _listed(labels: NDArray[Any]) -> str:
    return ", ".join(map(str, labels.tolist()))


def classes_of(model: MLP) -> NDArray[Any]:
    """The class (outputs,) of each output; a regressor on one-hot targets has their places."""
    return model.classes_ if model.is_classifier else np.arange(model.sizes[-1])


def loss_and_accuracy(model: MLP, test: Split) -> tuple[float, float]:
    """Loss and accuracy; a regressor on one-hot targets has an accuracy too."""
    return evaluate(model.net, model.params, model.check_data(*test))


def predicted(model: MLP, X: NDArray[np.uint8]) -> NDArray[Any]:
    """The class (n,) of each image; by a regressor on one-hot targets that of its largest output."""
    said = model.predict(X)
    return said if model.is_classifier else said.argmax(axis=1)
