"""train_epoch's penalties, measured before every batch, and the factors of l1 and l2 by batch."""

from __future__ import annotations

import numpy as np
import problems
import pytest
from problems import EPSILON

from fastnn.kernels.spec import PENALTY_PARTS, Data, EpochArgs, Rule

L1, L2 = (0.01, 0.0, 0.02), (0.0, 0.03, 0.05)
NETS = [((6, 5, 7, 3), ("tanh", "relu", "softmax")), ((70, 150, 20, 3), ("tanh", "elu", "softmax"))]


def train(backend, problem, batch, rule, order, factors=None, penalties=None):
    params, state = problems.copied(problem.params), problem.state(rule)
    epoch = EpochArgs(order, batch, rule, penalty_factors=factors, penalties=penalties)
    data = Data(problem.X, problem.scale, problem.y, problem.weights)
    backend.train_epoch(problem.net, params, state, data, epoch)
    return params, state


def penalty(net, params):
    """Sum over layers of l1 |w| + l2 / 2 w^2, weight by weight."""
    weights, _ = problems.nested(net, params)
    return sum(
        l1 * abs(w) + l2 / 2 * w * w
        for layer, l1, l2 in zip(weights, L1, L2, strict=True)
        for row in layer
        for w in row
    )


@pytest.mark.quick("backend", "net")
@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("dtype", EPSILON)
@pytest.mark.parametrize("inputs", ["sparse", "dense", "csr"])
@pytest.mark.parametrize(("rows", "batch"), [(20, 1), (20, 7), (300, 290)])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_each_batch_has_its_own(backend, optimizer, rows, batch, inputs, dtype, net):
    problem = problems.make(*net, "cross_entropy", dtype=dtype, inputs=inputs, rows=rows)
    rule, count = problems.rule(optimizer, 0.05, momentum=0.5, l1=L1, l2=L2), -(-rows // batch)
    order, factors = np.arange(rows), np.linspace(0.5, 2, count)
    penalties = np.zeros((count, PENALTY_PARTS))
    params, _ = train(backend, problem, batch, rule, order, factors, penalties)

    expected, state = problems.copied(problem.params), problem.state(rule)
    data = Data(problem.X, problem.scale, problem.y, problem.weights)
    for i, factor in enumerate(factors):
        assert penalties[i].sum() == pytest.approx(penalty(problem.net, expected), rel=4 * EPSILON[dtype] * 20)
        one = rule._replace(l1=tuple(factor * np.array(L1)), l2=tuple(factor * np.array(L2)))
        epoch = EpochArgs(order[i * batch : (i + 1) * batch], batch, one)
        backend.train_epoch(problem.net, expected, state, data, epoch)
    assert problems.distance(params, expected) <= 64 * EPSILON[dtype]


def test_no_penalty_is_zero(backend):
    problem = problems.make(*NETS[0], "cross_entropy")
    penalties = np.zeros((3, PENALTY_PARTS))
    train(backend, problem, 4, Rule(0, 0.1), np.arange(10), None, penalties)
    assert not penalties.any()


@pytest.mark.parametrize("dtype", EPSILON)
@pytest.mark.parametrize("inputs", ["dense", "csr"])
@pytest.mark.parametrize("batch", [8, 300])
def test_threads_change_no_bit(batch, inputs, dtype):
    native = pytest.importorskip("fastnn.kernels.native")  # not without a C compiler
    problem = problems.make(*NETS[1], "cross_entropy", dtype=dtype, inputs=inputs, rows=300)
    rule, found = problems.rule("adam", 0.01, l1=L1, l2=L2), []
    for all_threads in (False, True):
        native.override_plan(all_threads=all_threads)
        try:
            penalties = np.zeros((-(-300 // batch), PENALTY_PARTS))
            params, _ = train(native, problem, batch, rule, np.arange(300), None, penalties)
        finally:
            native.override_plan(all_threads=None)
        found.append((params.tobytes(), penalties.tobytes()))
    assert found[0] == found[1]
