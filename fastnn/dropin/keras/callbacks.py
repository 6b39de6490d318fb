"""Callbacks of ``fit``, ``evaluate`` and ``predict``, as ``keras.callbacks`` has them.

Each hook is called where Keras calls it, with the same arguments. A callback that listens to single batches makes the
run slower, as every batch is then a call of its own.
"""

from __future__ import annotations

import csv
import math
import os
import warnings
from collections.abc import Sequence
from typing import Any, Protocol

from ... import checks
from ...errors import FastnnError, InvalidArgumentError
from ...io.atomic import StrPath, check_destination, check_path
from ...kernels.spec import FloatArray
from .subset import outside, refuse

__all__ = ["CSVLogger", "Callback", "EarlyStopping", "History", "ModelCheckpoint"]

__getattr__ = outside(__name__, __all__)

Logs = dict[str, float]


class RunningModel(Protocol):
    """What callbacks, and the loop that calls them, ask of a model."""

    stop_training: bool

    @property
    def metrics_names(self) -> list[str]: ...
    def get_weights(self) -> list[FloatArray]: ...
    def set_weights(self, weights: Sequence[FloatArray]) -> None: ...
    def save(self, filepath: StrPath) -> None: ...


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
    history : one list per figure, one entry an epoch.
    epoch : the epochs' numbers, from 0.
    params, model : as for every callback.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, figure in (logs or {}).items():
            self.history.setdefault(name, []).append(figure)


class _Monitor(Callback):
    """Tells whether a figure has improved."""

    def __init__(self, monitor: str, mode: str, best: float | None, min_delta: float = 0.0) -> None:
        if not isinstance(monitor, str):
            checks.unsupported("monitor", "the name of a figure, such as 'val_loss'", monitor)
        self.monitor = monitor
        self.mode = checks.choice("mode", mode, ("auto", "min", "max"))
        self.best = None if best is None else checks.number("the value to begin with", best, low=-math.inf)
        self.min_delta = abs(checks.number("min_delta", min_delta, low=-math.inf))

    def _is_better(self, value: float, than: float | None) -> bool:
        """Whether ``value`` is better by more than ``min_delta``; Keras cannot tell without ``mode`` for any other."""
        if than is None:
            return True
        return value - self.min_delta > than if self._rises() else value + self.min_delta < than

    def _rises(self) -> bool:
        name = self.monitor.removeprefix("val_")
        if self.mode == "auto" and name != "loss" and name not in self.model.metrics_names:
            raise InvalidArgumentError("mode", f"'min' or 'max', which {self.monitor} does not tell", "'auto'")
        return self.mode == "max" or (self.mode == "auto" and name != "loss")


class EarlyStopping(_Monitor):
    """Ends ``fit`` when a figure has stopped improving.

    Parameters
    ----------
    monitor : the figure; a warning, and nothing else, where there is none of that name.
    min_delta : what it must improve by to count.
    patience : so many epochs without improvement end training.
    verbose : 1 prints a line when it acts.
    mode : "min", "max", or "auto": losses shall fall and accuracies rise.
    baseline : the figure must be better than this, too, to reset the patience.
    restore_best_weights : give the model back the weights of the best epoch.
    start_from_epoch : the first epoch, from 0, that counts.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, baseline, min_delta)
        self.baseline = self.best
        self.patience = checks.integer("patience", patience, low=0)
        self.verbose = bool(verbose)
        self.restore_best_weights = checks.boolean("restore_best_weights", restore_best_weights)
        self.start_from_epoch = checks.integer("start_from_epoch", start_from_epoch, low=0)
        self._begin()

    def _begin(self) -> None:
        self.best = None
        self.best_epoch = self.wait = self.stopped_epoch = 0
        self.best_weights: list[FloatArray] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        self._rises()  # raises, as Keras does, for a figure of unknown direction, be it there or not
        if self.monitor not in logs:
            there_is = ",".join(logs)
            message = f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
            warnings.warn(f"{message}Available metrics are: {there_is}", stacklevel=2)
            return
        if epoch < self.start_from_epoch:
            return
        current = logs[self.monitor]
        if self.restore_best_weights and self.best_weights is None:
            self._keep(epoch)  # one epoch is restored, even if none is better than the baseline
        self.wait += 1
        if self._is_better(current, self.best):
            self.best = current
            self._keep(epoch)
            if self.baseline is None or self._is_better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _keep(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Saves the model after every epoch.

    Parameters
    ----------
    filepath : for :meth:`Sequential.save`; may have fields for the epoch, from 1, and the figures:
        "{epoch:02d}-{val_loss:.2f}.keras". Missing folders are made.
    monitor, mode, initial_value_threshold : with ``save_best_only``, the figure that must be better than before, or
        than the threshold; as for :class:`EarlyStopping`.
    verbose : 1 prints a line when it acts.
    save_best_only : whether to save only such epochs.

    Raises InvalidArgumentError for ``save_weights_only`` and for a ``save_freq`` in batches.
    """

    def __init__(
        self,
        filepath: StrPath,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        check_path(filepath)
        self.filepath = os.fspath(filepath)
        self.verbose = bool(verbose)
        self.save_best_only = checks.boolean("save_best_only", save_best_only)
        wanted = {"save_weights_only": save_weights_only, "save_freq": save_freq}
        refuse("ModelCheckpoint", wanted, save_weights_only=False, save_freq="epoch")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        self._rises()  # raises, as Keras does, for a figure of unknown direction, be it needed or not
        try:
            path = self.filepath.format(epoch=epoch + 1, **logs)
        except (LookupError, ValueError) as error:
            fields = ", ".join(["epoch", *logs])
            raise InvalidArgumentError("filepath", f"fields of {fields}", f"{self.filepath!r} ({error})") from None
        if not self._is_due(epoch, logs, path):
            return
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        except OSError as error:
            raise FastnnError(f"{path}: expected a folder that can be made, found {error}") from error
        self.model.save(path)
        self._say(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _is_due(self, epoch: int, logs: Logs, path: str) -> bool:
        if not self.save_best_only:
            self._say(f"\nEpoch {epoch + 1}: saving model to {path}")
            return True
        if self.monitor not in logs:
            warnings.warn(f"Can save best model only with {self.monitor} available.", stacklevel=3)
            return True
        current, best = logs[self.monitor], "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_better(current, self.best):
            self._say(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {best}")
            return False
        change = f"improved from {best} to {current:.5f}"
        self._say(f"\nEpoch {epoch + 1}: {self.monitor} {change}, saving model to {path}")
        self.best = current
        return True

    def _say(self, line: str) -> None:
        if self.verbose:
            print(line)


class CSVLogger(Callback):
    """Writes the epoch, from 0, and its figures as a line of a CSV file.

    Parameters
    ----------
    filename : written anew by every ``fit``.
    separator : between the fields.
    append : whether to go on at the end of the file instead.
    """

    def __init__(self, filename: StrPath, separator: str = ",", append: bool = False) -> None:
        check_path(filename)
        self.filename = os.fspath(filename)
        if not isinstance(separator, str) or len(separator) != 1:
            raise InvalidArgumentError("separator", "one character", repr(separator))
        self.separator = separator
        self.append = checks.boolean("append", append)
        self.keys: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.keys = None
        if not self.append:
            self._write([], "w")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        rows: list[list[object]] = []
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):  # as Keras: a later fit may validate
                self.keys += [f"val_{key}" for key in self.keys]
            if not (os.path.exists(self.filename) and os.path.getsize(self.filename)):
                rows.append(["epoch", *self.keys])
        self._write([*rows, [epoch, *(logs.get(key, "NA") for key in self.keys)]], "a")

    def _write(self, rows: list[list[object]], mode: str) -> None:
        try:
            with open(self.filename, mode, newline="") as file:
                csv.writer(file, delimiter=self.separator).writerows(rows)
        except OSError as error:
            check_destination(self.filename)  # says which folder is missing, or which permission
            raise FastnnError(f"{self.filename}: expected a file that can be written, found {error}") from error
