"""loss_grad against tests/oracles/naive.py and the reference, over every kind of input and awkward sizes."""

from __future__ import annotations

import copy

import numpy as np
import problems
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from problems import EPSILON

from fastnn.kernels.numpy import network as reference
from fastnn.kernels.records import LOSS_RECORDS
from fastnn.kernels.spec import ACTIVATIONS, LOSSES, MEAN_SQUARED_ERROR, Data

GRADIENT = 24  # units of rounding; the largest measured is 7.8 (sums that cancel in the smallest nets)
LOSS = 8  # 3.2
NETS = [
    ((9, 7, 4), ("relu", "softmax"), "cross_entropy"),
    ((16, 32, 16), ("leaky_relu", "sigmoid"), "binary_cross_entropy"),  # whole vectors
    ((1, 1, 1), ("tanh", "sigmoid"), "quadratic"),
    ((5, 3), ("identity",), "mean_squared_error"),  # no hidden layer
    ((9, 7, 4), ("tanh", "sigmoid"), "rashid"),
]


def loss_and_gradient(backend, problem):
    """The gradient must be written everywhere, whatever was there."""
    params, grad = problem.params.copy(), problems.copied(problem.params)
    grad[:] = np.nan
    loss = backend.loss_grad(problem.net, problem.params, problem.data, grad)
    assert (problem.params == params).all()
    assert (grad[problems.padding(problem.net, len(grad))] == 0).all()
    return loss, problems.packed(problem.net, grad)


@pytest.mark.quick("backend", "dtype", "inputs")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("inputs", problems.INPUT_KINDS)
@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kind_of_input(backend, dtype, net, inputs, labels, bias, tmp_path):
    folder = tmp_path if inputs == "memory_mapped" else None
    problem = problems.make(*net, dtype=dtype, bias=bias, inputs=inputs, labels=labels, folder=folder)
    loss, grad = loss_and_gradient(backend, problem)
    assert loss == pytest.approx(problem.naive_loss, rel=LOSS * EPSILON[dtype])
    assert problems.distance(grad, problem.naive_gradient) <= GRADIENT * EPSILON[dtype]
    assert problems.distance(grad, loss_and_gradient(reference, problem)[1]) <= GRADIENT * EPSILON[dtype]


@pytest.mark.quick("backend", "loss")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [10, 300])
@pytest.mark.parametrize("loss", LOSSES)
def test_rows_have_weights(backend, loss, rows, dtype):
    activations = ("tanh", LOSS_RECORDS[loss].output)
    problem = problems.make((9, 7, 4), activations, loss, dtype=dtype, rows=rows, rates=())
    found, grad = loss_and_gradient(backend, problem)
    assert found == pytest.approx(problem.naive_loss, rel=LOSS * EPSILON[dtype])
    assert problems.distance(grad, problem.naive_gradient) <= GRADIENT * EPSILON[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(("output", "loss"), [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy")])
def test_probabilities_have_bounds_in_the_loss_but_not_in_the_gradient(backend, output, loss, labels, dtype):
    problem = problems.make((9, 7, 4), ("tanh", output), loss, dtype=dtype, labels=labels)
    _, expected = loss_and_gradient(backend, problem)
    for least in (0.1, 0.3, 1e-7):
        bounded = copy.copy(problem)
        bounded.net = problem.net._replace(least_probability=least)
        found, grad = loss_and_gradient(backend, bounded)
        a = np.empty((len(problem.data.X), 4), dtype)
        backend.forward(problem.net, problem.params, problem.data.X, problem.data.scale, a)
        y = np.eye(4)[problem.data.y] if labels else problem.data.y.astype(float)
        p = np.clip(a.astype(float), least, 1 - least)
        each = y * np.log(p) + ((1 - y) * np.log(1 - p) if output == "sigmoid" else 0)
        assert found == pytest.approx(-each.sum(axis=1).mean(), rel=16 * EPSILON[dtype])
        assert (grad == expected).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_error_that_goes_back_follows_the_loss(backend, dtype):
    """mean_squared_error is 2 / outputs times the quadratic loss, and so is all that is computed from its error."""
    problem = problems.make((9, 7, 4), ("tanh", "sigmoid"), "rashid", dtype=dtype)
    mean = copy.copy(problem)
    mean.net = problem.net._replace(loss=MEAN_SQUARED_ERROR)
    assert problems.distance(loss_and_gradient(backend, mean)[1], problem.naive_gradient / 2) <= (
        GRADIENT * EPSILON[dtype]
    )


@pytest.mark.parametrize("inputs", ["bytes", "sparse", "dense"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 8, 9, 16, 24, 33, 56, 100])
def test_every_width(backend, width, dtype, inputs):
    problem = problems.make((width, width, 3), ("tanh", "sigmoid"), "quadratic", dtype=dtype, inputs=inputs, rows=3)
    assert problems.distance(loss_and_gradient(backend, problem)[1], problem.naive_gradient) <= (
        GRADIENT * EPSILON[dtype]
    )


def test_more_inputs_than_a_tile_of_weights(backend):
    problem = problems.make((300, 64, 3), ("tanh", "softmax"), "cross_entropy", rows=4)
    loss, grad = loss_and_gradient(backend, problem)
    assert loss == pytest.approx(problem.naive_loss, rel=LOSS * EPSILON["float64"])
    assert problems.distance(grad, problem.naive_gradient) <= GRADIENT * EPSILON["float64"]


@pytest.mark.parametrize("inputs", ["bytes", "dense"])
@pytest.mark.parametrize("rows", [1, 127, 128, 129, 300])
def test_rows_of_several_blocks(backend, rows, inputs):
    problem = problems.make((6, 5, 3), ("tanh", "softmax"), "cross_entropy", inputs=inputs, rows=rows)
    loss, grad = loss_and_gradient(backend, problem)
    assert loss == pytest.approx(problem.naive_loss, rel=LOSS * EPSILON["float64"])
    assert problems.distance(grad, problem.naive_gradient) <= GRADIENT * EPSILON["float64"]


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_cross_entropies_of_saturated_outputs_are_finite_and_right(backend, loss):
    """log(0) would be infinite: with z = +-800 each wrong output costs 800 (1600 against the other class)."""
    output = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}[loss]
    problem = problems.make((1, 2), (output,), loss, bias=False)
    params, grad = problems.copied(problem.params), problems.copied(problem.params)
    params[:2] = 800, -800
    X, y = np.ones((2, 1)), np.array([1, 1], np.int32)
    assert backend.loss_grad(problem.net, params, Data(X, 1.0, y), grad) == 1600
    assert grad[:2].tolist() == [1, -1]


def test_targets_of_cross_entropy_need_not_add_up_to_one(backend):
    problem = problems.make((4, 3), ("softmax",), "cross_entropy", labels=False)
    assert abs(problem.y.sum(axis=1) - 1).max() > 0.1
    loss, grad = loss_and_gradient(backend, problem)
    assert loss == pytest.approx(problem.naive_loss, rel=LOSS * EPSILON["float64"])
    assert problems.distance(grad, problem.naive_gradient) <= GRADIENT * EPSILON["float64"]


@pytest.mark.quick("backend", "loss")
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [1, 3, 16])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(backend, loss, outputs, dtype, labels):
    activations = ("gelu", LOSS_RECORDS[loss].output)
    problem = problems.make((9, 12, outputs), activations, loss, dtype=dtype, labels=labels, rows=20)
    found, grad = loss_and_gradient(backend, problem)
    assert found == pytest.approx(problem.naive_loss, rel=LOSS * EPSILON[dtype], abs=EPSILON[dtype])
    if outputs == 1 and loss in ("cross_entropy", "normalised_cross_entropy"):  # whose only probability is 1
        assert (grad == 0).all()
    else:
        assert problems.distance(grad, problem.naive_gradient) <= GRADIENT * EPSILON[dtype]


@pytest.mark.parametrize(
    ("output", "loss"), [("sigmoid", name) for name in LOSSES if "clipped" in name or "normal" in name]
)
def test_clipped_probabilities_have_no_slope(backend, output, loss):
    """z = 40 gives 1 to rounding, and 1 to 1e-18 of the sum."""
    problem = problems.make((1, 2), (output,), loss, bias=False)
    params, grad = problems.copied(problem.params), problems.copied(problem.params)
    params[:2] = 40, -40
    data = Data(np.ones((2, 1)), 1.0, np.array([1, 1], np.int32))
    found = backend.loss_grad(problem.net, params, data, grad)

    assert found == pytest.approx(-np.log(1e-7), rel=1e-8)  # of one output, or the mean of two
    assert (grad == 0).all()


OUTPUTS = st.sampled_from(
    [(LOSS_RECORDS[loss].output, loss) for loss in LOSSES]
    + [(name, loss) for name in ACTIVATIONS for loss in ("quadratic", "mean_squared_error")]
)


@given(
    sizes=st.lists(st.integers(1, 20), min_size=2, max_size=5).map(tuple),
    hidden=st.lists(st.sampled_from(["sigmoid", "tanh", "identity"]), min_size=3, max_size=3),
    output=OUTPUTS,
    bias=st.booleans(),
    inputs=st.sampled_from(["bytes", "sparse", "offset", "dense"]),
    labels=st.booleans(),
    rows=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_networks(backend, sizes, hidden, output, bias, inputs, labels, rows, seed):
    activations = (*hidden[: len(sizes) - 2], output[0])
    problem = problems.make(
        sizes, activations, output[1], bias=bias, inputs=inputs, labels=labels, rows=rows, seed=seed
    )
    out = problem.output()
    backend.forward(problem.net, problem.params, problem.X, problem.scale, out)
    loss, grad = loss_and_gradient(backend, problem)
    np.testing.assert_allclose(out, problem.naive_outputs, rtol=1e-12, atol=1e-12)
    assert loss == pytest.approx(problem.naive_loss, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(grad, problem.naive_gradient, rtol=1e-12, atol=1e-12)
