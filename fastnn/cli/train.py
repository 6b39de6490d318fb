"""``fastnn train``: train a network, test it, save it and draw its curves."""

from __future__ import annotations

import argparse
import math
from typing import Literal, TypeAlias

import numpy as np

from .. import checks, datasets, kernels, plots
from ..errors import DivergenceError, InvalidArgumentError
from ..nn.explain import explain
from ..nn.history import History
from ..nn.mlp import MLP
from ..nn.optimizer import optimizer_rule
from .arguments import STOPPING_SHARE
from .images import Split, loss_and_accuracy
from .network import describe, new_model
from .output import accuracy_line, check_outputs, print_json, save_picture
from .terminal import fitted

# What ends a training too early, but leaves a network that is worth saving.
Failure: TypeAlias = KeyboardInterrupt | DivergenceError | BrokenPipeError


def run(arguments: argparse.Namespace) -> int:
    """Train a network, testing it after every epoch; save it and draw its curves if asked to."""
    check_outputs(arguments)
    if arguments.plot is not None and arguments.epochs == 0:
        raise InvalidArgumentError("--epochs", "at least 1 for the curves of --plot", 0)
    train, test = datasets.load_images(arguments.data)
    model = new_model(arguments, train)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        if arguments.explain:
            return _explain(arguments, model, train)
        history, failure = _fit(arguments, model, train, test)
        if arguments.save is not None:
            model.save(arguments.save)
        if isinstance(failure, BrokenPipeError):
            if arguments.save is None:
                raise failure
            raise BrokenPipeError(_interruption(arguments, history, "the reader of the output has gone")) from failure
        _report_training(arguments, model, history, test, failure)
        if arguments.plot is not None and history:
            _draw(history, arguments, describe(model))
    if isinstance(failure, DivergenceError):
        raise DivergenceError(f"{failure}; the network {_fate(arguments)}")
    if failure is not None:
        raise KeyboardInterrupt(_interruption(arguments, history, "interrupted"))
    return 0


def _draw(history: History, arguments: argparse.Namespace, title: str) -> None:
    held_out = "validation" if _held_out_share(arguments) else "test"
    figures: tuple[Literal["loss", "accuracy"], ...] = ("loss", "accuracy")
    axes = plots.panels(1 if np.isnan(history.accuracy).all() else 2)
    for ax, figure in zip(axes, figures, strict=False):
        plots.plot_history(history, ax=ax, figure=figure, held_out=held_out)
    axes[0].figure.suptitle(title, fontsize="medium")
    save_picture(axes[0], arguments)


def _explain(arguments: argparse.Namespace, model: MLP, train: Split) -> int:
    (X, _), _ = _hold_out(train, _held_out_share(arguments), arguments.seed)
    found = explain(
        model,
        X,
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        optimizer=arguments.optimizer,
        momentum=arguments.momentum,
        l2=arguments.l2,
    )
    if arguments.json:
        print_json(event="explain", text=found.text, plan=found.plan and found.plan._asdict())
    else:
        print(found)
    return 0


def _fit(arguments: argparse.Namespace, model: MLP, train: Split, test: Split) -> tuple[History, Failure | None]:
    """What the training measured, and what ended it too early, once the network had begun to learn."""
    train, held_out = _hold_out(train, _held_out_share(arguments), arguments.seed)
    count = len(train[0])
    rule = optimizer_rule(arguments.optimizer, arguments.learning_rate, arguments.momentum, l2=arguments.l2)
    if not arguments.json:
        shown = f"{len(held_out[0]):,} images held out" if held_out else f"{len(test[0]):,} test images"
        how = f"{arguments.optimizer}, learning rate {rule.learning_rate:g}, batches of {arguments.batch_size}"
        print(fitted(f"{describe(model)}, {how}"))
        print(fitted(f"{count:,} training images; val_loss and val_accuracy are of the {shown}"), flush=True)

    first = model.params.copy()
    history = History()

    def after_epoch(_model: MLP, measured: History) -> None:
        nonlocal history
        history = measured
        if arguments.json:
            _print_epoch(history, count)

    try:
        history = model.fit(
            *train,
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            learning_rate=arguments.learning_rate,
            optimizer=arguments.optimizer,
            momentum=arguments.momentum,
            l2=arguments.l2,
            validation_data=held_out or test,
            early_stopping=arguments.early_stopping,
            callbacks=[after_epoch],
            verbose=0 if arguments.json else 1,
        )
    except (KeyboardInterrupt, DivergenceError, BrokenPipeError) as failure:
        if np.array_equal(model.params, first):
            raise
        return history, failure
    return history, None


def _print_epoch(history: History, count: int) -> None:
    print_json(
        event="epoch",
        epoch=len(history),
        loss=history.loss[-1],
        accuracy=history.accuracy[-1],
        val_loss=history.val_loss[-1],
        val_accuracy=history.val_accuracy[-1],
        samples_per_second=count / max(history.seconds[-1], 1e-9),
        seconds=history.seconds[-1],
    )


def _held_out_share(arguments: argparse.Namespace) -> float:
    """Of the training images; early stopping by the test images would make their accuracy too good."""
    if arguments.early_stopping is None:
        return arguments.validation or 0.0
    if arguments.validation == 0:
        raise InvalidArgumentError("--validation", "a share of the images above 0 with --early-stopping", 0)
    return arguments.validation or STOPPING_SHARE


def _hold_out(train: Split, fraction: float, seed: int) -> tuple[Split, Split | None]:
    """Split a random ``fraction`` off the training images; None where it is 0."""
    if checks.number("--validation", fraction, low=0, high=1, below=True) == 0:
        return train, None
    X, y = train
    order = np.random.default_rng(seed).permutation(len(X))
    count = round(fraction * len(X))
    if not 0 < count < len(X):
        raise InvalidArgumentError(
            "--validation", f"a share of the {len(X)} images that leaves some for each", fraction
        )
    first, rest = order[:count], np.sort(order[count:])
    return (X[rest], y[rest]), (X[first], y[first])


def _report_training(
    arguments: argparse.Namespace,
    model: MLP,
    history: History,
    test: Split,
    failure: Failure | None,
) -> None:
    try:
        loss, accuracy = loss_and_accuracy(model, test)
    except InvalidArgumentError:
        if not isinstance(failure, DivergenceError):
            raise
        loss = accuracy = math.nan  # the last weights are finite, but what they make of the test images need not be
    if arguments.json:
        print_json(
            event="result",
            test_loss=loss,
            test_accuracy=accuracy,
            epochs=len(history),
            kept_epoch=None if history.kept_epoch is None else history.kept_epoch + 1,
            interrupted=isinstance(failure, KeyboardInterrupt),
            diverged=isinstance(failure, DivergenceError),
            seconds=sum(history.seconds),
            backend=kernels.get_backend().name,
            model=arguments.save,
        )
        return
    if history.stopped:
        print(fitted(f"Stopped after epoch {len(history)}: {history.stopped}"))
    if history.kept_epoch is not None:
        print(f"The weights are those of epoch {history.kept_epoch + 1}, the best")
    if not math.isnan(accuracy):
        print(accuracy_line(loss, accuracy, len(test[0])))
    if arguments.save is not None:
        print(f"Saved to {arguments.save}")


def _interruption(arguments: argparse.Namespace, history: History, reason: str) -> str:
    """What Ctrl-C or a reader that has gone has done, in a line."""
    when = f"{reason} in epoch {min(len(history) + 1, arguments.epochs)} of {arguments.epochs}"
    which = "as it was then" if history.kept_epoch is None else f"as it was after epoch {history.kept_epoch + 1}"
    return f"{when}; the network{'' if arguments.save is None else f', {which},'} {_fate(arguments)}"


def _fate(arguments: argparse.Namespace) -> str:
    return "is lost, as --save names no file" if arguments.save is None else f"is saved to {arguments.save}"
