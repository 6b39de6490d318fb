"""What a training measured."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
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

    def __len__(self) -> int:
        return len(self.loss)
