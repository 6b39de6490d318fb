"""What fit's options mean: penalties, decay and clipping against plain gradient descent, dropout, scores, biases."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import MLP, EarlyStopping, FastnnError
from fastnn.kernels import get_backend
from fastnn.kernels.spec import Data
from fastnn.nn import dropout

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(-1, 1, (30, 5)), RNG.integers(0, 3, 30)


def model(**settings):
    return MLP([5, 4, 3], **{"dtype": "float64", "seed": 1, **settings})


def gradients(m):
    """dL/dW and dL/db of each layer over all rows, by the reference backend."""
    grad, twin = np.zeros_like(m.params), model()
    get_backend("numpy").loss_grad(m.net, m.params, Data(X, 1.0, Y.astype(np.int32)), grad)
    twin.params[:] = grad
    return twin.weights, twin.biases


def test_penalties_by_layer():
    m, options = model(), {"l2": [0.1, 0.2], "l1": [0.0, 0.05]}
    old = [w.copy() for w in m.weights]
    weight_grads, _ = gradients(m)
    history = m.fit(X, Y, epochs=1, batch_size=30, learning_rate=0.5, **options)
    for w, new, g, l2, l1 in zip(old, m.weights, weight_grads, *options.values(), strict=True):
        np.testing.assert_allclose(new, w - 0.5 * (g + l2 * w + l1 * np.sign(w)), rtol=1e-12)
    penalty = 0.05 * (m.weights[0] ** 2).sum() + 0.1 * (m.weights[1] ** 2).sum() + 0.05 * np.abs(m.weights[1]).sum()
    unpenalised = model().fit(X, Y, epochs=1, batch_size=30, learning_rate=0.5)
    assert history.loss[0] == pytest.approx(unpenalised.loss[0] + penalty, rel=1e-12)


def test_weight_decay_takes_from_weights_and_biases():
    m = model(init="normal")
    old = [array.copy() for array in (*m.weights, *m.biases)]
    grads = [g for pair in gradients(m) for g in pair]
    m.fit(X, Y, epochs=1, batch_size=30, learning_rate=0.5, weight_decay=0.1)
    for w, new, g in zip(old, (*m.weights, *m.biases), grads, strict=True):
        np.testing.assert_allclose(new, w * (1 - 0.05) - 0.5 * g, rtol=1e-12)


@pytest.mark.parametrize("option", ["clip_value", "clip_norm"])
def test_clipping(option):
    m, most = model(), 0.02
    old = [array.copy() for array in (*m.weights, *m.biases)]
    grads = [g for pair in gradients(m) for g in pair]
    m.fit(X, Y, epochs=1, batch_size=30, learning_rate=0.5, **{option: most})
    clipped = 0
    for w, new, g in zip(old, (*m.weights, *m.biases), grads, strict=True):
        g_clipped = np.clip(g, -most, most) if option == "clip_value" else g * min(1, most / np.linalg.norm(g))
        clipped += not np.array_equal(g, g_clipped)
        np.testing.assert_allclose(new, w - 0.5 * g_clipped, rtol=1e-12)
    assert clipped


def test_decay_divides_the_rate_at_every_update():
    one, other = model(), model()
    history = one.fit(X, Y, epochs=5, batch_size=30, shuffle=False, learning_rate=0.3, decay=0.5)
    other.fit(X, Y, epochs=5, batch_size=30, shuffle=False, learning_rate=0.3, schedule=lambda e, r: r / (1 + 0.5 * e))
    assert np.abs(one.params - other.params).max() < 1e-14
    assert history.learning_rate == [0.3 / (1 + 0.5 * e) for e in range(5)]


def test_a_rate_of_zero_drops_nothing():
    one, other = model(), model()
    one.fit(X, Y, epochs=2, dropout=0.0)
    other.fit(X, Y, epochs=2)
    assert (one.params == other.params).all()


def test_dropout_leaves_the_first_weights_of_dropped_outputs_alone():
    """With one row, one update and no biases a dropped output's weights get no gradient."""
    m = MLP([5, 200, 3], dtype="float64", seed=1, activation="identity", bias=False)
    old = [w.copy() for w in m.weights]
    m.fit(X[:1], Y[:1], epochs=1, dropout=0.25)
    moved = (m.weights[0] != old[0]).any(axis=0)
    assert 0.6 < moved.mean() < 0.9
    assert ((m.weights[1] != old[1]).any(axis=1) == moved).all()


def test_an_epoch_whose_masks_are_large_is_drawn_in_parts(monkeypatch):
    counts = []
    monkeypatch.setattr(dropout, "MOST_BYTES", 200)
    original = dropout._masked
    monkeypatch.setattr(dropout, "_masked", lambda *a: counts.append(len(a[3])) or original(*a))
    m = model()
    history = m.fit(X, Y, epochs=2, batch_size=7, dropout=[0.5], optimizer="adam")
    assert len(counts) > 2
    assert sum(counts) == 60
    assert counts == [21, 9, 21, 9]  # whole batches but for the last
    assert np.isfinite(history.loss).all()


def test_early_stopping_on_a_score():
    calls = []

    def score(m, X_val, y_val):
        calls.append((m, len(X_val), len(y_val)))
        return [0.1, 0.5, 0.4, 0.3, 0.9][len(calls) - 1]

    m, at_best = model(), []
    history = m.fit(
        X,
        Y,
        epochs=9,
        validation_split=0.2,
        early_stopping=EarlyStopping(patience=2, monitor=score),
        callbacks=[lambda m, h: at_best.append(m.params.copy()) and None],
    )
    assert [call[1:] for call in calls] == [(6, 6)] * 4
    assert history.val_score == [0.1, 0.5, 0.4, 0.3]
    assert history.stopped == "score has not improved for 2 epochs"
    assert (m.params == at_best[1]).all()
    with pytest.raises(FastnnError, match="the monitor's score: expected a number"):
        model().fit(X, Y, validation_split=0.2, early_stopping=EarlyStopping(monitor=lambda *_: "good"))


def test_layers_with_and_without_biases(tmp_path):
    m = MLP([5, 4, 6, 3], bias=[False, True, False], dtype="float64", seed=1)
    assert [b.shape for b in m.biases] == [(6,)]
    history = m.fit(X, Y, epochs=30, optimizer="adam", learning_rate=0.01)
    assert history.loss[-1] < history.loss[0]
    assert (m.biases[0] != 0).all()
    m.save(tmp_path / "m")
    twin = fastnn.load(tmp_path / "m")
    assert (twin.params == m.params).all()
    assert (twin.net.biases >= 0).tolist() == [False, True, False]
    with pytest.raises(FastnnError, match="bias: expected True, False, or 3 of them"):
        MLP([5, 4, 6, 3], bias=[True])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l2": [0.1]}, r"l2: expected a number, or 2 of them, one per layer, found 1 of them"),
        ({"l1": -1}, r"l1: expected a finite number at least 0"),
        ({"clip_norm": 1, "clip_value": 1}, r"clip_norm: expected none beside clip_value"),
        ({"clip_norm": 0}, r"clip_norm: expected a finite number above 0"),
        ({"decay": -1}, r"decay: expected a finite number at least 0"),
        ({"dropout": 1}, r"dropout: expected a finite number at least 0 and below 1"),
        ({"dropout": [0.1, 0.2]}, r"dropout: expected a rate, or 1 of them, one per hidden layer"),
        ({"momentum": 0.9, "optimizer": "adagrad"}, r"momentum: expected none for optimizer='adagrad'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(FastnnError, match=message):
        model().fit(X, Y, **options)


def test_poisson_wants_no_negative_targets():
    m = MLP([5, 4, 1], loss="poisson", seed=0)
    with pytest.raises(FastnnError, match="y: expected numbers of at least 0"):
        m.fit(X, np.linspace(-1, 1, 30))
    counts = np.random.default_rng(0).poisson(np.exp(X[:, 0]))
    history = m.fit(X, counts, epochs=300, optimizer="adam", learning_rate=0.01)
    assert m.activations[-1] == "exponential"
    assert history.loss[-1] < 0.8 * history.loss[0]
