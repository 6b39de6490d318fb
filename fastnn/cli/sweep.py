"""``fastnn sweep``: how one argument of a network or of its training tells on accuracy and time."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import datasets, kernels, plots
from ..errors import InvalidArgumentError
from ..kernels.spec import FloatArray
from ..nn.sweep import Sweep, sweep
from .arguments import SWEPT_FLAGS
from .images import sizes_for
from .network import network_arguments
from .output import check_outputs, print_json, save_picture
from .terminal import BOLD, fitted, table, width

# What a word of the command line is, for each argument.
KINDS: Mapping[str, Callable[[str], Any]] = {
    "hidden": int,
    "activation": str,
    "optimizer": str,
    "init": str,
    "learning-rate": float,
    "momentum": float,
    "l2": float,
    "epochs": int,
    "batch-size": int,
}


def run(arguments: argparse.Namespace) -> int:
    """Train networks with each value, print their accuracies on the test images, and draw them if asked to."""
    check_outputs(arguments, displays=True)
    values = [_value(arguments.name, word) for word in ",".join(arguments.values).split(",") if word]
    name = SWEPT_FLAGS[arguments.name]
    if getattr(arguments, name) is not None:
        flag = f"--{name.replace('_', '-')}"
        raise InvalidArgumentError(flag, f"no such flag beside the values of {arguments.name}", f"{flag} too")
    for flag, usual in arguments.usual.items():
        if getattr(arguments, flag) is None:
            setattr(arguments, flag, usual)
    train, test = datasets.load_images(arguments.data)
    options = network_arguments(arguments, train)
    options |= {key: getattr(arguments, key) for key in ("optimizer", "momentum", "l2", "batch_size", "epochs")}
    options["learning_rate"] = arguments.learning_rate
    options.pop(name)
    swept = [sizes_for(train, [value]) for value in values] if name == "sizes" else values
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        try:
            shown = not arguments.json
            found = sweep(name, swept, *train, validation_data=test, seeds=arguments.seeds, progress=shown, **options)
        except InvalidArgumentError as error:
            if error.argument.partition("[")[0] not in (name, "values"):
                raise
            raise InvalidArgumentError("VALUES", f"{error.expected} for {arguments.name}", error.found) from error
    _report(arguments, values, found)
    if arguments.plot is not None:
        (ax,) = plots.panels()
        save_picture(plots.plot_sweep(found, ax=ax), arguments)
    return 0


def _value(name: str, word: str) -> Any:
    try:
        return KINDS[name](word)
    except ValueError:
        expected = {int: "whole numbers", float: "numbers"}[KINDS[name]]  # type: ignore[index]  # a name is one
        raise InvalidArgumentError("VALUES", f"{expected} for {name}", repr(word)) from None


def _report(arguments: argparse.Namespace, values: Sequence[Any], found: Sweep) -> None:
    """The scores of each value; ``values`` are as they were given, of hidden the neurons alone."""
    best = None if found.best is None else found.values.index(found.best)
    if arguments.json:
        print_json(
            name=arguments.name,
            values=values,
            score="accuracy" if found.is_accuracy else "R2",
            scores=found.scores.tolist(),
            seconds=found.seconds.tolist(),
            best=None if best is None else values[best],
        )
        return
    cells = [[arguments.name, "accuracy" if found.is_accuracy else "R2", "spread", "seconds"]]
    for value, scores, seconds in zip(values, found.scores, found.seconds, strict=True):
        cells.append([str(value), *_figures(scores, is_accuracy=found.is_accuracy), f"{seconds.mean():.2f}"])
    for line in table(cells, width(), lambda row, _: BOLD if best is not None and row == 1 + best else None):
        print(line)
    if best is None:
        print("No value is best, as each diverged with some seed.")
    elif len(values) > 1:
        print(fitted(f"Best on the test images: {values[best]}. They have chosen it: on others expect a little less."))


def _figures(scores: FloatArray, *, is_accuracy: bool) -> tuple[str, str]:
    """Mean and standard deviation over the seeds, or with how many of them the training diverged."""
    lost = int(np.isnan(scores).sum())
    if lost:
        return "diverged", "" if lost == len(scores) else f"{lost} of {len(scores)}"
    form = ".2%" if is_accuracy else ".4f"
    return format(scores.mean(), form), format(scores.std(), form) if len(scores) > 1 else ""
