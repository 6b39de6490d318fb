"""The network of Nielsen, Neural Networks and Deep Learning, chapter 3 (network2.py), trained by compiled kernels.

    import fastnn.dropin.nielsen2 as network2

runs a script written for the book's network2.py: the cross-entropy cost, L2 regularization, smaller initial weights,
monitoring, and files; also the ``early_stopping_n`` of its Python 3 ports. Printed lines and total_cost are the book's;
the widely used port has others: :mod:`fastnn.dropin.nielsen2_py3`. What :mod:`fastnn.dropin.nielsen` promises about
numbers, shuffling, divergence and replaced methods holds here too. A cost class of your own works, on the slower path,
if it has ``fn(a, y)`` and ``delta(z, a, y)``.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ... import checks
from ...errors import FileFormatError, InvalidArgumentError, access_error
from ...io.atomic import write_atomically
from ...kernels.spec import BINARY_CROSS_ENTROPY, QUADRATIC, Data, FloatArray
from . import pairs as pair_data
from .base import BookNetwork, derivative_in, originals, sigmoid, vectorized_result

__all__ = [
    "CrossEntropyCost",
    "Network",
    "QuadraticCost",
    "load",
    "sigmoid",
    "sigmoid_prime",
    "vectorized_result",
]


sigmoid_prime = derivative_in(__name__)


class QuadraticCost:
    """C = |a - y|^2 / 2."""

    @staticmethod
    def fn(a: NDArray[Any], y: NDArray[Any]) -> float:
        """The cost of outputs ``a`` for targets ``y``."""
        return np.float64(0.5 * np.linalg.norm(a - y) ** 2)

    @staticmethod
    def delta(z: NDArray[Any], a: NDArray[Any], y: NDArray[Any]) -> Any:
        """dC/dz of the output layer, a = sigmoid(z)."""
        return (a - y) * sigmoid_prime(z)


class CrossEntropyCost:
    """C = -sum(y log a + (1 - y) log(1 - a))."""

    @staticmethod
    def fn(a: NDArray[Any], y: NDArray[Any]) -> float:
        """The cost of outputs ``a`` for targets ``y``; 0 log 0 counts as 0."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.float64(np.sum(np.nan_to_num(-y * np.log(a) - (1 - y) * np.log(1 - a))))

    @staticmethod
    def delta(z: NDArray[Any], a: NDArray[Any], y: NDArray[Any]) -> Any:
        """dC/dz of the output layer, a = sigmoid(z)."""
        return a - y


_BUILT_IN_VECTORS = vectorized_result  # programs may put another function in the place of the module's name
_SUMS_OVER_ROWS = (QuadraticCost.fn, CrossEntropyCost.fn)  # fn of many rows is the sum of each one's

Monitored = tuple[list[float], list[int], list[float], list[int]]


class Network(BookNetwork):
    """The book's improved network: sigmoid layers, a choice of costs, L2 regularization.

    Parameters
    ----------
    sizes : neurons per layer, inputs first: ``[784, 30, 10]``.
    cost : :class:`CrossEntropyCost`, :class:`QuadraticCost` or a class with the same two functions.
    dtype : "float64", the original's, or "float32", which is faster and gives other digits.

    Attributes
    ----------
    sizes, num_layers, weights [(y, x)], biases [(y, 1)] : as in :class:`fastnn.dropin.nielsen.Network`.
    cost : as given; may be replaced.
    """

    _module = __name__
    _kernel_losses: ClassVar[dict[Callable[..., Any], int]] = {  # the kernels' code of a cost, by its ``delta``
        QuadraticCost.delta: QUADRATIC,
        CrossEntropyCost.delta: BINARY_CROSS_ENTROPY,
    }

    def __init__(self, sizes: Sequence[int], cost: Any = CrossEntropyCost, *, dtype: DTypeLike = "float64") -> None:
        self._set_up(sizes, dtype)
        self.default_weight_initializer()
        self.cost = cost

    def default_weight_initializer(self) -> None:
        """Draw biases normal(0, 1) and weights normal(0, 1) / sqrt(inputs of the neuron)."""
        self._draw(scaled=True)

    def large_weight_initializer(self) -> None:
        """Draw biases and weights normal(0, 1), as chapter 1 does."""
        self._draw()

    def SGD(  # noqa: N802  # the book's name
        self,
        training_data: Iterable[Any],
        epochs: int,
        mini_batch_size: int,
        eta: float,
        lmbda: float = 0.0,
        evaluation_data: Iterable[Any] | None = None,
        monitor_evaluation_cost: bool = False,
        monitor_evaluation_accuracy: bool = False,
        monitor_training_cost: bool = False,
        monitor_training_accuracy: bool = False,
        early_stopping_n: int = 0,
    ) -> Monitored:
        """Train by mini-batch stochastic gradient descent and print the monitored figures after every epoch.

        Parameters
        ----------
        training_data, epochs, mini_batch_size, eta : as in :meth:`fastnn.dropin.nielsen.Network.SGD`.
        lmbda : L2 regularization; adds lmbda / (2 n) times the sum of squared weights to the mean cost.
        evaluation_data : pairs (x, label).
        monitor_evaluation_cost, monitor_evaluation_accuracy, monitor_training_cost, monitor_training_accuracy : what
            to measure after every epoch.
        early_stopping_n : stop once the monitored accuracy (that of the evaluation data if both are) has not improved
            for so many epochs; 0 never stops.

        Returns
        -------
        (evaluation_cost, evaluation_accuracy, training_cost, training_accuracy) : lists with one entry an epoch,
            accuracies as numbers of pairs; a list stays empty if its figure is not monitored.
        """
        pairs = pair_data.as_list("training_data", training_data, copy=self._copies_training_data)
        evaluation = None if evaluation_data is None else pair_data.as_list("evaluation_data", evaluation_data)
        epochs = checks.integer("epochs", epochs, low=0)
        batch_size = checks.integer("mini_batch_size", mini_batch_size, low=1)
        eta = checks.number("eta", eta, low=-math.inf)
        lmbda = checks.number("lmbda", lmbda, low=-math.inf)
        patience = max(checks.integer("early_stopping_n", early_stopping_n, low=-sys.maxsize), 0)
        if (monitor_evaluation_cost or monitor_evaluation_accuracy) and not evaluation:
            raise InvalidArgumentError("evaluation_data", "pairs (x, label) to monitor", "none")
        if patience and not (monitor_evaluation_accuracy or monitor_training_accuracy):
            raise InvalidArgumentError("early_stopping_n", "a monitored accuracy to watch", "none")

        n = len(pairs)
        replaced = self._replaced("update_mini_batch") + self._replaced_in_training()
        rows = evaluation_rows = None
        if replaced:
            self._warn(replaced)
        else:
            rows = self._vectors("training_data", pairs, self._current())
        if monitor_evaluation_cost or monitor_evaluation_accuracy:
            evaluation_rows = self._labelled("evaluation_data", evaluation or [])

        evaluation_cost: list[float] = []
        evaluation_accuracy: list[int] = []
        training_cost: list[float] = []
        training_accuracy: list[int] = []
        best, waited = 0, 0
        for epoch in self._train(
            pairs, rows, epochs, batch_size, eta, lmbda / max(n, 1), lambda b: self.update_mini_batch(b, eta, lmbda, n)
        ):
            print(f"Epoch {epoch} training complete")
            accuracy = 0
            if monitor_training_cost:
                training_cost.append(self._cost_of(pairs, rows, lmbda, convert=False))
                print(f"Cost on training data: {training_cost[-1]}")
            if monitor_training_accuracy:
                accuracy = self._accuracy_of(pairs, rows, convert=True)
                training_accuracy.append(accuracy)
                print(f"Accuracy on training data: {accuracy} / {n}")
            if evaluation and monitor_evaluation_cost:
                evaluation_cost.append(self._cost_of(evaluation, evaluation_rows, lmbda, convert=True))
                print(f"Cost on evaluation data: {evaluation_cost[-1]}")
            if evaluation and monitor_evaluation_accuracy:
                accuracy = self._accuracy_of(evaluation, evaluation_rows, convert=False)
                evaluation_accuracy.append(accuracy)
                print(f"Accuracy on evaluation data: {accuracy} / {len(evaluation)}")
            self._end_report()
            best, waited = (accuracy, 0) if accuracy > best else (best, waited + 1)
            if patience and waited == patience:
                break
        return evaluation_cost, evaluation_accuracy, training_cost, training_accuracy

    def _end_report(self) -> None:
        """Print what follows an epoch's lines: in the book an empty one."""
        print()

    def update_mini_batch(self, mini_batch: Iterable[Any], eta: float, lmbda: float, n: int) -> None:
        """Make one step down the mean gradient of ``mini_batch``, regularized by ``lmbda`` over ``n`` pairs in all."""
        n = checks.integer("n", n, low=1)
        lmbda = checks.number("lmbda", lmbda, low=-math.inf)
        eta = checks.number("eta", eta, low=-math.inf)
        self._update(pair_data.as_list("mini_batch", mini_batch), eta, lmbda / n)

    def accuracy(self, data: Iterable[Any], convert: bool = False) -> int:
        """The number of pairs whose largest output is at the label.

        Labels are numbers, as in validation and test data, or, with ``convert``, target columns, as in training data.
        """
        pairs = pair_data.as_list("data", data)
        outputs = self._slow_outputs()
        if outputs:
            return sum(int(np.argmax(outputs(x)) == (np.argmax(y) if convert else y)) for x, y in pairs)
        rows = self._vectors("data", pairs, self._current()) if convert else self._labelled("data", pairs)
        return self._hits(rows.data)

    def total_cost(self, data: Iterable[Any], lmbda: float, convert: bool = False) -> float:
        """The mean cost of the pairs plus lmbda / (2 n) times the sum of squared weights.

        Targets are columns, as in training data, or, with ``convert``, labels 0..9, as in validation and test data.
        """
        pairs = pair_data.as_list("data", data)
        outputs = self._slow_outputs()
        if outputs:
            a = [outputs(x) for x, _ in pairs]
            targets = [self._vectorized(y) if convert else y for _, y in pairs]
            costs = [self.cost.fn(o, y) for o, y in zip(a, targets, strict=True)]
            return self._penalized(sum(cost / len(pairs) for cost in costs), lmbda, len(pairs))
        rows = self._labelled("data", pairs) if convert else self._vectors("data", pairs, self._current())
        return self._cost(rows.data, lmbda)

    def save(self, filename: str | os.PathLike[str]) -> None:
        """Write the network to a JSON file of the original's form, for :func:`load`."""
        data = {
            "sizes": [int(size) for size in self.sizes],
            "weights": [w.tolist() for w in self.weights],
            "biases": [b.tolist() for b in self.biases],
            "cost": str(self.cost.__name__),
        }
        write_atomically(filename, [json.dumps(data).encode()])

    # -----------------------------------------------------------------------------------------------------------------

    def _labelled(self, argument: str, pairs: list[Any]) -> pair_data.Rows:
        return pair_data.label_rows(argument, pairs, self._current().inputs, self._dtype)

    def _accuracy_of(self, pairs: list[Any], rows: pair_data.Rows | None, convert: bool) -> int:
        """``accuracy`` of pairs that are converted already, if nothing is replaced."""
        if rows is None or self._replaced("accuracy", "feedforward", "forward", "sigmoid"):
            return self.accuracy(pairs, convert=convert)
        return self._hits(rows.data)

    def _cost_of(self, pairs: list[Any], rows: pair_data.Rows | None, lmbda: float, convert: bool) -> float:
        """``total_cost`` of pairs that are converted already, if nothing is replaced."""
        if rows is None or self._replaced("total_cost", "feedforward", "forward", "sigmoid"):
            return self.total_cost(pairs, lmbda, convert=convert)
        return self._cost(rows.data, lmbda)

    def _cost(self, data: Data, lmbda: float) -> float:
        count, fn = len(data.X), self.cost.fn
        a = self._outputs(self._current(), data.dense, data.scale)
        y = data.y
        if y.ndim == 1 and sys.modules[self._module].vectorized_result is _BUILT_IN_VECTORS:
            labels = checks.targets("labels", y, count, 10, self._dtype)
            y = np.eye(10, dtype=self._dtype)[labels]
        elif y.ndim == 1:
            y = np.hstack(list(map(self._vectorized, y))).T
        if y.shape != a.shape:
            expected = f"a network with {y.shape[1]} outputs, as convert=True needs"
            raise InvalidArgumentError("data", expected, a.shape[1])
        if fn in _SUMS_OVER_ROWS and math.isfinite(total := fn(a, y)):
            return self._penalized(total / count, lmbda, count)
        # One by one: the book's 1.8e308 for an infinite cost must be divided before it is added.
        cost = sum(float(fn(p[:, np.newaxis], q[:, np.newaxis])) / count for p, q in zip(a, y, strict=True))
        return self._penalized(cost, lmbda, count)

    def _vectorized(self, label: Any) -> NDArray[Any]:
        """The module's present ``vectorized_result`` of a label."""
        column: NDArray[Any] = sys.modules[self._module].vectorized_result(label)
        return column

    def _penalized(self, cost: float, lmbda: float, count: int) -> float:
        return np.float64(cost + 0.5 * (lmbda / count) * sum(float(np.linalg.norm(w)) ** 2 for w in self.weights))

    def _loss(self) -> int:
        return self._kernel_losses[self.cost.delta]

    def _output_delta(self, z: FloatArray, a: FloatArray, y: FloatArray) -> FloatArray:
        delta: FloatArray = self.cost.delta(z, a, y)
        return delta

    def _replaced_in_training(self) -> list[str]:
        own_cost = [] if self.cost.delta in self._kernel_losses else ["cost"]
        return own_cost + super()._replaced_in_training()


Network._originals = originals(Network, "update_mini_batch", "accuracy", "total_cost")


AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def load(filename: str | os.PathLike[str]) -> Network:
    """Read a network that :meth:`Network.save`, or the original's, wrote."""
    return load_as(Network, filename)


def load_as(kind: type[AnyNetwork], filename: str | os.PathLike[str]) -> AnyNetwork:
    """The same as a network of another edition, and with the costs of its module."""
    try:
        with open(filename, encoding="utf-8") as file:
            data = json.load(file)
    except OSError as error:
        raise access_error(filename, error) from error
    except UnicodeDecodeError as error:
        raise FileFormatError(filename, error.start, "a JSON file in UTF-8", error.reason) from error
    except json.JSONDecodeError as error:
        raise FileFormatError(filename, error.pos, "JSON", error.msg, unit="character") from error
    except RecursionError as error:
        raise FileFormatError(filename, 0, "a saved network", "too deeply nested JSON") from error
    expected = {"sizes": list, "weights": list, "biases": list, "cost": str}
    found = {key: type(data.get(key)) for key in expected} if isinstance(data, dict) else type(data).__name__
    if found != expected:
        raise FileFormatError(filename, 0, "an object with sizes, weights, biases and cost", found)
    # A cost of the caller's own is found if it was made a name of the module, as with the original.
    cost = getattr(sys.modules[kind._module], data["cost"], None)
    if not (hasattr(cost, "fn") and hasattr(cost, "delta")):
        raise FileFormatError(filename, 0, "cost QuadraticCost or CrossEntropyCost", repr(data["cost"]))
    try:
        weights, biases = ([np.array(item, dtype=float) for item in data[key]] for key in ("weights", "biases"))
        sizes = checks.layer_sizes(data["sizes"])
        pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
        if [w.shape for w in weights] != pairs or [b.shape for b in biases] != [(y, 1) for y, _ in pairs]:
            raise ValueError(f"arrays of shapes {[w.shape for w in weights]} and {[b.shape for b in biases]}")
    except (TypeError, ValueError) as error:
        raise FileFormatError(filename, 0, f"weights and biases for sizes {data['sizes']}", error) from None
    net = kind(data["sizes"], cost=cost)  # draws from numpy.random, as the original does
    checks.parameters("weights", weights, net.weights)
    checks.parameters("biases", biases, net.biases)
    return net
