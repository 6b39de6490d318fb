"""What a training measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .display import curves


@dataclass(repr=False)
class History:
    """What ``fit`` measured, one entry an epoch in every list.

    ``loss`` and ``accuracy`` are means over the epoch's samples, each measured before its batch's update (as Keras
    reports them), the loss with the penalties at the epoch's end added. ``accuracy`` is NaN for regression. The
    validation lists are empty without validation data, and ``val_score`` without a function that early stopping
    monitors. ``learning_rate`` is that of the epoch's first batch. ``seconds`` is the time spent in training alone.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    val_score: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped: str = ""  # why training ended before its last epoch; empty if it did not
    kept_epoch: int | None = None  # from 0: the best by the figure that early stopping watches; None without it

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def best_epoch(self) -> int | None:
        """The epoch, from 0, that early stopping found best; without it that of the least ``val_loss``, if any."""
        if self.kept_epoch is not None or not self.val_loss:
            return self.kept_epoch
        return min(range(len(self.val_loss)), key=self.val_loss.__getitem__)

    def figures(self, epoch: int = -1) -> list[str]:
        """What an epoch measured, "loss 0.1234" and so on."""
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        found = ((name, getattr(self, name)) for name in names)
        return [f"{name} {values[epoch]:.4f}" for name, values in found if values and not math.isnan(values[epoch])]

    def __repr__(self) -> str:
        if not self:
            return "History(no epochs)"
        parts = [_epochs(len(self)), *self.figures()]
        if self.best_epoch is not None:
            parts.append(f"best epoch {self.best_epoch + 1}")
        return f"History({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """The figures of the last epoch and small curves, for notebooks."""
        shown = [("loss", self.loss, self.val_loss)]
        if self.accuracy and not all(map(math.isnan, self.accuracy)):
            shown.append(("accuracy", self.accuracy, self.val_accuracy))
        return curves(repr(self), self.stopped, shown, self.best_epoch)


def epoch_line(epoch: int, epochs: int, history: History, samples: int, columns: int | None = None) -> str:
    """The figures of the last epoch of ``history``, the ``epoch``-th from 0, over so many samples.

    On a terminal of so many columns the speed is left out, and then the first of the figures, where the line is longer.
    """
    speed = f"{samples / max(history.seconds[-1], 1e-9):,.0f} samples/s"
    name, figures = f"Epoch {epoch + 1}/{epochs}", history.figures()
    line = "  ".join([name, *figures, speed])
    if columns is None or len(line) <= columns:
        return line
    while len(figures) > 1 and len("  ".join([name, *figures])) > columns:
        del figures[0]
    return "  ".join([name, *figures])


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"
