"""Every way that the plan can take on this instruction set, on arrays that take it: the reference's numbers, and the
same bits for any number of threads. .ci/run repeats this for the other instruction sets."""

from __future__ import annotations

import numpy as np
import plan_rows
import point_sets
import problems
import pytest

import fastnn
from fastnn.kernels import native, paths
from fastnn.kernels.numpy import network as reference
from fastnn.kernels.params import aligned_copy, aligned_zeros, weight_views
from fastnn.kernels.spec import Data, EpochArgs, layout

TRAININGS = plan_rows.train_rows(native.simd)
SEARCHES = plan_rows.search_rows(native.simd)
TOLERANCES = {"float32": 3e-5, "float64": 1e-13}
ACTIVE = 0.03  # of blocks in a sample: 0.11 in some of 4, 0.31 in some of 12


def rows_like(training, count, rng):
    """Rows whose density is on the same side of the plan's thresholds."""
    shape = count, training.sizes[0]
    X = rng.integers(1, 256, shape).astype(np.uint8)
    if training.given != "uint8":
        X = rng.uniform(-1, 1, shape).astype(training.given)
    if training.offset_density < 0.9:
        blocks = rng.random((count, -(-shape[1] // 4))) < ACTIVE
        u = np.zeros(shape[1], X.dtype)
        if training.offset_density < training.density:
            u = rng.uniform(-1, 1, shape[1]).astype(X.dtype)
        X = np.where(np.repeat(blocks, 4, axis=1)[:, : shape[1]], X, u)
    if training.nonzeros is not None:
        return problems.csr(X * (rng.random(shape) < training.nonzeros / shape[1]))
    return X


@pytest.mark.parametrize("row", TRAININGS, ids=", ".join)
def test_each_way_of_training_is_reached_and_is_the_reference(many_cores, row):
    training, rng = TRAININGS[row], np.random.default_rng(0)
    real = np.dtype(training.dtype)
    count = 2 * training.batch_size + training.batch_size // 2 + 40
    X, scale = rows_like(training, count, rng), 1 / 255 if training.given == "uint8" else 1.0
    hidden = ["tanh"] * (len(training.sizes) - 2)
    net, size = layout(training.sizes, [*hidden, "softmax"], "cross_entropy", True, real)
    params = aligned_zeros(size, real)
    for weights in weight_views(net, params):
        weights[:] = rng.normal(size=weights.shape) / np.sqrt(weights.shape[0])
    order = np.arange(count) if training.block_csc else rng.permutation(count)
    y = rng.integers(training.sizes[-1], size=count).astype(np.int32)
    block_csc = native.block_csc(X, scale, training.batch_size) if training.block_csc else None
    rule = training.rule._replace(learning_rate=0.002)  # so small that rounding does not grow
    epoch = EpochArgs(order, training.batch_size, rule)

    def trained(kernels, data):
        mine = aligned_copy(params)
        result = kernels.train_epoch(net, mine, aligned_zeros((0, size), real), data, epoch)
        return result, mine

    expected, expected_params = trained(reference, Data(X, scale, y))
    seen, reached = set(), set()
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            result, mine = trained(native, Data(X, scale, y, block_csc=block_csc))
        seen.add((result, mine.tobytes()))
        plan = native.plan_training(
            net,
            X,
            dtype=real,
            batch_size=training.batch_size,
            rule=rule,
            order=order,
            block_csc=training.block_csc,
            threads=threads,
        )
        reached.add(plan_rows.train_row(plan))
    assert row in reached
    assert len(seen) == 1
    assert result.batches == expected.batches
    assert result.loss == pytest.approx(expected.loss, rel=TOLERANCES[training.dtype])
    assert problems.distance(mine, expected_params) <= TOLERANCES[training.dtype]
    padding = problems.padding(net, size)
    assert (mine[padding] == 0).all()


@pytest.mark.parametrize("row", SEARCHES, ids=", ".join)
def test_each_way_of_searching_is_reached_and_exact(many_cores, row):
    search = SEARCHES[row]
    search = search._replace(
        rows=min(search.rows, 800), columns=60, queries=min(search.queries, 130), k=min(search.k, 50)
    )  # as small as leaves the way as it is
    points = point_sets.make("sparse", search.dtype, search.rows, search.columns, search.queries)
    codes = None
    if search.code_width:
        codes = point_sets.codes(points, search.metric)
        search = search._replace(code_width=codes.rows.shape[1])
    reached = set()
    for threads in (1, 2, 3, 4):
        with fastnn.use("native", num_threads=threads):
            found = point_sets.search_with(codes, native, points, search.metric, search.k)
        point_sets.check(found, points, search.metric, search.k)
        reached.add(plan_rows.search_row(search.plan(threads=threads, simd=native.simd)))
    assert row in reached


def test_the_words_are_those_of_the_plan():
    """A choice that the plan has and paths.py lacks would end explain with a KeyError."""
    for plan in map(plan_rows.Training.plan, plan_rows.trainings()):
        for field, choices in (
            ("regime", paths.REGIMES),
            ("inputs", paths.INPUTS),
            ("offset", paths.OFFSETS),
            ("split", paths.SPLITS),
            ("weights", paths.WEIGHTS),
            ("update", paths.UPDATES),
        ):
            assert getattr(plan, field) in choices
    for plan in map(plan_rows.Search.plan, plan_rows.searches()):
        assert {plan.scan, plan.plain_scan} <= set(paths.SCANS)
        assert {plan.queries, plan.plain_queries} <= set(paths.QUERIES)
        assert plan.dot in paths.DOTS
