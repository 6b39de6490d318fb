"""The History that MLP.fit returns, with its figures on validation data."""

from __future__ import annotations

import math
import pickle

import naive
import pytest
from problems import make_mlp as make
from problems import naive_network

from fastnn import History
from fastnn.nn.evaluate import evaluate


def test_history_has_one_entry_an_epoch(data):
    history = make().fit(*data, epochs=4)
    assert isinstance(history, History)
    assert len(history) == len(history.loss) == len(history.accuracy) == 4
    assert history.val_loss == history.val_accuracy == []
    assert history.learning_rate == [0.1] * 4
    assert len(history.seconds) == 4
    assert all(seconds > 0 for seconds in history.seconds)
    assert history.stopped == ""


def test_no_epochs_do_nothing(data):
    model = make()
    before = model.params.copy()
    assert len(model.fit(*data, epochs=0)) == 0
    assert (model.params == before).all()


def test_a_regressor_has_no_accuracy(data):
    X, _ = data
    model = make(output="identity")
    history = model.fit(X, X[:, :3], epochs=2, validation_data=(X, X[:, :3]), learning_rate=0.01)
    assert all(math.isnan(value) for value in history.accuracy + history.val_accuracy)
    assert len(history.val_loss) == 2


@pytest.mark.parametrize("l2", [0.0, 0.05])
@pytest.mark.parametrize(("output", "labels"), [("softmax", True), ("sigmoid", False), ("tanh", False)])
def test_validation_figures_are_evaluations_after_each_epoch(backend, data, output, labels, l2):
    X, y = data
    targets = naive.one_hot(y, 3)
    held_out = (X[:20], y[:20] if labels else targets[:20])
    expected_loss, expected_accuracy = [], []

    def evaluate(model, history):
        network = naive_network(model)
        loss, accuracy = naive.evaluate(network, X[:20].tolist(), targets[:20])
        expected_loss.append(loss + naive.penalty(network, l2))
        expected_accuracy.append(accuracy)

    model = make(output=output)
    history = model.fit(X[20:], y[20:], epochs=3, l2=l2, validation_data=held_out, callbacks=[evaluate])
    assert history.val_loss == pytest.approx(expected_loss, rel=1e-12)
    if model.is_classifier:
        assert history.val_accuracy == expected_accuracy
        assert history.val_accuracy[-1] == model.score(*held_out)


def test_validation_data_changes_nothing_in_training(data):
    plain, watched = make(), make()
    plain.fit(*data, epochs=3)
    watched.fit(*data, epochs=3, validation_data=data)
    assert (plain.params == watched.params).all()


def test_many_validation_rows_are_scored_in_parts(monkeypatch, data):
    X, y = data
    model = make()
    whole = evaluate(model.net, model.params, model.check_data(X, y))
    monkeypatch.setattr("fastnn.nn.evaluate.EVALUATION_ROWS", 7)
    loss, accuracy = evaluate(model.net, model.params, model.check_data(X, y))
    assert loss == pytest.approx(whole[0], rel=1e-14)
    assert accuracy == whole[1]


def test_a_history_survives_pickling(data):
    history = make().fit(*data, epochs=2, validation_data=data)
    assert pickle.loads(pickle.dumps(history)) == history
