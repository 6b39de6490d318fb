"""The chapter's own functions, and how the kernels have its losses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...kernels.formulas import sigmoid as sigmoid


def derivated_sigmoid(y: Any) -> Any:
    """The derivative of the sigmoid whose value is y."""
    return y * (1 - y)


def loss_L2(pred: Any, target: Any) -> Any:  # noqa: N802  # the book's name
    """The sum of the squared errors of (m, outputs) predictions, divided by m."""
    return np.sum(np.square(pred - target)) / pred.shape[0]


def derivated_loss_L2(pred: Any, target: Any) -> Any:  # noqa: N802  # the book's name
    """2 (pred - target), not divided by the rows."""
    return 2 * (pred - target)


def cross_entropy(pred: Any, target: Any) -> Any:
    """The binary cross-entropy, its mean over rows and outputs."""
    return -np.mean(np.multiply(np.log(pred), target) + np.multiply(np.log(1 - pred), 1 - target))


def derivated_cross_entropy(pred: Any, target: Any) -> Any:
    """(pred - target) / (pred (1 - pred)), divided by neither rows nor outputs."""
    return (pred - target) / (pred * (1 - pred))


class Loss(NamedTuple):
    """A pair of loss functions as the kernels have it."""

    name: str
    step: float  # their gradient is so many times the kernels' for a batch of one
    per_output: bool  # whether their loss is the mean over the outputs
    factor: float  # their loss is so many times the kernels'


LOSSES = {
    (loss_L2, derivated_loss_L2): Loss("quadratic", 2.0, False, 2.0),
    (cross_entropy, derivated_cross_entropy): Loss("binary_cross_entropy", 1.0, True, 1.0),
}
