"""A training in steps: as many batches as a call asks for, between which its learning rate and its rows may change."""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from .. import checks
from ..kernels.spec import Data, EpochArgs, IntArray, Rule
from .fit import Trainable, packed, run_epoch
from .optimizer import OptimizerState

LONG = 100  # epochs: as for a training whose end is not known, rows are laid out


class Step(NamedTuple):
    """What a step measured, each row before its batch's update."""

    loss: float  # mean over its rows, without penalty
    accuracy: float  # the share of its rows whose largest output was their class
    rows: int


class Training:
    """A training of :meth:`fastnn.MLP.begin_fit`. Its rows are shuffled anew for every epoch.

    Attributes
    ----------
    state : of the optimizer.
    batch_size : of all batches of an epoch but the last.
    """

    def __init__(self, model: Trainable, X: ArrayLike, y: ArrayLike, rule: Rule, batch_size: int) -> None:
        self._model, self._rule = model, rule
        self.batch_size = checks.integer("batch_size", batch_size, low=1)
        self._finished, self._place = 0, 0  # epochs, and batches of the next one
        self._order: IntArray | None = None
        self.set_data(X, y)
        self.state = OptimizerState(rule, model.params)

    def set_data(self, X: ArrayLike, y: ArrayLike) -> None:
        """Train on rows X (n, inputs) with targets y from now on; the optimizer's state stays.

        In the middle of an epoch, what is left of it is the same share of the new rows, drawn at random and rounded
        down to whole batches, so that the count of epochs never falls. Raises FastnnError as
        :meth:`fastnn.MLP.begin_fit` does, and then goes on with the rows before.
        """
        data, classes = self._model.check_training_data(X, y)
        checks.nonempty("X", len(data.X))
        self._model.learn_classes(classes)
        batches = self.batches if self._place else 1
        self._data: Data = packed(data, self._model.net, LONG)
        self._place, self._order = -(-self._place * self.batches // batches), None
        self._end_epoch_if_done()

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-len(self._data.X) // self.batch_size)

    @property
    def epochs(self) -> float:
        """Epochs done: 2.5 in the middle of the third."""
        return self._finished + self._place / self.batches

    @property
    def learning_rate(self) -> float:
        """Of the batches to come."""
        return self._rule.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        rate = checks.number("learning_rate", value, low=0, exclusive=True)
        self._rule = self._rule._replace(learning_rate=rate)

    def advance(self, batches: int | None = None) -> Step:
        """Train on so many batches, by default and at most those that are left of the epoch.

        Raises DivergenceError as :meth:`fastnn.MLP.fit` does; the model has its last finite weights.
        """
        left = self.batches - self._place
        count = left if batches is None else min(checks.integer("batches", batches, low=1), left)
        if self._order is None:
            self._order = self._model.rng.permutation(len(self._data.X))
        rows = self._order[self._place * self.batch_size : (self._place + count) * self.batch_size]
        args = EpochArgs(rows, self.batch_size, self._rule._replace(step=self.state.step))
        result = run_epoch(self._model.net, self._model.params, self.state.arrays, self._data, args)
        self.state.step += count
        self._place += count
        self._end_epoch_if_done()
        return Step(result.loss / len(rows), result.correct / len(rows), len(rows))

    def _end_epoch_if_done(self) -> None:
        if self._place == self.batches:
            self._finished, self._place, self._order = self._finished + 1, 0, None
