"""lr_find: what it leaves alone, that its losses are those of the oracle, when it ends and what it suggests."""

from __future__ import annotations

import copy
import math
import pickle

import naive
import numpy as np
import pytest
from problems import make_mlp as make
from problems import naive_network

import fastnn
from fastnn.errors import FastnnError, InvalidArgumentError
from fastnn.kernels.records import OPTIMIZER_RECORDS
from fastnn.kernels.spec import OPTIMIZERS
from fastnn.nn import lr_finder
from fastnn.nn.lr_finder import RangeTest, suggested


def two_moons(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    angles, y = rng.uniform(0, math.pi, count), np.arange(count) % 2
    X = np.column_stack([np.cos(angles) * (1 - 2 * y) + y, np.sin(angles) * (1 - 2 * y) + 0.5 * y])
    return X + rng.normal(0, 0.1, X.shape), y


def snapshot(model: fastnn.MLP) -> bytes:
    """Everything that a model keeps, to the bit."""
    return pickle.dumps(model.__getstate__())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_model_stays_as_it_is(optimizer):
    X, y = two_moons()
    model = fastnn.MLP([2, 6, 2], seed=1)
    model.fit(X, y, epochs=1, optimizer=optimizer)  # so that there is a state of the optimizer
    before, vector = snapshot(model), model.params
    found = model.lr_find(X, y, optimizer=optimizer, steps=30, dropout=0.2)
    assert len(found) > 10
    assert snapshot(model) == before
    assert model.params is vector
    twin = copy.deepcopy(model)
    twin.fit(X, y, epochs=1)
    model.fit(X, y, epochs=1)
    assert (twin.params == model.params).all()


def test_a_fresh_model_learns_neither_classes_nor_scales():
    model = fastnn.MLP([2, 2], seed=1)
    X = np.random.default_rng(0).integers(0, 9, (50, 2)).astype(np.uint8)
    before = snapshot(model)
    with pytest.warns(UserWarning, match="taken for pixels"):
        model.lr_find(X, np.array(["a", "b"])[(X[:, 0] > 4).astype(int)], highest=10)
    assert snapshot(model) == before
    assert not model.has_classes


def test_it_is_repeatable_and_follows_the_models_random_stream():
    X, y = two_moons()
    model = fastnn.MLP([2, 6, 2], seed=1)
    first, second = model.lr_find(X, y), model.lr_find(X, y)
    np.testing.assert_array_equal(first.losses, second.losses)
    assert first.suggestion == second.suggestion
    model.rng.random()
    assert (model.lr_find(X, y).losses[:5] != first.losses[:5]).any()


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_losses_are_those_of_a_training_whose_rate_grows_from_batch_to_batch(backend, monkeypatch, data, optimizer):
    monkeypatch.setattr(lr_finder, "STEP_ROWS", 12)
    X, y = data
    model = make()
    order = np.concatenate([copy.deepcopy(model.rng).permutation(len(X))])
    found = model.lr_find(X, y, batch_size=4, optimizer=optimizer, l2=0.01, lowest=1e-3, highest=0.1, steps=4)
    rates = np.geomspace(1e-3, 0.1, 12)
    network = naive_network(model)
    record = OPTIMIZER_RECORDS[optimizer]
    settings = {"momentum": record.momentum, "beta2": record.beta2, "epsilon": record.epsilon}
    rule = naive.Optimizer(optimizer, 0.0, l2=0.01, **settings)
    targets = naive.one_hot(y, 3)
    expected = []
    for step in range(4):
        rows = order[12 * step : 12 * (step + 1)].tolist()
        growing = rates[3 * step : 3 * step + 3].tolist()
        loss, _, _ = naive.train_epoch(network, X.tolist(), targets, rows, 4, rule, rates=growing)
        expected.append(loss / 12 + naive.penalty(network, 0.01))
    np.testing.assert_allclose(found.losses, expected, rtol=1e-10)
    np.testing.assert_allclose(found.rates, rates.reshape(4, 3)[:, 1], rtol=1e-12)
    assert not found.diverged


def test_it_stops_where_the_loss_diverges(backend):
    X, y = two_moons()
    for output in ("identity", "softmax"):
        model = fastnn.MLP([2, 20, 2], activation="relu", output=output, seed=1)
        found = model.lr_find(X, np.eye(2)[y] if output == "identity" else y)
        assert found.diverged
        assert len(found) < lr_finder.STEPS
        assert np.isfinite(found.losses).all()
        assert found.suggestion is not None
        assert found.suggestion < found.rates[-1]


def test_the_suggestion_learns():
    X, y = two_moons()
    for optimizer in OPTIMIZERS:
        model = fastnn.MLP([2, 20, 2], activation="tanh", seed=1)
        rate = model.lr_find(X, y, optimizer=optimizer).suggestion
        model.fit(X, y, optimizer=optimizer, learning_rate=rate, epochs=120)
        assert model.score(X, y) > 0.95, (optimizer, rate)


def test_the_rule():
    """The edge is where the loss has risen by a tenth of the least; caution is the root of the updates, at most 12."""
    rates = np.geomspace(1e-3, 1, 7)
    losses = np.array([2.0, 1.5, 1.0, 1.05, 1.09, 1.11, 4.0])
    assert suggested(rates, losses, 1) == pytest.approx(rates[5])
    assert suggested(rates, losses, 9) == pytest.approx(rates[5] / 3)
    assert suggested(rates, losses, 2000) == pytest.approx(rates[5] / 12)
    assert suggested(rates, losses[:4], 1) == pytest.approx(rates[6])  # it has not risen
    assert suggested(rates, losses - 3, 1) == pytest.approx(rates[6])  # from -2 by 0.2: losses may be below 0
    assert suggested(rates, np.array([1.0, 0.99, 0.985, 1.1]), 1) is None


@pytest.mark.parametrize(
    ("rows", "batch_size", "batches"), [(400, 32, 63), (400, 399, 6), (400, 400, 1), (400, 999, 1)]
)
def test_the_batches_that_the_rule_counts(monkeypatch, rows, batch_size, batches):
    """Those in 2,000 rows, rounded up, and one where it has all the rows."""
    counts = []
    monkeypatch.setattr(lr_finder, "suggested", lambda rates, losses, count: counts.append(count) or 0.1)
    fastnn.MLP([2, 2], seed=1).lr_find(*two_moons(rows), batch_size=batch_size, steps=5)
    assert counts == [batches]


def test_losses_below_zero_do_not_end_it():
    X, y = two_moons()
    model = fastnn.MLP([2, 6, 1], output="exponential", loss="mean_poisson", seed=1)
    found = model.lr_find(X, 3.0 + y[:, np.newaxis])
    assert found.losses.min() < 0
    assert found.suggestion is not None


def test_where_no_rate_lowers_the_loss_there_is_no_suggestion():
    X, y = np.zeros((100, 3)), np.arange(100) % 2  # nothing can be told
    with pytest.warns(UserWarning, match="no rate from .* lowers the loss"):
        found = fastnn.MLP([3, 2], bias=False, seed=1).lr_find(X, y, steps=20)
    assert found.suggestion is None
    assert "no suggestion" in repr(found)


def test_few_rows_and_few_steps():
    model = fastnn.MLP([2, 2], seed=1)
    X, y = two_moons(6)
    with pytest.warns(UserWarning, match="no rate from"):  # as two steps tell little
        assert len(model.lr_find(X, y, batch_size=100, steps=2, highest=0.1)) == 2


def test_weights_of_rows_count():
    X, y = two_moons()
    model = fastnn.MLP([2, 6, 2], seed=1)
    plain = model.lr_find(X, y, steps=20)
    weighted = model.lr_find(X, y, steps=20, sample_weight=np.full(len(X), 2.0))
    np.testing.assert_allclose(weighted.losses[0], 2 * plain.losses[0], rtol=1e-4)
    with pytest.warns(UserWarning, match="no rate from"):
        found = model.lr_find(X, y, steps=20, class_weight={0: 0.0, 1: 0.0})
    assert found.losses.max() == 0


def test_big_batches_are_cut(monkeypatch):
    monkeypatch.setattr(lr_finder, "STEP_ROWS", 50)
    X, y = two_moons()
    model = fastnn.MLP([2, 6, 2], seed=1)
    whole, cut = model.lr_find(X, y, batch_size=400), model.lr_find(X, y, batch_size=50)
    np.testing.assert_array_equal(whole.losses, cut.losses)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lowest": 0}, "lowest: expected a finite number above 0, found 0"),
        ({"lowest": 1, "highest": 1}, "highest: expected a finite number above 1, found 1"),
        ({"steps": 1}, "steps: expected an integer of at least 2, found 1"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1"),
        ({"dropout": 1.0}, "dropout: expected"),
        ({"optimizer": "best"}, "optimizer: expected one of"),
        ({"momentum": 2}, "momentum: expected"),
    ],
)
def test_unusable_arguments(options, message):
    X, y = two_moons()
    with pytest.raises(FastnnError, match=message):
        fastnn.MLP([2, 2]).lr_find(X, y, **options)


def test_unusable_data():
    model = fastnn.MLP([2, 2], seed=1)
    X, y = two_moons()
    X[3, 1] = np.nan
    with pytest.raises(InvalidArgumentError, match=r"X: expected finite numbers, found nan at index \(3, 1\)"):
        model.lr_find(X, y)
    with pytest.raises(InvalidArgumentError, match="X: expected at least one row"):
        model.lr_find(X[:0], y[:0])


def test_repr():
    found = RangeTest(np.array([0.1, 1.0]), np.array([2.0, 1.0]), np.array([2.0, 1.0]), 0.3, True)
    assert repr(found) == "RangeTest(2 rates from 0.1 to 1, diverged, suggestion 0.3)"
    assert len(found) == 2
