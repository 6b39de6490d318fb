"""train_epoch against tests/oracles/naive.py and the reference: updates, batches, orders, stopping and ticks."""

from __future__ import annotations

import numpy as np
import problems
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from problems import EPSILON

from fastnn.kernels.numpy import network as reference
from fastnn.kernels.spec import LOSSES, OPTIMIZERS, Data, EpochArgs

NETS = [
    ((9, 7, 4), ("tanh", "softmax"), "cross_entropy"),
    ((16, 16, 16), ("leaky_relu", "sigmoid"), "binary_cross_entropy"),  # whole vectors
    ((1, 1, 1), ("sigmoid", "identity"), "mean_squared_error"),
    ((9, 7, 4), ("tanh", "sigmoid"), "rashid"),
]
RULES = {
    "sgd": problems.rule("sgd", 0.3),
    "sgd with l2": problems.rule("sgd", 0.3, l2=0.05),
    "momentum": problems.rule("momentum", 0.1, momentum=0.9),
    "momentum with l2": problems.rule("momentum", 0.1, momentum=0.5, l2=0.05),
    "nesterov": problems.rule("nesterov", 0.1, momentum=0.9),
    "nesterov with l2": problems.rule("nesterov", 0.1, momentum=0.5, l2=0.05),
    "adam": problems.rule("adam", 0.01),
    "adam with l2": problems.rule("adam", 0.01, l2=0.05),
    "adam later": problems.rule("adam", 0.01, step=700),
    "adam with other betas": problems.rule("adam", 0.02, beta1=0.5, beta2=0.9, epsilon=1e-3),
}


def tolerance(rule, dtype):
    """Units of rounding in the parameters; the largest measured are 3.4, and 279 for Adam.

    Adam divides by the gradient's size, and so lets the rounding of a tiny slope through in full.
    """
    return (512 if OPTIMIZERS[rule.optimizer] == "adam" else 16) * EPSILON[dtype]


def check(backend, problem, order, batch, rule):
    """Train an epoch; compare result and parameters with both truths, and look at the padding."""
    dtype = str(problem.params.dtype)
    result, params, state = problems.train(backend, problem, order, batch, rule)
    (loss, correct, batches), expected = problems.naive_train(problem, tuple(order), batch, rule)
    assert result.loss == pytest.approx(loss, rel=tolerance(rule, dtype))
    assert (result.correct, result.batches) == (correct, batches)
    assert problems.distance(problems.packed(problem.net, params), expected) <= tolerance(rule, dtype)
    padding = problems.padding(problem.net, len(params))
    assert (params[padding] == 0).all()
    assert (state[:, padding] == 0).all()

    reference_result, reference_params, reference_state = problems.train(reference, problem, order, batch, rule)
    assert result[1:] == reference_result[1:]
    assert problems.distance(params, reference_params) <= tolerance(rule, dtype)
    if len(state):
        assert problems.distance(state[0], reference_state[0]) <= tolerance(rule, dtype)
        assert problems.distance(state[-1], reference_state[-1]) <= tolerance(rule, dtype)


@pytest.mark.quick("backend", "dtype", "inputs")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("inputs", problems.INPUT_KINDS)
@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kind_of_input(backend, dtype, net, inputs, labels, bias, tmp_path):
    folder = tmp_path if inputs == "memory_mapped" else None
    problem = problems.make(*net, dtype=dtype, bias=bias, inputs=inputs, labels=labels, folder=folder)
    order = np.random.default_rng(0).permutation(10).tolist()
    check(backend, problem, order, 4, RULES["sgd"])  # two batches of 4 and one of 2


@pytest.mark.quick("backend", "rule")
@pytest.mark.parametrize("inputs", ["sparse", "dense"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule(backend, rule, dtype, inputs):
    problem = problems.make(*NETS[0], dtype=dtype, inputs=inputs)
    check(backend, problem, range(10), 2, RULES[rule])


@pytest.mark.parametrize("rule", ["sgd", "momentum with l2", "adam"])
@pytest.mark.parametrize(
    ("rows", "batch"),
    [(7, 1), (7, 3), (7, 7), (7, 50), (1, 1), (130, 128), (130, 129), (300, 300), (300, 257), (300, 10**6)],
)
def test_every_division_into_batches(backend, rows, batch, rule):
    """native takes batches in blocks of 128 rows, numba in blocks of 256."""
    problem = problems.make((6, 5, 3), ("tanh", "softmax"), "cross_entropy", inputs="sparse", rows=rows)
    check(backend, problem, range(rows), batch, RULES[rule])


@pytest.mark.parametrize("sizes", [(5, 3), (4, 6, 5, 7, 3), (50, 56, 3)], ids=str)
def test_every_depth(backend, sizes):
    hidden = ("sigmoid", "tanh", "identity")[: len(sizes) - 2]
    problem = problems.make(sizes, (*hidden, "sigmoid"), "quadratic", rows=6)
    for rule in ("sgd with l2", "nesterov"):
        check(backend, problem, range(6), 4, RULES[rule])


@pytest.mark.parametrize("inputs", ["bytes", "dense"])
def test_an_order_may_repeat_and_leave_out_rows(backend, inputs):
    problem = problems.make(*NETS[0], inputs=inputs)
    check(backend, problem, [9, 3, 3, 3, 0, 9, 5, 5], 3, RULES["momentum"])


@pytest.mark.parametrize(
    ("net", "rates"),
    [
        (((9, 7, 4), ("tanh", "softmax"), "cross_entropy"), (0.5,)),
        (((9, 20, 7, 4), ("sigmoid", "relu", "identity"), "mean_squared_error"), (0.25, 0.0)),
        (((9, 5, 6, 2), ("leaky_relu", "tanh", "sigmoid"), "binary_cross_entropy"), (0.2, 0.4)),
        (((9, 7, 4), ("sigmoid", "softmax"), "quadratic"), (0.3,)),
        (((9, 4), ("softmax",), "cross_entropy"), ()),
    ],
    ids=str,
)
@pytest.mark.parametrize("inputs", ["bytes", "dense"])
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(("batch", "rule"), [(1, "sgd"), (4, "sgd with l2"), (10, "momentum"), (300, "sgd")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_samples_and_dropout(backend, dtype, batch, rule, labels, inputs, net, rates):
    rows = 300 if batch == 300 else 10
    problem = problems.make(*net, dtype=dtype, inputs=inputs, labels=labels, rows=rows, rates=rates)
    gentle = RULES[rule]._replace(learning_rate=0.1)  # factors of up to 3 magnify every rounding
    check(backend, problem, np.random.default_rng(0).permutation(rows).tolist(), batch, gentle)


def test_the_main_job_agrees_with_the_reference(backend):
    problem = problems.make((784, 30, 10), ("sigmoid", "softmax"), "cross_entropy", inputs="bytes", rows=500)
    order = np.random.default_rng(0).permutation(500)
    result, params, _ = problems.train(backend, problem, order, 10, RULES["sgd"])
    expected, expected_params, _ = problems.train(reference, problem, order, 10, RULES["sgd"])
    assert result.loss == pytest.approx(expected.loss, rel=1e-12)
    assert result[1:] == expected[1:]
    assert problems.distance(params, expected_params) <= 1e-12


def test_training_in_two_halves_is_training_in_one(backend):
    problem = problems.make(*NETS[0], rows=12)
    rule = RULES["adam"]
    _, whole, _ = problems.train(backend, problem, range(12), 3, rule)
    params, state = problems.copied(problem.params), problem.state(rule)
    for done in (0, 2):
        order = np.arange(done * 3, done * 3 + 6)
        half = EpochArgs(order, 3, rule._replace(step=done))
        backend.train_epoch(problem.net, params, state, Data(problem.X, problem.scale, problem.y), half)
    assert (params == whole).all()


# ---- losses that are not finite


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch", [2, 150])  # 150: the second block of the native and one block of the numba backend
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_before_its_update(backend, loss, batch, bad):
    output = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss, "identity")
    problem = problems.make((4, 3), (output,), loss, rows=4 * batch)
    X = problem.X.copy()
    X[3 * batch - 1, 1] = bad  # the third batch's last row
    rule = RULES["momentum"]
    params, state = problems.copied(problem.params), problem.state(rule)
    epoch = EpochArgs(np.arange(len(X)), batch, rule)
    result = backend.train_epoch(problem.net, params, state, Data(X, 1.0, problem.y), epoch)
    expected, good_params, good_state = problems.train(backend, problem, range(2 * batch), batch, rule)
    assert result == expected
    assert result.batches == 2
    assert (params == good_params).all()
    assert (state == good_state).all()


def test_a_loss_that_is_not_finite_at_once_changes_nothing(backend):
    problem = problems.make(*NETS[0])
    params, state = problems.copied(problem.params), problem.state(RULES["adam"])
    data, epoch = Data(np.full_like(problem.X, np.nan), 1.0, problem.y), EpochArgs(np.arange(10), 4, RULES["adam"])
    ticks = []
    result = backend.train_epoch(problem.net, params, state, data, epoch, ticks.append)
    assert result == (0.0, 0, 0)
    assert ticks == []
    assert (params == problem.params).all()
    assert (state == 0).all()


# ---- ticks


@pytest.fixture(scope="module")
def long_work():
    """Small batches: 5,000,000 rows of them are work of seconds, so that every backend ticks on its way."""
    return problems.make((100, 40, 3), ("tanh", "softmax"), "cross_entropy", inputs="read_only", rows=500)


def test_ticks_count_finished_batches(backend):
    problem, ticks = problems.make(*NETS[0]), []
    problems.train(backend, problem, range(10), 3, RULES["sgd"], ticks.append)
    assert ticks
    assert ticks == sorted(set(ticks))
    assert ticks[-1] == 4


def test_an_exception_in_tick_leaves_the_finished_batches(backend, long_work):
    order, rule, ticks = np.arange(5_000_000) % 500, RULES["momentum"], []

    def tick(batches):
        ticks.append(batches)
        if batches >= 3:
            raise RuntimeError("enough")

    params, state = problems.copied(long_work.params), long_work.state(rule)
    data, epoch = Data(long_work.X, 1.0, long_work.y), EpochArgs(order, 10, rule)
    with pytest.raises(RuntimeError, match="enough"):
        backend.train_epoch(long_work.net, params, state, data, epoch, tick)
    done = ticks[-1]
    assert 3 <= done < 500_000
    _, expected, expected_state = problems.train(backend, long_work, order[: 10 * done], 10, rule)
    assert (params == expected).all()
    assert (state == expected_state).all()


# ---- random networks


@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=4).map(tuple),
    hidden=st.lists(st.sampled_from(["sigmoid", "tanh"]), min_size=2, max_size=2),
    output=st.sampled_from(
        [("softmax", "cross_entropy"), ("sigmoid", "quadratic"), ("identity", "mean_squared_error")]
    ),
    bias=st.booleans(),
    inputs=st.sampled_from(["bytes", "sparse", "offset", "dense"]),
    rule=st.sampled_from([name for name in RULES if "adam" not in name]),
    order=st.lists(st.integers(0, 6), min_size=1, max_size=12),
    batch=st.integers(1, 14),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_networks(backend, sizes, hidden, output, bias, inputs, rule, order, batch, seed):
    gentle = RULES[rule]._replace(learning_rate=0.02)  # or training diverges, and magnifies every rounding
    activations = (*hidden[: len(sizes) - 2], output[0])
    problem = problems.make(sizes, activations, output[1], bias=bias, inputs=inputs, rows=7, seed=seed)
    result, params, _ = problems.train(backend, problem, order, batch, gentle)
    (loss, correct, batches), expected = problems.naive_train(problem, tuple(order), batch, gentle)
    assert result.loss == pytest.approx(loss, rel=1e-11, abs=1e-11)
    assert (result.correct, result.batches) == (correct, batches)
    np.testing.assert_allclose(problems.packed(problem.net, params), expected, rtol=1e-11, atol=1e-11)
