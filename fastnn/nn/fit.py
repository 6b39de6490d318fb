"""Training: the loop over epochs, one kernel call each, with what is checked before and measured after."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import DivergenceError, FastnnError, InvalidArgumentError, callers_depth
from ..kernels import get_backend
from ..kernels.formulas import penalty
from ..kernels.spec import CSR, Data, EpochArgs, EpochResult, FloatArray, IntArray, Net, Rule, Tick
from ..progress import bar as progress_bar
from ..progress import columns, is_terminal, ticker
from .dropout import dropout_rates, parts, taken
from .evaluate import evaluate
from .history import History, epoch_line
from .optimizer import OptimizerState, decayed_rates
from .schedules import Schedule
from .stopping import BestEpoch, EarlyStopping, checked_stopping
from .weighting import row_weights

LAST_KEPT = "the last finite weights are kept"
HELD_OUT_NAMES = ("validation_data[0]", "validation_data[1]")


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


def packed(data: Data, net: Net, epochs: int, batch_size: int | None = None) -> Data:
    """The same, to a rounding, as ``epochs`` of training read it fastest; ``batch_size``: if it is not shuffled.

    Where all of X is k / 255, k / 256 or k of bytes k it may become these, which are read in a fourth or an eighth of
    the time; or, where batches come again, get the block-CSC of each. Where the backend can, and for rows in memory
    alone.
    """
    prepare_rows = get_backend().capabilities.prepare_rows
    if prepare_rows is None or isinstance(data.X, CSR) or checks.is_on_disk(data.X):
        return data
    most = int(np.iinfo(np.int64).max)  # that a kernel's integers hold, and more than any training comes to
    X, scale, block_csc = prepare_rows(data.X, data.scale, net.sizes[1], min(epochs, most), min(batch_size or 0, most))
    return data if X is data.X and block_csc is None else data._replace(X=X, scale=scale, block_csc=block_csc)


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
        f"expected a finite loss and finite weights, found NaN or infinity; {LAST_KEPT}",
        updates=good,
    )


def _orders(count: int, shuffle: bool, rng: np.random.Generator) -> Iterator[IntArray]:
    while True:
        yield rng.permutation(count) if shuffle else np.arange(count)


class Options(NamedTuple):
    """How to go through the data: arguments of :meth:`fastnn.MLP.fit`, not yet checked."""

    epochs: int
    batch_size: int
    shuffle: bool
    decay: float
    dropout: float | Sequence[float]
    class_weight: Mapping[Any, float] | str | None
    sample_weight: ArrayLike | None
    schedule: Schedule | None
    callbacks: Iterable[Callable[[Any, History], object]]
    verbose: bool | int


class Validation(NamedTuple):
    """What to measure after every epoch, and when that ends the training: likewise."""

    validation_data: tuple[ArrayLike, ArrayLike] | None
    validation_split: float
    early_stopping: int | EarlyStopping | None


def weighted_data(
    model: Trainable, X: object, y: object, sample_weight: object, class_weight: object
) -> tuple[Data, NDArray[Any]]:
    """The rows to train on, with the factors of their losses, and the classes; see :meth:`fastnn.MLP.fit`."""
    data, classes = model.check_training_data(X, y)
    checks.nonempty("X", len(data.X))
    weights = row_weights(sample_weight, class_weight, data.y, classes, model.params.dtype)
    return data._replace(weights=weights), classes


def fit(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    rule: Rule,
    options: Options,
    validation: Validation,
    state: OptimizerState | None = None,
) -> tuple[History, OptimizerState]:
    """See :meth:`fastnn.MLP.fit`. The optimizer goes on from ``state`` or, without, begins anew; returns its state."""
    data, classes = weighted_data(model, X, y, options.sample_weight, options.class_weight)
    data, held_out = _held_out(model, data, classes, (X, y), validation)
    epochs = checks.integer("epochs", options.epochs, low=0)
    batch_size = min(checks.integer("batch_size", options.batch_size, low=1), len(data.X))
    decay = checks.number("decay", options.decay, low=0)
    rates = dropout_rates(options.dropout, len(model.net.activations) - 1)
    stopping = checked_stopping(validation.early_stopping, held_out is not None)
    callbacks = checks.functions("callbacks", options.callbacks)
    shuffle, schedule, verbose = checks.boolean("shuffle", options.shuffle), options.schedule, options.verbose
    if schedule is not None and not callable(schedule):
        checks.unsupported("schedule", "a function of epoch and learning rate", schedule)
    verbose = int(verbose) if isinstance(verbose, bool) else checks.integer("verbose", verbose, low=0)

    known = model.classes_ if model.has_classes else None
    model.learn_classes(classes)
    net, params = model.net, model.params
    data = packed(data, net, epochs, None if shuffle or any(map(any, rates)) else batch_size)
    state = OptimizerState(rule, params) if state is None else state
    best = BestEpoch(stopping, params) if stopping else None
    orders = _orders(len(data.X), shuffle, model.rng)
    history = History()
    batches = -(-len(data.X) // batch_size)
    with best or nullcontext(), progress_bar(epochs * batches, "batches", wanted=verbose == 1) as bar:
        for epoch in range(epochs):
            rate = rule.learning_rate if schedule is None else schedule(epoch, rule.learning_rate)
            rate = checks.number("the schedule's learning rate", rate, low=0)
            start, done, loss, correct = time.perf_counter(), 0, 0.0, 0
            first_rate = rate / (1 + decay * state.step)
            try:
                for part in parts(net, rates, data, next(orders), batch_size, model.rng):
                    count = -(-len(part.order) // batch_size)
                    update = rule._replace(learning_rate=rate, step=state.step)
                    rates_of_batches = decayed_rates(rate, decay, state.step, count)
                    args = EpochArgs(part.order, batch_size, update, part.masks, rates_of_batches)
                    tick = ticker(bar, epoch * batches + done, f"Epoch {epoch + 1}/{epochs}")
                    result = run_epoch(net, params, state.arrays, part.data, args, tick)
                    loss, correct, done = loss + result.loss, correct + result.correct, done + count
                    state.step += count
            except FastnnError as error:
                if epoch == 0:
                    model.learn_classes(known)  # a first training that fails teaches none
                if isinstance(error, DivergenceError):
                    text = f"epoch {epoch + 1}: {error}"
                    if best and best.restored is not None and history.kept_epoch is not None:
                        text = text.replace(LAST_KEPT, f"the weights of epoch {history.kept_epoch + 1} are restored")
                    raise DivergenceError(text) from None
                raise
            finally:
                if bar:
                    bar.clear()
            history.seconds.append(time.perf_counter() - start)
            history.learning_rate.append(first_rate)
            history.loss.append(loss / len(data.X) + penalty(net, params, rule))
            history.accuracy.append(correct / len(data.X) if model.is_classifier else math.nan)
            if held_out:
                val_loss, val_accuracy = evaluate(net, params, held_out.data, HELD_OUT_NAMES)
                history.val_loss.append(val_loss + penalty(net, params, rule))
                history.val_accuracy.append(val_accuracy if model.is_classifier else math.nan)
            if held_out and stopping and callable(stopping.monitor):
                score = stopping.monitor(model, held_out.X, held_out.y)
                history.val_score.append(checks.number("the monitor's score", score, low=-math.inf))
            if verbose:
                room = columns(sys.stdout) if is_terminal(sys.stdout) else None
                line = epoch_line(epoch, epochs, history, len(data.X), room)
                print(f"{line}\n", end="", flush=True)  # in one write, so that Ctrl-C leaves whole lines
            if best and best.exhausted(history):
                history.stopped = f"{best.rule.name} has not improved for {best.rule.patience} epochs"
            for callback in callbacks:
                if callback(model, history) is True:
                    history.stopped = history.stopped or "a callback asked for it"
            if history.stopped:
                break
    return history, state


class HeldOut(NamedTuple):
    """Rows that are measured after every epoch, as the kernels take them and as the caller gave them."""

    data: Data
    X: Any
    y: Any


def _held_out(
    model: Trainable, data: Data, classes: NDArray[Any], given: tuple[Any, Any], validation: Validation
) -> tuple[Data, HeldOut | None]:
    """The rows to train on, and those to hold out if there are any."""
    pair, split = validation.validation_data, validation.validation_split
    split = checks.number("validation_split", split, low=0, high=1, below=True)
    if pair is None:
        if not split:
            return data, None
        data, held_out = _hold_out_last(data, split)
        return data, HeldOut(held_out, *(values[len(data.X) :] for values in given))
    if split:
        raise InvalidArgumentError("validation_split", "none beside validation_data", split)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        checks.unsupported("validation_data", "a pair (X, y)", pair)
    held_out = model.check_data(*pair, names=HELD_OUT_NAMES, classes=classes)
    checks.nonempty(HELD_OUT_NAMES[0], len(held_out.X))
    return data, HeldOut(held_out, *pair)


def _hold_out_last(data: Data, split: float) -> tuple[Data, Data]:
    """All rows but the last ``split`` of them, and these."""
    count = checks.rows_to_train("validation_split", len(data.X), split)
    train, held_out = taken(data, slice(count)), taken(data, slice(count, None))
    if data.y.ndim == 1:
        unseen = np.setdiff1d(held_out.y, train.y)
        if len(unseen):
            warnings.warn(
                f"validation_split: holds out the last rows, and {len(unseen)} of their classes are in none of the "
                "others; shuffle rows that are in order of their classes first",
                stacklevel=callers_depth(),
            )
    return train, held_out
