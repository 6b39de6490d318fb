"""Which learning rate? The range test of Smith (2017), https://arxiv.org/abs/1506.01186, with exponential rates.

A network trains for a moment at rates that grow by one factor from each batch to the next. While they are small the
loss falls ever faster, then it stands, rises and diverges. Suggested is

    edge / min(CAUTION, sqrt(n)),

where ``edge`` is the rate at which the smoothed loss has risen by RISE above its least, and n the number of batches in
STEP_ROWS rows, rounded up. The smaller the batches, the more noise there is at the edge, below which a training has to
settle. A batch of all the rows has none, however few they are: for it n is 1, and the edge itself is suggested, as for
batches of STEP_ROWS. benchmarks/lr_find.py compares it with a grid of rates, and with the rules of PyTorch Lightning
(the steepest descent) and of fastai (the valley, a tenth of the rate of the least loss), which are too low for most of
its networks.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import InvalidArgumentError, callers_depth
from ..kernels import get_backend
from ..kernels.formulas import penalty
from ..kernels.spec import EpochArgs, IntArray, Rule
from .dropout import dropout_rates, parts, taken
from .fit import Trainable, weighted_data
from .optimizer import OptimizerState

# The rates go from where nothing moves to where everything diverges, for all optimizers alike, in steps of a fifth.
LOWEST, HIGHEST, STEPS = 1e-6, 100.0, 100
# Each step trains on so many rows, also of a batch that is larger, so that its mean loss has little noise itself.
STEP_ROWS = 2000
# The test goes at most so often through the rows: one that learns few of them by heart finds no rate too great.
PASSES = 20
# The standard deviation, in steps, of what losses are smoothed by: less than the valley is wide.
BLUR = 2.0
# The edge is where the loss has risen by this share of its least. It and the greatest divisor below it, CAUTION, were
# chosen by the workloads of benchmarks/lr_find.py, whose docstring says which data had no part in that.
RISE, CAUTION = 0.1, 12.0
# A loss that has not fallen by this share of the first one has not fallen: so much is chance.
LEAST_FALL = 0.02
# The test ends where the loss is above its least so far by so many times that: no greater rate brings it back.
DIVERGED = 3.0


@dataclass(frozen=True, eq=False)
class RangeTest:
    """What a range test found.

    Attributes
    ----------
    rates : (steps,) ascending: of each step the middle one.
    losses : (steps,) the mean loss over a step's samples, each measured before its batch's update, with the penalties.
    smoothed : (steps,) the same, averaged over neighbouring steps.
    suggestion : a rate to train with; None, after a warning, where no rate lowers the loss.
    diverged : whether the test ended before the highest rate, as the loss diverged.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    suggestion: float | None
    diverged: bool

    def __len__(self) -> int:
        return len(self.rates)

    def __repr__(self) -> str:
        found = "no suggestion" if self.suggestion is None else f"suggestion {self.suggestion:.2g}"
        end = ", diverged" if self.diverged else ""
        return f"RangeTest({len(self)} rates from {self.rates[0]:.2g} to {self.rates[-1]:.2g}{end}, {found})"


def range_test(
    model: Trainable,
    X: object,
    y: object,
    rule: Rule,
    *,
    batch_size: object,
    dropout: object,
    class_weight: Any,
    sample_weight: Any,
    lowest: object,
    highest: object,
    steps: object,
) -> Generator[None, None, RangeTest]:
    """See :meth:`fastnn.MLP.lr_find`. ``model`` and its random stream do not stay as they are.

    A generator that stops before each step, for callers that do something else in between, or end the test.
    """
    data = weighted_data(model, X, y, sample_weight, class_weight)[0]
    batch_size = min(checks.integer("batch_size", batch_size, low=1), len(data.X), STEP_ROWS)
    dropped = dropout_rates(dropout, len(model.net.activations) - 1)
    low = checks.number("lowest", lowest, low=0, exclusive=True)
    high = checks.number("highest", highest, low=low, exclusive=True)
    count = checks.integer("steps", steps, low=2)
    batches = -(-min(STEP_ROWS, PASSES * len(data.X) // count) // batch_size) or 1
    rates = np.geomspace(low, high, count * batches).reshape(count, batches)
    net, params = model.net, model.params
    state, losses = OptimizerState(rule, params), []
    for step, rows in zip(range(count), _orders(len(data.X), batches * batch_size, model.rng), strict=False):
        yield
        loss, done = 0.0, 0
        for part in parts(net, dropped, taken(data, rows), np.arange(len(rows)), batch_size, model.rng):
            some = -(-len(part.order) // batch_size)
            update = rule._replace(step=state.step)
            args = EpochArgs(part.order, batch_size, update, part.masks, rates[step, done : done + some])
            result = get_backend().train_epoch(net, params, state.arrays, part.data, args)
            loss, done = loss + result.loss, done + some
            state.step += some
            if result.batches < some:
                loss = math.inf
                break
        loss = loss / len(rows) + penalty(net, params, rule)
        if not math.isfinite(loss):
            checks.blame_nonfinite("X", data.X)
            checks.blame_nonfinite("y", data.y)
            break
        losses.append(loss)
        if loss > min(losses) + DIVERGED * abs(min(losses)):
            break
    if not losses:
        raise InvalidArgumentError("lowest", "a rate at which the loss is finite", low)
    found = np.array(losses)
    middles = np.sqrt(rates[:, 0] * rates[:, -1])[: len(found)]
    smooth = smoothed(found)
    noisy_batches = 1 if batch_size == min(len(data.X), STEP_ROWS) else -(-STEP_ROWS // batch_size)
    suggestion = suggested(middles, smooth, noisy_batches)
    if suggestion is None:
        warnings.warn(
            f"no rate from {middles[0]:.2g} to {middles[-1]:.2g} lowers the loss of {found[0]:.4g}; "
            "a network that is trained has little left to lower: ask a new one",
            stacklevel=callers_depth(),
        )
    return RangeTest(middles, found, smooth, suggestion, len(found) < count)


def completed(test: Generator[None, None, RangeTest]) -> RangeTest:
    """What a range test finds when all of its steps are made."""
    while True:
        try:
            next(test)
        except StopIteration as end:
            result: RangeTest = end.value
            return result


def smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over neighbours, weighted by a normal distribution: no lag, unlike a running mean's."""
    steps = np.arange(len(losses))
    weights = np.exp(-(((steps[:, np.newaxis] - steps) / BLUR) ** 2) / 2)
    return weights @ losses / weights.sum(axis=1)


def suggested(rates: NDArray[np.float64], losses: NDArray[np.float64], batches: int) -> float | None:
    """The rate to train with, by smoothed losses and the batches in STEP_ROWS; None where the loss has not fallen."""
    best = int(np.argmin(losses))
    if losses[0] - losses[best] <= LEAST_FALL * abs(losses[0]):
        return None
    risen = np.flatnonzero(losses[best:] > losses[best] + RISE * abs(losses[best]))
    edge = rates[best + risen[0]] if len(risen) else rates[-1]
    return float(edge) / min(CAUTION, math.sqrt(batches))


def _orders(count: int, wanted: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """So many rows at a time, of one shuffled order after the other."""
    left = np.empty(0, np.int64)
    while True:
        while len(left) < wanted:
            left = np.concatenate([left, rng.permutation(count)])
        yield left[:wanted]
        left = left[wanted:]
