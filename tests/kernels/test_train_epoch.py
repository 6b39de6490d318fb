"""train_epoch against tests/oracles/naive.py and the reference: updates, batches, orders, stopping and ticks."""

from __future__ import annotations

import numpy as np
import problems
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from problems import EPSILON

from fastnn.kernels.numpy import network as reference
from fastnn.kernels.records import LOSS_RECORDS, OPTIMIZER_RECORDS
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
    "rmsprop": problems.rule("rmsprop", 0.01),
    "rmsprop with momentum": problems.rule("rmsprop", 0.01, momentum=0.9),
    "adamw": problems.rule("adamw", 0.01, weight_decay=0.1),
    "nadam": problems.rule("nadam", 0.01),
    "nadam later": problems.rule("nadam", 0.01, step=700),
    "adagrad": problems.rule("adagrad", 0.1),
    "sgd with l1": problems.rule("sgd", 0.3, l1=0.05),
    "sgd with weight decay": problems.rule("sgd", 0.3, weight_decay=0.05),
    "sgd with clipped values": problems.rule("sgd", 0.3, clip_value=0.05),
    "sgd with clipped norms": problems.rule("sgd", 0.3, clip_norm=0.2),
    "sgd with a clipped norm": problems.rule("sgd", 0.3, global_clip_norm=0.3),
}


def tolerance(rule, dtype):
    """Units of rounding in the parameters; the largest measured are 3.4, and 279 for Adam.

    Adam and its kind divide by the gradient's size, and so let the rounding of a tiny slope through in full.
    """
    divides = OPTIMIZERS[rule.optimizer] in ("adam", "adamw", "nadam", "rmsprop")
    return (512 if divides else 16) * EPSILON[dtype]


def check(backend, problem, order, batch, rule, rates=None):
    """Train an epoch; compare result, parameters and outputs with both truths, and look at the padding."""
    dtype = str(problem.params.dtype)
    outputs = np.full((len(order), problem.net.sizes[-1]), np.nan, dtype)
    result, params, state = problems.train(
        backend, problem, order, batch, rule, rates=None if rates is None else np.array(rates), outputs=outputs
    )
    (loss, correct, batches), expected, expected_outputs = problems.naive_train(
        problem, tuple(order), batch, rule, None if rates is None else tuple(rates)
    )
    assert result.loss == pytest.approx(loss, rel=tolerance(rule, dtype))
    assert (result.correct, result.batches) == (correct, batches)
    assert problems.distance(problems.packed(problem.net, params), expected) <= tolerance(rule, dtype)
    assert problems.distance(outputs, expected_outputs) <= tolerance(rule, dtype)
    padding = problems.padding(problem.net, len(params))
    assert (params[padding] == 0).all()
    assert (state[:, padding] == problem.state(rule)[:, padding]).all()
    if rates is not None:
        return

    reference_result, reference_params, reference_state = problems.train(reference, problem, order, batch, rule)
    assert result[1:] == reference_result[1:]
    assert problems.distance(params, reference_params) <= tolerance(rule, dtype)
    for found, truth in zip(state, reference_state, strict=True):
        assert (found == truth).all() or problems.distance(found, truth) <= tolerance(rule, dtype)


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
@pytest.mark.parametrize("inputs", ["sparse", "dense", "csr"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule(backend, rule, dtype, inputs):
    problem = problems.make(*NETS[0], dtype=dtype, inputs=inputs)
    check(backend, problem, range(10), 2, RULES[rule])


def test_without_outputs_the_bits_are_the_same(backend):
    problem, outputs = problems.make(*NETS[0]), np.empty((10, 4))
    for batch in (1, 3, 300):
        _, params, _ = problems.train(backend, problem, range(10), batch, RULES["sgd"], outputs=outputs)
        assert (params == problems.train(backend, problem, range(10), batch, RULES["sgd"])[1]).all()


CHANGES = {  # of the gradient and of the weights, for each of which one of the layers is left out
    "alone": {},
    "l1 by layer": {"l1": (0.01, 0.0)},
    "l2 by layer": {"l2": (0.0, 0.1)},
    "weight decay": {"weight_decay": 0.1},
    "clipped values": {"clip_value": 0.01},
    "clipped norms": {"clip_norm": 0.05, "l1": 0.001},
    "a clipped norm": {"global_clip_norm": 0.05, "l2": 0.01},
}
MOMENTA = [(name, record.momentum) for name, record in OPTIMIZER_RECORDS.items()] + [("rmsprop", 0.9)]


@pytest.mark.quick("backend", "optimizer")
@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize(("optimizer", "momentum"), MOMENTA)
def test_two_hundred_updates_by_every_optimizer(backend, optimizer, momentum, changes):
    problem = problems.make((4, 3, 2), ("tanh", "sigmoid"), "quadratic", rows=20)
    # Such rates as move the parameters by a tenth or so; with much more, training magnifies its rounding.
    rate = {"sgd": 0.1, "adagrad": 0.05}.get(optimizer, 0.1 if optimizer in ("momentum", "nesterov") else 0.002)
    rule = problems.rule(optimizer, rate * (1 - momentum), momentum=momentum, **CHANGES[changes])
    order = np.random.default_rng(0).permutation(400) % 20
    result, params, _ = problems.train(backend, problem, order, 2, rule)
    (loss, correct, batches), expected, _ = problems.naive_train(problem, tuple(order.tolist()), 2, rule)
    assert problems.distance(expected, problems.packed(problem.net, problem.params)) > 0.003
    assert (result.correct, result.batches) == (correct, batches) == (correct, 200)
    assert result.loss == pytest.approx(loss, rel=1e-12)
    assert problems.distance(problems.packed(problem.net, params), expected) <= 1e-12


@pytest.mark.parametrize("batch", [1, 4, 300])
@pytest.mark.parametrize(
    "rule", [name for name in RULES if "rmsprop" in name or "adamw" in name or name in ("nadam", "adagrad")]
)
@pytest.mark.parametrize("bias", [(True, False), (False, True)])
def test_optimizers_of_keras_by_batches_of_any_length_with_mixed_biases(backend, bias, rule, batch):
    problem = problems.make((6, 5, 3), ("gelu", "softmax"), "cross_entropy", inputs="sparse", rows=310, bias=bias)
    check(backend, problem, range(310 if batch == 300 else 30), batch, RULES[rule])


@pytest.mark.parametrize("batch", [1, 4, 300])
@pytest.mark.parametrize("rule", [name for name in RULES if name.startswith("sgd with ")])
def test_changed_gradients_by_batches_of_any_length_with_mixed_biases(backend, rule, batch):
    problem = problems.make(
        (6, 9, 4, 3), ("silu", "elu", "softmax"), "cross_entropy", inputs="bytes", rows=310, bias=(False, True, False)
    )
    gentle = RULES[rule]._replace(learning_rate=0.1)
    check(backend, problem, range(310 if batch == 300 else 30), batch, gentle)


@pytest.mark.parametrize("inputs", ["offset", "sparse", "dense"])
@pytest.mark.parametrize("batch", [1, 4, 140, 300])
@pytest.mark.parametrize("rule", ["sgd", "sgd with clipped norms", "momentum", "adam"])
def test_batches_with_learning_rates_of_their_own(backend, rule, batch, inputs):
    problem = problems.make((70, 6, 3), ("tanh", "softmax"), "cross_entropy", inputs=inputs, rows=310)
    order = np.random.default_rng(0).permutation(310 if batch > 100 else 80)
    rates = np.random.default_rng(1).uniform(0, 0.005 if rule == "adam" else 0.05, -(-len(order) // batch))
    check(backend, problem, order.tolist(), batch, RULES[rule], rates.tolist())


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
        (((9, 7, 6, 4), ("gelu", "silu", "identity"), "huber"), (0.25, 0.4)),
        (((9, 7, 6, 3), ("hard_sigmoid", "softplus", "exponential"), "poisson"), (0.3, 0.1)),
        (((9, 7, 4), ("elu", "sigmoid"), "normalised_cross_entropy"), (0.3,)),
        (((9, 7, 6, 4), ("leaky_relu 0.3", "elu 0.7", "identity"), "mean_squared_error"), (0.25, 0.4)),
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


@pytest.mark.parametrize("rate", [0.21, 0.24, 0.3, 0.42, 0.48])  # all but 0.3 round so, in one type or the other
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_output_that_is_full_has_no_slope_after_dropout(backend, dtype, rate):
    """1 * scale / scale may be a little less than 1, where hard_sigmoid's slope would be 1 / 6."""
    problem = problems.make((3, 16, 2), ("hard_sigmoid", "identity"), "mean_squared_error", dtype=dtype, rates=(rate,))
    params = problems.copied(problem.params)
    biases = params[problem.net.biases[0] :][:16]
    biases[:] = 50
    data, epoch = Data(problem.X, 1.0, problem.y), EpochArgs(np.arange(10), 5, RULES["sgd"], problem.dropout)
    backend.train_epoch(problem.net, params, problem.state(RULES["sgd"]), data, epoch)
    assert (biases == 50).all()
    assert (params != problem.params)[problem.net.weights[1] :][:2].all()


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
    if bad == np.inf and "clipped" in loss:
        pytest.skip("an infinite output is as good as 1 to a loss that clips it")
    record = LOSS_RECORDS[loss]
    output = record.output if record.fused or record.output == "exponential" else "identity"
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


@pytest.mark.quick("backend")
@pytest.mark.parametrize("batch", [1, 2, 150])
@pytest.mark.parametrize("activation", problems.HIDDEN)
def test_a_nan_comes_through_every_activation(backend, activation, batch):
    hidden, output = activation, activation if batch > 1 else "softmax"
    problem = problems.make((4, 3, 2), (hidden, output), "mean_squared_error", rows=2 * batch)
    X = problem.X.copy()
    X[-1, 1] = np.nan
    params, state = problems.copied(problem.params), problem.state(RULES["sgd"])
    data = Data(X, 1.0, problem.y)
    for rule in (RULES["sgd"], RULES["sgd with clipped values"], RULES["sgd with clipped norms"]):
        gentle = rule._replace(learning_rate=0.01)
        result = backend.train_epoch(problem.net, params, state, data, EpochArgs(np.arange(2 * batch), batch, gentle))
        assert result.batches == 1
    assert np.isfinite(params).all()
    assert not np.isfinite(backend.loss_grad(problem.net, params, data, problems.copied(params)))


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
    rule=st.sampled_from([name for name in RULES if not name.startswith(("adam", "nadam", "rmsprop"))]),
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
    (loss, correct, batches), expected, _ = problems.naive_train(problem, tuple(order), batch, gentle)
    assert result.loss == pytest.approx(loss, rel=1e-11, abs=1e-11)
    assert (result.correct, result.batches) == (correct, batches)
    np.testing.assert_allclose(problems.packed(problem.net, params), expected, rtol=1e-11, atol=1e-11)
