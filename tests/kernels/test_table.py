"""The kernel table: every backend has the same functions with the same parameters and returns the same types."""

from __future__ import annotations

import inspect

import numpy as np
import problems
import pytest

import fastnn
from fastnn.kernels import spec

FUNCTIONS = [name for name in vars(spec.Kernels) if not name.startswith("_")]


def shape(function):
    """Names, order, kinds and defaults of the parameters."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def test_the_table_is_what_the_design_names():
    assert FUNCTIONS == ["describe", "forward", "loss_grad", "train_epoch", "layer_grad", "neighbors"]


def test_every_table_says_its_name_and_what_it_can_do(backend):
    assert backend is fastnn.get_backend(backend.name)
    assert type(backend.capabilities) is spec.Capabilities
    assert all(backend.capabilities[:5]) is (backend.name == "native")
    if backend.name != "native":
        assert backend.capabilities == spec.Capabilities()


@pytest.mark.quick("backend", "name")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_are_those_of_the_table(backend, name):
    expected = shape(getattr(spec.Kernels, name))[1:]  # without self
    assert shape(getattr(backend, name)) == expected


def test_parameters_may_be_given_by_name(backend):
    problem = problems.make((3, 4, 2), ("tanh", "softmax"), "cross_entropy", rows=4)
    params = problems.copied(problem.params)
    shared = {"net": problem.net, "params": params, "X": problem.X, "scale": problem.scale}
    assert type(backend.describe()) is str
    assert backend.forward(**shared, out=problem.output()) is True
    grad = problems.copied(problem.params)
    loss = backend.loss_grad(net=problem.net, params=params, data=problem.data, grad=grad)
    assert type(loss) is float
    rule = problems.rule("momentum", momentum=0.9)
    result = backend.train_epoch(
        net=problem.net,
        params=params,
        state=problem.state(rule),
        data=spec.Data(problem.X, problem.scale, problem.y, weights=np.ones(4)),
        epoch=spec.EpochArgs(np.arange(4), 3, rule),
        tick=None,
    )
    assert type(result) is spec.EpochResult
    assert [type(value) for value in result] == [float, int, int]
    assert result.batches == 2


def test_parameters_of_a_layer_may_be_given_by_name(backend):
    problem = problems.make((3, 2), ("identity",), "quadratic", rows=4)
    shared = {"net": problem.net, "params": problem.params, "X": problem.X, "scale": problem.scale}
    ones, grad, input_grad = np.ones((4, 2)), problems.copied(problem.params), np.empty((4, 3))
    assert backend.layer_grad(**shared, outputs=ones, output_grad=ones, grads=spec.LayerGrads(grad, input_grad)) is None
    np.testing.assert_allclose(input_grad, [weights_sum(problem)] * 4)


def weights_sum(problem):
    return [sum(row) for row in problem.network.weights[0]]


def test_parameters_of_a_search_may_be_given_by_name(backend):
    X, values, indices = np.array([[1.0], [4.0], [2.0]]), np.empty((3, 2)), np.empty((3, 2), np.int64)
    shared = {"metric": spec.EUCLIDEAN, "X": X, "Q": X, "limit": 4.0, "values": values, "indices": indices}
    assert backend.neighbors(**shared, codes=None) is None
    np.testing.assert_array_equal(values, [[0, 1], [0, 4], [0, 1]])
    np.testing.assert_array_equal(indices, [[0, 2], [1, 2], [2, 0]])


def test_an_empty_order_trains_nothing(backend):
    problem = problems.make((3, 4, 2), ("tanh", "softmax"), "cross_entropy", rows=4)
    result, params, _ = problems.train(backend, problem, [], 3, problems.rule("sgd"))
    assert result == (0.0, 0, 0)
    assert (params == problem.params).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 299])
def test_forward_tells_of_an_output_that_is_not_finite(backend, bad, row):
    problem = problems.make((3, 4, 2), ("relu", "identity"), "mean_squared_error", labels=False, rows=300)
    X, out = np.abs(problem.X, dtype=problem.params.dtype), problem.output()
    params = problems.copied(np.abs(problem.params))
    assert backend.forward(problem.net, params, X, 1.0, out) is True
    X[row, 1] = bad
    finite = backend.forward(problem.net, params, X, 1.0, out)
    assert finite is bool(np.isfinite(out).all())
    assert finite is (bad == -np.inf)  # which ReLU turns into 0


def test_no_rows_have_no_outputs(backend):
    problem = problems.make((3, 4, 2), ("tanh", "softmax"), "cross_entropy", rows=4)
    backend.forward(problem.net, problem.params, problem.X[:0], 1.0, problem.output()[:0])
