"""What MLP.fit does unless it is told otherwise: learning rates, momentum, and rows that are held out."""

from __future__ import annotations

import numpy as np
import pytest
from problems import make_mlp as make

from fastnn.errors import FastnnError


def trained(data, **settings):
    model = make()
    history = model.fit(*data, epochs=3, batch_size=10, **settings)
    return model.params.tobytes(), history.learning_rate


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({}, {"optimizer": "sgd", "learning_rate": 0.1}),
        ({"optimizer": "adam"}, {"optimizer": "adam", "learning_rate": 0.001}),
        ({"optimizer": "momentum"}, {"optimizer": "momentum", "learning_rate": 0.01, "momentum": 0.9}),
        ({"optimizer": "nesterov"}, {"optimizer": "nesterov", "learning_rate": 0.01, "momentum": 0.9}),
        ({"momentum": 0.5}, {"optimizer": "momentum", "learning_rate": 0.01, "momentum": 0.5}),
        ({"nesterov": True}, {"optimizer": "nesterov", "learning_rate": 0.01, "momentum": 0.9}),
        (
            {"optimizer": "momentum", "nesterov": True, "momentum": 0.5},
            {"optimizer": "nesterov", "learning_rate": 0.01, "momentum": 0.5},
        ),
        ({"optimizer": "adam", "momentum": 0}, {"optimizer": "adam", "learning_rate": 0.001}),
        ({"learning_rate": None, "momentum": None}, {"optimizer": "sgd", "learning_rate": 0.1}),
    ],
    ids=str,
)
def test_each_optimizer_has_its_own_rate_and_momentum(data, given, meant):
    assert trained(data, **given) == trained(data, **meant)


def test_a_momentum_of_zero_is_none(data):
    plain, without, usual = make(), make(), make()
    plain.fit(*data, epochs=3, learning_rate=0.01)
    without.fit(*data, epochs=3, optimizer="momentum", momentum=0)
    usual.fit(*data, epochs=3, optimizer="momentum")
    np.testing.assert_allclose(without.params, plain.params, rtol=1e-12)
    assert np.abs(usual.params - plain.params).max() > 1e-3


def test_adam_learns_by_default(data):
    """At the rate of plain descent it did not get anywhere."""
    X, y = np.repeat(data[0], 20, axis=0), np.repeat(data[1], 20)
    model = make()
    history = model.fit(X, y, epochs=30, optimizer="adam")
    assert history.accuracy[-1] > 0.6
    assert set(history.learning_rate) == {0.001}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"nesterov": True, "momentum": 0}, "momentum: expected a momentum above 0 for Nesterov's, found 0.0"),
        ({"optimizer": "nesterov", "momentum": 0.0}, "momentum: expected a momentum above 0 for Nesterov's, found 0.0"),
        ({"validation_split": 1.0}, "validation_split: expected a finite number at least 0 and below 1, found 1.0"),
        (
            {"validation_split": 0.995},
            "validation_split: expected a share that leaves both parts some of 60 rows",
        ),
        ({"validation_split": "0.1"}, "validation_split: expected a number, found str"),
    ],
    ids=str,
)
def test_what_is_refused(data, settings, message):
    model = make()
    before = model.params.copy()
    with pytest.raises(FastnnError) as caught:
        model.fit(*data, **settings)
    assert str(caught.value).startswith(message)
    assert (model.params == before).all()


@pytest.mark.parametrize("labelled", [True, False])
def test_validation_split_holds_out_the_last_rows(data, labelled):
    X, y = data[0], data[1] if labelled else np.eye(3)[data[1]]
    model, twin = make(), make()
    history = model.fit(X, y, epochs=3, batch_size=7, validation_split=0.3, early_stopping=3)
    expected = twin.fit(X[:42], y[:42], epochs=3, batch_size=7, validation_data=(X[42:], y[42:]), early_stopping=3)
    assert history.val_loss == expected.val_loss
    assert history.val_accuracy == expected.val_accuracy
    assert (model.params == twin.params).all()


def test_validation_split_of_rows_in_order_of_their_classes(data):
    y = np.repeat([0, 1, 2], 20)
    with pytest.warns(UserWarning, match="holds out the last rows, and 1 of their classes are in none of the others"):
        make().fit(data[0], y, epochs=1, validation_split=0.35)


def test_validation_split_and_validation_data_exclude_each_other(data):
    with pytest.raises(FastnnError, match=r"validation_split: expected none beside validation_data, found 0\.3"):
        make().fit(*data, validation_split=0.3, validation_data=data)
