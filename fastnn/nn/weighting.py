"""Factors of the rows' losses: those of each row, and those of its class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import InvalidArgumentError
from ..kernels.spec import FloatArray


def row_weights(
    sample_weight: object, class_weight: object, y: NDArray[Any], classes: NDArray[Any], dtype: np.dtype[Any]
) -> FloatArray | None:
    """The factors (n,) of fit's arguments, or None where there are neither.

    ``y`` (n,) are the places of the rows' labels in ``classes``, or (n, outputs) targets, for which there are no
    weights of classes.
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(y))
    if sample_weight is not None:
        given = checks.numeric_array("sample_weight", sample_weight)
        if given.shape != (len(y),):
            raise InvalidArgumentError("sample_weight", f"shape ({len(y)},), a factor for each row", given.shape)
        checks.blame_nonfinite("sample_weight", given)
        if given.min(initial=0) < 0:
            raise InvalidArgumentError("sample_weight", "numbers of at least 0", given.min())
        weights = weights * given
    if class_weight is not None:
        if y.ndim != 1:
            raise InvalidArgumentError("class_weight", "labels (n,) to weight, not targets", f"y of shape {y.shape}")
        weights *= class_factors(class_weight, y, classes)[y]
    return checks.for_kernels(weights, dtype)


def class_factors(class_weight: object, y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    """The factor of each of the classes (k,), of which y (n,) are places."""
    factors = np.ones(len(classes))
    if isinstance(class_weight, str):
        checks.choice("class_weight", class_weight, ("balanced",))
        counts = np.bincount(y, minlength=len(classes))
        np.divide(len(y), (counts > 0).sum() * counts, out=factors, where=counts > 0)
    elif isinstance(class_weight, Mapping):
        places = {label: place for place, label in enumerate(classes.tolist())}
        for label, weight in class_weight.items():
            if label not in places:
                raise InvalidArgumentError("class_weight", "labels of y", repr(label))
            factors[places[label]] = checks.number(f"class_weight[{label!r}]", weight, low=0, high=math.inf)
    else:
        checks.unsupported("class_weight", "a dict of labels and their factors, or 'balanced'", class_weight)
    return factors
