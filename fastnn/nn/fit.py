"""Training: epochs, shuffling, schedules, early stopping, callbacks and history, over one kernel call an epoch."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import DivergenceError, FastnnError, InvalidArgumentError, callers_depth
from ..kernels import get_backend
from ..kernels.numpy import network as reference
from ..kernels.spec import (
    IDENTITY,
    OPTIMIZERS,
    SLOTS,
    Data,
    EpochArgs,
    EpochResult,
    FloatArray,
    IntArray,
    Net,
    Rule,
    Tick,
    aligned_zeros,
    weight_views,
)
from .schedules import Schedule

LEARNING_RATES = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adam": 0.001}  # where fit is given none
MOMENTUM = 0.9  # of the optimizers "momentum" and "nesterov" where fit is given none
EVALUATION_ROWS = 8192  # rows scored at a time
LEAST_PACKED = 1 << 20  # elements, more than a cache holds as reals, from which rows are packed,
LEAST_PACKED_WORK = 256  # and epochs times the first layer's outputs: it takes memory, and a read of all of X
LEAST_LISTED_BATCH = 32  # rows of batches that come again from which lists are made of them, if there are
LEAST_LISTED_EPOCHS = 5  # so many epochs
HELD_OUT_NAMES = ("validation_data[0]", "validation_data[1]")


@dataclass
class History:
    """What ``fit`` measured, one entry an epoch in every list.

    ``loss`` and ``accuracy`` are means over the epoch's samples, each measured before its batch's update (as Keras
    reports them), the loss with the L2 penalty at the epoch's end added. ``accuracy`` is NaN for regression. The
    validation lists are empty without validation data. ``seconds`` is the time spent in training alone.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped: str = ""  # why training ended before its last epoch; empty if it did not

    def __len__(self) -> int:
        return len(self.loss)


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once ``monitor`` has not improved by more than ``min_delta`` for ``patience`` epochs.

    ``monitor`` is "val_loss" or "val_accuracy". With ``restore_best`` the model gets back the weights of the best
    epoch when training stops, and also when it runs out of epochs.
    """

    patience: int = 5
    min_delta: float = 0.0
    monitor: str = "val_loss"
    restore_best: bool = True

    def __post_init__(self) -> None:
        checks.integer("patience", self.patience, low=1)
        checks.number("min_delta", self.min_delta, low=0)
        checks.choice("monitor", self.monitor, ("val_loss", "val_accuracy"))


class Trainable(Protocol):
    """What the loop asks of a model."""

    @property
    def net(self) -> Net: ...
    @property
    def params(self) -> FloatArray: ...
    @property
    def rng(self) -> np.random.Generator: ...
    @property
    def is_classifier(self) -> bool: ...
    @property
    def has_classes(self) -> bool: ...
    @property
    def classes_(self) -> NDArray[Any]: ...
    def learn_classes(self, classes: NDArray[Any] | None) -> None: ...
    def check_data(self, X: object, y: object, names: tuple[str, str], classes: NDArray[Any] | None) -> Data: ...
    def check_training_data(self, X: object, y: object) -> tuple[Data, NDArray[Any]]: ...


Model = TypeVar("Model", bound=Trainable)


class _BestEpoch:
    """Follows the monitored figure and keeps the best parameters."""

    def __init__(self, rule: EarlyStopping, params: FloatArray) -> None:
        self.rule, self.params = rule, params
        self.best, self.best_params, self.waited = math.inf, params.copy(), 0

    def exhausted(self, history: History) -> bool:
        figure = history.val_loss[-1] if self.rule.monitor == "val_loss" else -history.val_accuracy[-1]
        if figure < self.best - self.rule.min_delta:
            self.best, self.waited = figure, 0
            self.best_params[:] = self.params
        else:
            self.waited += 1
        return self.waited >= self.rule.patience

    def restore(self) -> None:
        if self.rule.restore_best:
            self.params[:] = self.best_params


class _Progress:
    """A bar on stderr, where that is a terminal, for epochs that take longer than a blink."""

    def __init__(self, epoch: int, epochs: int, batches: int) -> None:
        self.label, self.batches, self.start, self.shown = f"Epoch {epoch}/{epochs}", batches, time.perf_counter(), 0.0

    def tick(self, done: int) -> None:
        now = time.perf_counter()
        if now - max(self.shown, self.start) < 0.1:
            return
        self.shown = now
        filled = 30 * done // self.batches
        left = (now - self.start) / done * (self.batches - done)
        bar = "=" * filled + "." * (30 - filled)
        print(f"\r{self.label} [{bar}] {done}/{self.batches} {left:.0f} s left ", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def optimizer_rule(optimizer: object, learning_rate: object, momentum: object, nesterov: object, l2: object) -> Rule:
    """Turn fit's optimizer arguments into a Rule."""
    name = checks.choice("optimizer", optimizer, OPTIMIZERS)
    factor = None if momentum is None else checks.number("momentum", momentum, low=0, high=1, below=True)
    nesterov = checks.boolean("nesterov", nesterov)
    if name == "adam" and (factor or nesterov):
        raise InvalidArgumentError(
            "momentum", "none for optimizer='adam'", f"momentum={factor}" + ", nesterov=True" * nesterov
        )
    if nesterov or name == "nesterov":
        if factor == 0:
            raise InvalidArgumentError("momentum", "a momentum above 0 for Nesterov's", factor)
        name = "nesterov"
    elif factor and name == "sgd":
        name = "momentum"
    if factor is None:
        factor = MOMENTUM if name in ("momentum", "nesterov") else 0.0
    if learning_rate is None:
        learning_rate = LEARNING_RATES[name]
    return Rule(
        optimizer=OPTIMIZERS.index(name),
        learning_rate=checks.number("learning_rate", learning_rate, low=0, exclusive=True),
        momentum=factor,
        l2=checks.number("l2", l2, low=0),
    )


def packed(data: Data, net: Net, epochs: int, batch_size: int | None = None) -> Data:
    """The same, to a rounding, as ``epochs`` of training read it fastest; ``batch_size``: if it is not shuffled.

    Where all of X is k / 255, k / 256 or k of bytes k it becomes these, which are read in a fourth or an eighth of the
    time; or, where batches come again, gets the block-CSC of each. On native alone, and for rows in memory
    alone.
    """
    X, kernels = data.X, get_backend()
    list_rows, pack_rows = getattr(kernels, "list_rows", None), getattr(kernels, "pack_rows", None)
    if list_rows is None or pack_rows is None or X.size < LEAST_PACKED or checks.is_on_disk(X):
        return data
    if epochs * net.sizes[1] < LEAST_PACKED_WORK:
        return data
    if batch_size is not None and batch_size >= LEAST_LISTED_BATCH and epochs >= LEAST_LISTED_EPOCHS:
        block_csc = list_rows(X, data.scale, batch_size)
        if block_csc is not None:
            return data._replace(block_csc=block_csc)
    if X.dtype == checks.UINT8:
        return data
    found = pack_rows(X)
    return data._replace(X=found[0], scale=found[1]) if found else data


def new_state(rule: Rule, params: FloatArray) -> FloatArray:
    """The optimizer's state (slots, params.size) before its first update."""
    return aligned_zeros((SLOTS[rule.optimizer], params.size), params.dtype)


def run_epoch(
    net: Net,
    params: FloatArray,
    state: FloatArray,
    data: Data,
    epoch: EpochArgs,
    tick: Tick | None = None,
    first_params: FloatArray | None = None,
) -> EpochResult:
    """Train on the rows of ``epoch``, in place. ``first_params`` may be a copy of ``params`` that is there already.

    Raises :class:`~fastnn.errors.DivergenceError` when the loss or a weight stops being finite, or
    :class:`~fastnn.errors.InvalidArgumentError` where the data are to blame; ``params`` and ``state`` are then those
    after the last update that left every weight finite. Whoever interrupts the search for that update, by Ctrl-C, is
    left with those after the last update that is known to be such.
    """
    kernels, batches = get_backend(), -(-len(epoch.order) // epoch.batch_size)
    first_params, first_state = params.copy() if first_params is None else first_params, state.copy()
    result = kernels.train_epoch(net, params, state, data, epoch, tick)
    if result.batches == batches and np.isfinite(params).all():
        return result

    # Epochs are deterministic: find the last finite weights by replaying ever narrower parts of this one.
    def replay(count: int) -> bool:
        params[:], state[:] = first_params, first_state
        kernels.train_epoch(net, params, state, data, epoch._replace(order=epoch.order[: count * epoch.batch_size]))
        return bool(np.isfinite(params).all())

    good, bad = 0, result.batches + 1
    good_params, good_state = first_params, first_state
    try:
        while bad - good > 1:
            middle = (good + bad) // 2
            if replay(middle):
                good, good_params, good_state = middle, params.copy(), state.copy()
            else:
                bad = middle
    finally:
        params[:], state[:] = good_params, good_state
    checks.blame_nonfinite("X", data.X)
    checks.blame_nonfinite("y", data.y)
    rate = epoch.rule.learning_rate
    raise DivergenceError(
        f"training diverged after {good} of {batches} batches of the epoch (learning rate {rate:g}): "
        "expected a finite loss and finite weights, found NaN or infinity; the last finite weights are kept"
    )


def evaluate(net: Net, params: FloatArray, data: Data, names: tuple[str, str] = ("X", "y")) -> tuple[float, float]:
    """Mean loss (weighted, without penalty) and the share of rows whose largest output is their class.

    A loss beyond float64 is infinite. Raises InvalidArgumentError where the data are not finite or the outputs are NaN.
    """
    kernels, outputs = get_backend(), int(net.sizes[-1])
    last = int(net.activations[-1])
    to_z = net._replace(activations=np.append(net.activations[:-1], IDENTITY))
    total, correct = 0.0, 0
    for start in range(0, len(data.X), EVALUATION_ROWS):
        rows = slice(start, start + EVALUATION_ROWS)
        y = reference.target_rows(data.y, rows, outputs, params.dtype)
        z = np.empty((len(y), outputs), params.dtype)
        kernels.forward(to_z, params, data.X[rows], data.scale, z)
        with np.errstate(over="ignore", invalid="ignore"):
            a = reference.activate(z, last)
            losses = reference.losses(z, a, y, net.loss)
            total += float((losses if data.weights is None else losses * data.weights[rows]).sum())
        correct += reference.count_correct(a, y)
    if not math.isfinite(total):
        checks.blame_nonfinite(names[0], data.X)
        checks.blame_nonfinite(names[1], data.y)
    if math.isnan(total):
        raise InvalidArgumentError(names[0], checks.FINITE_OUTPUTS, "NaN")
    return total / len(data.X), correct / len(data.X)


def penalty(net: Net, params: FloatArray, l2: float) -> float:
    """l2 / 2 times the sum of the squared weights."""
    if not l2:
        return 0.0
    with np.errstate(over="ignore"):  # what is beyond float64 is infinite
        return 0.5 * l2 * sum(float(np.square(w, dtype=np.float64).sum()) for w in weight_views(net, params))


def _early_stopping(early_stopping: object, has_validation: bool) -> EarlyStopping | None:
    if early_stopping is None:
        return None
    if not isinstance(early_stopping, EarlyStopping):
        early_stopping = EarlyStopping(patience=checks.integer("early_stopping", early_stopping, low=1))
    if not has_validation:
        raise InvalidArgumentError("early_stopping", "validation_data=(X, y) or validation_split to watch", "none")
    return early_stopping


def _orders(count: int, shuffle: bool, rng: np.random.Generator) -> Iterator[IntArray]:
    while True:
        yield rng.permutation(count) if shuffle else np.arange(count)


def fit(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float | None,
    optimizer: str,
    momentum: float | None,
    nesterov: bool,
    l2: float,
    shuffle: bool,
    validation_data: tuple[ArrayLike, ArrayLike] | None,
    validation_split: float,
    early_stopping: int | EarlyStopping | None,
    schedule: Schedule | None,
    callbacks: Iterable[Callable[[Model, History], object]],
    verbose: bool | int,
) -> History:
    """See :meth:`fastnn.MLP.fit`."""
    data, classes = model.check_training_data(X, y)
    checks.nonempty("X", len(data.X))
    held_out = _validation_data(model, validation_data, classes)
    split = checks.number("validation_split", validation_split, low=0, high=1, below=True)
    if split:
        if held_out:
            raise InvalidArgumentError("validation_split", "none beside validation_data", split)
        data, held_out = _hold_out_last(data, split)
    epochs = checks.integer("epochs", epochs, low=0)
    batch_size = min(checks.integer("batch_size", batch_size, low=1), len(data.X))
    rule = optimizer_rule(optimizer, learning_rate, momentum, nesterov, l2)
    stopping = _early_stopping(early_stopping, held_out is not None)
    callbacks = checks.functions("callbacks", callbacks)
    shuffle = checks.boolean("shuffle", shuffle)
    if schedule is not None and not callable(schedule):
        checks.unsupported("schedule", "a function of epoch and learning rate", schedule)
    verbose = int(verbose) if isinstance(verbose, bool) else checks.integer("verbose", verbose, low=0)

    known = model.classes_ if model.has_classes else None
    model.learn_classes(classes)
    net, params = model.net, model.params
    data = packed(data, net, epochs, None if shuffle else batch_size)
    state = new_state(rule, params)
    best = _BestEpoch(stopping, params) if stopping else None
    orders = _orders(len(data.X), shuffle, model.rng)
    history = History()
    for epoch in range(epochs):
        rate = rule.learning_rate if schedule is None else schedule(epoch, rule.learning_rate)
        rate = checks.number("the schedule's learning rate", rate, low=0)
        batches = -(-len(data.X) // batch_size)
        bar = _Progress(epoch + 1, epochs, batches) if verbose == 1 and sys.stderr.isatty() else None
        start = time.perf_counter()
        try:
            update = rule._replace(learning_rate=rate, step=epoch * batches)
            args = EpochArgs(next(orders), batch_size, update)
            result = run_epoch(net, params, state, data, args, bar.tick if bar else None)
        except FastnnError as error:
            if epoch == 0:
                model.learn_classes(known)  # a first training that fails teaches none
            if isinstance(error, DivergenceError):
                raise DivergenceError(f"epoch {epoch + 1}: {error}") from None
            raise
        finally:
            if bar:
                bar.clear()
        history.seconds.append(time.perf_counter() - start)
        history.learning_rate.append(rate)
        history.loss.append(result.loss / len(data.X) + penalty(net, params, rule.l2))
        history.accuracy.append(result.correct / len(data.X) if model.is_classifier else math.nan)
        if held_out:
            val_loss, val_accuracy = evaluate(net, params, held_out, HELD_OUT_NAMES)
            history.val_loss.append(val_loss + penalty(net, params, rule.l2))
            history.val_accuracy.append(val_accuracy if model.is_classifier else math.nan)
        if verbose:
            print(_line(epoch, epochs, history, len(data.X)), flush=True)
        if best and best.exhausted(history):
            history.stopped = f"{best.rule.monitor} has not improved for {best.rule.patience} epochs"
        for callback in callbacks:
            if callback(model, history) is True:
                history.stopped = history.stopped or "a callback asked for it"
        if history.stopped:
            break
    if best:
        best.restore()
    return history


def _validation_data(model: Trainable, validation_data: object, classes: NDArray[Any]) -> Data | None:
    if validation_data is None:
        return None
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        checks.unsupported("validation_data", "a pair (X, y)", validation_data)
    X, y = validation_data
    data = model.check_data(X, y, names=HELD_OUT_NAMES, classes=classes)
    checks.nonempty(HELD_OUT_NAMES[0], len(data.X))
    return data


def _hold_out_last(data: Data, split: float) -> tuple[Data, Data]:
    """All rows but the last ``split`` of them, and these."""
    count = checks.rows_to_train("validation_split", len(data.X), split)
    train, held_out = (data._replace(X=data.X[rows], y=data.y[rows]) for rows in (slice(count), slice(count, None)))
    if data.y.ndim == 1:
        unseen = np.setdiff1d(held_out.y, train.y)
        if len(unseen):
            warnings.warn(
                f"validation_split: holds out the last rows, and {len(unseen)} of their classes are in none of the "
                "others; shuffle rows that are in order of their classes first",
                stacklevel=callers_depth(),
            )
    return train, held_out


def _line(epoch: int, epochs: int, history: History, samples: int) -> str:
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
