"""The initialisers: how weights and biases are distributed, and that the seed decides them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastnn import MLP

FAN_IN, FAN_OUT = 400, 300
COUNT = FAN_IN * FAN_OUT


def cumulative_normal(x):
    return (1 + math.erf(x / math.sqrt(2))) / 2


DISTRIBUTIONS = {  # the standard deviation, and the distribution of a weight divided by it
    "normal": (1.0, cumulative_normal),
    "normal_scaled": (1 / math.sqrt(FAN_IN), cumulative_normal),
    "rashid": (1 / math.sqrt(FAN_IN), cumulative_normal),
    "he": (math.sqrt(2 / FAN_IN), cumulative_normal),
    "glorot": (
        math.sqrt(2 / (FAN_IN + FAN_OUT)),  # uniform within +-sqrt(6 / (in + out))
        lambda x: min(max((x / math.sqrt(3) + 1) / 2, 0), 1),
    ),
    "truncated_normal": (
        1 / math.sqrt(FAN_IN),  # before the truncation
        lambda x: min(max((cumulative_normal(x) - cumulative_normal(-2)) / (1 - 2 * cumulative_normal(-2)), 0), 1),
    ),
}


@pytest.mark.parametrize("init", DISTRIBUTIONS)
def test_weights_have_their_distribution(init):
    """Kolmogorov and Smirnov's statistic; for the right distribution it stays below the limit in all but 1e-9 cases."""
    std, distribution = DISTRIBUTIONS[init]
    values = np.sort(MLP([FAN_IN, FAN_OUT, 2], init=init, dtype="float64", seed=1).weights[0].ravel()) / std
    expected = np.array([distribution(x) for x in values])
    ranks = np.arange(COUNT + 1) / COUNT
    statistic = max(np.abs(expected - ranks[1:]).max(), np.abs(expected - ranks[:-1]).max())
    assert statistic < math.sqrt(-math.log(1e-9 / 2) / 2 / COUNT)
    if init == "truncated_normal":
        assert 1.99 < np.abs(values).max() <= 2
    if init == "glorot":
        assert 1.73 < np.abs(values).max() <= math.sqrt(3)


@pytest.mark.parametrize("init", DISTRIBUTIONS)
def test_biases_start_at_zero_except_in_nielsens(init):
    biases = MLP([3, 5000, 2], init=init, dtype="float64", seed=1).biases[0]
    if init in ("normal", "normal_scaled"):
        assert abs(biases.mean()) < 6 / math.sqrt(5000)
        assert abs(biases.std() - 1) < 6 / math.sqrt(2 * 5000)
    else:
        assert (biases == 0).all()


@pytest.mark.parametrize("init", DISTRIBUTIONS)
def test_the_seed_decides_the_weights(init):
    def params(seed, dtype="float64"):
        return MLP([7, 6, 5], init=init, seed=seed, dtype=dtype).params

    assert (params(3) == params(3)).all()
    assert (params(3) == params(np.random.default_rng(3))).all()
    assert (params(3) != params(4)).any()
    assert (params(None) != params(None)).any()


def test_both_types_draw_the_same_weights():
    single, double = (MLP([7, 6, 5], init="normal", seed=3, dtype=dtype) for dtype in ("float32", "float64"))
    for a, b in zip(single.weights + single.biases, double.weights + double.biases, strict=True):
        assert (a == b.astype(np.float32)).all()


def test_seeding_leaves_numpys_global_generator_alone():
    before = np.random.get_state()[1].copy()
    MLP([7, 6, 5], seed=0).fit(np.ones((4, 7)), [0, 1, 2, 3], epochs=1)
    assert (np.random.get_state()[1] == before).all()
