"""loss_grad's gradient is the slope of loss_grad's loss: central differences, every activation with every loss."""

from __future__ import annotations

import naive
import numpy as np
import problems
import pytest
from problems import FUSED, HIDDEN, MARGIN, NUMBERED, STEP, away_from_kinks

from fastnn.kernels.records import LOSS_RECORDS
from fastnn.kernels.spec import ACTIVATIONS, LOSSES, Data

OUTPUTS = [(LOSS_RECORDS[loss].output, loss) for loss in FUSED]
OUTPUTS += [(output, loss) for loss in LOSSES if loss not in FUSED for output in ACTIVATIONS]
OF_PROBABILITIES = ("mean_poisson", "normalised_cross_entropy", "clipped_binary_cross_entropy")
SIZES = (4, 3, 4, 3)


def placed(hidden, output, loss, labels):
    """A problem, its parameters and its targets, with no kink of an activation or a loss near, nor a pole."""
    problem = problems.make(SIZES, (hidden, hidden, output), loss, labels=labels, rows=5, seed=1)
    net, params, y = problem.net, away_from_kinks(problem), problem.y
    if loss in OF_PROBABILITIES:  # every output is between 0.1 and 0.9
        params[net.weights[2] : net.biases[2]] *= 0.3
        params[net.biases[2] :][: SIZES[-1]] = {"exponential": -1.0, "softplus": -0.5}.get(output, 0.5)
    network = naive.Network(*problems.nested(net, params), problem.network.activations, loss)
    zs = [np.concatenate(naive.layers(network, x)[0]) for x in problem.inputs]
    assert np.abs(zs).min() > MARGIN / 2
    assert np.abs(zs).max() < 3 - MARGIN  # where hard_sigmoid ends
    outputs = np.array([naive.forward(network, x) for x in problem.inputs])
    if loss in OF_PROBABILITIES:
        assert (outputs.min() > 0.1) & (outputs.max() < 0.9)
    if loss in ("mean_absolute_error", "huber"):  # errors on either side of 0, and within and beyond 1
        y = outputs + np.resize([0.5, -0.6, 1.5, -1.4], outputs.shape)
    return problem, params, y


@pytest.mark.quick("backend", "loss")
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_gradient_is_the_slope_of_the_loss(backend, output, loss):
    for number, hidden in enumerate((*HIDDEN, *NUMBERED)):
        problem, params, y = placed(hidden, output, loss, labels=number % 2 == 0)
        net = problem.net

        def loss_at(vector, grad, net=net, X=problem.X, y=y):
            return backend.loss_grad(net, vector, Data(X, 1.0, y), grad)

        grad, ignored, moved = (problems.copied(params) for _ in range(3))
        loss_at(params, grad)
        slopes = np.zeros_like(grad)
        for place in np.flatnonzero(~problems.padding(net, len(params))):
            ends = []
            for step in (STEP, -STEP):
                moved[place] = params[place] + step
                ends.append((loss_at(moved, ignored), moved[place]))
            moved[place] = params[place]
            slopes[place] = (ends[0][0] - ends[1][0]) / (ends[0][1] - ends[1][1])
        assert np.linalg.norm(slopes) > 1e-3, hidden
        assert np.linalg.norm(grad - slopes) <= 1e-7 * np.linalg.norm(slopes), hidden
