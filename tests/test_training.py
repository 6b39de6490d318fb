"""MLP.fit: what it computes, what it reports, when it stops, and what is left when something goes wrong."""

from __future__ import annotations

import math
import os
import pickle
import re
import threading

import naive
import numpy as np
import pytest
from problems import EPSILON

import fastnn
from fastnn import MLP, DivergenceError, EarlyStopping, History, schedules, training
from fastnn.errors import FastnnError, InvalidArgumentError


@pytest.fixture
def data():
    """60 rows of 5 numbers in 3 overlapping classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    return rng.normal(size=(60, 5)) + y[:, np.newaxis], y


def make(**settings):
    return MLP([5, 6, 3], **{"dtype": "float64", "seed": 1, **settings})


def naive_network(model):
    """The model in nested lists."""
    weights = [w.astype(float).tolist() for w in model.weights]
    biases = [b.astype(float).tolist() for b in model.biases] or None
    return naive.Network(weights, biases, list(model.activations), model.loss)


def assert_trained_like(model, network, tolerance):
    expected = naive_network(model)
    pairs = zip(naive.places(expected), naive.places(network), strict=True)
    values = np.array([(row[k], other[i]) for (row, k, _), (other, i, _) in pairs])
    assert np.abs(values[:, 0] - values[:, 1]).max() <= tolerance * np.abs(values[:, 1]).max()


# ---- what an epoch does


SETTINGS = [
    ({}, ("sgd", 0.0)),
    ({"momentum": 0.8}, ("momentum", 0.8)),
    ({"optimizer": "momentum"}, ("momentum", 0.9)),
    ({"optimizer": "momentum", "momentum": 0.5}, ("momentum", 0.5)),
    ({"momentum": 0.8, "nesterov": True}, ("nesterov", 0.8)),
    ({"optimizer": "momentum", "nesterov": True}, ("nesterov", 0.9)),
    ({"optimizer": "nesterov"}, ("nesterov", 0.9)),
    ({"optimizer": "nesterov", "momentum": 0.5}, ("nesterov", 0.5)),
    ({"optimizer": "adam"}, ("adam", 0.0)),
]


@pytest.mark.parametrize("l2", [0.0, 0.02])
@pytest.mark.parametrize(("settings", "rule"), SETTINGS, ids=str)
def test_epochs_are_those_of_the_equations(backend, data, settings, rule, l2):
    X, y = data
    model = make()
    network = naive_network(model)
    optimizer = naive.Optimizer(rule[0], 0.05, momentum=rule[1], l2=l2)
    history = model.fit(X, y, epochs=3, batch_size=7, learning_rate=0.05, l2=l2, shuffle=False, **settings)
    tolerance = 1e-10 if rule[0] == "adam" else 1e-12
    for epoch in range(3):  # the optimizer goes on from epoch to epoch
        total, correct, _ = naive.train_epoch(network, X.tolist(), naive.one_hot(y, 3), range(60), 7, optimizer)
        loss = total / 60 + naive.penalty(network, l2)
        assert history.loss[epoch] == pytest.approx(loss, rel=tolerance)
        assert history.accuracy[epoch] == correct / 60
    assert_trained_like(model, network, tolerance)


@pytest.mark.parametrize(
    ("output", "loss"),
    [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("sigmoid", "quadratic"), ("identity", None)],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_are_one_hot_targets(backend, data, dtype, output, loss):
    X, y = data
    by_label, by_target = (make(dtype=dtype, output=output, loss=loss) for _ in range(2))
    expected = by_label.fit(X, y, epochs=2)
    found = by_target.fit(X, np.eye(3)[y], epochs=2)
    assert found.loss == expected.loss
    assert (by_label.params == by_target.params).all()
    for same in (y.astype(np.uint8), y.astype(">i8"), y.tolist(), np.eye(3, dtype=int)[y]):
        model = make(dtype=dtype, output=output, loss=loss)
        model.fit(X, same, epochs=2)
        assert (model.params == by_label.params).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_train_as_their_values_over_255(backend, data, dtype, tmp_path):
    images, y = np.random.default_rng(0).integers(0, 256, (60, 5)).astype(np.uint8), data[1]
    images.tofile(tmp_path / "X")
    memory_mapped = np.memmap(tmp_path / "X", np.uint8, "r", shape=images.shape)
    by_bytes, by_map, by_floats = (make(dtype=dtype) for _ in range(3))
    by_bytes.fit(images, y, epochs=2)
    by_map.fit(memory_mapped, y, epochs=2)
    by_floats.fit(images / 255, y, epochs=2)
    assert (by_map.params == by_bytes.params).all()
    assert np.abs(by_bytes.params - by_floats.params).max() <= 16 * EPSILON[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kind_of_array_does_not_matter(backend, data, dtype, tmp_path):
    X, y = data[0].astype(np.float32), data[1]
    expected = make(dtype=dtype)
    expected.fit(X, y, epochs=1)
    read_only = X.copy()
    read_only.flags.writeable = False
    X.tofile(tmp_path / "X")
    memory_mapped = np.memmap(tmp_path / "X", np.float32, "r", shape=X.shape)
    for same in (X.astype(np.float64), np.asfortranarray(X), read_only, memory_mapped, X.tolist()):
        model = make(dtype=dtype)
        model.fit(same, y, epochs=1)
        assert (model.params == expected.params).all()


def test_the_callers_arrays_are_left_alone(backend, data):
    X, y = data
    originals = X.copy(), y.copy()
    make().fit(X, y, epochs=2)
    for array, original in zip(data, originals, strict=True):
        assert (array == original).all()


def test_without_biases(backend, data):
    X, y = data
    model = make(bias=False)
    network = naive_network(model)
    model.fit(X, y, epochs=1, batch_size=7, shuffle=False)
    naive.train_epoch(network, X.tolist(), naive.one_hot(y, 3), range(60), 7, naive.Optimizer("sgd", 0.1))
    assert_trained_like(model, network, 1e-12)


def test_a_batch_larger_than_the_data_is_all_of_it(data):
    whole, larger = make(), make()
    whole.fit(*data, epochs=2, batch_size=60)
    larger.fit(*data, epochs=2, batch_size=10**30)
    assert (whole.params == larger.params).all()


def test_all_backends_train_alike(data):
    models = [make() for _ in range(3)]
    for model, name in zip(models, ("native", "numba", "numpy"), strict=True):
        with fastnn.use(name):
            model.fit(*data, epochs=5, batch_size=4)
    for model in models[1:]:
        assert np.abs(model.params - models[0].params).max() <= 1e-12 * np.abs(models[0].params).max()


def test_training_learns(backend):
    """Two moons' simplest cousin: exclusive or."""
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    model = MLP([2, 8, 1], activation="tanh", seed=0)
    history = model.fit(X, y, epochs=500, batch_size=4, optimizer="adam", learning_rate=0.05)
    assert model.score(X, y) == 1
    assert history.loss[-1] < 0.05 < history.loss[0]


# ---- orders and seeds


def test_shuffling_draws_a_new_permutation_every_epoch(monkeypatch, data):
    orders, kernels = [], fastnn.get_backend("numpy")
    original = kernels.train_epoch
    monkeypatch.setattr(kernels, "train_epoch", lambda *args: orders.append(args[6].tolist()) or original(*args))
    with fastnn.use("numpy"):
        make().fit(*data, epochs=3)
        make().fit(*data, epochs=1)
        make(seed=2).fit(*data, epochs=1)
        make().fit(*data, epochs=2, shuffle=False)
    shuffled, again, other, plain = orders[:3], orders[3], orders[4], orders[5:]
    assert all(sorted(order) == list(range(60)) for order in orders)
    assert len({tuple(order) for order in shuffled}) == 3
    assert again == shuffled[0]
    assert other != shuffled[0]
    assert plain == [list(range(60))] * 2


def test_the_seed_decides_everything(backend, data):
    first, second, third = make(), make(), make(seed=2)
    for model in (first, second, third):
        model.fit(*data, epochs=2)
    assert (first.params == second.params).all()
    assert (first.params != third.params).any()


def test_fit_goes_on_from_the_present_weights(backend, data):
    twice, once = make(), make()
    twice.fit(*data, epochs=2, shuffle=False)
    twice.fit(*data, epochs=3, shuffle=False)
    once.fit(*data, epochs=5, shuffle=False)
    assert (twice.params == once.params).all()


def test_fit_starts_with_a_fresh_optimizer(data):
    X, y = data
    model = make()
    model.fit(X, y, epochs=2, momentum=0.9, shuffle=False)
    network = naive_network(model)
    model.fit(X, y, epochs=1, batch_size=20, momentum=0.9, shuffle=False)
    fresh = naive.Optimizer("momentum", 0.1, momentum=0.9)
    naive.train_epoch(network, X.tolist(), naive.one_hot(y, 3), range(60), 20, fresh)
    assert_trained_like(model, network, 1e-12)


# ---- history


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
    whole = training.evaluate(model.net, model.params, model.check_data(X, y))
    monkeypatch.setattr(training, "EVALUATION_ROWS", 7)
    loss, accuracy = training.evaluate(model.net, model.params, model.check_data(X, y))
    assert loss == pytest.approx(whole[0], rel=1e-14)
    assert accuracy == whole[1]


# ---- early stopping


def scripted(monkeypatch, figures):
    """Validation gives these (loss, accuracy) one after the other."""
    script = iter(figures)
    monkeypatch.setattr(training, "evaluate", lambda *arguments: next(script))


def stop_after(monkeypatch, data, losses, rule, accuracies=None):
    scripted(monkeypatch, zip(losses, accuracies or [0.5] * len(losses), strict=True))
    model, seen = make(), []
    history = model.fit(
        *data,
        epochs=len(losses),
        validation_data=data,
        early_stopping=rule,
        callbacks=[lambda model, history: seen.append(model.params.copy())],
    )
    return model, history, seen


@pytest.mark.parametrize(
    ("losses", "patience", "epochs"),
    [
        ([5, 4, 3, 3, 3, 1], 2, 5),  # equal is not better
        ([5, 6, 4, 5, 3, 4, 5, 1], 2, 7),  # the wait starts again
        ([1, 2, 0], 1, 2),
        ([5, 4, 3], 1, 3),
    ],
)
def test_patience(monkeypatch, data, losses, patience, epochs):
    model, history, seen = stop_after(monkeypatch, data, losses, patience)
    assert len(history) == epochs
    assert history.stopped == ("" if epochs == len(losses) else f"val_loss has not improved for {patience} epochs")
    best = losses.index(min(losses[:epochs]))
    assert (model.params == seen[best]).all()


def test_min_delta(monkeypatch, data):
    rule = EarlyStopping(patience=2, min_delta=0.5)
    model, history, seen = stop_after(monkeypatch, data, [5, 4.6, 4.4, 4.2, 4.0, 0], rule)
    # 4.4 beats 5 by more than 0.5; 4.2 and 4.0 beat 4.4 by no more than that
    assert len(history) == 5
    assert (model.params == seen[2]).all()


def test_accuracy_may_be_watched(monkeypatch, data):
    rule = EarlyStopping(patience=1, monitor="val_accuracy")
    model, history, seen = stop_after(monkeypatch, data, [5, 4, 3, 2], rule, [0.1, 0.3, 0.2, 0.4])
    assert len(history) == 3
    assert history.stopped == "val_accuracy has not improved for 1 epochs"
    assert (model.params == seen[1]).all()


def test_the_best_weights_are_back_also_at_the_last_epoch(monkeypatch, data):
    model, history, seen = stop_after(monkeypatch, data, [5, 3, 4], 5)
    assert history.stopped == ""
    assert (model.params == seen[1]).all()


def test_the_last_weights_stay_without_restore_best(monkeypatch, data):
    model, history, seen = stop_after(monkeypatch, data, [5, 3, 4, 5], EarlyStopping(patience=1, restore_best=False))
    assert len(history) == 3
    assert (model.params == seen[2]).all()


def test_early_stopping_on_real_figures(data):
    X, y = data
    model = make()
    history = model.fit(
        X[:15], y[:15], epochs=400, batch_size=5, learning_rate=1.0, validation_data=(X[15:], y[15:]), early_stopping=10
    )
    assert len(history) < 400
    assert min(history.val_loss) == history.val_loss[-11]
    best, _ = naive.evaluate(naive_network(model), X[15:].tolist(), naive.one_hot(y[15:], 3))
    assert best == pytest.approx(min(history.val_loss), rel=1e-12)


# ---- schedules


def test_a_schedule_gives_each_epochs_rate(backend, data):
    X, y = data
    model, calls = make(), []

    def schedule(epoch, rate):
        calls.append((epoch, rate))
        return rate / (epoch + 1)

    network = naive_network(model)
    history = model.fit(X, y, epochs=3, batch_size=20, learning_rate=0.3, schedule=schedule, shuffle=False)
    assert calls == [(0, 0.3), (1, 0.3), (2, 0.3)]
    assert history.learning_rate == [0.3, 0.15, pytest.approx(0.1)]
    for rate in history.learning_rate:
        optimizer = naive.Optimizer("sgd", rate)
        naive.train_epoch(network, X.tolist(), naive.one_hot(y, 3), range(60), 20, optimizer)
    assert_trained_like(model, network, 1e-12)


def test_the_schedules_of_the_library():
    def rates(schedule, epochs):
        return [schedule(epoch, 8.0) for epoch in range(epochs)]

    assert rates(schedules.step_decay(2), 6) == [8, 8, 4, 4, 2, 2]
    assert rates(schedules.step_decay(3, 0.1), 4) == [8, 8, 8, pytest.approx(0.8)]
    assert rates(schedules.exponential_decay(0.5), 4) == [8, 4, 2, 1]
    assert rates(schedules.cosine_decay(5), 7) == pytest.approx(
        [8, 4 + 4 * math.sqrt(0.5), 4, 4 - 4 * math.sqrt(0.5), 0, 0, 0]
    )
    assert rates(schedules.cosine_decay(3, floor=0.25), 3) == pytest.approx([8, 5, 2])
    assert rates(schedules.cosine_decay(1), 2) == [8, 8 * (1 + math.cos(math.pi)) / 2]


@pytest.mark.parametrize(
    ("make_schedule", "message"),
    [
        (lambda: schedules.step_decay(0), "every: expected an integer of at least 1, found 0"),
        (lambda: schedules.step_decay(2, 0.0), "factor: expected a finite number above 0, found 0.0"),
        (lambda: schedules.exponential_decay("x"), "factor: expected a number, found str"),
        (lambda: schedules.cosine_decay(0), "epochs: expected an integer of at least 1, found 0"),
        (lambda: schedules.cosine_decay(5, 2), "floor: expected a finite number at least 0 and at most 1, found 2"),
    ],
)
def test_bad_schedules(make_schedule, message):
    with pytest.raises(FastnnError) as caught:
        make_schedule()
    assert str(caught.value) == message


# ---- callbacks


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


# ---- words


def test_silent_by_default(data, capsys):
    make().fit(*data, epochs=2, validation_data=data)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, 2])
def test_a_line_an_epoch(data, capsys, verbose):
    history = make().fit(*data, epochs=2, validation_data=data, verbose=verbose)
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == 2
    for epoch, line in enumerate(lines):
        loss, accuracy, val_loss, val_accuracy, speed = line.split("  ")[1:]
        assert line.startswith(f"Epoch {epoch + 1}/2  ")
        assert loss == f"loss {history.loss[epoch]:.4f}"
        assert accuracy == f"accuracy {history.accuracy[epoch]:.4f}"
        assert val_loss == f"val_loss {history.val_loss[epoch]:.4f}"
        assert val_accuracy == f"val_accuracy {history.val_accuracy[epoch]:.4f}"
        assert speed == f"{60 / history.seconds[epoch]:,.0f} samples/s"


def test_a_regressors_line_has_no_accuracy(data, capsys):
    X, _ = data
    make(output="identity").fit(X, X[:, :3], epochs=1, validation_data=(X, X[:, :3]), learning_rate=0.01, verbose=2)
    assert [part.split()[0] for part in capsys.readouterr().out.split("  ")[1:3]] == ["loss", "val_loss"]


class Clock:
    """A second passes at every look at it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.mark.parametrize("verbose", [1, 2])
def test_a_bar_on_a_terminal(monkeypatch, data, capsys, verbose):
    monkeypatch.setattr(training.time, "perf_counter", Clock())
    monkeypatch.setattr(training.sys.stderr, "isatty", lambda: True)
    with fastnn.use("numpy"):  # ticks after every batch
        make().fit(*data, epochs=1, batch_size=20, verbose=verbose)
    out, err = capsys.readouterr()
    assert out.startswith("Epoch 1/1  loss ")
    if verbose == 1:
        assert "Epoch 1/1 [==========....................] 1/3 " in err
        assert "[==============================] 3/3 0 s left" in err
        assert err.endswith("\r\033[K")
    else:
        assert err == ""


# ---- divergence


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


# ---- bad arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.zeros((60, 4))}, "X: expected shape (n, 5), found shape (60, 4)"),
        ({"X": np.zeros((0, 5)), "y": np.zeros(0, int)}, "X: expected at least one row, found none"),
        ({"X": np.zeros((59, 5))}, "y: expected 59 rows, as many as X, found shape (60,)"),
        ({"y": np.full(60, 3)}, "y: expected labels 0..2, found 3 at index 0"),
        ({"epochs": -1}, "epochs: expected an integer of at least 0, found -1"),
        ({"epochs": 1.5}, "epochs: expected an integer, found float"),
        ({"epochs": True}, "epochs: expected an integer, found bool"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1, found 0"),
        ({"batch_size": "32"}, "batch_size: expected an integer, found str"),
        ({"learning_rate": 0}, "learning_rate: expected a finite number above 0, found 0"),
        ({"learning_rate": -0.1}, "learning_rate: expected a finite number above 0, found -0.1"),
        ({"learning_rate": math.nan}, "learning_rate: expected a finite number above 0, found nan"),
        ({"learning_rate": math.inf}, "learning_rate: expected a finite number above 0, found inf"),
        ({"learning_rate": 10**400}, "learning_rate: expected a finite number above 0, found 1000"),
        ({"learning_rate": "0.1"}, "learning_rate: expected a number, found str"),
        ({"learning_rate": 1j}, "learning_rate: expected a number, found complex"),
        ({"optimizer": "lbfgs"}, "optimizer: expected one of sgd, momentum, nesterov, adam, found 'lbfgs'"),
        ({"optimizer": None}, "optimizer: expected one of sgd, momentum, nesterov, adam, found NoneType"),
        ({"momentum": 1}, "momentum: expected a finite number at least 0 and below 1, found 1"),
        ({"momentum": -0.1}, "momentum: expected a finite number at least 0 and below 1, found -0.1"),
        (
            {"momentum": 0.9, "optimizer": "adam"},
            "momentum: expected none for optimizer='adam', found momentum=0.9, nes",
        ),
        (
            {"nesterov": True, "optimizer": "adam"},
            "momentum: expected none for optimizer='adam', found momentum=0.0, ne",
        ),
        ({"nesterov": True}, "nesterov: expected a momentum above 0 with nesterov=True, found 0.0"),
        ({"nesterov": 1}, "nesterov: expected True or False, found int"),
        ({"l2": -1e-9}, "l2: expected a finite number at least 0, found -1e-09"),
        ({"l2": None}, "l2: expected a number, found NoneType"),
        ({"shuffle": "no"}, "shuffle: expected True or False, found str"),
        ({"validation_data": 0.1}, "validation_data: expected a pair (X, y), found float"),
        ({"validation_data": (np.zeros((2, 5)),)}, "validation_data: expected a pair (X, y), found tuple"),
        (
            {"validation_data": (np.zeros((2, 4)), [0, 1])},
            "validation_data[0]: expected shape (n, 5), found shape (2, 4)",
        ),
        (
            {"validation_data": (np.zeros((2, 5)), [0, 3])},
            "validation_data[1]: expected labels 0..2, found 3 at index 1",
        ),
        (
            {"validation_data": (np.zeros((0, 5)), np.zeros(0, int))},
            "validation_data[0]: expected at least one row, found none",
        ),
        ({"early_stopping": 3}, "early_stopping: expected validation_data=(X, y) to watch, found none"),
        ({"early_stopping": EarlyStopping()}, "early_stopping: expected validation_data=(X, y) to watch, found none"),
        ({"early_stopping": 0}, "early_stopping: expected an integer of at least 1, found 0"),
        ({"early_stopping": "5"}, "early_stopping: expected an integer, found str"),
        ({"schedule": 0.9}, "schedule: expected a function of epoch and learning rate, found float"),
        ({"schedule": lambda epoch, rate: "fast"}, "the schedule's learning rate: expected a number, found str"),
        (
            {"schedule": lambda epoch, rate: -rate},
            "the schedule's learning rate: expected a finite number at least 0, fo",
        ),
        ({"callbacks": 5}, "callbacks: expected a sequence of functions, found int"),
        ({"callbacks": print}, "callbacks: expected a sequence of functions, found builtin_function_or_method"),
        ({"callbacks": [print, 5]}, "callbacks[1]: expected a function, found int"),
        ({"verbose": -1}, "verbose: expected an integer of at least 0, found -1"),
        ({"verbose": "yes"}, "verbose: expected an integer, found str"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_arguments_are_named_and_change_nothing(data, arguments, message):
    model = make()
    before = model.params.copy()
    with pytest.raises(FastnnError) as caught:
        model.fit(**{"X": data[0], "y": data[1], **arguments})
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, ValueError | TypeError)
    assert (model.params == before).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patience": 0}, "patience: expected an integer of at least 1, found 0"),
        ({"min_delta": -1}, "min_delta: expected a finite number at least 0, found -1"),
        ({"monitor": "loss"}, "monitor: expected one of val_loss, val_accuracy, found 'loss'"),
    ],
    ids=str,
)
def test_bad_early_stopping(arguments, message):
    with pytest.raises(FastnnError) as caught:
        EarlyStopping(**arguments)
    assert str(caught.value) == message


# ---- interrupts, forks, pickles, imports


def test_ctrl_c_in_a_long_epoch_leaves_a_usable_model(run_python):
    """The signal comes as soon as the epoch, of some tens of seconds, has changed a weight."""
    program = """
import signal, threading, time
import numpy as np, fastnn
X = np.random.default_rng(0).integers(1, 256, (400_000, 64)).astype(np.uint8)
y = np.zeros(len(X), int)
model = fastnn.MLP([64, 1024, 10], seed=0)
fastnn.set_backend("native")
before, epochs = model.params.copy(), []

def interrupt():
    while (model.params == before).all():
        time.sleep(0.01)
    signal.raise_signal(signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    model.fit(X, y, epochs=2, batch_size=10, callbacks=[lambda *_: epochs.append(1)])
except KeyboardInterrupt:
    print("interrupted", len(epochs), np.isfinite(model.params).all())
model.fit(X[:100], y[:100], epochs=1)
print(model.score(X[:100], y[:100]))
"""
    child = run_python(program)
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == ["interrupted 0 True", "1.0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_forked_children_train_with_threads_too(run_python):
    """The parent has run threads, as the list of its tasks shows, and goes on between its 50 children."""
    program = """
import os, signal, threading
import numpy as np, fastnn
os.sched_getaffinity = lambda _: set(range(4))
fastnn.set_backend("native")
X = np.random.default_rng(0).integers(0, 256, (640, 784)).astype(np.uint8)
y = np.arange(len(X)) % 10

def fitted():
    model = fastnn.MLP([784, 128, 10], seed=0)
    model.fit(X, y, epochs=1, batch_size=64)
    return model

def result():
    model = fitted()
    return model.params.tobytes() + model.forward(X).tobytes()

def watch(tasks):
    while len(os.listdir("/proc/self/task")) == tasks:
        pass

expected = result()
if os.path.exists("/proc/self/task"):
    watcher = threading.Thread(target=watch, args=[1 + len(os.listdir("/proc/self/task"))])
    watcher.start()
    while watcher.is_alive():
        fitted()
for _ in range(50):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # rather than hang
    same = result() == expected
    if child == 0:
        os._exit(0 if same else 1)
    assert same
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    child = run_python(program)
    assert child.returncode == 0, child.stderr


def test_threads_may_train_their_own_models(backend, data):
    models = [make() for _ in range(4)]
    expected = make()
    expected.fit(*data, epochs=30, batch_size=3)

    def work(model):
        with fastnn.use(fastnn.kernels.backend_name(backend)):
            model.fit(*data, epochs=30, batch_size=3)

    threads = [threading.Thread(target=work, args=[model]) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((model.params == expected.params).all() for model in models)


def test_a_history_survives_pickling(data):
    history = make().fit(*data, epochs=2, validation_data=data)
    assert pickle.loads(pickle.dumps(history)) == history


def test_import_and_training_load_nothing_heavy(run_python):
    program = """
import sys
import fastnn
heavy = {"numba", "llvmlite", "sklearn", "scipy", "matplotlib", "pandas", "PIL"}
print(sorted(heavy & set(sys.modules)))
model = fastnn.MLP([2, 3], seed=0)
model.fit([[1, 2]], [0], epochs=1)
print(sorted(heavy & set(sys.modules)))
"""
    child = run_python(program)
    assert child.stdout.splitlines() == ["[]", "[]"], child.stderr


def test_every_public_name_is_there(run_python):
    program = """
import fastnn
for name in fastnn.__all__:
    assert getattr(fastnn, name) is getattr(fastnn, name), name
assert set(fastnn.__all__) <= set(dir(fastnn))
try:
    fastnn.nothing
except AttributeError as error:
    print(error)
"""
    child = run_python(program)
    assert child.stdout.strip() == "module 'fastnn' has no attribute 'nothing'", child.stderr
