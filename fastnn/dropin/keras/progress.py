"""Keras' printed lines: "Epoch 1/5", and the bar with time and figures."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import numpy as np

from ...progress import is_terminal
from .callback import Callback
from .logs import Logs

WIDTH = 20  # of the bar
INTERVAL = 0.05  # seconds between two states of the bar


class ProgressBar(Callback):
    """Prints a line an epoch, an evaluation or a prediction.

    It is the callback that Keras adds after all others. With verbose 1 the line has a bar, which on a terminal moves,
    and has colours; elsewhere it is printed once, plainly, when it is complete. With verbose 2 there is no bar.
    """

    def __init__(self) -> None:
        self.is_fitting = False
        self.start, self.shown, self.width = 0.0, 0.0, 0
        self.moves = is_terminal(sys.stdout) or "ipykernel" in sys.modules

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.is_fitting = True  # within fit, validation prints nothing of its own

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._begin()
        if (epochs := self._param("epochs")) > 1:
            _write(f"Epoch {epoch + 1}/{epochs}\n")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._end(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self.is_fitting:
            self._begin()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self.is_fitting:
            self._end(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._begin()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._end(None)

    def tick(self, done: int) -> None:
        """Show that ``done`` batches are finished; the figures come at the end."""
        now = time.perf_counter()
        if not self.moves or self._param("verbose") not in (1, "auto") or now - self.shown < INTERVAL:
            return
        self.shown = now
        left = (now - self.start) / done * (self._param("steps") - done)
        self._show(done, f"{_clock(left)}{self._pace(done, now)}", end="")

    def _param(self, name: str) -> int:
        value: int = (self.params or {})[name]
        return value

    def _begin(self) -> None:
        self.start, self.width = time.perf_counter(), 0
        self.shown = self.start

    def _end(self, logs: Logs | None) -> None:
        if self._param("verbose") not in (1, 2, "auto"):
            return
        now, steps = time.perf_counter(), self._param("steps")
        figures = "".join(f" - {name}: {_figure(value)}" for name, value in (logs or {}).items())
        seconds = f"{now - self.start:.0f}s"
        if self._param("verbose") == 2:
            _write(f"{steps}/{steps} - {seconds} -{self._pace(steps, now)}{figures}\n")
        else:
            self._show(steps, f"{seconds}{self._pace(steps, now)}{figures}", end="\n")

    def _pace(self, done: int, now: float) -> str:
        seconds = (now - self.start) / done
        if seconds >= 1 or seconds == 0:
            return f" {seconds:.0f}s/step"
        return f" {seconds * 1e3:.0f}ms/step" if seconds >= 1e-3 else f" {seconds * 1e6:.0f}us/step"

    def _show(self, done: int, text: str, end: str) -> None:
        steps = self._param("steps")
        count = f"{done:{len(str(steps))}d}/{steps}"
        filled = WIDTH * done // steps
        width = len(count) + WIDTH + len(text) + 2
        if self.moves:
            time_, _, rest = text.partition(" ")
            bar = f"\033[32m{'━' * filled}\033[0m\033[37m{'━' * (WIDTH - filled)}\033[0m"
            padding = " " * max(self.width - width, 0)  # over what the line was before
            _write(f"\r\033[1m{count}\033[0m {bar} \033[1m{time_}\033[0m {rest}{padding}{end}")
        else:
            _write(f"{count} {'━' * WIDTH} {text}{end}")
        self.width = width


def _clock(seconds: float) -> str:
    """The time left, as Keras writes it."""
    if seconds > 3600:
        return f"{seconds // 3600:.0f}:{seconds % 3600 // 60:02.0f}:{math.floor(seconds % 60):02d}"
    if seconds > 60:
        return f"{seconds // 60:.0f}:{math.floor(seconds % 60):02d}"
    return f"{math.floor(seconds)}s"


def _figure(value: Any) -> str:
    value = float(np.mean(value))  # of several, the mean, as Keras shows it
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:  # no terminal of UTF-8
        sys.stdout.write(text.replace("━", "="))
    sys.stdout.flush()
