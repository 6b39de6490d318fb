"""When early stopping ends MLP.fit, and whose weights it leaves."""

from __future__ import annotations

import naive
import pytest
from problems import make_mlp as make
from problems import naive_network

from fastnn import DivergenceError, EarlyStopping
from fastnn.errors import FastnnError
from fastnn.nn import fit as training


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


class Stop(Exception):  # noqa: N818  # it is no error
    """Whatever ends a training from outside."""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Stop])
@pytest.mark.parametrize(("restore_best", "kept"), [(True, 1), (False, 2)])
def test_the_best_weights_are_back_also_after_an_interrupt(monkeypatch, data, kind, restore_best, kept):
    scripted(monkeypatch, [(5, 0.5), (3, 0.5), (4, 0.5)])
    model, seen = make(), []

    def stop(model, history):
        seen.append(model.params.copy())
        if len(seen) == 3:
            raise kind

    rule = EarlyStopping(patience=9, restore_best=restore_best)
    with pytest.raises(kind):
        model.fit(*data, epochs=9, validation_data=data, early_stopping=rule, callbacks=[stop])
    assert (model.params == seen[kept]).all()


@pytest.mark.parametrize(("restore_best", "end"), [(True, "the weights of epoch 1 are restored"), (False, "are kept")])
def test_the_best_weights_are_back_also_after_a_divergence(data, restore_best, end):
    model, seen = make(), []
    rule = EarlyStopping(patience=9, restore_best=restore_best)

    def greater(epoch, rate):
        return rate if epoch == 0 else 1e300

    with pytest.raises(DivergenceError, match=f"epoch 2: training diverged .*{end}$"):
        model.fit(
            *data,
            epochs=9,
            learning_rate=1e-3,
            schedule=greater,
            l2=1.0,
            validation_data=data,
            early_stopping=rule,
            callbacks=[lambda model, history: seen.append(model.params.copy())],
        )
    assert len(seen) == 1
    assert (model.params == seen[0]).all() == restore_best


def test_an_interrupt_before_the_first_epoch_is_measured_keeps_what_was_learnt(monkeypatch, data):
    model = make()
    before = model.params.copy()

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "evaluate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, epochs=9, validation_data=data, early_stopping=3)
    assert (model.params != before).any()


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patience": 0}, "patience: expected an integer of at least 1, found 0"),
        ({"min_delta": -1}, "min_delta: expected a finite number at least 0, found -1"),
        ({"monitor": "loss"}, "monitor: expected one of val_loss, val_accuracy, found 'loss'; did you mean val_loss?"),
    ],
    ids=str,
)
def test_bad_early_stopping(arguments, message):
    with pytest.raises(FastnnError) as caught:
        EarlyStopping(**arguments)
    assert str(caught.value) == message
