"""What is measured while a model trains and is evaluated: the loss, and the metrics that it was compiled with."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidArgumentError
from ...kernels.spec import Data, FloatArray, IntArray
from . import metrics
from .logs import Logs
from .means import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from .metric import Metric

Rows = IntArray | slice


class Compiled:
    """The metrics of ``compile``, each as it was given: what "accuracy" is turns out with the first targets.

    Attributes
    ----------
    plain, weighted : those that do not, and those that do, take the samples' weights.
    """

    def __init__(self, plain: object = None, weighted: object = None) -> None:
        self.plain = metrics.flattened("metrics", plain)
        self.weighted = metrics.flattened("weighted_metrics", weighted)
        self._objects = [metrics.resolved(each, (1,), 1) for each in self.given]
        self._resolved_for: tuple[tuple[int, ...], int] | None = None  # targets' shape but for the rows, and outputs

    @property
    def given(self) -> list[Any]:
        return [*self.plain, *self.weighted]

    @property
    def names(self) -> list[str]:
        """Keras' names of the figures, each another."""
        found: list[str] = []
        for i, metric in enumerate(self._objects):
            name = metric.name
            if name in found and i >= len(self.plain):
                name = f"weighted_{name}"
            count = sum(other == name or other.rpartition("_")[0] == name for other in found) if name in found else 0
            found.append(f"{name}_{count}" if count else name)
        return found

    def objects(self) -> list[Metric]:
        """The metrics themselves, with the state that the last batches left them in."""
        return list(self._objects)

    def resolve(self, targets: tuple[int, ...], outputs: int) -> list[Metric]:
        """The metrics for targets of a shape and so many outputs, without state."""
        seen = targets[1:], outputs
        if seen != self._resolved_for:
            kinds = {*metrics.ACCURACIES, *metrics.CROSSENTROPIES}
            for i, each in enumerate(self.given):
                if isinstance(each, str) and each in kinds:
                    self._objects[i] = metrics.resolved(each, targets, outputs)
            self._resolved_for = seen
        for metric in self._objects:
            metric.reset_state()
        return self.objects()


class Given(NamedTuple):
    """A data set, as the kernels take it and as metrics do."""

    data: Data
    y: NDArray[Any]  # as the caller gave it; (n, 1) where there is one output
    weights: FloatArray | None  # of the samples


class Figures:
    """The loss and the metrics of the rows seen so far.

    Accuracies that the kernels count are left to them. All others need the outputs, row by row.

    Attributes
    ----------
    needs_outputs : whether :meth:`add` wants them.
    """

    def __init__(self, compiled: Compiled, given: Given, outputs: int, batch_size: int, taken_back: str) -> None:
        """Outputs are logits where ``taken_back`` says of what ("sigmoid", "softmax") training takes them back."""
        self.given, self.batch_size, self.taken_back = given, batch_size, taken_back
        self.loss = self.correct = 0.0
        self.count = 0
        self.metrics = compiled.resolve(given.y.shape, outputs)
        self.names = compiled.names
        self.are_weighted = [False] * len(compiled.plain) + [True] * len(compiled.weighted)
        self.are_counted = [
            not is_weighted and _is_counted(metric, given.data.y, outputs, bool(taken_back))
            for metric, is_weighted in zip(self.metrics, self.are_weighted, strict=True)
        ]
        self.needs_outputs = not all(self.are_counted)

    def check_taken_back(self) -> None:
        """Raise InvalidArgumentError for a metric that needs logits as they were, which a loss does not keep."""
        for metric, is_counted in zip(self.metrics, self.are_counted, strict=True):
            if self.taken_back and not is_counted and self.taken_back not in metric.takes_back:
                expected = "accuracies alone while a loss of from_logits=True trains"
                raise InvalidArgumentError("metrics", expected, repr(metric.name))

    def add(self, loss: float, correct: float, rows: Rows, outputs: FloatArray | None) -> None:
        """Take in rows: the sum of their losses, how many the kernels count as right, and their outputs."""
        y = self.given.y[rows]
        self.loss += loss
        self.correct += correct
        self.count += len(y)
        if outputs is None:
            return
        weights = None if self.given.weights is None else self.given.weights[rows]
        for metric, is_weighted, is_counted in zip(self.metrics, self.are_weighted, self.are_counted, strict=True):
            if not is_counted:
                self._update(metric, y, outputs, weights if is_weighted else None)

    def _update(self, metric: Metric, y: NDArray[Any], outputs: FloatArray, weights: FloatArray | None) -> None:
        """Of rows for which a metric has figures one by one, all at once; else batch by batch, as Keras does."""
        size = len(y) if metrics.is_rowwise(metric) else self.batch_size
        for start in range(0, len(y), size):
            batch = slice(start, start + size)
            weight = () if weights is None else (weights[batch],)
            metric.update_state(y[batch], outputs[batch], *weight)

    def logs(self) -> Logs:
        """The figures by name, in Keras' order."""
        found: dict[str, Any] = {"loss": self.loss / self.count}
        for name, metric, is_counted in zip(self.names, self.metrics, self.are_counted, strict=True):
            found[name] = self.correct / self.count if is_counted else _plain(metric.result())
        return Logs(sorted(found.items()))

    def undefined(self) -> Logs:
        """NaN by name, of an epoch that diverged."""
        return Logs(dict.fromkeys(sorted(["loss", *self.names]), math.nan))


def _is_counted(metric: Metric, y: NDArray[Any], outputs: int, are_logits: bool) -> bool:
    """Whether the kernels' count of right answers is what the metric counts."""
    kind = type(metric)
    if isinstance(metric, BinaryAccuracy) and kind is BinaryAccuracy:
        is_binary = y.ndim == 2 and outputs == 1 and bool(((y == 0) | (y == 1)).all())
        return is_binary and metric.threshold == 0.5 and not are_logits
    if outputs == 1:
        return False
    return kind is (SparseCategoricalAccuracy if y.ndim == 1 else CategoricalAccuracy)


def _plain(figure: Any) -> Any:
    """A float or, of several figures, the array."""
    array = np.array(figure)
    return array if array.ndim else float(array)


def logits(outputs: FloatArray, taken_back: str) -> FloatArray:
    """The logits of sigmoid outputs or, but for a constant a row, of softmax outputs."""
    with np.errstate(divide="ignore"):
        logarithms = np.log(outputs)
        return logarithms - np.log1p(-outputs) if taken_back == "sigmoid" else logarithms
