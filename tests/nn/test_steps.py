"""A training in steps is that of fit, and what changes between its steps counts from there on."""

import numpy as np
import pytest

import fastnn
from fastnn.errors import FastnnError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    return rng.random((103, 7)), rng.integers(0, 3, 103)


@pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", None), ("sgd", 0.5), ("adam", None)])
def test_whole_epochs_are_those_of_fit(data, optimizer, momentum):
    options = {"batch_size": 10, "optimizer": optimizer, "learning_rate": 0.1, "momentum": momentum}
    ours, theirs = (fastnn.MLP([7, 5, 3], seed=2, dtype="float64") for _ in "ab")
    history = theirs.fit(*data, epochs=3, **options)
    training = ours.begin_fit(*data, **options)
    steps = []
    for count in (1, 4, 100, 3, None, 2, 2, 2, 5):  # 11 batches an epoch
        steps.append(training.advance(count))
    assert training.epochs == 3
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-12, atol=1e-14)
    assert [step.rows for step in steps] == [10, 40, 53, 30, 73, 20, 20, 20, 43]
    for epoch, part in enumerate((steps[:3], steps[3:5], steps[5:])):
        loss = sum(step.loss * step.rows for step in part) / 103
        assert loss == pytest.approx(history.loss[epoch], rel=1e-12)
        assert sum(step.accuracy * step.rows for step in part) / 103 == pytest.approx(history.accuracy[epoch])


def test_the_rate_changes_between_steps(data):
    model, twin = (fastnn.MLP([7, 3], seed=2, dtype="float64") for _ in "ab")
    training = model.begin_fit(*data, batch_size=103, learning_rate=0.1)
    before = model.params.copy()
    training.advance()
    first = model.params - before
    assert training.learning_rate == 0.1
    training.learning_rate = 0.3
    before = model.params.copy()
    training.advance()
    second = model.params - before
    twin.fit(*data, epochs=2, batch_size=103, learning_rate=0.1, schedule=lambda epoch, rate: rate * (1 + 2 * epoch))
    np.testing.assert_allclose(model.params, twin.params, rtol=1e-12, atol=1e-14)
    assert np.abs(second).max() > 2 * np.abs(first).max()


def test_other_rows_take_the_rest_of_an_epoch(data):
    X, y = data
    model = fastnn.MLP([7, 3], seed=2)
    training = model.begin_fit(X, y, batch_size=10, optimizer="adam")
    training.advance(3)
    assert training.epochs == pytest.approx(3 / 11)
    training.set_data(X[:20], y[:20])
    assert (training.epochs, training.batches, training.state.step) == (0.5, 2, 3)
    assert training.advance().rows == 10
    assert (training.epochs, training.state.step) == (1, 4)
    training.set_data(X, y)
    assert training.epochs == 1
    assert training.advance().rows == 103


@pytest.mark.parametrize("done", range(1, 11))
@pytest.mark.parametrize("rows", [1, 20, 91, 102, 103])
def test_other_rows_never_undo_an_epoch(data, rows, done):
    X, y = data
    training = fastnn.MLP([7, 3], seed=2).begin_fit(X, y, batch_size=10)
    training.advance(done)
    before = training.epochs
    training.set_data(X[:rows], y[:rows])
    assert before <= training.epochs <= before + 1 / training.batches
    training.set_data(X, y)
    assert training.epochs >= before


def test_partial_fit_goes_on_with_the_optimizer(data):
    model = fastnn.MLP([7, 3], seed=2)
    training = model.begin_fit(*data, batch_size=103, optimizer="adam")
    training.advance()
    model.partial_fit(*data, batch_size=103, optimizer="adam")
    assert training.state.step == 2


def test_errors(data):
    model = fastnn.MLP([7, 3], seed=2)
    for wrong in ({"batch_size": 0}, {"learning_rate": 0}, {"optimizer": "none"}):
        with pytest.raises(FastnnError, match=next(iter(wrong))):
            model.begin_fit(*data, **wrong)
    with pytest.raises(FastnnError, match="X: expected"):
        model.begin_fit(np.empty((0, 7)), np.empty(0, int))
    training = model.begin_fit(*data)
    with pytest.raises(FastnnError, match="batches"):
        training.advance(0)
    with pytest.raises(FastnnError, match="learning_rate"):
        training.learning_rate = -1


def test_divergence_keeps_the_last_finite_weights(data):
    model = fastnn.MLP([7, 4, 3], activation="exponential", loss="mean_squared_error", seed=2)
    training = model.begin_fit(data[0], np.eye(3)[data[1]], learning_rate=1e3)

    def train() -> None:
        for _ in range(100):
            training.advance()

    with pytest.raises(fastnn.DivergenceError):
        train()
    assert np.isfinite(model.params).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_of_every_layer(dtype):
    rng = np.random.default_rng(1)
    model = fastnn.MLP([9, 6, 5, 4], activation=["tanh", "relu"], bias=[True, False, True], seed=1, dtype=dtype)
    X = rng.random((11, 9))
    first = np.tanh(X @ model.weights[0] + model.biases[0])
    second = np.maximum(first @ model.weights[1], 0)
    e = np.exp(second @ model.weights[2] + model.biases[1])
    expected = first, second, e / e.sum(axis=1, keepdims=True)
    found = model.layer_outputs(X)
    assert len(found) == 3
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-5 if dtype == "float32" else 1e-12)
    for ours, theirs in zip(model.layer_outputs(X[3]), expected, strict=True):
        assert ours.ndim == 1
        np.testing.assert_allclose(ours, theirs[3], rtol=1e-5 if dtype == "float32" else 1e-12)
    pixels = rng.integers(0, 256, (2, 9), np.uint8)
    np.testing.assert_allclose(model.layer_outputs(pixels)[-1], model.forward(pixels), rtol=1e-6)
