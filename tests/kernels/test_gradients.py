"""loss_grad's gradient is the slope of loss_grad's loss: central differences, every activation with every loss."""

from __future__ import annotations

import naive
import numpy as np
import problems
import pytest
from problems import HIDDEN, MARGIN, STEP, away_from_kinks

from fastnn.kernels.spec import ACTIVATIONS

OUTPUTS = [
    *((name, loss) for loss in ("quadratic", "mean_squared_error") for name in ACTIVATIONS),
    ("sigmoid", "binary_cross_entropy"),
    ("softmax", "cross_entropy"),
]


@pytest.mark.quick("backend", "output", "loss")
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradient_is_the_slope_of_the_loss(backend, hidden, output, loss, labels):
    problem = problems.make((4, 3, 4, 3), (hidden, hidden, output), loss, labels=labels, rows=5, seed=1)
    net, params = problem.net, away_from_kinks(problem)
    network = naive.Network(*problems.nested(net, params), problem.network.activations, loss)
    zs = [np.concatenate(naive.layers(network, x)[0]) for x in problem.inputs]
    assert np.abs(zs).min() > MARGIN / 2

    def loss_at(vector, grad):
        return backend.loss_grad(net, vector, problem.X, problem.scale, problem.y, grad)

    grad, ignored = problems.copied(params), problems.copied(params)
    loss_at(params, grad)
    slopes = np.zeros_like(grad)
    for place in np.flatnonzero(~problems.padding(net, len(params))):
        ends = []
        for step in (STEP, -STEP):
            moved = problems.copied(params)
            moved[place] += step
            ends.append((loss_at(moved, ignored), moved[place]))
        slopes[place] = (ends[0][0] - ends[1][0]) / (ends[0][1] - ends[1][1])
    assert np.linalg.norm(slopes) > 1e-3
    assert np.linalg.norm(grad - slopes) <= 1e-7 * np.linalg.norm(slopes)
