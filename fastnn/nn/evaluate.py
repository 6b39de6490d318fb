"""The loss of a network over a data set, the share that it gets right, and the L2 penalty."""

from __future__ import annotations

import math

import numpy as np

from .. import checks
from ..errors import InvalidArgumentError
from ..kernels import get_backend
from ..kernels.formulas import activate, count_correct, losses, target_rows
from ..kernels.spec import IDENTITY, Data, FloatArray, Net

EVALUATION_ROWS = 8192  # rows scored at a time


def evaluate(net: Net, params: FloatArray, data: Data, names: tuple[str, str] = ("X", "y")) -> tuple[float, float]:
    """Mean loss (weighted, without penalty) and the share of rows whose largest output is their class.

    A loss beyond float64 is infinite. Raises InvalidArgumentError where the data are not finite or the outputs are NaN.
    """
    kernels, outputs = get_backend(), int(net.sizes[-1])
    last, alpha = int(net.activations[-1]), float(net.alphas[-1])
    to_z = net._replace(activations=np.append(net.activations[:-1], IDENTITY))
    total, correct = 0.0, 0
    for start in range(0, len(data.X), EVALUATION_ROWS):
        rows = slice(start, start + EVALUATION_ROWS)
        y = target_rows(data.y, rows, outputs, params.dtype)
        z = np.empty((len(y), outputs), params.dtype)
        kernels.forward(to_z, params, data.X[rows], data.scale, z)
        with np.errstate(over="ignore", invalid="ignore"):
            a = activate(z, last, alpha)
            each = losses(z, a, y, net.loss, net.least_probability)
            total += float((each if data.weights is None else each * data.weights[rows]).sum())
        correct += count_correct(a, y)
    if not math.isfinite(total):
        checks.blame_nonfinite(names[0], data.X)
        checks.blame_nonfinite(names[1], data.y)
    if math.isnan(total):
        raise InvalidArgumentError(names[0], checks.FINITE_OUTPUTS, "NaN")
    return total / len(data.X), correct / len(data.X)
