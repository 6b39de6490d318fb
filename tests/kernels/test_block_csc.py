"""Block-CSC of batches that come again: epochs on it are those on the rows, bit by bit."""

from __future__ import annotations

import numpy as np
import problems
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn
from fastnn.kernels import native
from fastnn.kernels.numpy import network as reference

NETS = [
    ((130, 40, 9, 5), ("tanh", "sigmoid", "softmax"), "cross_entropy"),
    ((131, 40), ("sigmoid",), "quadratic"),  # the last group of inputs has three, and the first layer is the last
    ((70, 260, 4), ("tanh", "softmax"), "cross_entropy"),  # wide: the outputs shared out
]
ROWS = 640
TOLERANCES = [("float32", 3e-5), ("float64", 1e-13)]


@pytest.mark.quick("dtype", "batch")
@pytest.mark.parametrize("rule", problems.RULES)
@pytest.mark.parametrize("net", NETS, ids=str)
@pytest.mark.parametrize("batch", [5, 31, 256, 300, 640])  # one and several blocks; the last batch is smaller
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_block_csc_change_no_bit(many_cores, dtype, tolerance, batch, net, rule):
    problem = problems.make(*net, dtype=dtype, inputs="strokes", labels=False, rows=ROWS)
    order = np.arange(ROWS)
    expected, expected_params, _ = problems.train(reference, problem, order, batch, problems.RULES[rule])
    seen = set()
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            made = native.block_csc(problem.X, problem.scale, batch)
            assert made is not None
            for block_csc in (None, made):
                result, params, state = problems.train(
                    native, problem, order, batch, problems.RULES[rule], block_csc=block_csc
                )
                seen.add((result, params.tobytes(), state.tobytes()))
    assert len(seen) == 1
    assert result.batches == expected.batches
    assert result.loss == pytest.approx(expected.loss, rel=tolerance)
    assert problems.distance(params, expected_params) <= tolerance


@pytest.mark.parametrize("batch", [30, 300])
def test_block_csc_with_dropout_and_weights(many_cores, batch):
    problem = problems.make(*NETS[0], inputs="strokes", labels=False, rows=ROWS, rates=(0.4, 0.2))
    block_csc = native.block_csc(problem.X, problem.scale, batch)
    _, expected, _ = problems.train(reference, problem, np.arange(ROWS), batch, problems.RULES["sgd"])
    for threads in (1, 2, 4):
        with fastnn.use("native", num_threads=threads):
            _, params, _ = problems.train(
                native, problem, np.arange(ROWS), batch, problems.RULES["sgd"], block_csc=block_csc
            )
        assert problems.distance(params, expected) <= 1e-13


@pytest.mark.parametrize("batch", [32, 300])
@pytest.mark.parametrize(("first", "last"), [(0, 2), (1, 2), (1, 99)])
def test_an_epoch_may_take_some_of_the_batches(batch, first, last):
    problem = problems.make(*NETS[0], inputs="strokes", labels=False, rows=ROWS)
    order = np.arange(ROWS)[first * batch : last * batch]
    block_csc = native.block_csc(problem.X, problem.scale, batch)
    _, expected, _ = problems.train(reference, problem, order, batch, problems.RULES["adam"])
    _, params, _ = problems.train(native, problem, order, batch, problems.RULES["adam"], block_csc=block_csc)
    assert problems.distance(params, expected) <= 1e-13


@pytest.mark.parametrize("batch", [30, 300])
@pytest.mark.parametrize("width", [98, 101, 103])
def test_block_csc_where_the_last_inputs_alone_are_active(many_cores, width, batch):
    problem = problems.make((width, 20, 3), ("tanh", "sigmoid"), "quadratic", inputs="end", labels=False, rows=ROWS)
    _, expected, _ = problems.train(reference, problem, np.arange(ROWS), batch, problems.RULES["sgd"])
    block_csc = native.block_csc(problem.X, problem.scale, batch)
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            _, params, _ = problems.train(
                native, problem, np.arange(ROWS), batch, problems.RULES["sgd"], block_csc=block_csc
            )
        assert problems.distance(params, expected) <= 1e-13


@settings(deadline=None)
@given(
    rows=st.integers(1, 60),
    inputs=st.integers(1, 150),
    outputs=st.integers(1, 40),
    batch=st.integers(5, 70),
    seed=st.integers(0, 1000),
)
def test_block_csc_of_any_shape(rows, inputs, outputs, batch, seed):
    sizes = (inputs, outputs)
    problem = problems.make(sizes, ("tanh",), "quadratic", inputs="strokes", labels=False, rows=rows, seed=seed)
    block_csc = native.block_csc(problem.X, problem.scale, batch)
    input_blocks = -(-inputs // 4)
    padded = np.pad(problem.X, ((0, -rows % batch), (0, 4 * input_blocks - inputs))).reshape(-1, batch, input_blocks, 4)
    most = padded.any(axis=3).sum(axis=(1, 2)).max()
    if most > 0.6 * batch * input_blocks:
        assert block_csc is None
    if block_csc is None:
        assert most > 0.5 * batch * input_blocks - batch  # short of room for a whole further nonzero
        return
    _, expected, _ = problems.train(reference, problem, np.arange(rows), batch, problems.RULES["sgd"])
    _, params, _ = problems.train(native, problem, np.arange(rows), batch, problems.RULES["sgd"], block_csc=block_csc)
    np.testing.assert_allclose(params, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("factor", [255, 256, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_block_csc_of_reals_are_those_of_their_bytes(dtype, factor):
    pixels = problems.make(*NETS[0], inputs="strokes", rows=ROWS).X
    for batch in (30, 300):
        block_csc = native.block_csc((pixels / factor).astype(dtype), 1.0, batch)
        assert block_csc.scale == 1 / factor
        expected = native.block_csc(pixels, 1 / factor, batch)
        problem = problems.make(*NETS[0], dtype=dtype, inputs="strokes", rows=ROWS)
        found = {
            problems.train(native, problem, np.arange(ROWS), batch, problems.RULES["sgd"], block_csc=some)[1].tobytes()
            for some in (block_csc, expected)
        }
        assert len(found) == 1


def test_there_are_none_where_they_would_be_of_no_use():
    X = problems.make(*NETS[0], inputs="strokes", rows=ROWS).X
    assert native.block_csc(X, 1.0, 32) is not None
    dense = X.copy()
    dense[256:384] = 1
    assert native.block_csc(dense, 1.0, 32) is None
    assert native.block_csc(dense, 1.0, 640) is None  # as one of its blocks has too many
    for other in (0.5, 1e-30, np.nan, -1.0):
        reals = X.astype(np.float64)
        assert native.block_csc(reals, 1.0, 32) is not None
        reals[-1, -1] = other
        assert native.block_csc(reals, 1.0, 32) is None


@pytest.mark.parametrize(
    ("net", "clip_norm", "batch"),
    [
        *((NETS[0], 0.1, batch) for batch in (30, 150, 256, 300)),
        *((((61, 14, 9, 5), ("tanh", "sigmoid", "softmax"), "cross_entropy"), 0.0, batch) for batch in (129, 200)),
    ],
    ids=str,
)
def test_block_csc_of_short_batches_that_go_in_blocks(many_cores, net, clip_norm, batch):
    """Where norms are clipped, and where a batch is long for its network; what is stored may not be in such blocks."""
    problem = problems.make(*net, inputs="strokes", labels=False, rows=ROWS)
    rule = problems.rule("sgd", 0.1, clip_norm=clip_norm)
    block_csc = native.block_csc(problem.X, problem.scale, batch)
    _, expected, _ = problems.train(reference, problem, np.arange(ROWS), batch, rule)
    seen = set()
    for threads in (1, 2, 4):
        with fastnn.use("native", num_threads=threads):
            _, params, _ = problems.train(native, problem, np.arange(ROWS), batch, rule, block_csc=block_csc)
        seen.add(params.tobytes())
        assert problems.distance(params, expected) <= 1e-13
    assert len(seen) == 1
