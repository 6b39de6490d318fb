"""MLP.backquery beside Rashid's equations in plain NumPy, for every activation."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.errors import FastnnError
from fastnn.kernels.records import HIDDEN_ACTIVATIONS


def logit(a: np.ndarray) -> np.ndarray:
    return np.log(a / (1 - a))


def stretched(signals: np.ndarray) -> np.ndarray:
    low = signals - signals.min(axis=1, keepdims=True)
    return low / low.max(axis=1, keepdims=True) * 0.98 + 0.01


TARGETS = np.where(np.eye(3, dtype=bool), 0.99, 0.01)


def test_rashids_way_back():
    model = fastnn.MLP([7, 5, 3], output="sigmoid", bias=False, dtype="float64", seed=1)
    hidden = stretched(logit(TARGETS) @ model.weights[1].T)
    expected = stretched(logit(hidden) @ model.weights[0].T)
    np.testing.assert_allclose(model.backquery(TARGETS), expected, rtol=1e-9)


def test_biases_are_taken_off():
    model = fastnn.MLP([7, 3], init="normal", dtype="float64", seed=1)
    expected = stretched((np.log(TARGETS) - model.biases[0]) @ model.weights[0].T)
    np.testing.assert_allclose(model.backquery(TARGETS), expected, rtol=1e-12)


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_the_way_back_and_forth(activation):
    """One input and square layers: what leads back leads forth, up to the stretching."""
    model = fastnn.MLP([2, 2], output=activation, loss="mean_squared_error", bias=False, dtype="float64", seed=1)
    model.weights = [np.eye(2)]
    z_of_high, z_of_low = (model.forward(np.array([[z, z]]))[0, 0] for z in (2.0, 0.5))
    targets = np.array([[z_of_high, z_of_low]])
    if 0 < z_of_low < z_of_high < 1:
        np.testing.assert_allclose(model.backquery(targets), [[0.99, 0.01]], rtol=1e-9)
    back = model.backquery(np.array([[0.9, 0.2]]))
    np.testing.assert_allclose(back, [[0.99, 0.01]], rtol=1e-9)


def test_unusable_targets():
    model = fastnn.MLP([7, 3])
    for targets in ([[0.5, 0.5, 1.0]], [[0.5, 0.5, 0.0]], [[0.5, np.nan, 0.5]]):
        with pytest.raises(FastnnError, match="targets"):
            model.backquery(targets)
    with pytest.raises(FastnnError, match=r"targets: expected shape \(n, 3\)"):
        model.backquery([0.5, 0.5, 0.5])
