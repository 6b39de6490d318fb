"""``fastnn train``: train a network, test it, save it and draw its curves."""

from __future__ import annotations

import argparse
from typing import Literal

import numpy as np

from .. import checks, datasets, kernels, plots
from ..errors import InvalidArgumentError
from ..nn.explain import explain
from ..nn.history import History
from ..nn.mlp import MLP
from ..nn.optimizer import optimizer_rule
from .images import Split, loss_and_accuracy
from .network import describe, new_model
from .output import accuracy_line, check_outputs, print_json


def run(arguments: argparse.Namespace) -> int:
    """Train a network, testing it after every epoch; save it and draw its curves if asked to."""
    model = new_model(arguments)
    check_outputs(arguments)
    train, test = datasets.load_mnist(arguments.data)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        if arguments.explain:
            return _explain(arguments, model, train)
        history = _fit(arguments, model, train, test)
        if arguments.save is not None:
            model.save(arguments.save)
        if arguments.plot is not None:
            _draw(history, arguments, describe(model))
        _report_training(arguments, model, history, test)
    return 0


def _draw(history: History, arguments: argparse.Namespace, title: str) -> None:
    held_out = "validation" if arguments.validation else "test"
    figures: tuple[Literal["loss", "accuracy"], ...] = ("loss", "accuracy")
    axes = plots.panels(1 if np.isnan(history.accuracy).all() else 2)
    for ax, figure in zip(axes, figures, strict=False):
        plots.plot_history(history, ax=ax, figure=figure, held_out=held_out)
    axes[0].figure.suptitle(title, fontsize="medium")
    plots.save(axes[0], arguments.plot)


def _explain(arguments: argparse.Namespace, model: MLP, train: Split) -> int:
    (X, _), _ = _hold_out(train, arguments.validation, arguments.seed)
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


def _fit(arguments: argparse.Namespace, model: MLP, train: Split, test: Split) -> History:
    train, held_out = _hold_out(train, arguments.validation, arguments.seed)
    count = len(train[0])
    rule = optimizer_rule(arguments.optimizer, arguments.learning_rate, arguments.momentum, l2=arguments.l2)
    if not arguments.json:
        shown = f"{len(held_out[0]):,} images held out" if held_out else f"{len(test[0]):,} test images"
        how = f"{arguments.optimizer}, learning rate {rule.learning_rate:g}, batches of {arguments.batch_size}"
        print(f"{describe(model)}, {how}")
        print(f"{count:,} training images; val_loss and val_accuracy are of the {shown}", flush=True)

    def print_epoch(_model: MLP, history: History) -> None:
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

    return model.fit(
        *train,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        optimizer=arguments.optimizer,
        momentum=arguments.momentum,
        l2=arguments.l2,
        validation_data=held_out or test,
        callbacks=[print_epoch] if arguments.json else (),
        verbose=0 if arguments.json else 1,
    )


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


def _report_training(arguments: argparse.Namespace, model: MLP, history: History, test: Split) -> None:
    loss, accuracy = loss_and_accuracy(model, test)
    if arguments.json:
        print_json(
            event="result",
            test_loss=loss,
            test_accuracy=accuracy,
            seconds=sum(history.seconds),
            backend=kernels.get_backend().name,
            model=arguments.save,
        )
        return
    print(accuracy_line(loss, accuracy, len(test[0])))
    if arguments.save is not None:
        print(f"Saved to {arguments.save}")
