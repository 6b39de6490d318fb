"""forward against tests/oracles/naive.py and the reference, over every kind of input and awkward sizes."""

from __future__ import annotations

import naive
import numpy as np
import problems
import pytest
from problems import EPSILON, NUMBERED

import fastnn
from fastnn.kernels.numpy import network as reference
from fastnn.kernels.params import aligned_zeros, weight_views
from fastnn.kernels.records import ACTIVATIONS, HIDDEN_ACTIVATIONS

TOLERANCE = 16  # units of rounding; the largest measured is 4.1
NETS = [
    ((9, 7, 4), ("tanh", "softmax"), "cross_entropy"),
    ((16, 32, 16), ("leaky_relu", "sigmoid"), "quadratic"),  # whole vectors
    ((1, 1, 1), ("sigmoid", "identity"), "mean_squared_error"),
]
WIDTHS = (1, 8, 9, 16, 24, 33, 56, 100, 128)  # one to sixteen vectors, with and without padding


def outputs(backend, problem):
    out, params = problem.output(), problem.params.copy()
    backend.forward(problem.net, problem.params, problem.X, problem.scale, out)
    assert (problem.params == params).all()
    return out


@pytest.mark.quick("backend", "dtype", "inputs")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("inputs", problems.INPUT_KINDS)
@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kind_of_input(backend, dtype, net, inputs, bias, tmp_path):
    folder = tmp_path if inputs == "memory_mapped" else None
    problem = problems.make(*net, dtype=dtype, bias=bias, inputs=inputs, folder=folder)
    out = outputs(backend, problem)
    assert problems.distance(out, problem.naive_outputs) <= TOLERANCE * EPSILON[dtype]
    assert problems.distance(out, outputs(reference, problem)) <= TOLERANCE * EPSILON[dtype]


@pytest.mark.quick("backend", "output")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("output", ACTIVATIONS)
def test_every_activation(backend, output, dtype):
    for hidden in (*HIDDEN_ACTIVATIONS, *NUMBERED):
        problem = problems.make((5, 6, 3), (hidden, output), "mean_squared_error", dtype=dtype)
        assert problems.distance(outputs(backend, problem), problem.naive_outputs) <= TOLERANCE * EPSILON[dtype], hidden


@pytest.mark.parametrize("inputs", ["bytes", "dense"])
@pytest.mark.parametrize("bias", [(True, False, True), (False, True, False)])
def test_layers_with_and_without_biases(backend, bias, inputs):
    activations = ("gelu", "softplus", "softmax")
    problem = problems.make((9, 7, 12, 4), activations, "cross_entropy", bias=bias, inputs=inputs, rows=20)
    assert [start >= 0 for start in problem.net.biases] == list(bias)
    assert problems.distance(outputs(backend, problem), problem.naive_outputs) <= TOLERANCE * EPSILON["float64"]


@pytest.mark.parametrize("inputs", ["bytes", "sparse", "dense"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_width(backend, width, dtype, inputs):
    problem = problems.make((width, width, 3), ("tanh", "sigmoid"), "quadratic", dtype=dtype, inputs=inputs, rows=3)
    assert problems.distance(outputs(backend, problem), problem.naive_outputs) <= TOLERANCE * EPSILON[dtype]


@pytest.mark.parametrize("inputs", ["bytes", "dense"])
@pytest.mark.parametrize("rows", [1, 127, 128, 129, 257, 4097])
def test_rows_of_several_blocks(backend, rows, inputs):
    """Each backend takes long data in blocks: of 128 (native), 256 (numba) and 4096 rows (numpy)."""
    problem = problems.make((6, 5, 3), ("tanh", "softmax"), "cross_entropy", inputs=inputs, rows=rows)
    whole = outputs(backend, problem)
    one = np.empty((1, 3))
    for row in sorted({0, rows // 2, rows - 1}):
        backend.forward(problem.net, problem.params, problem.X[row : row + 1], problem.scale, one)
        assert problems.distance(whole[row], one[0]) <= TOLERANCE * EPSILON["float64"]
    assert problems.distance(whole, problem.naive_outputs) <= TOLERANCE * EPSILON["float64"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_main_job_agrees_with_the_reference(backend, dtype):
    problem = problems.make(
        (784, 30, 10), ("sigmoid", "softmax"), "cross_entropy", dtype=dtype, inputs="bytes", rows=500
    )
    assert problems.distance(outputs(backend, problem), outputs(reference, problem)) <= 4 * TOLERANCE * EPSILON[dtype]


@pytest.mark.parametrize("z", [1e4, -1e4, 1e300, -1e300])
@pytest.mark.parametrize("output", ["sigmoid", "tanh", "softmax"])
def test_saturated_outputs_are_exact(backend, output, z):
    problem = problems.make((1, 2), (output,), "mean_squared_error", bias=False)
    params = problems.copied(problem.params)
    params[:2] = z, 0
    out = np.empty((1, 2))
    backend.forward(problem.net, params, np.ones((1, 1)), 1.0, out)
    expected = {"sigmoid": (z > 0, 0.5), "tanh": (np.sign(z), 0), "softmax": (z > 0, z < 0)}[output]
    assert out[0].tolist() == [float(value) for value in expected]


@pytest.mark.parametrize("inputs", ["sparse", "dense"])
def test_nan_and_infinity_come_through(backend, inputs):
    problem = problems.make((20, 4, 3), ("relu", "identity"), "mean_squared_error", inputs=inputs)
    X = problem.X.copy()
    X[3, 7], X[5, 2] = np.nan, np.inf
    out = problem.output()
    backend.forward(problem.net, problem.params, X, 1.0, out)
    bad = ~np.isfinite(out).all(axis=1)
    assert bad[[3, 5]].all()
    assert bad.sum() == 2


# ---- a single row less its background


def with_sums(problem, sums):
    """The problem's net and parameters with a row more, which holds ``sums`` (units,) of the first layer."""
    net, end = problem.net, problem.params.size
    params = aligned_zeros(end + net.strides[0], problem.params.dtype)
    params[:end] = problem.params
    params[end : end + net.sizes[1]] = sums
    return net._replace(row_sums=end), params


def one_row(problem, background, seed=5):
    """A picture: a third of its inputs are others than the first and the last."""
    rng, inputs = np.random.default_rng(seed), problem.net.sizes[0]
    row = np.where(rng.random(inputs) < 0.33, rng.random(inputs), background)
    row[[0, -1]] = background
    return row[np.newaxis].astype(problem.params.dtype)


@pytest.mark.parametrize("background", [0.01, -1.5, 40.0])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_single_row_with_the_sum_of_the_weights(backend, width, dtype, bias, background):
    problem = problems.make((width, width, 3), ("tanh", "sigmoid"), "quadratic", dtype=dtype, bias=bias, rows=1)
    net, params = with_sums(problem, weight_views(problem.net, problem.params)[0].sum(axis=0))
    kept, row, out = params.copy(), one_row(problem, background), problem.output()
    assert backend.forward(net, params, row, 1.0, out)
    expected = np.array([naive.forward(problem.network, row[0].tolist())])
    size = max(1, abs(background))  # the sum's rounding is that of the background's share
    assert problems.distance(out, expected) <= size * TOLERANCE * EPSILON[dtype]
    np.testing.assert_array_equal(params, kept)


def test_only_native_uses_the_sum(backend):
    """So the test before this one tests it; and a wrong sum is the caller's fault."""
    problem = problems.make((20, 9, 3), ("tanh", "sigmoid"), "quadratic", rows=1)
    net, params = with_sums(problem, 7.0)
    row, expected, out = one_row(problem, 0.01), problem.output(), problem.output()
    reference.forward(problem.net, problem.params, row, 1.0, expected)
    backend.forward(net, params, row, 1.0, out)
    assert np.allclose(out, expected) == (backend is not fastnn.get_backend("native"))


@pytest.mark.parametrize(
    "row", ["two", "bytes", "corners differ", "blank", "infinite", "not a number", "the last of many"]
)
def test_other_rows_do_without_the_sum(backend, row):
    rows = 1025 if row == "the last of many" else 2 if row == "two" else 1
    problem = problems.make((20, 9, 3), ("relu", "identity"), "mean_squared_error", rows=rows)
    net, params = with_sums(problem, np.nan)
    X = np.repeat(
        one_row(problem, {"infinite": np.inf, "not a number": np.nan, "blank": 0.0}.get(row, 0.01)), rows, axis=0
    )
    if row == "bytes":
        X = (X * 255).astype(np.uint8)
    if row == "corners differ":
        X[0, -1] = 0.02
    expected, out = problem.output(), problem.output()
    finite = backend.forward(problem.net, problem.params, X, 1.0, expected)
    assert backend.forward(net, params, X, 1.0, out) == finite
    np.testing.assert_array_equal(out, expected)
    assert np.isfinite(out).all() == (row not in ("infinite", "not a number"))
