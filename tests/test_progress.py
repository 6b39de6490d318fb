"""The bar: what it says in how many columns, that it is wiped out, and that only a terminal or a notebook sees it."""

from __future__ import annotations

import io
import os
import re
import struct
import sys
from types import ModuleType

import numpy as np
import pytest

import fastnn
from fastnn import progress
from fastnn.errors import InvalidTypeError

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def plain(monkeypatch):
    """As where tqdm is not installed."""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


@pytest.fixture
def slow(monkeypatch):
    """Half a second passes at every look at the clock."""
    now = iter(np.arange(1, 10_000, 0.5))
    monkeypatch.setattr(progress.time, "perf_counter", lambda: float(next(now)))


class Terminal:
    """A pseudo-terminal in the place of stderr."""

    def __init__(self, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reader, self.writer = pty.openpty()
        self.resize(columns)
        self.file = open(self.writer, "w", buffering=1)  # noqa: SIM115  # for as long as the test
        monkeypatch.setattr(sys, "stderr", self.file)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def shown(self) -> str:
        self.file.flush()
        os.set_blocking(self.reader, False)
        parts = []
        while True:
            try:
                parts.append(os.read(self.reader, 65536))
            except BlockingIOError:
                break
        self.file.close()
        os.close(self.reader)
        return b"".join(parts).decode()


def states(text: str) -> list[str]:
    """What was on the line, one state after the other; no line feed may have been written."""
    assert "\n" not in text
    return [state for state in text.split("\r") if state.strip()]


@pytest.mark.parametrize("columns", [80, 60, 40, 20, 8])
def test_a_line_fits(columns):
    line = progress.bar_line(1234, 60_000, "batches", "Epoch 2/10", 75.4, columns)
    assert len(line) <= columns
    if columns >= 40:
        assert line.startswith("Epoch 2/10 [")
        assert line.endswith("1:15 left")
    if columns == 80:
        assert line == f"Epoch 2/10 [{'.' * 30}] 1,234/60,000 batches, 1:15 left"


def test_times_and_shares():
    def line(done: int, left: float | None) -> str:
        return progress.bar_line(done, 4, "folds", "", left, 60)

    assert line(1, 59.4) == f"[{'=' * 7}{'.' * 23}] 1/4 folds, 59 s left"
    assert line(2, 60).endswith("2/4 folds, 1:00 left")
    assert line(2, 3723).endswith("1:02:03 left")
    assert line(4, 0) == f"[{'=' * 30}] 4/4 folds, 0 s left"
    assert line(0, None) == f"[{'.' * 30}] 0/4 folds"


@pytest.mark.usefixtures("plain", "slow")
@pytest.mark.parametrize("columns", [60, 40])
def test_training_on_a_narrow_terminal(monkeypatch, capsys, columns):
    X, y = np.random.default_rng(0).random((60, 4)), np.arange(60) % 3
    terminal = Terminal(columns, monkeypatch)
    with fastnn.use("numpy"):  # ticks after every batch
        fastnn.MLP([4, 3], seed=1).fit(X, y, epochs=2, batch_size=20, verbose=1)
    shown = states(terminal.shown())
    assert {len(state) <= columns - 1 for state in shown} == {True}
    assert [state[:10] for state in shown] == ["Epoch 1/2 "] * 3 + ["Epoch 2/2 "] * 3
    assert "left" in shown[0]
    filled = [state.count("=") / (state.count("=") + state.count(".")) for state in shown]
    assert filled == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1], abs=0.2)  # of the whole run
    assert [line[:9] for line in capsys.readouterr().out.splitlines()] == ["Epoch 1/2", "Epoch 2/2"]


@pytest.mark.usefixtures("plain", "slow")
def test_the_time_left_is_that_of_all_epochs(monkeypatch):
    terminal = Terminal(80, monkeypatch)
    with progress.bar(10, "batches") as bar:
        assert bar is not None
        bar.update(1, "Epoch 1/5")  # the clock was looked at when it began, too
        bar.update(2, "Epoch 1/5")
    first, second = states(terminal.shown())
    assert first.endswith("1/10 batches, 4 s left")  # 0.5 s for one of ten
    assert second.startswith("Epoch 1/5 [======....")
    assert second.endswith("2/10 batches, 4 s left")  # 1 s for two


@pytest.mark.usefixtures("plain", "slow")
def test_it_follows_a_terminal_that_changes(monkeypatch):
    terminal = Terminal(80, monkeypatch)
    with progress.bar(100, "batches") as bar:
        assert bar is not None
        for done, columns in ((10, 60), (20, 30), (30, 70)):
            terminal.resize(columns)
            bar.update(done, "Epoch 1/5")
    wide, narrow, wider = states(terminal.shown())
    assert "10/100 batches, " in wide
    assert len(narrow) <= 29
    assert narrow.startswith("Epoch 1/5 [")
    assert "30/100 batches, " in wider


@pytest.mark.usefixtures("plain", "slow")
def test_it_is_wiped_out(monkeypatch):
    terminal = Terminal(80, monkeypatch)

    def work() -> None:
        with progress.bar(2, "folds") as bar:
            assert bar is not None
            bar.update(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    line, blanks, end = terminal.shown().split("\r")[1:]
    assert line.strip()
    assert blanks == " " * len(line)
    assert end == ""


@pytest.mark.usefixtures("plain")
def test_short_works_show_nothing(monkeypatch):
    terminal = Terminal(80, monkeypatch)
    with progress.bar(2, "folds") as bar:
        assert bar is not None
        bar.update(1)
    assert terminal.shown() == ""


@pytest.mark.usefixtures("plain", "slow")
@pytest.mark.parametrize("wanted", [True, False])
def test_neighbours_have_a_bar(monkeypatch, wanted):
    rng = np.random.default_rng(0)
    X, y = rng.random((40, 3)), np.arange(40) % 2
    index = fastnn.Neighbors().fit(X, y)
    terminal = Terminal(60, monkeypatch)
    index.search(X, 2, progress=wanted)
    index.classify(X, [1, 3], progress=wanted)
    fastnn.cross_validate_k(X, y, [1, 3], 4, progress=wanted)
    shown = states(terminal.shown())
    ends = ["40/40 queries, 0 s left"] * 2
    ends += [f"{done}/40 queries, {left} s left" for done, left in ((10, 2), (20, 1), (30, 0), (40, 0))]
    assert [state.partition("] ")[2] for state in shown] == (ends if wanted else [])


@pytest.mark.usefixtures("slow")
def test_nothing_is_shown_where_nobody_sees_it(capsys):
    X, y = np.random.default_rng(0).random((30, 2)), np.arange(30) % 2
    fastnn.Neighbors().fit(X, y).search(X, 1, progress=True)
    fastnn.cross_validate_k(X, y, [1], 3, progress=True)
    fastnn.MLP([2, 2]).fit(X, y, epochs=1, verbose=1)
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1


@pytest.mark.usefixtures("plain", "slow")
def test_a_notebook_sees_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    with progress.bar(2, "folds") as bar:
        assert bar is not None
        bar.update(1)
    assert "] 1/2 folds" in capsys.readouterr().err


def test_tqdm_is_taken_where_it_is_installed(monkeypatch, capsys):
    X, y = np.random.default_rng(0).random((60, 4)), np.arange(60) % 3
    terminal = Terminal(60, monkeypatch)
    monkeypatch.setattr(progress, "INTERVAL", 0)
    with fastnn.use("numpy"):
        fastnn.MLP([4, 3], seed=1).fit(X, y, epochs=2, batch_size=20, verbose=1)
    shown = states(ANSI.sub("", terminal.shown()))
    assert shown
    assert {len(state) <= 60 for state in shown} == {True}
    assert any(state.startswith("Epoch 2/2: ") and "5/6" in state for state in shown)
    assert [line[:9] for line in capsys.readouterr().out.splitlines()] == ["Epoch 1/2", "Epoch 2/2"]


@pytest.mark.parametrize("closed", [False, True])
def test_streams_that_are_none_or_closed_are_no_terminals(monkeypatch, closed):
    stream = io.StringIO() if closed else None
    if stream:
        stream.close()
    assert not progress.is_terminal(stream)
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.bar(2, "folds") as bar:
        assert bar is None
    monkeypatch.setattr(sys, "stdout", None)
    fastnn.MLP([2, 2]).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=1, verbose=1)


def test_the_callers_own_function():
    done = []
    with progress.reported(done.append, 3, "folds") as report:
        assert report is not None
        report(2)
    assert done == [2]
    for progress_ in (False, None):
        with progress.reported(progress_, 3, "folds") as report:
            assert report is None
    with pytest.raises(InvalidTypeError, match="progress: expected a function of how many are done, True or False"):
        progress.check_progress(1)
