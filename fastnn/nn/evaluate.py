"""The loss of a network over a data set, the share that it gets right, and the L2 penalty."""

from __future__ import annotations

import math

import numpy as np

from .. import checks
from ..errors import InvalidArgumentError
from ..kernels import get_backend
from ..kernels.formulas import activate, count_correct, losses, target_rows
from ..kernels.params import weight_views
from ..kernels.spec import IDENTITY, Data, FloatArray, Net, Rule

EVALUATION_ROWS = 8192  # rows scored at a time


def evaluate(net: Net, params: FloatArray, data: Data, names: tuple[str, str] = ("X", "y")) -> tuple[float, float]:
    """Mean loss (weighted, without penalty) and the share of rows whose largest output is their class.

    A loss beyond float64 is infinite. Raises InvalidArgumentError where the data are not finite or the outputs are NaN.
    """
    kernels, outputs = get_backend(), int(net.sizes[-1])
    last = int(net.activations[-1])
    to_z = net._replace(activations=np.append(net.activations[:-1], IDENTITY))
    total, correct = 0.0, 0
    for start in range(0, len(data.X), EVALUATION_ROWS):
        rows = slice(start, start + EVALUATION_ROWS)
        y = target_rows(data.y, rows, outputs, params.dtype)
        z = np.empty((len(y), outputs), params.dtype)
        kernels.forward(to_z, params, data.X[rows], data.scale, z)
        with np.errstate(over="ignore", invalid="ignore"):
            a = activate(z, last)
            each = losses(z, a, y, net.loss)
            total += float((each if data.weights is None else each * data.weights[rows]).sum())
        correct += count_correct(a, y)
    if not math.isfinite(total):
        checks.blame_nonfinite(names[0], data.X)
        checks.blame_nonfinite(names[1], data.y)
    if math.isnan(total):
        raise InvalidArgumentError(names[0], checks.FINITE_OUTPUTS, "NaN")
    return total / len(data.X), correct / len(data.X)


def penalty(net: Net, params: FloatArray, rule: Rule) -> float:
    """What the rule's l1 and l2 add to the loss: of each layer's weights l1 sum |w| + l2 / 2 sum w^2."""
    total, layers = 0.0, len(net.activations)
    factors = zip(
        weight_views(net, params), rule.by_layer(rule.l1, layers), rule.by_layer(rule.l2, layers), strict=True
    )
    with np.errstate(over="ignore"):  # what is beyond float64 is infinite
        for weights, l1, l2 in factors:
            if l1:
                total += l1 * float(np.abs(weights).sum(dtype=np.float64))
            if l2:
                total += 0.5 * l2 * float(np.einsum("ij,ij->i", weights, weights).sum(dtype=np.float64))
    return total
