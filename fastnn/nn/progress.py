"""What a training prints: a bar that moves while an epoch runs, and a line after it."""

from __future__ import annotations

import math
import sys
import time

from ..kernels.spec import Tick
from .history import History


class ProgressBar:
    """A bar on stderr, where that is a terminal, for epochs that take longer than a blink."""

    def __init__(self, epoch: int, epochs: int, batches: int) -> None:
        self.label, self.batches, self.start, self.shown = f"Epoch {epoch}/{epochs}", batches, time.perf_counter(), 0.0

    def tick(self, done: int) -> None:
        """Show that so many batches are done, if it has shown nothing for a while."""
        now = time.perf_counter()
        if now - max(self.shown, self.start) < 0.1:
            return
        self.shown = now
        filled = 30 * done // self.batches
        left = (now - self.start) / done * (self.batches - done)
        bar = "=" * filled + "." * (30 - filled)
        print(f"\r{self.label} [{bar}] {done}/{self.batches} {left:.0f} s left ", end="", file=sys.stderr, flush=True)

    def ticker(self, first: int) -> Tick:
        """What shows that batches are done, of a part of the epoch that begins with the batch ``first``."""
        return lambda done: self.tick(first + done)

    def clear(self) -> None:
        """Wipe it out."""
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def epoch_line(epoch: int, epochs: int, history: History, samples: int) -> str:
    """The figures of the last epoch of ``history``, the ``epoch``-th from 0, over so many samples."""
    parts = [f"Epoch {epoch + 1}/{epochs}", f"loss {history.loss[-1]:.4f}"]
    if not math.isnan(history.accuracy[-1]):
        parts.append(f"accuracy {history.accuracy[-1]:.4f}")
    if history.val_loss:
        parts.append(f"val_loss {history.val_loss[-1]:.4f}")
        if not math.isnan(history.val_accuracy[-1]):
            parts.append(f"val_accuracy {history.val_accuracy[-1]:.4f}")
    seconds = max(history.seconds[-1], 1e-9)
    parts.append(f"{samples / seconds:,.0f} samples/s")
    return "  ".join(parts)
