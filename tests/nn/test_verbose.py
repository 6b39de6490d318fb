"""What MLP.fit prints: nothing, a line an epoch, a bar on a terminal."""

from __future__ import annotations

import sys

import pytest
from problems import make_mlp as make

import fastnn
from fastnn import progress
from fastnn.nn.history import History, epoch_line


def test_silent_by_default(data, capsys):
    make().fit(*data, epochs=2, validation_data=data)
    make().fit(*data, epochs=2, verbose=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [1, 2, True])
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


@pytest.mark.parametrize("verbose", [1, 2])
def test_a_bar_on_a_terminal(monkeypatch, data, capsys, verbose):
    monkeypatch.setattr(progress, "INTERVAL", 0)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with fastnn.use("numpy"):  # ticks after every batch
        make().fit(*data, epochs=1, batch_size=20, verbose=verbose)
    out, err = capsys.readouterr()
    assert out.startswith("Epoch 1/1  loss ")
    if verbose == 1:
        assert f"\rEpoch 1/1 [{'=' * 10}{'.' * 20}] 1/3 batches, " in err
        assert f"\rEpoch 1/1 [{'=' * 30}] 3/3 batches, 0 s left" in err
        assert err.endswith(" \r")
    else:
        assert err == ""


def test_lines_fit_the_terminal():
    history = History(loss=[0.5], accuracy=[0.9], val_loss=[0.6], val_accuracy=[0.8], seconds=[2.0])
    figures = ["loss 0.5000", "accuracy 0.9000", "val_loss 0.6000", "val_accuracy 0.8000"]
    whole = "  ".join(["Epoch 3/10", *figures, "500 samples/s"])
    assert epoch_line(2, 10, history, 1000) == epoch_line(2, 10, history, 1000, len(whole)) == whole
    for columns, kept in ((len(whole) - 1, 4), (77, 3), (60, 2), (40, 1), (5, 1)):
        line = epoch_line(2, 10, history, 1000, columns)
        assert line == "  ".join(["Epoch 3/10", *figures[-kept:]])
        assert len(line) <= columns or kept == 1
