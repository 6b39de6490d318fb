"""What several commands print, and the files that they write."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import plots
from ..errors import FastnnError, InvalidArgumentError
from ..io.atomic import check_destination
from .terminal import BOLD, fitted, paint

# So many of the commonest mistakes are listed: what is read at a glance.
WORST_PAIRS = 5
# From here on a loss has no four digits that matter behind its point; one of a network that diverged is like this.
GREAT_LOSS = 1e6


def check_outputs(arguments: argparse.Namespace, *, displays: bool = False) -> None:
    """Raise now, not when the work is done, if the file that a flag asks for cannot be written.

    ``displays`` : whether the picture is one that scikit-learn draws.
    """
    for flag, check in (("save", check_destination), ("plot", partial(plots.check_plot, displays=displays))):
        path = getattr(arguments, flag, None)
        if path is None:
            continue
        try:
            check(path)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"--{flag}", error.expected, error.found) from error
        except FastnnError as error:
            raise FastnnError(f"--{flag}: {error}") from error
    save, plot = getattr(arguments, "save", None), getattr(arguments, "plot", None)
    if plot is None and (picture := getattr(arguments, "picture", None)) is not None:
        raise InvalidArgumentError("--picture", "--plot beside it, which names the file", repr(picture))
    if save is not None and plot is not None and os.path.realpath(save) == os.path.realpath(plot):
        raise InvalidArgumentError("--plot", "another file than --save writes", repr(plot))


def save_picture(ax: Any, arguments: argparse.Namespace) -> None:
    """Write the figure of an Axes into the file of --plot, and say so."""
    plots.save(ax, arguments.plot)
    if not arguments.json:
        print(f"Drawn in {arguments.plot}")


def accuracy_line(loss: float, accuracy: float, count: int) -> str:
    share, shown = f"{accuracy:.2%}", f"{loss:.4f}" if loss < GREAT_LOSS else f"{loss:.4g}"
    line = fitted(f"Test accuracy {share} ({round(accuracy * count):,} of {count:,} images), loss {shown}")
    return line.replace(share, paint(share, BOLD), 1)


def print_worst_pairs(confusion: NDArray[np.int64], classes: Sequence[object]) -> None:
    for true, said, count in _worst_pairs(confusion):
        print(f"  {classes[true]} taken for {classes[said]}: {count:,} of {confusion[true].sum():,}")


def _worst_pairs(confusion: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """The commonest mistakes, most frequent first: class, what it was taken for, how often."""
    pairs = [(i, j, int(n)) for i, row in enumerate(confusion) for j, n in enumerate(row) if i != j and n]
    return sorted(pairs, key=lambda pair: -pair[2])[:WORST_PAIRS]


def print_json(**values: Any) -> None:
    """One object on one line; JSON has no NaN, so an undefined figure is null, also in lists and objects."""
    line = json.dumps(_without_nan(values), allow_nan=False)
    print(f"{line}\n", end="", flush=True)  # in one write, which Ctrl-C leaves whole


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return value
