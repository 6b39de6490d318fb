"""Callbacks of fastnn.dropin.keras; that Keras calls them alike is in test_keras_parity."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import callbacks, hooks
from fastnn.dropin.keras.callbacks import (
    BaseLogger,
    Callback,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgbarLogger,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
)

X = np.random.default_rng(0).random((40, 6), np.float32)
LABELS = (X[:, 0] > X[:, 1]) * 1


@pytest.fixture(autouse=True)
def _warned_before(monkeypatch):
    monkeypatch.setattr(hooks, "_warned", {"batches"})


def model_of(metrics=("accuracy",)):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", list(metrics))
    return model


def fit(*given, **options):
    model = model_of()
    return model.fit(X, LABELS, **{"verbose": 0, "callbacks": list(given)} | options)


class Heard(Callback):
    def __init__(self):
        self.calls = []


class HeardBatches(Heard):
    pass


def _listen(kind, name):
    def hook(self, *given):
        *number, logs = given
        self.calls.append((name, *number, *sorted(logs)))

    setattr(kind, name, hook)


for _name in [name for name in vars(Callback) if name.startswith("on_")]:
    _listen(HeardBatches, _name)
    if "batch" not in _name:
        _listen(Heard, _name)


def test_epochs_are_heard():
    heard, also = Heard(), Heard()
    history = fit(heard, also, epochs=2, validation_split=0.5)
    figures = ("accuracy", "loss", "val_accuracy", "val_loss")
    test = [("on_test_begin",), ("on_test_end", "accuracy", "loss")]
    epochs = [[("on_epoch_begin", i), *test, ("on_epoch_end", i, *figures)] for i in range(2)]
    assert heard.calls == [("on_train_begin",), *epochs[0], *epochs[1], ("on_train_end", *figures)]
    assert also.calls == heard.calls
    assert heard.params == {"verbose": 0, "epochs": 2, "steps": 1}
    assert heard.model is history.model


def test_what_is_written_into_logs_stays_among_callbacks():
    """A later callback and the history have it; the end of training and evaluate's result have not, as in Keras."""

    class Writes(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = epoch

        def on_test_end(self, logs=None):
            logs["mine"] = -1

    heard = Heard()
    history = fit(Writes(), heard, epochs=2)
    figures = ("accuracy", "loss")
    assert [call for call in heard.calls if call[0].endswith(("epoch_end", "train_end"))] == [
        ("on_epoch_end", 0, *figures, "mine"),
        ("on_epoch_end", 1, *figures, "mine"),
        ("on_train_end", *figures),
    ]
    assert history.history["mine"] == [0, 1]
    found = history.model.evaluate(X, LABELS, verbose=0, callbacks=[Writes()], return_dict=True)
    assert list(found) == ["accuracy", "loss"]


def test_batches_are_heard():
    heard = HeardBatches()
    fit(heard, batch_size=30)
    batches = [
        call for i in range(2) for call in (("on_train_batch_begin", i), ("on_train_batch_end", i, "accuracy", "loss"))
    ]
    assert heard.calls[2:-2] == batches
    heard.calls.clear()
    heard.model.evaluate(X, LABELS, 16, 0, callbacks=heard)
    heard.model.predict(X, 25, verbose=0, callbacks=[heard])
    tests = [
        call for i in range(3) for call in (("on_test_batch_begin", i), ("on_test_batch_end", i, "accuracy", "loss"))
    ]
    predictions = [
        call for i in range(2) for call in (("on_predict_batch_begin", i), ("on_predict_batch_end", i, "outputs"))
    ]
    expected = [("on_test_begin",), *tests, ("on_test_end", "accuracy", "loss")]
    assert heard.calls == [*expected, ("on_predict_begin",), *predictions, ("on_predict_end",)]


def test_older_names_of_the_batch_hooks_are_heard():
    class Old(Callback):
        seen = ()

        def on_batch_begin(self, batch, logs=None):
            self.seen += (batch, "begin")

        def on_batch_end(self, batch, logs=None):
            self.seen += (batch, logs["loss"])

    old = Old()
    losses = fit(old, batch_size=20).history["loss"]
    assert old.seen[:3] == (0, "begin", 0)
    assert old.seen[4:] == (1, "begin", 1, losses[0])


def test_listening_to_batches_is_said_to_be_slower_once(monkeypatch, recwarn):
    monkeypatch.setattr(hooks, "_warned", set())
    with pytest.warns(UserWarning, match="on_train_batch_begin makes every batch a call of its own, which is slower"):
        fit(HeardBatches())
    fit(HeardBatches())
    assert len(recwarn) == 0


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_train_batch_end"])
def test_a_callback_may_stop_training(hook):
    class Stop(Callback):
        pass

    setattr(Stop, hook, lambda self, number, logs=None: setattr(self.model, "stop_training", number == 1))
    history = fit(Stop(), epochs=5, batch_size=10, validation_split=0.25)
    assert history.epoch == ([0, 1] if hook == "on_epoch_end" else [0])
    assert history.model.optimizer.iterations == (6 if hook == "on_epoch_end" else 2)
    assert "val_loss" in history.history
    assert len(fit(Heard(), epochs=2).epoch) == 2


@pytest.mark.parametrize("batchwise", [False, True])
def test_a_callback_may_stop_training_before_an_epoch_which_ends_after_its_first_batch(batchwise):
    class Stop(HeardBatches if batchwise else Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    stop = Stop()
    history = fit(stop, epochs=5, batch_size=10)
    assert history.epoch == [0, 1]
    assert history.model.optimizer.iterations == len(X) // 10 + 1


def test_what_a_callback_adds_to_the_logs_is_recorded():
    class Rate(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["lr"] = self.model.optimizer.learning_rate
            self.model.optimizer.learning_rate /= 2

    assert fit(Rate(), epochs=3).history["lr"] == [0.01, 0.005, 0.0025]


class Scripted(Callback):
    """Puts figures of the test's own into the logs, and the epoch into the weights."""

    def __init__(self, name, figures):
        self.name, self.figures = name, figures

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.figures[epoch]
        self.model.layers[-1].bias[:] = epoch


def stopped(name, figures, **options):
    """The epoch at whose end training stopped, and the epoch of the weights."""
    history = fit(Scripted(name, figures), EarlyStopping(name, **options), epochs=len(figures))
    return history.epoch[-1], int(history.model.layers[-1].bias[0])


@pytest.mark.parametrize(
    ("name", "figures", "options", "expected"),
    [
        ("val_loss", [5, 4, 4, 3], {}, (2, 2)),
        ("val_loss", [5, 6, 4, 3, 3, 2], {"patience": 1}, (1, 1)),
        ("val_loss", [5, 6, 4, 3, 3, 3, 1], {"patience": 2, "restore_best_weights": True}, (5, 3)),
        ("val_loss", [5, 4.9, 4.8, 4], {"min_delta": 0.15, "patience": 2}, (3, 3)),
        ("val_loss", [5, 4.9, 4.9, 4.8], {"min_delta": -0.15, "patience": 2}, (2, 2)),
        ("val_accuracy", [0.1, 0.2, 0.2, 0.3], {"restore_best_weights": True}, (2, 1)),
        ("val_accuracy", [0.1, 0.2, 0.2, 0.3], {"mode": "min"}, (1, 1)),
        ("mine", [1, 2, 1, 3], {"mode": "max"}, (2, 2)),
        ("val_loss", [5, 5, 5, 5, 5], {"start_from_epoch": 2}, (3, 3)),
        ("val_loss", [5, 4, 3, 2, 1], {"baseline": 0.5, "patience": 3}, (4, 4)),
        ("val_loss", [5, 6, 7, 8], {"baseline": 0.5, "patience": 2, "restore_best_weights": True}, (1, 0)),
        ("val_loss", [5, 4, 6, 6], {"baseline": 4.5, "patience": 2}, (3, 3)),
        ("val_loss", [3, 2, 1], {"restore_best_weights": True}, (2, 2)),
    ],
)
def test_early_stopping(name, figures, options, expected):
    assert stopped(name, figures, **options) == expected


def test_early_stopping_speaks_if_asked(capsys):
    stopped("val_loss", [2, 1, 3, 4], patience=2, verbose=1, restore_best_weights=True)
    expected = "Epoch 4: early stopping\nRestoring model weights from the end of the best epoch: 2.\n"
    assert capsys.readouterr().out == expected


def test_early_stopping_begins_anew_in_every_fit():
    stopping = EarlyStopping("val_loss", patience=1)
    model = model_of()
    for figures in ([1, 2, 3], [9, 8, 9]):
        history = model.fit(X, LABELS, epochs=3, verbose=0, callbacks=[Scripted("val_loss", figures), stopping])
    assert history.epoch == [0, 1, 2]
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (8, 1, 2)


def test_early_stopping_without_its_figure():
    with pytest.warns(UserWarning, match=r"on metric `val_loss` which is not available.*are: accuracy,loss"):
        assert len(fit(EarlyStopping(), epochs=1).epoch) == 1
    with pytest.raises(fastnn.FastnnError, match="mode: expected 'min' or 'max', which val_f1 does not tell"):
        fit(EarlyStopping("val_f1"))


def test_checkpoints_of_every_epoch(tmp_path, capsys):
    path = str(tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}-{accuracy:.1f}.keras")
    history = fit(ModelCheckpoint(path, verbose=1), epochs=2, validation_split=0.5)
    figures = history.history
    names = [f"0{i + 1}-{figures['val_loss'][i]:.2f}-{figures['accuracy'][i]:.1f}.keras" for i in range(2)]
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == names
    lines = [
        f"\nEpoch {i + 1}: {text}saving model to {tmp_path}/new/{names[i]}"
        for i in range(2)
        for text in ("", "finished ")
    ]
    assert capsys.readouterr().out == "\n".join(lines) + "\n"
    kept = keras.models.load_model(tmp_path / "new" / names[1])
    assert all((a == b).all() for a, b in zip(kept.get_weights(), history.model.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("figures", "options", "saved"),
    [
        ([3, 2, 2, 1], {}, [0, 1, 3]),
        ([3, 2, 2, 1], {"mode": "max"}, [0]),
        ([3, 2, 2, 1], {"initial_value_threshold": 2}, [3]),
        ([3, 2, 2, 1], {"save_best_only": False}, [0, 1, 2, 3]),
    ],
)
def test_checkpoints_of_the_best_epochs(tmp_path, figures, options, saved):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", **{"save_best_only": True} | options)
    fit(Scripted("val_loss", figures), checkpoint, epochs=4)
    assert sorted(int(file.name) - 1 for file in tmp_path.iterdir()) == saved
    for epoch in saved:
        assert keras.models.load_model(tmp_path / str(epoch + 1)).layers[0].bias.tolist() == [epoch, epoch]


def test_checkpoints_say_what_they_do(tmp_path, capsys):
    path = str(tmp_path / "best")
    fit(Scripted("val_loss", [3, 4, 2.5]), ModelCheckpoint(path, save_best_only=True, verbose=1), epochs=3)
    assert capsys.readouterr().out.split("\n\n") == [
        f"\nEpoch 1: val_loss improved from None to 3.00000, saving model to {path}",
        f"Epoch 1: finished saving model to {path}",
        "Epoch 2: val_loss did not improve from 3.00000",
        f"Epoch 3: val_loss improved from 3.00000 to 2.50000, saving model to {path}",
        f"Epoch 3: finished saving model to {path}\n",
    ]
    with pytest.warns(UserWarning, match="Can save best model only with val_loss available"):
        fit(ModelCheckpoint(path, save_best_only=True))


@pytest.mark.parametrize("best", [False, True])
def test_checkpoints_by_a_figure_of_unknown_direction(tmp_path, best):
    with pytest.raises(fastnn.FastnnError, match="mode: expected 'min' or 'max', which val_f1 does not tell"):
        fit(ModelCheckpoint(tmp_path / "best", "val_f1", save_best_only=best), validation_split=0.5)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("append", [False, True])
def test_csv_logger(tmp_path, append):
    path, model = tmp_path / "log.csv", model_of()
    histories = [
        model.fit(X, LABELS, epochs=2, verbose=0, callbacks=CSVLogger(path, separator=";", append=append)).history
        for _ in range(2)
    ]
    lines = path.read_bytes().decode().split("\r\n")
    assert lines[0] == "epoch;accuracy;loss;val_accuracy;val_loss"
    rows = [f"{i};{h['accuracy'][i]!r};{h['loss'][i]!r};NA;NA" for h in histories for i in range(2)]
    assert lines[1:] == [*(rows if append else rows[2:]), ""]


def test_csv_logger_with_validation(tmp_path):
    history = fit(CSVLogger(tmp_path / "log.csv"), validation_split=0.5).history
    header, line = (tmp_path / "log.csv").read_text().splitlines()
    assert header == "epoch,accuracy,loss,val_accuracy,val_loss"
    assert [float(field) for field in line.split(",")] == [0, *(figures[0] for figures in history.values())]


def test_history_is_a_callback_too():
    history = History()
    fit(history, epochs=2)
    assert len(history.history["loss"]) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(patience=-1), "patience: expected an integer of at least 0"),
        (lambda: EarlyStopping(monitor=None), "monitor: expected the name of a figure"),
        (lambda: EarlyStopping(min_delta="0"), "min_delta: expected a number"),
        (lambda: ModelCheckpoint("x.keras", save_freq="batch"), "save_freq: expected one of epoch"),
        (lambda: ModelCheckpoint("x.keras", save_freq=0), "save_freq: expected an integer of at least 1"),
        (lambda: ModelCheckpoint("x.keras", period=0), "period: expected an integer of at least 1"),
        (lambda: ReduceLROnPlateau(factor=1), "factor: expected a finite number"),
        (lambda: ReduceLROnPlateau(rate=1), "rate: expected no such option of ReduceLROnPlateau"),
        (lambda: LearningRateScheduler(0.1), "schedule: expected a function"),
        (lambda: fit(LearningRateScheduler(lambda epoch: None)), "the schedule's learning rate: expected a number"),
        (lambda: ModelCheckpoint(3), "path: expected a str"),
        (lambda: CSVLogger("x", separator=""), "separator: expected one character"),
        (lambda: fit(ModelCheckpoint("{val_f1:.2f}.keras")), "filepath: expected fields of epoch, accuracy, loss"),
        (lambda: fit(ModelCheckpoint("{epoch:x.2}.keras")), "filepath: expected fields of epoch"),
        (lambda: fit(ModelCheckpoint("/dev/null/x/y.keras")), "expected a folder that can be made"),
        (lambda: fit(CSVLogger("/nowhere/log.csv")), "/nowhere: there is no such folder"),
        (lambda: fit(print), r"callbacks\[0\]: expected a Callback"),
        (lambda: fit(callbacks=3), r"callbacks\[0\]: expected a Callback"),
    ],
)
def test_unusable_callbacks(make, message):
    with pytest.raises(fastnn.FastnnError, match=message):
        make()


def test_unknown_modes_are_automatic():
    with pytest.warns(UserWarning, match="EarlyStopping mode 'best' is unknown, fallback to auto mode"):
        assert EarlyStopping(mode="best").mode == "auto"


def test_older_names_of_figures_will_do(tmp_path):
    class Coursera(Callback):
        def on_epoch_end(self, epoch, logs=None):
            if logs.get("acc") > 0 and logs["val_acc"] == logs["val_accuracy"]:
                self.model.stop_training = True

    path = tmp_path / "{epoch}-{val_acc:.3f}"
    stopping, checkpoint = EarlyStopping("val_acc"), ModelCheckpoint(path, "val_acc", save_best_only=True)
    history = fit(Coursera(), stopping, checkpoint, epochs=3, validation_split=0.5)
    assert history.epoch == [0]
    assert history.history["val_acc"] == history.history["val_accuracy"] == [stopping.best]
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert [file.name for file in tmp_path.iterdir()] == [f"1-{stopping.best:.3f}"]
    assert "acc" not in history.history
    with pytest.raises(KeyError, match="val_mae"):
        history.history["val_mae"]


RATES = {
    "patience": ([3, 3, 3, 3, 3], {"patience": 2}, [0.01, 0.01, 0.01, 0.001, 0.001]),
    "cooldown": ([3, 3, 3, 3, 3], {"patience": 1, "cooldown": 2, "factor": 0.5}, [0.01, 0.01, 0.005, 0.005, 0.0025]),
    "min_lr": ([3, 3, 3, 3, 3], {"patience": 1, "min_lr": 0.004}, [0.01, 0.01, 0.004, 0.004, 0.004]),
    "epsilon": ([3, 2.95, 2.85, 2.8, 2.8], {"patience": 1, "epsilon": 0.1}, [0.01, 0.01, 0.001, 0.001, 0.0001]),
    "improving": ([3, 2, 1, 0, -1], {"patience": 1}, [0.01] * 5),
    "max": ([3, 2, 1, 0, -1], {"patience": 3, "mode": "max"}, [0.01, 0.01, 0.01, 0.01, 0.001]),
}


@pytest.mark.parametrize("case", RATES)
def test_the_rate_is_reduced_on_a_plateau(case):
    figures, options, expected = RATES[case]
    history = fit(Scripted("val_loss", figures), ReduceLROnPlateau(**options), epochs=5)
    np.testing.assert_allclose(history.history["learning_rate"], expected, rtol=1e-6)
    assert history.history["lr"] == history.history["learning_rate"]


def test_reducing_the_rate_speaks_if_asked(capsys):
    fit(Scripted("val_loss", [3, 3]), ReduceLROnPlateau(patience=1, verbose=1, factor=0.5), epochs=2)
    assert capsys.readouterr().out == "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.004999999888241291.\n"
    with pytest.warns(UserWarning, match="conditioned on metric `val_loss` which is not available.*accuracy,loss"):
        fit(ReduceLROnPlateau())
    with pytest.raises(fastnn.FastnnError, match="mode: expected 'min' or 'max', which val_f1 does not tell"):
        fit(ReduceLROnPlateau("val_f1"))


def test_rates_by_schedule(capsys):
    history = fit(LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else 0.25, verbose=1), epochs=3)
    assert history.history["learning_rate"] == [0.25, 0.125, 0.0625]
    assert capsys.readouterr().out.splitlines()[1] == ("Epoch 1: LearningRateScheduler setting learning rate to 0.25.")
    history = fit(LearningRateScheduler(lambda epoch: 0.5**epoch), epochs=3)
    assert history.history["learning_rate"] == [1, 0.5, 0.25]


def test_functions_as_callbacks():
    heard = []
    hooks_of = {
        name: (lambda *given, name=name: heard.append((name, *given[:-1])))
        for name in ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
    }
    fit(LambdaCallback(**hooks_of), epochs=2)
    epochs = [(f"on_epoch_{when}", i) for i in range(2) for when in ("begin", "end")]
    assert heard == [("on_train_begin",), *epochs, ("on_train_end",)]
    heard.clear()
    fit(LambdaCallback(on_batch_end=lambda batch, logs: heard.append(batch)), batch_size=20)
    fit(LambdaCallback(on_train_batch_end=lambda batch, logs: heard.append(batch)), batch_size=20)
    assert heard == [0, 1, 0, 1]


@pytest.mark.parametrize("batchwise", [False, True])
def test_training_may_end_at_a_loss_that_is_not_finite(capsys, batchwise):
    def diverging(*given):
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
        model.compile(keras.optimizers.SGD(1e30), "mse")
        both = [*given, *[HeardBatches()] * batchwise]
        return model, lambda: model.fit(X, np.eye(2)[LABELS], batch_size=8, epochs=3, verbose=0, callbacks=both)

    model, run = diverging(TerminateOnNaN())
    history = run()
    batch = int(re.fullmatch(r"Batch (\d+): Invalid loss, terminating training\n", capsys.readouterr().out).group(1))
    assert model.optimizer.iterations == batch > 0
    assert history.epoch == [0]
    assert np.isnan(history.history["loss"]).tolist() == [True]
    assert all(np.isfinite(array).all() for array in model.weights)
    for watchers in ([], [TerminateOnNaN(raise_error=True)]):
        model, run = diverging(*watchers)
        with pytest.raises(fastnn.errors.DivergenceError, match="epoch 1"):
            run()
        assert model.optimizer.iterations == batch


@pytest.mark.parametrize(
    ("options", "saved"),
    [({"period": 2}, ["2-0", "4-0"]), ({"save_freq": 3}, ["2-1", "3-2", "5-1"]), ({"save_freq": 5}, ["3-1", "5-2"])],
)
def test_checkpoints_of_some_epochs_or_batches(tmp_path, options, saved):
    field = "{batch}" if "save_freq" in options else "0"
    fit(ModelCheckpoint(tmp_path / f"{{epoch}}-{field}", **options), epochs=5, batch_size=20)
    assert sorted(file.name for file in tmp_path.iterdir()) == saved


def test_callbacks_that_stand_for_others(monkeypatch):
    monkeypatch.setattr(callbacks, "_warned", set())
    with pytest.warns(UserWarning, match="TensorBoard: fastnn writes no logs for it") as caught:
        board = TensorBoard("logs", histogram_freq=1)
    assert caught[0].filename == __file__
    logger = [TensorBoard(log_dir="logs"), ProgbarLogger(), ProgbarLogger("samples"), BaseLogger(stateless_metrics=[])]
    assert len(fit(board, *logger).epoch) == 1
