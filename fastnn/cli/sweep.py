"""``fastnn sweep``: how one argument of a network or of its training tells on accuracy and time."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from .. import datasets, kernels, plots
from ..errors import InvalidArgumentError
from ..nn.sweep import Sweep, sweep
from .images import CLASSES, PIXELS
from .network import network_arguments
from .output import check_outputs, print_json

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
    name = "sizes" if arguments.name == "hidden" else arguments.name.replace("-", "_")
    options = network_arguments(arguments)
    options |= {key: getattr(arguments, key) for key in ("optimizer", "momentum", "l2", "batch_size", "epochs")}
    options["learning_rate"] = arguments.learning_rate
    options.pop(name)
    swept = [[PIXELS, value, CLASSES] for value in values] if name == "sizes" else values
    train, test = datasets.load_mnist(arguments.data)
    with kernels.use(arguments.backend, num_threads=arguments.threads):
        found = sweep(name, swept, *train, validation_data=test, seeds=arguments.seeds, **options)
    if arguments.plot is not None:
        (ax,) = plots.panels()
        plots.save(plots.plot_sweep(found, ax=ax), arguments.plot)
    _report(found, as_json=arguments.json)
    return 0


def _value(name: str, word: str) -> Any:
    try:
        return KINDS[name](word)
    except ValueError:
        expected = {int: "whole numbers", float: "numbers"}[KINDS[name]]  # type: ignore[index]  # a name is one
        raise InvalidArgumentError("VALUES", f"{expected} for {name}", repr(word)) from None


def _report(found: Sweep, *, as_json: bool) -> None:
    names = found.places()[1] or [f"{value:g}" for value in found.values]
    if as_json:
        best = names[found.values.index(found.best)]
        print_json(
            name=found.name, values=names, scores=found.scores.tolist(), seconds=found.seconds.tolist(), best=best
        )
        return
    width = max(map(len, [found.name, *names]))
    print(f"{found.name:{width}}  {'accuracy' if found.is_accuracy else 'R2':>16}  seconds")
    for name, scores, seconds in zip(names, found.scores, found.seconds, strict=True):
        spread = f"{scores.mean():.2%} +- {scores.std():.2%}" if len(scores) > 1 else f"{scores.mean():.2%}"
        print(f"{name:{width}}  {spread:>16}  {seconds.mean():7.2f}")
