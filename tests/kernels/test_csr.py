"""Rows as CSR: the numbers of the same rows dense, in every backend, and the same bits for any number of threads."""

from __future__ import annotations

import numpy as np
import problems
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from problems import EPSILON

import fastnn
from fastnn.kernels import native
from fastnn.kernels.numpy import network as reference
from fastnn.kernels.spec import CSR, PENALTY_PARTS, Data, EpochArgs

NETS = [
    ((130, 40, 9, 5), ("tanh", "sigmoid", "softmax"), "cross_entropy"),
    ((130, 40), ("sigmoid",), "quadratic"),  # the first layer is the last
    ((70, 260, 4), ("tanh", "softmax"), "cross_entropy"),  # wider than the sums that registers hold
    ((50, 133, 3), ("tanh", "sigmoid"), "rashid"),
]
ROWS = 640


@pytest.mark.quick("dtype", "batch")
@pytest.mark.parametrize("rule", {**problems.RULES, **problems.KERAS_RULES})
@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("batch", [1, 20, 300])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-5), ("float64", 1e-13)])
def test_every_rule_is_the_reference_and_the_same_bits_for_any_threads(many_cores, dtype, tolerance, batch, net, rule):
    """Where the first layer's updates measure its penalty, and where they do not."""
    problem = problems.make(*net, dtype=dtype, inputs="csr", labels=False, rows=ROWS, rates=())
    order = np.random.default_rng(4).permutation(ROWS)[: 100 if batch == 1 else -7]
    rule = {**problems.RULES, **problems.KERAS_RULES}[rule]
    rule = rule._replace(learning_rate=rule.learning_rate / (10 if batch == 1 else 1))

    def trained(kernels):
        penalties = np.zeros((-(-len(order) // batch), PENALTY_PARTS))
        outputs = np.full((len(order), net[0][-1]), np.nan, dtype)
        params, state = problems.copied(problem.params), problem.state(rule)
        epoch = EpochArgs(order, batch, rule, outputs=outputs, penalties=penalties)
        return kernels.train_epoch(problem.net, params, state, problem.data, epoch), params, state, outputs, penalties

    expected, *truths = trained(reference)
    seen = set()
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            result, *found = trained(native)
        seen.add((result, *(array.tobytes() for array in found)))
    assert len(seen) == 1
    assert result.loss == pytest.approx(expected.loss, rel=tolerance)
    params, state, outputs, penalties = found
    expected_params, expected_state, expected_outputs, expected_penalties = truths
    assert problems.distance(params, expected_params) <= tolerance
    assert problems.distance(outputs, expected_outputs) <= tolerance
    for slot, truth in zip(state, expected_state, strict=True):
        assert (slot == truth).all() or problems.distance(slot, truth) <= 10 * tolerance
    np.testing.assert_allclose(penalties.sum(axis=1), expected_penalties.sum(axis=1), rtol=10 * tolerance)
    assert (params[problems.padding(problem.net, len(params))] == 0).all()


@st.composite
def rows(draw):
    """Dense rows (n, columns): some of their rows and columns empty, or all, or none."""
    shape = draw(st.integers(1, 9)), draw(st.integers(1, 90))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    X = rng.uniform(-1, 1, shape) * (rng.random(shape) < draw(st.sampled_from([0.0, 0.05, 0.5, 1.0])))
    X[rng.random(shape[0]) < draw(st.sampled_from([0.0, 0.5]))] = 0
    X[:, rng.random(shape[1]) < draw(st.sampled_from([0.0, 0.5]))] = 0
    return X


@given(X=rows(), hidden=st.integers(1, 70), batch=st.integers(1, 9), dtype=st.sampled_from(list(EPSILON)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_are_the_same_dense(backend, X, hidden, batch, dtype):
    net = (X.shape[1], hidden, 3), ("tanh", "softmax"), "cross_entropy"
    problem = problems.make(*net, dtype=dtype, rows=len(X))
    X = X.astype(dtype)
    order = np.random.default_rng(0).permutation(len(X))
    found = []
    for given_rows in (X, problems.csr(X)):
        kernels = reference if given_rows is X else backend
        data, out, grad = Data(given_rows, 1.0, problem.y), problem.output(), problems.copied(problem.params)
        kernels.forward(problem.net, problem.params, given_rows, 1.0, out)
        loss = kernels.loss_grad(problem.net, problem.params, data, grad)
        trained = [out, grad, np.array([loss])]
        for rule in (problems.rule("sgd", 0.1), problems.rule("nesterov", 0.1, momentum=0.9, l2=0.01)):
            params, state = problems.copied(problem.params), problem.state(rule)
            result = kernels.train_epoch(problem.net, params, state, data, EpochArgs(order, batch, rule))
            assert result.batches == -(-len(X) // batch)
            trained += [params, np.array([result.loss])]
        found.append(trained)
    for truth, ours in zip(*found, strict=True):
        assert problems.distance(ours, truth) <= 64 * EPSILON[dtype]


@pytest.mark.parametrize("batch", [1, 7, 300])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_rows_may_repeat_and_be_part_of_others(backend, rule, batch):
    problem = problems.make(*NETS[0], inputs="csr", rows=300)
    part, rule = slice(40, 90), problems.rule(rule, 0.001)
    order = np.random.default_rng(0).integers(50, size=60)
    found = []
    for X in (problem.X[part], problem.X[np.arange(40, 90)]):
        params, state = problems.copied(problem.params), problem.state(rule)
        data = Data(X, 1.0, problem.y[part])
        backend.train_epoch(problem.net, params, state, data, EpochArgs(order, batch, rule))
        out = np.empty((50, 5))
        backend.forward(problem.net, problem.params, X, 1.0, out)
        found.append((params, out))
    dense = np.array(problem.inputs)[part]
    params, state = problems.copied(problem.params), problem.state(rule)
    reference.train_epoch(problem.net, params, state, Data(dense, 1.0, problem.y[part]), EpochArgs(order, batch, rule))
    for ours, out in found:
        assert problems.distance(ours, params) <= 1e-13
        assert problems.distance(out, problem.naive_outputs[part]) <= 1e-14


def test_rows_taken_are_rows():
    X = np.array([[0.0, 1, 2], [0, 0, 0], [3, 0, 0], [0, 4, 0]])
    rows = problems.csr(X)
    assert rows.shape == (4, 3)
    for part in (slice(1, 3), slice(3, 1), slice(None), slice(2, 99), np.array([3, 0, 0]), np.array([], np.int64)):
        taken = rows[part]
        assert isinstance(taken, CSR)
        dense = np.zeros(taken.shape)
        for i, (start, stop) in enumerate(zip(taken.indptr[:-1], taken.indptr[1:], strict=True)):
            dense[i, taken.indices[start:stop]] = taken.values[start:stop]
        np.testing.assert_array_equal(dense, X[part])


def test_what_is_not_finite_ends_an_epoch(backend):
    problem = problems.make(*NETS[0], inputs="csr", rows=20)
    values = problem.X.values.copy()
    values[problem.X.indptr[13]] = np.nan
    X = CSR(problem.X.indptr, problem.X.indices, values, problem.X.columns)
    for rule in (problems.RULES["sgd"], problems.RULES["momentum with l2"]):
        params, state = problems.copied(problem.params), problem.state(rule)
        data, epoch = Data(X, 1.0, problem.y), EpochArgs(np.arange(20), 5, rule)
        assert backend.train_epoch(problem.net, params, state, data, epoch).batches == 2
        assert np.isfinite(params).all()


@pytest.mark.parametrize("simd", ["generic", "avx2", "avx512"])
def test_a_plan_reads_csr_and_splits_its_inputs(simd):
    problem = problems.make(*NETS[2], inputs="csr", rows=300)
    cases = [
        (1, "sgd", "short batches", "fused SGD", "inputs"),
        (30, "adam", "short batches", "fused optimizer", "inputs"),
        (300, "adam", "long batches", "reduce then apply", "samples"),
    ]
    for batch, rule, *expected in cases:
        plan = native.plan_training(
            problem.net, problem.X, batch_size=batch, rule=problems.rule(rule), simd=simd, threads=2
        )
        assert [plan.regime, plan.update, plan.split] == expected
        assert (plan.inputs, plan.offset, plan.weights, plan.density) == ("CSR", "none", "in place", None)
    rows = native.plan_training(problem.net, (300, "float64"), nonzeros=26.0, batch_size=30, rule=problems.rule("adam"))
    assert rows.inputs == "CSR"


LAZY_RULES = {
    "sgd with l2": problems.rule("sgd", 0.1, l2=0.05),
    "momentum": problems.rule("momentum", 0.03, momentum=0.8),
    "momentum with l2": problems.rule("momentum", 0.03, momentum=0.8, l2=0.05),
    "nesterov with l2 by layer": problems.rule("nesterov", 0.03, momentum=0.8, l2=(0.05, 0.01), l1=(0.0, 0.01)),
}


def few_nonzeros(rows, columns, dtype="float64", hidden=9):
    """A problem whose batches have most inputs zero in all their rows, some inputs in none; and its rows dense."""
    problem = problems.make((columns, hidden, 3), ("tanh", "softmax"), "cross_entropy", dtype=dtype, rows=rows)
    rng = np.random.default_rng(5)
    X = rng.uniform(-1, 1, (rows, columns)) * (rng.random((rows, columns)) < 4 / columns)
    X[:, columns // 3 : columns // 2] = 0
    return problem, X.astype(dtype)


@pytest.mark.parametrize("rule", LAZY_RULES)
@pytest.mark.parametrize("hidden", [3, 40, 70])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-13)])
def test_updates_that_wait_are_those_of_the_same_rows_dense(many_cores, dtype, tolerance, hidden, rule):
    """In more batches than a window has, each with a learning rate and a factor of its penalty."""
    problem, X = few_nonzeros(500, 300, dtype, hidden)
    rule, batch = LAZY_RULES[rule], 6
    order = np.random.default_rng(1).permutation(500)[:-5]
    count = -(-len(order) // batch)
    rates, factors = rule.learning_rate * np.linspace(1, 0.5, count), np.linspace(0.5, 1, count)

    def trained(kernels, rows):
        penalties = np.zeros((count, PENALTY_PARTS))
        params, state = problems.copied(problem.params), problem.state(rule)
        epoch = EpochArgs(order, batch, rule, rates=rates, penalty_factors=factors, penalties=penalties)
        kernels.train_epoch(problem.net, params, state, Data(rows, 1.0, problem.y), epoch)
        return params, state, penalties

    truth, seen, sparse = trained(reference, X), set(), problems.csr(X)
    plan = native.plan_training(problem.net, sparse, batch_size=batch, rule=rule, order=order)
    assert plan.update == "lazy optimizer"
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            found = trained(native, sparse)
        seen.add(tuple(array.tobytes() for array in found))
    assert len(seen) == 1
    assert problems.distance(found[0], truth[0]) <= tolerance
    assert (found[1] == truth[1]).all() or problems.distance(found[1], truth[1]) <= 10 * tolerance
    np.testing.assert_allclose(found[2].sum(axis=1), truth[2].sum(axis=1), rtol=10 * tolerance)
    assert (found[0][problems.padding(problem.net, len(found[0]))] == 0).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_no_update_waits_any_more_once_a_tick_has_raised(many_cores, threads):
    problem, X = few_nonzeros(500, 300)
    rule, order = LAZY_RULES["momentum with l2"], np.random.default_rng(1).integers(500, size=600_000)
    data, params, state = Data(problems.csr(X), 1.0, problem.y), problems.copied(problem.params), problem.state(rule)
    done = []

    def tick(batches):
        done.append(batches)
        if len(done) == 2:
            raise KeyboardInterrupt

    with fastnn.use("native", num_threads=threads):
        with pytest.raises(KeyboardInterrupt):
            native.train_epoch(problem.net, params, state, data, EpochArgs(order, 6, rule), tick)
        again, again_state = problems.copied(problem.params), problem.state(rule)
        native.train_epoch(problem.net, again, again_state, data, EpochArgs(order[: 6 * done[-1]], 6, rule))
    assert 0 < done[0] < done[1] < 100_000
    assert (params == again).all()
    assert (state == again_state).all()


def test_no_update_waits_any_more_where_a_loss_is_not_finite():
    problem, X = few_nonzeros(500, 300)
    X[321, 7] = np.nan
    rule, rows = LAZY_RULES["nesterov with l2 by layer"], problems.csr(X)
    found = []
    for order in (np.arange(500), np.arange(320)):
        params, state = problems.copied(problem.params), problem.state(rule)
        result = native.train_epoch(problem.net, params, state, Data(rows, 1.0, problem.y), EpochArgs(order, 4, rule))
        assert result.batches == 80
        found.append((params, state))
    for ended, whole in zip(*found, strict=True):
        assert np.isfinite(ended).all()
        np.testing.assert_array_equal(ended, whole)
