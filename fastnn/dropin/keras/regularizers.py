"""Penalties on weights that are added to the loss, as ``keras.regularizers`` has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import checks
from .subset import outside
from .tensor import tensor

__all__ = ["L1", "L1L2", "L2", "Regularizer", "deserialize", "get", "l1", "l1_l2", "l1l2", "l2", "serialize"]

__getattr__ = outside(__name__, __all__)


class Regularizer:
    """l1 sum |w| + l2 sum w^2 of a layer's weights w.

    Attributes
    ----------
    l1, l2 : the factors.
    """

    l1 = 0.0
    l2 = 0.0

    def __call__(self, x: ArrayLike) -> Any:
        """The penalty of an array, a tensor."""
        w = checks.numeric_array("x", x)
        return tensor(self.l1 * np.abs(w).sum() + self.l2 * np.square(w).sum())

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal regularizer."""
        return {}


class L1L2(Regularizer):
    """l1 sum |w| + l2 sum w^2."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = _factor("l1", l1), _factor("l2", l2)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """l1 sum |w|; ``l`` is an older name of the factor."""

    def __init__(self, l1: float = 0.01, *, l: float | None = None) -> None:  # noqa: E741  # Keras' name
        self.l1 = _factor("l1", l1 if l is None else l)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """l2 sum w^2; ``l`` is an older name of the factor."""

    def __init__(self, l2: float = 0.01, *, l: float | None = None) -> None:  # noqa: E741  # Keras' name
        self.l2 = _factor("l2", l2 if l is None else l)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """An :class:`L1L2` with the factors that Keras 1 and 2 have by default."""
    return L1L2(l1, l2)


l1, l2, l1l2 = L1, L2, l1_l2

_BY_NAME: dict[str, Any] = {"l1": L1, "l2": L2, "l1_l2": l1_l2, "L1": L1, "L2": L2, "L1L2": L1L2}


def get(identifier: object) -> Regularizer | None:
    """The regularizer of a name, with its default factors, or of a description; or the one given, or None."""
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    match identifier:
        case {"class_name": str(name), "config": dict(arguments)}:
            made: Regularizer = _BY_NAME[checks.choice("regularizer", name, tuple(_BY_NAME))](**arguments)
            return made
    named: Regularizer = _BY_NAME[checks.choice("regularizer", identifier, tuple(_BY_NAME))]()
    return named


def serialize(regularizer: Regularizer) -> dict[str, Any]:
    """The class and the arguments of a regularizer."""
    return {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}


deserialize = get


def _factor(name: str, value: float | None) -> float:
    return 0.0 if value is None else checks.number(name, value, low=0)
