"""loss_grad's gradient is the slope of loss_grad's loss: central differences, every activation with every loss."""

from __future__ import annotations

import naive
import numpy as np
import problems
import pytest

from fastnn.kernels.spec import ACTIVATIONS

HIDDEN = ("identity", "sigmoid", "tanh", "relu", "leaky_relu")
OUTPUTS = [
    *((name, loss) for loss in ("quadratic", "mean_squared_error") for name in ACTIVATIONS),
    ("sigmoid", "binary_cross_entropy"),
    ("softmax", "cross_entropy"),
]
STEP = 1e-5  # truncation about 1e-10, rounding about 1e-11 of the slope
MARGIN = 0.3  # every z of a kinked activation stays so far from 0


def away_from_kinks(problem):
    """The same problem with |z| >= MARGIN everywhere: biases of +-1 and weighted sums below 1 - MARGIN.

    Signs alternate, so that units of both branches take part.
    """
    params = problems.copied(problem.params)
    bound = 1.0  # of the layer's inputs
    for layer, fan_in in enumerate(problem.net.sizes[:-1]):
        first, stride, fan_out = problem.net.weights[layer], problem.net.strides[layer], problem.net.sizes[layer + 1]
        weights = params[first : first + fan_in * stride]
        weights *= (1 - MARGIN) / (np.abs(weights).max() * fan_in * bound)
        biases = params[problem.net.biases[layer] :][:fan_out]
        biases[:] = (-1.0) ** np.arange(fan_out)
        bound = 2.0
    return params


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
