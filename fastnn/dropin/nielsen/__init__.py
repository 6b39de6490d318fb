"""The network of Nielsen, Neural Networks and Deep Learning, chapter 1 (network.py), trained by compiled kernels.

    import fastnn.dropin.nielsen as network

runs a script written for the book's network.py, or for two variants that tutorials teach: the class ``network`` with
``epoches``, and the one that draws weights before biases, names the rate ``learning_rate`` and has ``forward``:

    from fastnn.dropin.nielsen import WeightsFirstNetwork as Network

The widely used Python 3 port, which shuffles and prints otherwise, is :mod:`fastnn.dropin.nielsen_py3`, and chapter 3's
network2.py :mod:`fastnn.dropin.nielsen2`.

Same seed, same numbers. Parameters are drawn from the global ``numpy.random`` and the training list is shuffled in
place by the global ``random``, both exactly as the original does it. In float64, the default, the weights of 784-30-10
on MNIST / 255 (mini-batches of 10, eta 3.0) agree with the original's to 1e-12 relative after 100 mini-batches and to
1e-10 after 1,000 (largest difference of an array by its largest element), and the count printed for the first epoch is
within 5 of 10,000 wherever two NumPy summation orders agree so long: with 7 of 10 seeds; with the others these too
differ, by up to 50. Later epochs cannot agree digit by digit: this network amplifies rounding (two NumPy summation
orders differ by 4e-6 after 6,000 mini-batches and by 0.1 after 12,000), so over whole runs the mean accuracy over 10
seeds agrees within 0.2 points. Raw pixels 0..255 saturate the sigmoids and rounding takes over sooner: there the
weights agree to 1e-12 after 10 mini-batches (the median of seeds; one in ten is off by 1e-11), by 300 not at all.

Where the original would go on with NaN, :class:`fastnn.DivergenceError` ends the training and the last finite weights
are kept. A replaced ``cost_derivative``, ``backprop``, ``update_mini_batch``, ``feedforward``, ``sigmoid`` or
``sigmoid_prime`` (in a subclass, on an instance, or patched into this module) is honoured: the network then computes
sample by sample in NumPy, and says so once.

So perceptrons, which step from 0 to 1 where their weighted sum exceeds 0, are networks too; this one computes NAND:

    >>> import random
    >>> import numpy as np
    >>> from fastnn.dropin import mnist_loader, nielsen
    >>> class Perceptrons(nielsen.Network):
    ...     def feedforward(self, a):
    ...         for b, w in zip(self.biases, self.weights):
    ...             a = np.where(np.dot(w, a) + b > 0, 1, 0)
    ...         return a
    >>> nand = Perceptrons([2, 1])
    >>> nand.weights, nand.biases = [np.array([[-2, -2]])], [np.array([[3]])]
    >>> [nand.feedforward([[x1], [x2]]).item() for x1, x2 in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    [1, 1, 1, 0]

The book's network of two layers, inputs and outputs alone, trained as any other and then with steps for its sigmoids,
where the first of several ones counts:

    >>> training_data, _, test_data = mnist_loader.load_data_wrapper()
    >>> np.random.seed(1)
    >>> random.seed(1)
    >>> net = nielsen.Network([784, 10])
    >>> net.SGD(training_data, 2, 10, 3.0)
    Epoch 0 complete
    Epoch 1 complete
    >>> net.evaluate(test_data) > 7000
    True
    >>> steps = Perceptrons([784, 10])
    >>> steps.weights, steps.biases = net.weights, net.biases
    >>> steps.feedforward(test_data[0][0]).shape
    (10, 1)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ... import checks
from ...errors import InvalidArgumentError
from ...kernels.spec import QUADRATIC, FloatArray
from . import pairs as pair_data
from .base import ACTIVATION, BookNetwork, derivative_in, originals, sigmoid, vectorized_result
from .network2 import CrossEntropyCost, QuadraticCost

__all__ = [
    "CrossEntropyCost",
    "Network",
    "QuadraticCost",
    "WeightsFirstNetwork",
    "network",
    "sigmoid",
    "sigmoid_prime",
    "vectorized_result",
]


sigmoid_prime = derivative_in(__name__)


class Network(BookNetwork):
    """The book's feedforward network: sigmoid layers, quadratic cost, plain stochastic gradient descent.

    Parameters
    ----------
    sizes : neurons per layer, inputs first: ``[784, 30, 10]``.
    weights_first : draw the weights before the biases, as some tutorials do; the book draws the biases first.
    dtype : "float64", the original's, or "float32", which is faster and gives other digits.

    Attributes
    ----------
    sizes, num_layers : as given, and their number.
    weights : one array (y, x) per layer, of y neurons with x inputs.
    biases : one array (y, 1) per layer.
        Both lists and their arrays may be read, edited in place or replaced. Arrays kept from before a training do
        not change in it.
    """

    _module = __name__

    def __init__(self, sizes: Sequence[int], *, weights_first: bool = False, dtype: DTypeLike = "float64") -> None:
        self._set_up(sizes, dtype)
        self._draw(weights_first=weights_first)

    def SGD(  # noqa: N802  # the book's name
        self,
        training_data: Iterable[Any],
        epochs: int,
        mini_batch_size: int,
        eta: float | None = None,
        test_data: Iterable[Any] | None = None,
        *,
        learning_rate: float | None = None,
    ) -> None:
        """Train by mini-batch stochastic gradient descent and print a line an epoch.

        Parameters
        ----------
        training_data : pairs (x, y) of columns, (inputs, 1) and (outputs, 1). A list is shuffled in place before
            every epoch; a zip or another iterator is read into a list first. Values are used as given, uint8 pixels
            as 0..255.
        epochs, mini_batch_size : the last mini-batch of an epoch may be smaller.
        eta : the learning rate, of the mean gradient of a mini-batch; ``learning_rate`` is another name of it.
        test_data : pairs (x, label), scored after every epoch: ``Epoch 0: 9123 / 10000``. Without it the line is
            ``Epoch 0 complete``.

        Raises
        ------
        DivergenceError : loss or weights became NaN or infinite; the last finite weights are kept.
        FastnnError : unusable arguments; it names the pair.
        """
        pairs = pair_data.as_list("training_data", training_data, copy=self._copies_training_data)
        tests = None if test_data is None else pair_data.as_list("test_data", test_data)
        eta = _rate(eta, learning_rate)
        epochs = checks.integer("epochs", epochs, low=0)
        batch_size = checks.integer("mini_batch_size", mini_batch_size, low=1)
        replaced = self._replaced("update_mini_batch") + self._replaced_in_training()
        rows = test_rows = None
        if replaced:
            self._warn(replaced)
        else:
            rows = self._vectors("training_data", pairs, self._current())
        if tests and not self._replaced("evaluate", "feedforward", "forward", *ACTIVATION):
            test_rows = self._labelled("test_data", tests)  # once, not every epoch
        rate = eta
        for epoch in self._train(
            pairs, rows, epochs, batch_size, eta, 0.0, lambda batch: self.update_mini_batch(batch, rate)
        ):
            if tests:
                correct = self._hits(test_rows.data) if test_rows else self.evaluate(tests)
                self._report(epoch, correct, len(tests))
            else:
                print(f"Epoch {epoch} complete")

    def _report(self, epoch: int, correct: int, count: int) -> None:
        print(f"Epoch {epoch}: {correct} / {count}")

    def update_mini_batch(
        self, mini_batch: Iterable[Any], eta: float | None = None, *, learning_rate: float | None = None
    ) -> None:
        """Make one step down the mean gradient of the pairs (x, y) of ``mini_batch``."""
        self._update(pair_data.as_list("mini_batch", mini_batch), _rate(eta, learning_rate), 0.0)

    def evaluate(self, test_data: Iterable[Any]) -> int:
        """The number of pairs (x, label) whose largest output is at the label."""
        tests = pair_data.as_list("test_data", test_data)
        outputs = self._slow_outputs()
        if outputs:
            return sum(int(np.argmax(outputs(x)) == y) for x, y in tests)
        return self._hits(self._labelled("test_data", tests).data)

    def _labelled(self, argument: str, pairs: list[Any]) -> pair_data.Rows:
        return pair_data.label_rows(argument, pairs, self._current().inputs, self._dtype)

    def cost_derivative(self, output_activations: FloatArray, y: FloatArray) -> FloatArray:
        """dC/da of the quadratic cost C = |a - y|^2 / 2 for the outputs a."""
        return output_activations - y

    def _loss(self) -> int:
        return QUADRATIC

    def _output_delta(self, z: FloatArray, a: FloatArray, y: FloatArray) -> FloatArray:
        _, sigmoid_prime = self._functions()
        derivative: FloatArray = self.cost_derivative(a, y) * sigmoid_prime(z)
        return derivative


Network._originals = originals(Network, "cost_derivative", "update_mini_batch", "evaluate")


class WeightsFirstNetwork(Network):
    """The tutorial variant of :class:`Network` that draws the weights before the biases."""

    def __init__(self, sizes: Sequence[int], *, dtype: DTypeLike = "float64") -> None:
        super().__init__(sizes, weights_first=True, dtype=dtype)


class network(Network):  # noqa: N801  # the tutorials' name
    """The common tutorial variant of :class:`Network`: ``epoches``, and the printed line ``Epoch 1: 91.23 %``.

    Epochs are counted from 1 with test data and from 0 without (``Epoch 0 complete``), as that program does.
    ``crroection_rate``, spelt as there, is the share of the test data that was right after the last epoch.
    """

    crroection_rate: float = 0

    def SGD(  # noqa: N802  # the tutorials' keyword
        self,
        training_data: Iterable[Any],
        epoches: int,
        mini_batch_size: int,
        eta: float | None = None,
        test_data: Iterable[Any] | None = None,
        *,
        learning_rate: float | None = None,
    ) -> None:
        """Train; see :meth:`Network.SGD`."""
        super().SGD(training_data, epoches, mini_batch_size, eta, test_data, learning_rate=learning_rate)

    def _report(self, epoch: int, correct: int, count: int) -> None:
        print(f"Epoch {epoch + 1}: {100 * correct / count} %")
        self.crroection_rate = correct / count


def _rate(eta: float | None, learning_rate: float | None) -> float:
    if (eta is None) == (learning_rate is None):
        found = "neither" if eta is None else "both"
        raise InvalidArgumentError("eta", "a learning rate, as eta or as learning_rate", found)
    return checks.number("eta", learning_rate if eta is None else eta, low=-np.inf)
