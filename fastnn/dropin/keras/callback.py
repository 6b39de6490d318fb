"""The base class of callbacks, and the one that every ``fit`` has: History."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ...io.atomic import StrPath
from ...kernels.spec import FloatArray
from .logs import Logs
from .metric import Metric


class RunningModel(Protocol):
    """What callbacks, and the loop that calls them, ask of a model."""

    stop_training: bool

    @property
    def metrics(self) -> list[Metric]: ...
    def get_weights(self) -> list[FloatArray]: ...
    def set_weights(self, weights: Sequence[FloatArray]) -> None: ...
    def save(self, filepath: StrPath) -> None: ...
    def save_weights(self, filepath: StrPath) -> None: ...


class Callback:
    """Base class of callbacks: override what is of interest.

    ``logs`` are the figures so far: "loss", the metrics, and with "val_" before the name those of the validation data.

    Attributes
    ----------
    model : the model that runs; setting ``model.stop_training`` to True ends ``fit``.
    params : "verbose", "epochs" and "steps" (batches an epoch).
    """

    model: Any = None
    params: dict[str, Any] | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: RunningModel) -> None:
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called after the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of ``fit``, counted from 0 in every epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of ``fit``, with the means over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """The older name of :meth:`on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """The older name of :meth:`on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before evaluation or validation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after evaluation or validation, with its figures."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of evaluation or validation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of evaluation or validation, with the means so far."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of prediction."""

    def on_predict_batch_end(self, batch: int, logs: dict[str, FloatArray] | None = None) -> None:
        """Called after a batch of prediction, with its "outputs"."""


class History(Callback):
    """What ``fit`` returns.

    Attributes
    ----------
    history : one list per figure, one entry an epoch; a :class:`~.logs.Logs`, in which older names of figures will do.
    epoch : the epochs' numbers, from 0.
    params, model : as for every callback.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = Logs()
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, figure in (logs or {}).items():
            self.history.setdefault(name, []).append(figure)
