"""Numbers near the ends of the floating-point range give right answers or a FastnnError, and no warning of NumPy's."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import fastnn
from fastnn import MLP
from fastnn.errors import FastnnError, InvalidArgumentError
from fastnn.nn.explain import explain

EXTREMES = (1e300, -1e300, 1e308, 1e38, 3.5e38, 1e-310)
LABELS = np.arange(12) % 3
ONES = np.ones((12, 5))


@pytest.mark.parametrize("value", EXTREMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["sigmoid", "identity", "relu"])
@pytest.mark.parametrize("output", [None, "identity"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_nothing_but_answers_and_errors(backend, value, dtype, activation, output, optimizer):
    """pyproject.toml turns every warning into an error."""
    X = np.full((12, 5), value)
    X[::2] *= 0.5

    def make():
        return MLP([5, 4, 3], activation=activation, output=output, dtype=dtype, seed=0)

    targets = X[:, :3] if output else LABELS
    for call in (
        lambda: make().fit(X, LABELS, epochs=2, batch_size=4, optimizer=optimizer, validation_data=(X, LABELS)),
        lambda: make().fit(ONES, targets, epochs=2, optimizer=optimizer, validation_data=(ONES, targets)),
        lambda: make().fit(ONES, LABELS, epochs=2, learning_rate=abs(value), optimizer=optimizer),
        lambda: make().fit(ONES, LABELS, epochs=2, l2=abs(value), optimizer=optimizer),
    ):
        with contextlib.nullcontext() if value == 1e-310 else contextlib.suppress(FastnnError):
            history = call()
            assert not np.isnan(history.loss).any()
            assert len(history) == 2
    model = make()
    with contextlib.suppress(FastnnError):
        assert np.isfinite(model.score(X, targets))
    with contextlib.suppress(FastnnError):
        answers = model.predict(X)
        if activation == "sigmoid" and not output:  # whose outputs are known without arithmetic on the extremes
            signs = np.sign(value) * np.sign(model.weights[0].sum(axis=0, dtype=np.float64))
            hidden = np.full(4, 0.5) if value == 1e-310 else (signs > 0).astype(float)
            expected = (hidden @ model.weights[1].astype(np.float64) + model.biases[1]).argmax()
            assert answers.tolist() == [expected] * 12


def test_outputs_that_are_no_numbers_name_no_class(backend):
    model = MLP([5, 4, 3], activation="identity", seed=0)
    model.weights = [np.full((5, 4), 3e38), np.full((4, 3), 3e38)]
    for call in (model.predict, model.predict_proba, lambda X: model.score(X, LABELS)):
        with pytest.raises(InvalidArgumentError, match="X: expected rows for which the network's outputs are finite"):
            call(ONES)


def test_weights_beyond_their_type_are_refused():
    model = MLP([5, 4, 3], seed=0)
    before = model.params.copy()
    weights = [np.ones((5, 4)), np.ones((4, 3))]
    weights[1][2, 0] = 1e39
    with pytest.raises(InvalidArgumentError) as caught:
        model.weights = weights
    assert str(caught.value) == "weights[1]: expected numbers that float32 holds, found 1e+39 at index (2, 0)"
    assert (model.params == before).all()
    weights[1][2, 0] = np.inf  # which is the caller's own
    model.weights = weights
    assert model.weights[1][2, 0] == np.inf


def test_rows_beyond_their_type_are_blamed(backend):
    X = ONES.copy()
    X[7, 2] = 1e39
    with pytest.raises(InvalidArgumentError, match=r"X: expected finite numbers, found inf at index \(7, 2\)"):
        fastnn.MLP([5, 3], activation="identity", output="identity", seed=0).fit(X, ONES[:, :3], epochs=1)


def test_more_epochs_than_a_kernel_counts():
    model = MLP([2, 2], seed=1)
    explain(model, np.zeros((20, 2)), epochs=10**20, batch_size=10**20)
