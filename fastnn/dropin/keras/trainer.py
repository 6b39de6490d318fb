"""Training, evaluation and prediction of a compiled model: Keras' loop over one kernel call an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ... import checks
from ...checks import Inputs
from ...errors import DivergenceError, InvalidArgumentError
from ...kernels import get_backend
from ...kernels.formulas import penalty
from ...kernels.spec import (
    ACTIVATIONS,
    PENALTY_PARTS,
    Data,
    EpochArgs,
    EpochResult,
    FloatArray,
    IntArray,
    Net,
    Rule,
    Tick,
)
from ...nn import dropout
from ...nn import fit as training
from ...nn.evaluate import evaluate
from ...nn.fit import HELD_OUT_NAMES
from . import randomness
from .callbacks import TerminateOnNaN
from .data import Samples, rows_of
from .figures import Compiled, Figures, Given, logits
from .hooks import Hooks
from .logs import Logs
from .losses import Loss, factor
from .network import Network
from .optimizers import Optimizer


class Validation(NamedTuple):
    """What is measured after epochs.

    Attributes
    ----------
    is_due : whether it is, after an epoch counted from 0.
    """

    given: Given
    batch_size: int
    is_due: Callable[[int], bool]


@dataclass
class Trainer:
    """A network with the optimizer, loss and metrics it was compiled with.

    Raises InvalidArgumentError for what the kernels cannot train.
    """

    network: Network
    optimizer: Optimizer
    loss: Loss
    metrics: Compiled
    net: Net = field(init=False)  # ends in the loss

    def __post_init__(self) -> None:
        if self.network.plan.rates[-1]:
            raise InvalidArgumentError("layers", "no Dropout after the last Dense layer", "one")
        self.net = self.loss.net(self.network)

    @property
    def penalised(self) -> bool:
        """Whether weights add to the loss."""
        return any(self.network.plan.l1 + self.network.plan.l2)

    def rule(self) -> Rule:
        """The next update, with what the layers' regularizers add to the loss."""
        plan = self.network.plan
        return self.optimizer.rule()._replace(l1=plan.l1, l2=plan.l2) if self.penalised else self.optimizer.rule()

    @property
    def outputs(self) -> int:
        return self.network.plan.sizes[-1]

    @property
    def _taken_back(self) -> str:
        """The activation that the loss has in place of none, where outputs are logits."""
        last, own = (int(net.activations[-1]) for net in (self.net, self.network.net))
        return ACTIVATIONS[last] if last != own else ""

    def data(self, given: Samples, names: tuple[str, str]) -> Given:
        """The samples as the kernels take them, and as metrics do."""
        dtype = self.network.dtype
        X, scale = rows_of(names[0], given.x, self.network.input_shape, dtype)
        y = given.y
        if y.ndim > 2 and y.shape[1:] == self.network.plan.outputs:
            y = y.reshape(len(y), -1)
        own = y.astype(dtype) if y.dtype.kind == "f" else y
        own = own.reshape(-1, 1) if self.outputs == 1 and own.ndim == 1 else own
        y = self.loss.targets(names[1], y, len(X), self.outputs, dtype)
        share, weights = factor(self.net), given.weights
        if weights is None and share != 1:
            weights = np.ones(len(X))
        data = Data(X, scale, y, None if weights is None else checks.for_kernels(weights * share, dtype))
        return Given(data, own, None if given.weights is None else given.weights.astype(dtype))

    def fit(
        self, given: Given, held_out: Validation | None, batch_size: int, epochs: range, shuffle: bool, hooks: Hooks
    ) -> None:
        """Run epochs, and validate after each, until they are over or a callback sets ``model.stop_training``."""
        given = given._replace(data=training.packed(given.data, self.net, len(epochs)))
        hooks.call("on_train_begin", {})
        logs = Logs()
        for epoch in epochs:
            hooks.call("on_epoch_begin", epoch, {})
            count = len(given.data.X)
            order = randomness.generator().permutation(count) if shuffle else np.arange(count)
            try:
                logs = self.epoch(given, order, batch_size, hooks)
            except DivergenceError as error:
                watcher = hooks.first(TerminateOnNaN)
                if watcher is None or watcher.raise_error:
                    raise DivergenceError(f"epoch {epoch + 1}: {error}") from None
                watcher.terminate(error.updates or 0)
                logs = self._figures(given, batch_size).undefined()
            if held_out is not None and held_out.is_due(epoch):
                found = self.evaluate(held_out.given, held_out.batch_size, hooks, HELD_OUT_NAMES)
                logs = Logs(sorted((logs | {f"val_{name}": figure for name, figure in found.items()}).items()))
            hooks.call("on_epoch_end", epoch, logs)
            if hooks.model.stop_training:
                break
        hooks.call("on_train_end", logs)

    def epoch(self, given: Given, order: IntArray, batch_size: int, hooks: Hooks) -> Logs:
        """Train on the rows ``order``; return the means of what was measured before each update."""
        data, batches, seen = given.data, 0, 0
        figures = self._figures(given, batch_size)
        figures.check_taken_back()
        batchwise = hooks.wants_batches("train")
        rates, rng = self.network.plan.rates[:-1], randomness.generator()
        for part in dropout.parts(self.network.net, rates, data, order, batch_size, rng):
            one_by_one = batchwise or hooks.model.stop_training  # which ends the epoch after its first batch
            for step in part.batches(batch_size) if one_by_one else [part]:
                if batchwise:
                    hooks.call("on_train_batch_begin", batches, {})
                rows = order[seen : seen + len(step.order)]
                outputs = None
                if figures.needs_outputs:
                    outputs = np.empty((len(rows), self.outputs), self.network.dtype)
                with _blaming(data, ("x", "y"), batches):
                    result = self._run(step, batch_size, outputs, hooks.ticker(batches))
                if outputs is not None and self._taken_back:
                    outputs = logits(outputs, self._taken_back)
                figures.add(result.loss, result.correct, rows, outputs)
                batches += result.batches
                seen += len(rows)
                if batchwise:
                    hooks.call("on_train_batch_end", batches - 1, figures.logs())
                if hooks.model.stop_training:
                    return figures.logs()
        return figures.logs()

    def _figures(self, given: Given, batch_size: int) -> Figures:
        return Figures(self.metrics, given, self.outputs, batch_size, self._taken_back)

    def _run(self, step: dropout.Part, batch_size: int, outputs: FloatArray | None, tick: Tick | None) -> EpochResult:
        optimizer, network = self.optimizer, self.network
        state, rule = optimizer.state_for(network), self.rule()
        batches = -(-len(step.order) // batch_size)
        penalties = np.zeros((batches, PENALTY_PARTS)) if self.penalised else None
        epoch = EpochArgs(
            step.order, batch_size, rule, step.masks, optimizer.rates(batches), outputs, penalties=penalties
        )
        try:
            result = training.run_epoch(self.net, network.params, state, step.data, epoch, tick)
        except DivergenceError as error:
            optimizer.iterations += error.updates or 0
            raise
        optimizer.iterations += result.batches
        if penalties is None:
            return result
        rows = np.diff([*range(0, len(step.order), batch_size), len(step.order)])
        return result._replace(loss=result.loss + float(penalties.sum(axis=1) @ rows))

    def evaluate(self, given: Given, batch_size: int, hooks: Hooks, names: tuple[str, str]) -> Logs:
        """The means over all samples, without dropout."""
        hooks.call("on_test_begin", {})
        data, figures = given.data, self._figures(given, batch_size)
        batchwise = hooks.wants_batches("test")
        for batch, rows in enumerate(_slices(len(data.X), batch_size if batchwise else len(data.X))):
            if batchwise:
                hooks.call("on_test_batch_begin", batch, {})
            part = dropout.taken(data, rows)
            with _blaming(data, names):
                loss, accuracy = evaluate(self.net, self.network.params, part, names)
                if self.penalised:
                    loss += penalty(self.net, self.network.params, self.rule())
                outputs = None
                if figures.needs_outputs:
                    outputs = np.empty((len(part.X), self.outputs), self.network.dtype)
                    get_backend().forward(self.network.net, self.network.params, part.X, part.scale, outputs)
            figures.add(loss * len(part.X), accuracy * len(part.X), rows, outputs)
            if batchwise:
                hooks.call("on_test_batch_end", batch, figures.logs())
        logs = figures.logs()
        hooks.call("on_test_end", logs)
        return logs


@contextmanager
def _blaming(data: Data, names: tuple[str, str], batches: int = 0) -> Iterator[None]:
    """Name NaN and infinity as the caller calls them, and with the index that they have in the whole of the data.

    ``batches`` of the epoch have gone before.
    """
    try:
        yield
    except InvalidArgumentError:
        checks.blame_nonfinite(names[0], data.X)
        checks.blame_nonfinite(names[1], data.y)
        raise
    except DivergenceError as error:
        error.updates = batches + (error.updates or 0)
        raise


def predict(network: Network, inputs: Inputs, batch_size: int, hooks: Hooks) -> FloatArray:
    """The outputs (n, outputs)."""
    hooks.call("on_predict_begin", {})
    count = len(inputs.X)
    out = np.empty((count, network.plan.sizes[-1]), network.dtype)
    batchwise = hooks.wants_batches("predict")
    for batch, rows in enumerate(_slices(count, batch_size if batchwise else max(count, 1))):
        if batchwise:
            hooks.call("on_predict_batch_begin", batch, {})
        if not get_backend().forward(network.net, network.params, inputs.X[rows], inputs.scale, out[rows]):
            checks.blame_nonfinite("x", inputs.X)
        if batchwise:
            hooks.call("on_predict_batch_end", batch, {"outputs": out[rows]})
    hooks.call("on_predict_end", {})
    return out


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))
