"""NaN and infinity in MLP.fit: the last finite weights are kept, and data that are not finite are blamed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from problems import make_mlp as make

import fastnn
from fastnn import DivergenceError
from fastnn.errors import InvalidArgumentError
from fastnn.kernels.spec import Capabilities


def diverge(model, X, y, **settings):
    """Train until it diverges; return the epoch and the number of good batches in it that the error names."""
    with pytest.raises(DivergenceError) as caught:
        model.fit(X, y, batch_size=10, shuffle=False, **settings)
    found = re.fullmatch(
        r"epoch (\d+): training diverged after (\d+) of 6 batches of the epoch \(learning rate (.*)\): "
        "expected a finite loss and finite weights, found NaN or infinity; the last finite weights are kept",
        str(caught.value),
    )
    assert found, caught.value
    assert float(found[3]) == settings["learning_rate"]
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("rate", [0.7, 1e3, 1e8])  # slow to fast
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divergence_keeps_the_weights_of_the_last_good_update(backend, data, dtype, rate):
    X, y = 10 * data[0], data[0][:, :3]
    model, twin = (make(activation="identity", output="identity", dtype=dtype) for _ in range(2))
    epoch, good = diverge(model, X, y, epochs=1000, learning_rate=rate)
    assert np.isfinite(model.params).all()

    def step(batch):
        rows = slice(10 * batch, 10 * batch + 10)
        twin.fit(X[rows], y[rows], epochs=1, batch_size=10, learning_rate=rate, shuffle=False)

    for batch in range(6 * (epoch - 1) + good):
        step(batch % 6)
    assert (twin.params == model.params).all()
    with pytest.raises(DivergenceError, match="after 0 of 1 batches"):
        step(good)
    assert (twin.params == model.params).all()


@pytest.mark.parametrize("settings", [{"optimizer": "momentum"}, {"optimizer": "nesterov"}], ids=str)
def test_divergence_with_a_memory(backend, data, settings):
    X, y = 10 * data[0], data[0][:, :3]
    model, twin = (make(activation="identity", output="identity", dtype="float32") for _ in range(2))
    epoch, good = diverge(model, X, y, epochs=5, learning_rate=1e4, **settings)
    assert epoch == 1
    assert 0 < good < 6
    rows = slice(10 * good)
    twin.fit(X[rows], y[rows], epochs=1, batch_size=10, learning_rate=1e4, shuffle=False, **settings)
    assert (twin.params == model.params).all()


def test_weights_that_overflow_in_the_last_update_diverge_too(backend, data):
    X = data[0]
    model = make(output="identity", dtype="float32")
    before = model.params.copy()
    with pytest.raises(DivergenceError, match="epoch 1: training diverged after 0 of 1 batches"):
        model.fit(X, X[:, :3], epochs=1, batch_size=60, learning_rate=3e38, l2=1e30)
    assert (model.params == before).all()


def test_a_model_that_diverged_is_usable(backend, data):
    X, y = 10 * data[0], data[0][:, :3]
    model = make(activation="identity", output="identity", dtype="float32")
    diverge(model, X, y, epochs=5, learning_rate=1e6)
    model.weights, model.biases = make(output="identity").weights, make(output="identity").biases
    history = model.fit(X, y, epochs=20, learning_rate=1e-3)
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_blamed(backend, data, bad, activation):
    X, y = data[0].copy(), data[1]
    X[37, 2] = bad
    model = make(activation=activation)
    with pytest.raises(InvalidArgumentError, match=rf"^X: expected finite numbers, found {bad} at index \(37, 2\)$"):
        model.fit(X, y, epochs=2, batch_size=10)
    assert np.isfinite(model.params).all()
    model.fit(*data, epochs=1)


@pytest.mark.parametrize(("output", "loss"), [("identity", None), ("softmax", "cross_entropy")])
def test_targets_that_are_not_finite_are_blamed(backend, data, output, loss):
    X, targets = data[0], np.eye(3)[data[1]]
    targets[37, 2] = np.nan
    model = make(output=output, loss=loss)
    with pytest.raises(InvalidArgumentError, match=r"^y: expected finite numbers, found nan at index \(37, 2\)$"):
        model.fit(X, targets, epochs=2)
    assert np.isfinite(model.params).all()


def test_validation_data_that_are_not_finite_are_blamed(data):
    X, y = data[0].copy(), data[1]
    X[37, 2] = np.nan
    with pytest.raises(InvalidArgumentError, match=r"^validation_data\[0\]: .* found nan at index \(37, 2\)$"):
        make().fit(*data, epochs=2, validation_data=(X, y))
    with pytest.raises(InvalidArgumentError, match=r"^X: .* found nan at index \(37, 2\)$"):
        make().score(X, y)


class Interrupted:
    """The NumPy kernels, whose training is interrupted in its n-th call; what it has left by then is spoilt."""

    name, capabilities = "interrupted", Capabilities()

    def __init__(self, calls):
        self.kernels, self.left = fastnn.get_backend("numpy"), calls

    def train_epoch(self, net, params, *rest):
        result = self.kernels.train_epoch(net, params, *rest)
        self.left -= 1
        if not self.left:
            params[:] = np.nan
            raise KeyboardInterrupt
        return result


@pytest.mark.parametrize(("calls", "good"), [(2, 0), (3, 10), (4, 15)])
def test_an_interrupt_in_the_search_for_the_last_good_update_leaves_finite_weights(monkeypatch, data, calls, good):
    """The epoch is replayed in ever narrower parts; left are the weights after the last that is known to be good."""
    X, y = data[0], data[0][:, :3]
    settings = {"epochs": 1, "batch_size": 1, "learning_rate": 0.12, "shuffle": False}

    def after(count):
        model = make(activation="identity", output="identity", dtype="float64")
        if count:
            with fastnn.use("numpy"):
                model.fit(X[:count], y[:count], **settings)
        return model

    with pytest.raises(DivergenceError, match="after 19 of 60"):
        after(60)
    model = after(0)
    monkeypatch.setattr("fastnn.nn.fit.get_backend", lambda: Interrupted(calls))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, **settings)
    monkeypatch.undo()
    assert (model.params == after(good).params).all()
