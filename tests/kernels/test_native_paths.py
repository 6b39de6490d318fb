"""The native epoch's ways through wider first layers, with any number of threads."""

from __future__ import annotations

import functools
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import problems
import pytest

import fastnn
from fastnn.kernels import native
from fastnn.kernels.numpy import network as reference
from fastnn.kernels.params import aligned_zeros, weight_views
from fastnn.kernels.spec import Data, EpochArgs, LayerGrads, layout

NETS = [
    ((130, 40, 9, 5), ("tanh", "sigmoid", "softmax"), "cross_entropy"),
    ((130, 40), ("sigmoid",), "quadratic"),  # the first layer is the last
    ((70, 260, 4), ("tanh", "softmax"), "cross_entropy"),  # wide: the outputs split
    ((50, 133, 17, 3), ("tanh", "sigmoid", "identity"), "mean_squared_error"),  # deep
    ((50, 133, 3), ("tanh", "sigmoid"), "rashid"),  # what goes back is not the output's delta
]
BATCHES = {  # samples: what plain SGD does with them
    1: "online blocks, or single samples in micro-batches",
    3: "less than a micro-batch",
    5: "the inputs split, micro-batches, too little work for threads",
    20: "micro-batches",
    50: "block-CSC",
    300: "the samples split, in blocks",
}
ROWS = 640
AFFINITY = getattr(os, "sched_getaffinity", None)  # before many_cores changes it


@pytest.mark.quick("dtype", "batch", "inputs")
@pytest.mark.parametrize("rule", problems.RULES)
@pytest.mark.parametrize("inputs", ["bytes", "sparse", "offset", "dense"])
@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    ("dtype", "tolerance", "bias"), [("float32", 3e-5, True), ("float64", 1e-13, True), ("float64", 1e-13, False)]
)
def test_every_path_is_the_reference_and_the_same_bits_for_any_threads(
    many_cores, dtype, tolerance, bias, batch, net, inputs, rule
):
    problem = problems.make(*net, dtype=dtype, inputs=inputs, bias=bias, labels=False, rows=ROWS)
    assert_trained_as_by_the_reference(problem, batch, rule, tolerance)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("batch", [50, 300])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-5), ("float64", 1e-13)])
def test_panels_of_wide_layers_are_the_reference_too(many_cores, dtype, tolerance, batch, rule):
    net = (300, 160, 150, 5), ("tanh", "sigmoid", "softmax"), "cross_entropy"
    problem = problems.make(*net, dtype=dtype, inputs="dense", bias=True, labels=False, rows=ROWS)
    assert_trained_as_by_the_reference(problem, batch, rule, tolerance)


@pytest.mark.quick("dtype", "batch", "inputs")
@pytest.mark.parametrize("rule", problems.RULES)
@pytest.mark.parametrize("inputs", ["bytes", "sparse", "offset", "dense"])
@pytest.mark.parametrize(
    ("sizes", "batch", "way"),
    [
        ((61, 14, 9, 5), 129, ("long batches", "samples")),  # long for their network
        ((61, 14, 9, 5), 200, ("long batches", "samples")),
        ((19, 70, 33, 5), 50, ("short batches", "outputs")),  # few inputs
    ],
    ids=str,
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-5), ("float64", 1e-13)])
def test_what_is_split_in_small_networks(many_cores, dtype, tolerance, sizes, batch, way, inputs, rule):
    net = sizes, ("tanh", "sigmoid", "softmax"), "cross_entropy"
    problem = problems.make(*net, dtype=dtype, inputs=inputs, bias=True, labels=False, rows=ROWS)
    plan = native.plan_training(problem.net, problem.data.X, dtype=np.dtype(dtype), batch_size=batch)
    assert (plan.regime, plan.split) == way
    assert_trained_as_by_the_reference(problem, batch, rule, tolerance)


def assert_trained_as_by_the_reference(problem, batch, rule, tolerance):
    # with 3 a gradient of Adam's first update is so near zero that rounding makes a visible part of its move
    order = np.random.default_rng(4).permutation(ROWS)[:-7]  # the last batch is smaller
    expected, expected_params, expected_state = problems.train(reference, problem, order, batch, problems.RULES[rule])
    seen = set()
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            result, params, state = problems.train(native, problem, order, batch, problems.RULES[rule])
        seen.add((result, params.tobytes(), state.tobytes()))
    assert len(seen) == 1
    assert result.batches == expected.batches == -(-len(order) // batch)
    assert result.loss == pytest.approx(expected.loss, rel=tolerance)
    assert problems.distance(params, expected_params) <= tolerance
    for found, truth in zip(state, expected_state, strict=True):
        assert problems.distance(found, truth) <= tolerance
    padding = problems.padding(problem.net, len(params))
    assert (params[padding] == 0).all()
    assert (state[:, padding] == 0).all()


@pytest.mark.quick("rule", "net")
@pytest.mark.quick("batch", "net")
@pytest.mark.parametrize("rule", problems.KERAS_RULES)
@pytest.mark.parametrize("batch", [1, 5, 20, 150, 300])
@pytest.mark.parametrize(
    ("net", "bias"),
    [
        (((130, 40, 9, 5), ("gelu", "silu", "softmax"), "cross_entropy"), (True, False, True)),
        (((70, 260, 4), ("elu", "softplus"), "mean_poisson"), (False, True)),
        (((50, 133, 17, 3), ("selu", "softplus", "sigmoid"), "clipped_binary_cross_entropy"), (True, True, False)),
        (((130, 40), ("hard_sigmoid",), "huber"), (True,)),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("dtype", "tolerance", "inputs"),
    [("float64", 1e-13, "bytes"), ("float64", 1e-13, "offset"), ("float32", 3e-5, "dense")],
)
def test_keras_rules_on_every_path(many_cores, dtype, tolerance, inputs, net, bias, batch, rule):
    """With layers that lack biases, a learning rate for each batch, and the outputs before its update."""
    problem = problems.make(*net, dtype=dtype, inputs=inputs, bias=bias, labels=False, rows=320)
    rule = problems.KERAS_RULES[rule]
    rule = rule._replace(l2=tuple(rule.l2 * share for share in (1, 0, 0.5)[: len(bias)]))
    order = np.random.default_rng(4).permutation(320)[:-7]
    rates = rule.learning_rate * np.random.default_rng(5).uniform(0.5, 1, -(-len(order) // batch))

    def trained(kernels):
        outputs = np.full((len(order), net[0][-1]), np.nan, dtype)
        return *problems.train(kernels, problem, order, batch, rule, rates=rates, outputs=outputs), outputs

    expected, *truths = trained(reference)
    seen = set()
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            result, *found = trained(native)
        seen.add((result, *(array.tobytes() for array in found)))
    assert len(seen) == 1
    assert result.batches == expected.batches == len(rates)
    assert result.loss == pytest.approx(expected.loss, rel=tolerance)
    (params, state, outputs), (expected_params, expected_state, expected_outputs) = found, truths
    assert problems.distance(params, expected_params) <= tolerance
    assert problems.distance(outputs, expected_outputs) <= tolerance
    for slot, truth in zip(state, expected_state, strict=True):
        assert (slot == truth).all() or problems.distance(slot, truth) <= 10 * tolerance
    padding = problems.padding(problem.net, len(params))
    assert (params[padding] == 0).all()
    assert (state[:, padding] == problem.state(rule)[:, padding]).all()


@pytest.mark.parametrize(
    "net",
    [
        *NETS,
        ((130, 40, 9, 5), ("silu", "gelu", "softmax"), "cross_entropy"),
        ((70, 260, 4), ("gelu", "identity"), "huber"),
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", BATCHES)
def test_dropout_and_weights_on_every_path(many_cores, batch, net):
    rates = (0.4, 0.2)[: len(net[0]) - 2]
    problem = problems.make(*net, inputs="bytes", labels=False, rows=ROWS, rates=rates)
    order = np.random.default_rng(3).permutation(ROWS)[:-7]
    expected, expected_params, _ = problems.train(reference, problem, order, batch, problems.RULES["sgd"])
    seen = set()
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            result, params, _ = problems.train(native, problem, order, batch, problems.RULES["sgd"])
        seen.add((result, params.tobytes()))
    assert len(seen) == 1
    assert result.loss == pytest.approx(expected.loss, rel=1e-13)
    assert problems.distance(params, expected_params) <= 1e-13
    padding = problems.padding(problem.net, len(params))
    assert (params[padding] == 0).all()


@pytest.fixture(params=["dense", "block-CSC", "micro-batches"])
def forced_inputs(request):
    native.override_plan(inputs=request.param)
    yield
    native.override_plan(inputs=None)


@functools.cache
def as_the_reference(dtype, batch, net, inputs, rule):
    """A problem, its parameters after an epoch and its outputs before; the same whatever way is forced."""
    problem = problems.make(*net, dtype=dtype, inputs=inputs, labels=False, rows=320)
    _, params, _ = problems.train(reference, problem, epoch_order(), batch, problems.RULES[rule])
    out = problem.output()
    reference.forward(problem.net, problem.params, problem.X, problem.scale, out)
    return problem, params, out


def epoch_order():
    return np.random.default_rng(3).permutation(320)


@pytest.mark.quick("forced_inputs", "batch", "inputs")
@pytest.mark.parametrize("rule", problems.RULES)
@pytest.mark.parametrize("inputs", ["bytes", "sparse", "offset", "dense"])
@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("batch", [3, 30, 300])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-5), ("float64", 1e-13)])
def test_every_way_to_read_inputs_is_the_reference_whatever_suits_them(
    many_cores, forced_inputs, dtype, tolerance, batch, net, inputs, rule
):
    problem, expected_params, expected_out = as_the_reference(dtype, batch, net, inputs, rule)
    out = problem.output()
    seen = set()
    for threads in (1, 3):
        with fastnn.use("native", num_threads=threads):
            _, params, _ = problems.train(native, problem, epoch_order(), batch, problems.RULES[rule])
            native.forward(problem.net, problem.params, problem.X, problem.scale, out)
        seen.add((params.tobytes(), out.tobytes()))
    assert len(seen) == 1
    assert problems.distance(params, expected_params) <= tolerance
    assert problems.distance(out, expected_out) <= tolerance


@pytest.mark.parametrize("rule", problems.RULES)
@pytest.mark.parametrize("width", [98, 101, 103])
@pytest.mark.parametrize(("batch", "hidden"), [(30, 20), (50, 133), (300, 20)])
def test_the_last_inputs_may_be_the_only_active_ones(many_cores, forced_inputs, batch, hidden, width, rule):
    problem = problems.make((width, hidden, 3), ("tanh", "sigmoid"), "quadratic", inputs="end", labels=False, rows=320)
    _, expected_params, _ = problems.train(reference, problem, np.arange(320), batch, problems.RULES[rule])
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            _, params, _ = problems.train(native, problem, np.arange(320), batch, problems.RULES[rule])
        assert problems.distance(params, expected_params) <= 1e-13


@pytest.fixture(params=["inputs", "outputs"])
def forced_split(request):
    native.override_plan(split=request.param)
    yield
    native.override_plan(split=None)


@pytest.mark.parametrize("rule", problems.RULES)
@pytest.mark.parametrize("inputs", ["bytes", "offset"])
@pytest.mark.parametrize("hidden", [30, 32, 133, 260])  # in float64 4, 4, 17 and 33 cache lines
@pytest.mark.parametrize("batch", [5, 50, 256])
def test_either_split_of_the_first_layer_is_the_reference(many_cores, forced_split, batch, hidden, inputs, rule):
    sizes = (70, hidden, 9, 4)
    problem = problems.make(sizes, ("tanh", "sigmoid", "softmax"), "cross_entropy", inputs=inputs, rows=320)
    order = np.random.default_rng(3).permutation(320)
    _, expected_params, _ = problems.train(reference, problem, order, batch, problems.RULES[rule])
    seen = set()
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            seen.add(problems.train(native, problem, order, batch, problems.RULES[rule])[1].tobytes())
    assert len(seen) == 1
    assert problems.distance(np.frombuffer(seen.pop()), expected_params) <= 1e-13


@pytest.mark.skipif(AFFINITY is None, reason="only Linux lets processes choose their cores")
@pytest.mark.parametrize("batch", [3, 30, 300])
def test_threads_keep_to_the_cores_of_the_process_and_leave_them_as_they_were(many_cores, batch):
    problem = problems.make(*NETS[2], labels=False, rows=320)
    cores, seen = AFFINITY(0), set()
    try:
        for allowed in [cores, *({core} for core in cores)]:
            os.sched_setaffinity(0, allowed)
            with fastnn.use("native", num_threads=3):
                seen.add(problems.train(native, problem, np.arange(320), batch, problems.RULES["sgd"])[1].tobytes())
            assert AFFINITY(0) == allowed
    finally:
        os.sched_setaffinity(0, cores)
    assert len(seen) == 1


@pytest.mark.parametrize("inputs", ["offset", "dense"])
@pytest.mark.parametrize("batch", BATCHES)
def test_an_epoch_ends_at_the_first_loss_that_is_not_finite(many_cores, batch, inputs):
    problem = problems.make(*NETS[0], inputs=inputs, rows=ROWS)
    X = problem.X.copy()
    bad = 2 * batch + batch // 2 if batch < 300 else 450
    X[bad] = np.nan
    state = problem.state(problems.RULES["sgd"])
    params, cut = problems.copied(problem.params), problems.copied(problem.params)
    data = Data(problem.X, problem.scale, problem.y)
    whole = EpochArgs(np.arange(ROWS), batch, problems.RULES["sgd"])
    good = whole._replace(order=whole.order[: bad // batch * batch])
    with fastnn.use("native", num_threads=2):
        result = native.train_epoch(problem.net, params, state, data._replace(X=X), whole)
        native.train_epoch(problem.net, cut, state, data, good)
    assert result.batches == bad // batch
    assert np.isfinite(params).all()
    assert problems.distance(params, cut) <= 1e-14  # the clean run may end its last unit of work elsewhere


def test_ctrl_c_within_a_long_batch_leaves_the_parameters_as_they_were():
    rng = np.random.default_rng(0)
    net, count = layout((784, 2000, 10), ("relu", "softmax"), "cross_entropy", True, np.dtype(np.float64))
    params = aligned_zeros(count, np.dtype(np.float64))
    before = params.copy()
    X, y = rng.integers(1, 256, (20_000, 784)).astype(np.uint8), np.zeros(20_000, np.int32)
    state = np.empty((0, count))

    def interrupt(number, frame):
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    data, epoch = Data(X, 1.0, y), EpochArgs(np.arange(len(X)), len(X), problems.RULES["sgd"])
    signal.setitimer(signal.ITIMER_REAL, 0.01)  # the one batch is about a hundred thousand million multiply-adds
    try:
        with pytest.raises(KeyboardInterrupt):
            native.train_epoch(net, params, state, data, epoch)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    np.testing.assert_array_equal(params, before)


def test_models_trained_side_by_side_are_those_trained_one_after_the_other():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (4000, 784)).astype(np.uint8), rng.integers(0, 10, 4000)

    def trained(seed):
        model = fastnn.MLP([784, 64, 10], activation="relu", seed=seed)
        with fastnn.use("native"):
            model.fit(X, y, epochs=3, batch_size=32, optimizer="adam", learning_rate=0.001)
        return model.params.tobytes()

    one_by_one = [trained(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(trained, range(4))) == one_by_one


@pytest.mark.parametrize("rest", [1, 2, 4, 129, 200, 256, 257])
def test_rows_that_the_slices_of_a_long_call_leave_over(rest):
    """Short calls lay their memory out in other ways than long ones, some of which take more."""
    sizes, count = (1000, 1000, 3), 1024 + rest  # so many multiply-adds a row that a slice has 1,024
    net, parameters = layout(sizes, ("tanh", "softmax"), "cross_entropy", True, np.dtype(np.float32))
    params = aligned_zeros(parameters, np.dtype(np.float32))
    rng = np.random.default_rng(0)
    for view in weight_views(net, params):
        view[:] = rng.normal(size=view.shape) * 0.03
    X = rng.random((count, 1000), np.float32)
    out, expected = np.empty((2, count, 3), np.float32)
    native.forward(net, params, X, 1.0, out)
    for rows in (slice(500), slice(500, None)):
        native.forward(net, params, X[rows], 1.0, expected[rows])
    assert (out == expected).all()


@pytest.mark.parametrize("rest", [1, 4, 120, 200])
def test_rows_that_the_slices_of_a_long_way_back_leave_over(rest):
    net, parameters = layout((273, 256), ("sigmoid",), "quadratic", True, np.dtype(np.float64))
    count = int(1e9 / (273 * 256)) + rest
    rng = np.random.default_rng(0)
    X, outputs, slopes = rng.random((count, 273)), rng.random((count, 256)), rng.normal(size=(count, 256))
    params = aligned_zeros(parameters, np.dtype(np.float64))
    weight_views(net, params)[0][:] = rng.normal(size=(273, 256))
    grad, input_grad = aligned_zeros(parameters, np.dtype(np.float64)), np.empty_like(X)
    native.layer_grad(net, params, X, 1.0, outputs, slopes, LayerGrads(grad, input_grad))
    delta = slopes * outputs * (1 - outputs)
    assert problems.distance(weight_views(net, grad)[0], X.T @ delta) <= 1e-13
    assert problems.distance(input_grad, delta @ weight_views(net, params)[0].T) <= 1e-14


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_rounds_square_roots_as_numpy_does(dtype):
    """From given states, with gradients of zero and betas that halve: only the root, the quotient and the sum round."""
    real, limits = np.dtype(dtype), np.finfo(dtype)
    net, count = layout((300, 1008), ("identity",), "quadratic", False, real)  # no padding
    rng = np.random.default_rng(8)
    params, state = aligned_zeros(count, real), aligned_zeros((2, count), real)
    m, v = state
    m[:] = 1
    v[:] = np.exp2(rng.uniform(limits.minexp + 2, limits.maxexp, count)) * rng.uniform(0.5, 1, count)
    v[:3], v[3:9:2] = (0, np.inf, limits.max), 4 * limits.tiny
    halves = v / 2
    rule = problems.rule("adam", 0.25, beta1=0.5, beta2=0.5, epsilon=1e-30)
    zeros = Data(np.zeros((1, 300), real), 1.0, np.zeros((1, 1008), real))
    native.train_epoch(net, params, state, zeros, EpochArgs(np.arange(1), 1, rule))
    rate, epsilon = real.type(0.25 * np.sqrt(0.5) / 0.5), real.type(1e-30)
    assert (m == 0.5).all()
    assert (v == halves).all()
    assert (params == -(rate * m / (np.sqrt(v) + epsilon))).all()
