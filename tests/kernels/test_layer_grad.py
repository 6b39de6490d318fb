"""layer_grad against tests/oracles/naive.py, and against the slopes of what forward computes."""

from __future__ import annotations

import naive
import numpy as np
import problems
import pytest
from problems import DENSE_KINDS, EPSILON, NUMBERED, OF_A, STEP, away_from_kinks

from fastnn.kernels.spec import LayerGrads

ONE_LAYER = (*OF_A, *NUMBERED)
SHAPES = {"small": ((5, 3), 7), "one of each": ((1, 1), 1), "wide": ((50, 40), 20), "several blocks": ((9, 17), 300)}


def way_back(backend, problem, outputs, output_grad):
    grad, input_grad = problems.copied(problem.params), np.full(problem.X.shape, np.nan, problem.params.dtype)
    arguments = problem.net, problem.params, problem.X, problem.scale, outputs, output_grad
    backend.layer_grad(*arguments, LayerGrads(grad, input_grad))
    return grad, input_grad


@pytest.mark.quick("backend", "dtype", "activation")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("activation", "inputs"), [*((OF_A[1], inputs) for inputs in DENSE_KINDS), *((name, "dense") for name in ONE_LAYER)]
)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_way_back_through_a_layer(backend, dtype, shape, activation, inputs, bias, tmp_path):
    folder = tmp_path if inputs == "memory_mapped" else None
    sizes, rows = SHAPES[shape]
    problem = problems.make(
        sizes, (activation,), "quadratic", dtype=dtype, bias=bias, inputs=inputs, rows=rows, folder=folder
    )
    output_grad = np.random.default_rng(5).normal(size=(rows, sizes[1])).astype(dtype)
    outputs = problem.naive_outputs.astype(dtype)
    grad, input_grad = way_back(backend, problem, outputs, output_grad)
    backs = [
        naive.way_back(problem.network, x, slope) for x, slope in zip(problem.inputs, output_grad.tolist(), strict=True)
    ]
    expected = np.sum([problems.flat(slopes) for slopes, _ in backs], axis=0)
    expected_input = np.array([back for _, back in backs])
    for found, truth in ((problems.packed(problem.net, grad), expected), (input_grad, expected_input)):
        largest = max(1, np.abs(truth).max())
        np.testing.assert_allclose(found, truth, rtol=0, atol=16 * EPSILON[dtype] * largest)
    assert (grad[problems.padding(problem.net, len(grad))] == 0).all()


@pytest.mark.parametrize("activation", ONE_LAYER)
def test_it_is_the_slope_of_the_outputs(backend, activation):
    """Central differences of sum(c * outputs), by every parameter and every input."""
    problem = problems.make((4, 3), (activation,), "quadratic", rows=5, seed=1)
    net, params = problem.net, away_from_kinks(problem)
    c, outputs = np.random.default_rng(2).normal(size=(5, 3)), problem.output()

    def total(params, X):
        out = problem.output()
        backend.forward(net, params, X, 1.0, out)
        return float((c * out).sum())

    backend.forward(net, params, problem.X, 1.0, outputs)
    grad, input_grad = problems.copied(params), np.empty((5, 4))
    backend.layer_grad(net, params, problem.X, 1.0, outputs, c, LayerGrads(grad, input_grad))
    for found, vector, at in (
        (grad, params, lambda moved: total(problems.copied(moved), problem.X)),
        (input_grad.ravel(), problem.X.ravel(), lambda moved: total(params, moved.reshape(5, 4))),
    ):
        assert np.count_nonzero(found) >= 10
        for place in np.flatnonzero(~problems.padding(net, len(params)) if vector is params else vector):
            ahead, behind = vector.copy(), vector.copy()
            ahead[place] += STEP
            behind[place] -= STEP
            slope = (at(ahead) - at(behind)) / (ahead[place] - behind[place])
            assert found[place] == pytest.approx(slope, rel=1e-6, abs=1e-8)
