"""What models and histories of any program say, whatever their names are: what the pictures of fastnn.plots show.

The models are :class:`~fastnn.MLP`, :class:`~fastnn.Neighbors`, scikit-learn's estimators and its drop-in's, Keras'
drop-in's, Rashid's neuralNetwork, and functions of rows. The core knows none of the other programs' names: they are
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import checks
from .errors import InvalidArgumentError, InvalidTypeError
from .nn.history import History

Model = Any  # see above

# Targets of a backquery, for the class and for the others, as Rashid takes them.
BACK_HIGH, BACK_LOW = 0.99, 0.01


def history_of(history: Any) -> History:
    """What any training has left behind, as fastnn's History: fit's result, Keras', a dict, or a fitted estimator."""
    if isinstance(history, History):
        return history
    figures = getattr(history, "history", history)
    if isinstance(figures, Mapping):
        # Keras 1 wrote acc.
        names = {"loss": "loss", "val_loss": "val_loss", "accuracy": "acc", "val_accuracy": "val_acc"}
        found = History()
        for name, short in names.items():
            values = _list(figures.get(name)) or _list(figures.get(short))
            setattr(found, name, _means(f"history[{name!r}]", values))
        return found
    if hasattr(history, "loss_curve_"):
        scores = _list(getattr(history, "validation_scores_", None))
        return History(
            loss=_list(history.loss_curve_),
            val_loss=_list(getattr(history, "validation_loss_curve_", None)),
            val_accuracy=scores if hasattr(history, "classes_") else [],
            kept_epoch=int(np.argmax(scores)) if scores else None,
        )
    checks.unsupported("history", "what fit returned, or a fitted multilayer perceptron", history)


def _list(values: Any) -> list[Any]:
    if values is None:
        return []
    if not np.iterable(values):
        checks.unsupported("history", "a list of numbers for each figure", values)
    return list(values)


def _means(where: str, values: list[Any]) -> list[float]:
    """One number for each epoch; of several that were noted in one, as on the workers of a cluster, their mean."""
    return [float(np.mean(checks.numeric_array(where, value))) for value in values]


def labels(y: object, count: int) -> NDArray[Any]:
    """Labels or targets (count,); rows of one-hot targets become the places of their ones."""
    array = checks.without_column(checks.plain_array("y", y))
    if array.ndim == 2:
        array = array.argmax(axis=1)
    if array.shape != (count,):
        raise InvalidArgumentError("y", f"shape ({count},), one label per row of X", f"shape {array.shape}")
    return array


def count_of(X: Any) -> int:
    """The number of rows, also of a sparse matrix, which has no length."""
    if getattr(X, "shape", None):
        return int(X.shape[0])
    try:
        return len(X)
    except TypeError:
        checks.unsupported("X", "an array of rows", X)


def predictions(model: Model, X: Any, y: NDArray[Any] | None) -> NDArray[Any]:
    """What a model says of rows X: classes (n,) or, of a regressor, numbers (n,). ``y`` are labels such as it says."""
    ask: Callable[[Any], Any] | None = getattr(model, "classify", None) or getattr(model, "predict", None)
    if ask is None:
        ask = model if callable(model) else None
    if ask is None:
        checks.unsupported("model", "something with predict or classify, or a function of rows", model)
    said = np.asarray(ask(X))
    if said.ndim == 2 and said.shape[1] == 1:
        said = said[:, 0]
        if y is not None and said.dtype.kind == "f" and y.dtype.kind in "biu":
            said = (said > 0.5).astype(np.int64)  # Keras' sigmoid
    elif said.ndim == 2:
        said = said.argmax(axis=1)  # Keras' softmax, or a regressor on one-hot targets
    if said.shape != (count_of(X),):
        raise InvalidArgumentError("model", "one prediction for each row", f"shape {said.shape}")
    said = checks.plain_array("model", said)
    if y is not None and not checks.are_comparable(said, y):
        raise InvalidTypeError("model", f"predictions of the type of y, {y.dtype}", said.dtype)
    return said


def certainty(model: Model, X: NDArray[Any]) -> NDArray[Any] | None:
    """The greatest probability (n,) that a model tells for each row; None if it tells none."""
    ask = getattr(model, "predict_proba", None) if getattr(model, "is_classifier", True) else None
    if ask is None and hasattr(model, "get_weights"):
        ask = model.predict  # Keras'
    found = None if ask is None else np.asarray(ask(X))
    if found is None or found.ndim != 2:
        return None
    return np.maximum(found, 1 - found)[:, 0] if found.shape[1] == 1 else found.max(axis=1)


def first_weights(model: Model) -> NDArray[Any]:
    """The weights (inputs, neurons) of the first layer."""
    if (of_rashid := getattr(model, "wih", None)) is not None:
        weights = np.transpose(of_rashid)
    else:
        layers = getattr(model, "coefs_", None)  # scikit-learn's
        layers = getattr(model, "weights", None) if layers is None else layers
        if layers is None:
            checks.unsupported("model", "a network, fitted", model)
        if not len(layers):
            raise InvalidArgumentError("model", "one that is built", "one without weights")
        weights = np.asarray(layers[0])
    if weights.ndim != 2:
        raise InvalidArgumentError("model", "a first layer of weights (inputs, neurons)", f"shape {weights.shape}")
    return weights


def backqueries(model: Model) -> tuple[NDArray[Any], Sequence[str]]:
    """The inputs (classes, inputs) that lead back from each class through an MLP or Rashid's network, and its name."""
    query = getattr(model, "backquery", None)
    if query is None:
        checks.unsupported("model", "an MLP, or Rashid's neuralNetwork", model)
    if hasattr(model, "onodes"):  # Rashid's, which takes one row and returns a column
        found = np.hstack([query(row) for row in _back_targets(model.onodes)]).T
        return found, [str(place) for place in range(model.onodes)]
    outputs = model.sizes[-1]
    names = model.classes_.tolist()[:outputs] if model.is_classifier else range(outputs)
    return np.asarray(query(_back_targets(outputs))), list(map(str, names))


def _back_targets(outputs: int) -> NDArray[np.float64]:
    return np.where(np.eye(outputs, dtype=bool), BACK_HIGH, BACK_LOW)
