"""fastnn.explain: the plan that fit would follow, in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.errors import FastnnError
from fastnn.kernels import paths

SOURCES = Path(__file__).parents[2] / "fastnn" / "kernels" / "native" / "src"
CHOICES = {
    "regime": paths.REGIMES,
    "inputs": paths.INPUTS,
    "offset": paths.OFFSETS,
    "split": paths.SPLITS,
    "weights": paths.WEIGHTS,
    "update": paths.UPDATES,
}


@pytest.fixture(scope="module")
def images():
    return fastnn.datasets.load_mnist()[0][0][:2000]


def explained(X, sizes=(784, 30, 10), *, threads=1, dtype="float32", **arguments):
    with fastnn.use("native", num_threads=threads):
        return fastnn.explain(fastnn.MLP(sizes, dtype=dtype, seed=0), X, **arguments)


def test_the_text_says_every_choice_and_the_density(images):
    found = explained(images, batch_size=10)
    for field, choices in CHOICES.items():
        name = getattr(found.plan, field)
        if field not in ("offset", "split"):
            assert f": {name}" in found.text
            assert choices[name].words in found.text
    assert f"{found.plan.density:.0%} of the blocks of 4 inputs are other than zero in some of 4 samples" in found.text
    assert "2,000 rows of uint8 in batches of 10, by sgd" in found.text
    assert fastnn.backends()["native"].detail.split(",")[0] in found.text
    assert str(found) == repr(found) == found.text


def test_micro_batches_block_csc_online_blocks_and_dense_rows(images):
    assert explained(images, batch_size=10).plan.inputs == "micro-batches"
    assert explained(images, (784, 128, 10), batch_size=32, optimizer="adam").plan.inputs == "block-CSC"
    scaled = explained(images / 255 * 0.99 + 0.01, (784, 88, 10), batch_size=1)
    assert (scaled.plan.regime, scaled.plan.offset) == ("online blocks", "column offset")
    assert "Offset: column offset" in scaled.text
    noise = np.random.default_rng(0).normal(size=(500, 784))
    assert explained(noise, batch_size=10).plan.inputs == "dense"
    assert explained(images, batch_size=1000).plan.regime == "long batches"


def test_what_fit_does_to_the_rows_first_is_said(images):
    found = explained(images / 255, batch_size=10, epochs=20)
    assert f"X becomes bytes, as all of it is k times {1 / 255:.6g}" in found.text
    assert "X becomes bytes" not in explained(images, batch_size=10, epochs=20).text
    in_order = explained(images, batch_size=32, epochs=20, shuffle=False)
    assert in_order.plan.inputs == "stored block-CSC"


def test_threads(many_cores, images):
    assert "Threads: one" in explained(images, batch_size=10).text
    found = explained(images, batch_size=10, threads=4)
    assert f"Threads: {found.plan.threads}, which share out {paths.SPLITS[found.plan.split].words}" in found.text


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_other_backends_have_no_plan(backend, images):
    with fastnn.use(backend):
        found = fastnn.explain(fastnn.MLP([784, 10]), images)
    assert found.plan is None
    assert f"Backend: {backend}, " in found.text
    assert "Path: " in found.text


def test_nothing_is_trained_or_drawn(images):
    model, twin = fastnn.MLP([784, 30, 10], seed=3), fastnn.MLP([784, 30, 10], seed=3)
    fastnn.explain(model, images)
    np.testing.assert_array_equal(model.params, twin.params)
    assert model.rng.bit_generator.state == twin.rng.bit_generator.state


@pytest.mark.parametrize(
    "arguments", [{"batch_size": 0}, {"optimizer": "lion"}, {"l2": -1}, {"epochs": 0}, {"momentum": 2, "X": [[1.0]]}]
)
def test_bad_arguments_are_refused_as_by_fit(arguments, images):
    X = arguments.pop("X", images)
    with pytest.raises(FastnnError):
        fastnn.explain(fastnn.MLP([784, 10]), X, **arguments)


def test_every_file_that_is_named_is_there():
    every = [*CHOICES.values(), paths.SCANS, paths.QUERIES, paths.DOTS]
    named = {file for choices in every for choice in choices.values() for file in choice.files}
    assert named
    assert not {file for file in named if not (SOURCES / file).is_file()}
