"""Callbacks of ``fit``, ``evaluate`` and ``predict``, as ``keras.callbacks`` has them.

Each hook is called where Keras calls it, with the same arguments. A callback that listens to single batches makes the
run slower, as every batch is then a call of its own. ``logs`` may be asked by the names that older versions of Keras
gave to figures ("val_acc").
"""

from __future__ import annotations

import csv
import math
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import checks
from ...errors import FastnnError, InvalidArgumentError, callers_depth
from ...io.atomic import StrPath, check_destination, check_path
from ...kernels.spec import FloatArray
from . import config
from .callback import Callback, History
from .logs import Logs
from .subset import outside, refuse

__all__ = [
    "BaseLogger",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]

__getattr__ = outside(__name__, __all__)

_warned: set[str] = set()


class _Monitor(Callback):
    """Tells whether a figure has improved."""

    def __init__(self, monitor: str, mode: str, best: float | None, min_delta: float = 0.0) -> None:
        if not isinstance(monitor, str):
            checks.unsupported("monitor", "the name of a figure, such as 'val_loss'", monitor)
        if mode not in ("auto", "min", "max"):
            message = f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode."
            warnings.warn(message, stacklevel=callers_depth())
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = None if best is None else checks.number("the value to begin with", best, low=-math.inf)
        self.min_delta = abs(checks.number("min_delta", min_delta, low=-math.inf))

    def _is_better(self, value: float, than: float | None) -> bool:
        """Whether ``value`` is better by more than ``min_delta``; Keras cannot tell without ``mode`` for any other."""
        if than is None:
            return True
        return value - self.min_delta > than if self._rises() else value + self.min_delta < than

    def _rises(self) -> bool:
        name = self.monitor.removeprefix("val_")
        if self.mode != "auto" or name == "loss":
            return self.mode == "max"
        metric = Logs({metric.name: metric for metric in self.model.metrics}).get(name)
        if metric is None or metric._direction is None:
            raise InvalidArgumentError("mode", f"'min' or 'max', which {self.monitor} does not tell", "'auto'")
        return metric._direction == "up"


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
        logs = Logs(logs or {})
        self._rises()  # raises, as Keras does, for a figure of unknown direction, be it there or not
        current = logs.get(self.monitor)
        if current is None:
            there_is = ",".join(logs)
            message = f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
            warnings.warn(f"{message}Available metrics are: {there_is}", stacklevel=callers_depth())
            return
        if epoch < self.start_from_epoch:
            return
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


class ReduceLROnPlateau(_Monitor):
    """Multiplies the learning rate by a factor when a figure has stopped improving.

    Parameters
    ----------
    monitor, min_delta, mode : the figure, and when it has improved, as for :class:`EarlyStopping`; ``epsilon`` is the
        older name of ``min_delta``.
    factor : below 1.
    patience : so many epochs without improvement reduce the rate.
    verbose : 1 prints a line when it acts.
    cooldown : epochs after a reduction that do not count.
    min_lr : the rate does not go below this.

    The rate goes into the logs as "learning_rate".
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(monitor, mode, None, options.pop("epsilon", min_delta))
        refuse("ReduceLROnPlateau", options)
        self.factor = checks.number("factor", factor, low=0, high=1, below=True)
        self.patience = checks.integer("patience", patience, low=0)
        self.verbose = bool(verbose)
        self.cooldown = checks.integer("cooldown", cooldown, low=0)
        self.min_lr = checks.number("min_lr", min_lr, low=0)
        self.cooldown_counter = self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether epochs do not count, as the rate has just been reduced."""
        return self.cooldown_counter > 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = None
        self.cooldown_counter = self.wait = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = Logs() if logs is None else logs
        self._rises()  # raises, as Keras does, for a figure of unknown direction, be it there or not
        logs["learning_rate"] = _rate(self.model.optimizer)
        current = Logs(logs).get(self.monitor)
        if current is None:
            message = f"Learning rate reduction is conditioned on metric `{self.monitor}` which is not available. "
            warnings.warn(f"{message}Available metrics are: {','.join(logs)}.", stacklevel=callers_depth())
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_better(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        old = _rate(self.model.optimizer)
        if old > _as_floatx(self.min_lr):
            new = max(old * self.factor, self.min_lr)
            self.model.optimizer.learning_rate = new
            if self.verbose:
                print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}.")
            self.cooldown_counter = self.cooldown
            self.wait = 0


class LearningRateScheduler(Callback):
    """Sets the learning rate of each epoch.

    Parameters
    ----------
    schedule : a function of the epoch, from 0, and the present rate, or of the epoch alone, that returns the new rate.
    verbose : 1 prints a line an epoch.

    The rate goes into the logs as "learning_rate".
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            checks.unsupported("schedule", "a function of the epoch and the learning rate", schedule)
        self.schedule = schedule
        self.verbose = bool(verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        try:
            found = self.schedule(epoch, _rate(self.model.optimizer))
        except TypeError:  # a function of the epoch alone, as older programs have it
            found = self.schedule(epoch)
        rate = checks.number("the schedule's learning rate", found, low=0)
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = _rate(self.model.optimizer)


class LambdaCallback(Callback):
    """A callback of functions, each called as the hook of its name is.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : functions of the epoch and the logs.
    on_train_begin, on_train_end : functions of the logs.
    on_train_batch_begin, on_train_batch_end : functions of the batch and the logs.
    hooks : any other hook of :class:`Callback` by its name, the older on_batch_begin and on_batch_end among them.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., object] | None = None,
        on_epoch_end: Callable[..., object] | None = None,
        on_train_begin: Callable[..., object] | None = None,
        on_train_end: Callable[..., object] | None = None,
        on_train_batch_begin: Callable[..., object] | None = None,
        on_train_batch_end: Callable[..., object] | None = None,
        **hooks: Any,
    ) -> None:
        hooks |= {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name, function in hooks.items():
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Ends ``fit`` where the loss is NaN or infinite, which is an error without it.

    The model has its last finite weights, and the figures of that epoch are NaN.

    Parameters
    ----------
    raise_error : whether to raise fastnn's DivergenceError after all.
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = checks.boolean("raise_error", raise_error)

    def terminate(self, batch: int) -> None:
        """Say that the loss of a batch, counted from 0 in its epoch, is not finite, and end training."""
        print(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True


class ModelCheckpoint(_Monitor):
    """Saves the model after every epoch.

    Parameters
    ----------
    filepath : for :meth:`Sequential.save`, whose formats go by its ending; may have fields for the epoch, from 1, and
        the figures: "{epoch:02d}-{val_loss:.2f}.keras". Missing folders are made.
    monitor, mode, initial_value_threshold : with ``save_best_only``, the figure that must be better than before, or
        than the threshold; as for :class:`EarlyStopping`.
    verbose : 1 prints a line when it acts.
    save_best_only : whether to save only such epochs.
    save_weights_only : whether to call :meth:`Sequential.save_weights` instead.
    save_freq : "epoch", or after how many batches to save; ``filepath`` may then have a field for the batch, from 1.
    period : the older way to save only every so many epochs.
    """

    def __init__(
        self,
        filepath: StrPath,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
        *,
        period: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        check_path(filepath)
        self.filepath = os.fspath(filepath)
        self.verbose = bool(verbose)
        self.save_best_only = checks.boolean("save_best_only", save_best_only)
        self.save_weights_only = checks.boolean("save_weights_only", save_weights_only)
        self.period = checks.integer("period", period, low=1)
        refuse("ModelCheckpoint", options)
        if isinstance(save_freq, str):
            self.save_freq: int | str = checks.choice("save_freq", save_freq, ("epoch",))
        else:
            self.save_freq = checks.integer("save_freq", save_freq, low=1)
            self.__dict__["on_train_batch_end"] = self._after_batch  # epochs in one call else
        self._epoch = self._epochs_since = self._batches_since = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._rises()  # raises, as Keras does, for a figure of unknown direction, be it needed or not
        self._epochs_since += 1
        if self.save_freq == "epoch" and self._epochs_since >= self.period:
            self._epochs_since = 0
            self._save(epoch, Logs(logs or {}), {})

    def _after_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batches_since += 1
        if isinstance(self.save_freq, int) and self._batches_since >= self.save_freq:
            self._batches_since = 0
            self._save(self._epoch, Logs(logs or {}), {"batch": batch + 1})

    def _save(self, epoch: int, logs: Logs, fields: dict[str, int]) -> None:
        fields = {"epoch": epoch + 1, **fields}
        try:
            path = self.filepath.format_map(Logs(logs | fields))
        except (LookupError, ValueError) as error:
            names = ", ".join([*fields, *logs])
            raise InvalidArgumentError("filepath", f"fields of {names}", f"{self.filepath!r} ({error})") from None
        if not self._is_due(epoch, logs, path):
            return
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        except OSError as error:
            raise FastnnError(f"{path}: expected a folder that can be made, found {error}") from error
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        self._say(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _is_due(self, epoch: int, logs: Logs, path: str) -> bool:
        if not self.save_best_only:
            self._say(f"\nEpoch {epoch + 1}: saving model to {path}")
            return True
        current = logs.get(self.monitor)
        if current is None:
            message = f"Can save best model only with {self.monitor} available."
            warnings.warn(message, stacklevel=callers_depth())
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
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
        logs = Logs(logs or {})
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


class TensorBoard(Callback):
    """Takes TensorBoard's arguments and writes nothing, which it says once."""

    def __init__(self, log_dir: StrPath = "logs", *arguments: object, **options: object) -> None:
        check_path(log_dir)
        self.log_dir = os.fspath(log_dir)
        if "TensorBoard" not in _warned:
            _warned.add("TensorBoard")
            message = "TensorBoard: fastnn writes no logs for it; fit's History and CSVLogger have the same figures"
            warnings.warn(message, stacklevel=callers_depth())


class ProgbarLogger(Callback):
    """Stands for the lines that ``fit`` prints, which go by its ``verbose`` with or without this callback."""

    def __init__(self, count_mode: str = "steps", stateless_metrics: object = None) -> None:
        checks.choice("count_mode", count_mode, ("steps", "samples"))


class BaseLogger(Callback):
    """Stands for the means of the epoch's figures, which the logs have with or without this callback."""

    def __init__(self, stateless_metrics: object = None) -> None:
        """Take the argument that Keras 2 had."""


def _as_floatx(value: float) -> float:
    return float(np.dtype(config.floatx()).type(value))


def _rate(optimizer: Any) -> float:
    """The learning rate as Keras keeps it, which is in the float type of new models."""
    return _as_floatx(optimizer.learning_rate)
