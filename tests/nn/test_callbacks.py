"""Callbacks of MLP.fit: when they are called, and how they stop, break and edit."""

from __future__ import annotations

import pytest
from problems import make_mlp as make


def test_callbacks_are_called_in_order_after_every_epoch(data):
    calls = []
    model = make()

    def first(given, history):
        assert given is model
        assert len(history.loss) == len(history.seconds) == len(history.val_loss) == len(history)
        calls.append(("first", len(history)))

    def second(given, history):
        calls.append(("second", len(history)))

    model.fit(*data, epochs=2, callbacks=(first, second), validation_data=data)
    assert calls == [("first", 1), ("second", 1), ("first", 2), ("second", 2)]


def test_a_callback_that_returns_true_stops_after_the_others_were_called(data):
    calls = []
    history = make().fit(
        *data, epochs=9, callbacks=[lambda model, history: len(history) == 3, lambda model, history: calls.append(1)]
    )
    assert len(history) == len(calls) == 3
    assert history.stopped == "a callback asked for it"


@pytest.mark.parametrize("value", [1, "yes", None, [1]])
def test_only_true_itself_stops(data, value):
    assert len(make().fit(*data, epochs=2, callbacks=[lambda model, history: value])) == 2


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_in_a_callback_leaves_a_usable_model(backend, data, error):
    def fail(model, history):
        if len(history) == 2:
            raise error

    model, twin = make(), make()
    with pytest.raises(error):
        model.fit(*data, epochs=5, callbacks=[fail])
    twin.fit(*data, epochs=2)
    assert (model.params == twin.params).all()
    model.fit(*data, epochs=1)


def test_edits_by_a_callback_count(data):
    X, y = data
    model = make()
    model.fit(X, y, epochs=1, callbacks=[lambda model, history: model.weights[0].fill(0.0)])
    assert (model.weights[0] == 0).all()
