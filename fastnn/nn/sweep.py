"""How one argument of a network or of its training tells on the score and the time: :func:`sweep`."""

from __future__ import annotations

import inspect
import math
import numbers
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import DivergenceError, InvalidArgumentError
from ..progress import Progress, check_progress, reported
from .mlp import MLP

OF_MODEL = frozenset(inspect.signature(MLP).parameters) - {"seed"}
OF_FIT = frozenset(inspect.signature(MLP.fit).parameters) - {"self", "X", "y", "validation_data"}


@dataclass(frozen=True, eq=False)
class Sweep:
    """What :func:`sweep` measured.

    Attributes
    ----------
    name : of the argument.
    values : those it had.
    scores : (values, seeds) by ``MLP.score`` on the validation data: accuracies, or a regressor's R^2; NaN where the
        training diverged or left a network whose outputs are too great for a score.
    seconds : (values, seeds) that ``fit`` took.
    is_accuracy : whether the scores are accuracies.
    """

    name: str
    values: tuple[Any, ...]
    scores: NDArray[np.float64]
    seconds: NDArray[np.float64]
    is_accuracy: bool

    @property
    def best(self) -> Any:
        """The value with the highest mean score, the first of equals; None if each diverged with some seed.

        The rows that tell it are those of the scores: on other rows the best value scores a little less.
        """
        means = self.scores.mean(axis=1)
        return None if np.isnan(means).all() else self.values[int(np.nanargmax(means))]

    def __repr__(self) -> str:
        means = ", ".join(
            f"{value}: {mean:.4f}" for value, mean in zip(self.values, self.scores.mean(axis=1), strict=True)
        )
        return f"Sweep({self.name}, {'accuracy' if self.is_accuracy else 'R2'} {{{means}}}, best {self.best})"

    def ticks(self) -> tuple[NDArray[np.float64], list[str] | None]:
        """Where the values are on an axis, and their names there; None for numbers, which name themselves."""
        if all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in self.values):
            return np.array(self.values, float), None
        names = [_named(value) for value in self.values]
        return np.arange(len(self.values), dtype=float), names


def _named(value: Any) -> str:
    """784-30-10 for sizes, and the names of several activations in a row."""
    if isinstance(value, tuple | list | np.ndarray):
        return "-".join(map(str, value))
    return str(value)


def _score(model: MLP, X: ArrayLike, y: ArrayLike) -> float:
    """The score, or NaN where rows that are finite get outputs for which there is none."""
    try:
        return model.score(X, y)
    except InvalidArgumentError as error:
        if error.expected in (checks.FINITE_OUTPUTS, checks.FINITE_SQUARES):
            return math.nan
        raise


def _is_sequence(values: object) -> TypeGuard[Sequence[Any]]:
    if isinstance(values, np.ndarray):
        return values.ndim > 0
    return isinstance(values, Sequence) and not isinstance(values, str)


def sweep(
    name: str,
    values: Sequence[Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    validation_data: tuple[ArrayLike, ArrayLike],
    seeds: int | Sequence[int] = 1,
    progress: Progress | bool | None = None,
    **options: Any,
) -> Sweep:
    """Train a new network for each value of one argument, and score it on other data.

        fastnn.sweep("learning_rate", [0.03, 0.1, 0.3], X, y, validation_data=(X_test, y_test), sizes=[784, 30, 10])

    Parameters
    ----------
    name : the argument, of :class:`~fastnn.MLP` or of its ``fit``.
    values : at least one, which it has in turn.
    X, y : as for ``fit``.
    validation_data : (X, y) to score on.
    seeds : how many networks to train with each value, seeded 1, 2, ...; or the seeds themselves.
    progress : called with the number of trainings done so far; True shows a bar instead.
    options : the other arguments of both, ``sizes`` among them.

    Raises FastnnError, before the first training, for arguments that neither knows, and for values and data that they
    refuse. A training that diverges, or that leaves a network whose outputs are too great for a score, scores NaN.
    """
    check_progress(progress)
    known = OF_MODEL | OF_FIT
    checks.choice("name", name, sorted(known))
    for option in options:
        if option not in known or option == name:
            other = " other than the one that is swept" if option == name else ""
            raise InvalidArgumentError("options", f"arguments of MLP or of its fit{other}", option)
    if "sizes" not in {name, *options}:
        raise InvalidArgumentError("options", "sizes=[inputs, ..., outputs]", "none")
    if not _is_sequence(values):
        checks.unsupported("values", "a sequence of them", values)
    checks.nonempty("values", len(values))
    if _is_sequence(seeds):
        chosen = list(seeds)
        checks.nonempty("seeds", len(chosen))
    else:
        chosen = list(range(1, 1 + checks.integer("seeds", seeds, low=1)))
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        checks.unsupported("validation_data", "a pair (X, y)", validation_data)
    trainings = []
    for value in values:
        given = {**options, name: value}
        of_model = {option: each for option, each in given.items() if option in OF_MODEL}
        of_fit = {option: each for option, each in given.items() if option in OF_FIT}
        # A value or data that are refused are so before the first training, not after those of the values before.
        checks.integer("epochs", given.get("epochs", 0), low=0)
        untrained = MLP(**of_model)
        untrained.fit(X, y, **{**of_fit, "epochs": 0})
        _score(untrained, *validation_data)
        trainings.append((of_model, of_fit))
    scores, seconds = np.empty((2, len(values), len(chosen)))
    is_accuracy = True
    with reported(progress, scores.size, "trainings") as report:
        for done, (row, column) in enumerate(np.ndindex(scores.shape), start=1):
            of_model, of_fit = trainings[row]
            model = MLP(**of_model, seed=chosen[column])
            is_accuracy = model.is_classifier
            start = time.perf_counter()
            try:
                model.fit(X, y, **of_fit)
                seconds[row, column] = time.perf_counter() - start
                scores[row, column] = _score(model, *validation_data)
            except DivergenceError:
                seconds[row, column], scores[row, column] = time.perf_counter() - start, math.nan
            if report is not None:
                report(done)
    return Sweep(name, tuple(values), scores, seconds, is_accuracy)
