"""The class of Rashid, Make Your Own Neural Network, part 2, trained by compiled kernels.

    from fastnn.dropin.rashid import neuralNetwork

runs a program written for the book's ``neuralNetwork``; ``neuralnetwork``, as some of its copies spell it, is the same.
Its weights are drawn as in the first printing (2016). The book's repository has drawn them with other deviations since
May 2017: :mod:`fastnn.dropin.rashid2017`.

Same seed, same numbers: the weights are drawn from the global ``numpy.random`` as the original draws them, and in
float64, the default, they agree with the original's to 1e-10 relative after 100 calls of ``train``.

The book's update is not the gradient of its quadratic error: the last layer follows it, but what goes back to the
hidden layer is the error t - o itself, without the output's derivative. This class does as the book does.

A replaced ``activation_function`` is honoured: the network then computes in NumPy, and says so once.

The book's own loop calls ``numpy.asfarray``, which is gone from NumPy 2: write ``numpy.asarray(values, dtype=float)``,
or read the whole file by :func:`load_csv`.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import checks
from ..datasets.csv_file import read_digits
from ..datasets.stream import StrPath
from ..errors import DivergenceError, InvalidArgumentError
from ..kernels import get_backend
from ..kernels.formulas import sigmoid
from ..kernels.params import OwnsParameters, Parameters, aligned_zeros
from ..kernels.spec import (
    IDENTITY,
    SGD,
    Data,
    EpochArgs,
    FloatArray,
    Net,
    Rule,
    layout,
    one_layer,
)
from ..nn.fit import run_epoch

__all__ = ["Rows", "load_csv", "neuralNetwork", "neuralnetwork"]

Function = Callable[[Any], Any]

_FIRST = np.zeros(1, np.int64)  # the order of a single row
_IDENTITY = np.array([IDENTITY])
_warned: set[str] = set()


def _nobody() -> None:
    return None


def _sigmoid(x: ArrayLike) -> NDArray[Any]:
    return sigmoid(np.asarray(x, float))


def _logit(y: ArrayLike) -> NDArray[Any]:
    y = np.asarray(y, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(y) - np.log1p(-y)


class neuralNetwork(OwnsParameters):  # noqa: N801  # the book's name
    """A network of one hidden layer with sigmoid outputs and no biases, trained online.

    Parameters
    ----------
    inputnodes, hiddennodes, outputnodes : layer sizes.
    learningrate : of the sum over the samples of one call of ``train``.
    dtype : "float64", the original's, or "float32", which is faster and gives other digits.

    Attributes
    ----------
    inodes, hnodes, onodes, lr : as given. ``lr`` may be changed at any time.
    wih : (hnodes, inodes) input-to-hidden weights, drawn from normal(0, hnodes ** -0.5).
    who : (onodes, hnodes) hidden-to-output weights, drawn next from normal(0, onodes ** -0.5).
        Both may be read, edited in place or assigned; training changes them in place.
    activation_function, inverse_activation_function : the sigmoid and its inverse; may be replaced. The derivative
        remains the sigmoid's, y (1 - y), as in the book.
    """

    _lent: Callable[[], FloatArray | None]  # the array through which the caller may change wih, if it is alive
    _edition: object  # of wih: another one whenever it may have changed
    _summed: object  # the edition of which the sum is

    def __init__(
        self,
        inputnodes: int,
        hiddennodes: int,
        outputnodes: int,
        learningrate: float,
        *,
        dtype: DTypeLike = "float64",
    ) -> None:
        sizes = self.inodes, self.hnodes, self.onodes = inputnodes, hiddennodes, outputnodes
        checks.layer_sizes(sizes)
        self.lr = checks.number("learningrate", learningrate, low=0)
        self._dtype = checks.float_dtype(dtype)
        # one row more than there are inputs: the sum of the others, for queries
        net, count = layout([inputnodes + 1, *sizes[1:]], ["sigmoid", "sigmoid"], "quadratic", False, self._dtype)
        # The book's errors of the hidden layer are who^T (t - o): the outputs' derivative is left out on the way back.
        net = net._replace(sizes=np.array(sizes), propagates_error=True)
        self._summed_net = net._replace(row_sums=inputnodes * int(net.strides[0]))
        self._parameters = Parameters(net, aligned_zeros(count, self._dtype))
        self._state = np.empty((0, count), self._dtype)
        self._forget_sums()
        self.activation_function: Function = _sigmoid
        self.inverse_activation_function: Function = _logit
        for weights, deviation in zip((self.wih, self.who), self._deviations(), strict=True):
            weights[:] = np.random.normal(0.0, deviation, weights.shape)

    def _deviations(self) -> tuple[float, float]:
        """The standard deviations of the draws of wih and of who."""
        return self.hnodes**-0.5, self.onodes**-0.5

    @property
    def wih(self) -> FloatArray:
        lent = self._lent()
        if lent is None:  # NumPy lets all views of views refer to this one, as what it views is no array
            lent = np.frombuffer(self._parameters.vector.data, self._dtype)
            self._lent = weakref.ref(lent)
        self._edition = object()
        return Parameters(self._parameters.net, lent).weights[0].T

    @wih.setter
    def wih(self, weights: ArrayLike) -> None:
        checks.parameters("wih", [weights], [self.wih])

    @property
    def who(self) -> FloatArray:
        return self._parameters.weights[1].T

    @who.setter
    def who(self, weights: ArrayLike) -> None:
        checks.parameters("who", [weights], [self.who])

    def _forget_sums(self) -> None:
        self._lent = _nobody
        self._edition = object()
        self._summed = None

    def _net_of_one(self) -> Net:
        """The net for a query of one sample: with the sum of wih's columns, in place of reading those of blank pixels.

        Not while the caller has an array through which wih could change at any time.
        """
        edition = self._edition
        if self._lent() is not None:
            return self._parameters.net
        if self._summed is not edition:
            net, start = self._parameters.net, self._summed_net.row_sums
            first = one_layer(net, 0)._replace(activations=_IDENTITY)
            ones = np.ones((1, self.inodes), self._dtype)
            sums = self._parameters.vector[np.newaxis, start : start + self.hnodes]
            get_backend().forward(first, self._parameters.vector, ones, 1.0, sums)
            self._summed = edition
        return self._summed_net

    def train(self, inputs_list: ArrayLike, targets_list: ArrayLike) -> None:
        """One update by a sample, (inodes,) with targets (onodes,), or by the sum over a batch of such rows.

        Raises DivergenceError where the outputs are NaN or infinite, and FastnnError for unusable arguments; the
        weights are then as before.
        """
        data = self._data("inputs_list", inputs_list, "targets_list", targets_list)
        if self._is_replaced():
            return self._train_slowly(data.dense * data.scale, data.y)
        rows = len(data.X)
        order = _FIRST if rows == 1 else np.arange(rows)
        rule = Rule(SGD, self.lr * rows)  # kernels follow the mean
        try:
            done = get_backend().train_epoch(
                self._parameters.net, self._parameters.vector, self._state, data, EpochArgs(order, rows, rule)
            )
        finally:
            self._edition = object()
        if not done.batches:
            checks.blame_nonfinite("inputs_list", data.X)
            checks.blame_nonfinite("targets_list", data.y)
            raise DivergenceError("train: expected finite outputs, found NaN or infinity; the weights are as before")

    def fit(self, X: ArrayLike, T: ArrayLike, epochs: int = 1) -> None:
        """``train`` for row after row of X (n, inodes) and T (n, onodes), ``epochs`` times, in compiled code.

        uint8 inputs stand for 0..255, as for ``train``. Raises DivergenceError, keeping the last finite weights.
        """
        epochs = checks.integer("epochs", epochs, low=0)
        data = self._data("X", X, "T", T)
        if self._is_replaced():
            for _ in range(epochs):
                for x, t in zip(data.dense, data.y, strict=True):
                    self._train_slowly(x[np.newaxis] * data.scale, t[np.newaxis])
            return
        args = EpochArgs(np.arange(len(data.X)), 1, Rule(SGD, self.lr))
        for epoch in range(epochs):
            try:
                run_epoch(self._parameters.net, self._parameters.vector, self._state, data, args)
            except DivergenceError as error:
                raise DivergenceError(f"epoch {epoch}: {error}") from None
            finally:
                self._edition = object()

    def query(self, inputs_list: ArrayLike) -> FloatArray:
        """The outputs (onodes, n) for one sample (inodes,), n = 1, or for rows (n, inodes).

        One sample takes less time where its first and last input are alike, as the corners of a picture are, and none
        of the arrays that ``wih`` gave out is still in use.
        """
        X, scale = checks.sample_or_rows("inputs_list", inputs_list, self.inodes, self._dtype)
        if self.activation_function is not _sigmoid and self._is_replaced():
            function = self.activation_function
            return np.asarray(function(np.dot(self.who, function(np.dot(self.wih, X.T * scale)))))
        out = np.empty((len(X), self.onodes), self._dtype)
        net = self._net_of_one() if len(X) == 1 else self._parameters.net
        if not get_backend().forward(net, self._parameters.vector, X, scale, out):
            checks.blame_nonfinite("inputs_list", X)
        return out.T

    def backquery(self, targets_list: ArrayLike) -> FloatArray:
        """The inputs (inodes, n), 0.01..0.99, that lead back from targets above 0 and below 1 (book, part 3).

        Targets are (onodes,), n = 1, or rows (n, onodes), whose signals are rescaled together, as the book does it. A
        replaced ``inverse_activation_function`` may take others. Where the original would return NaN, FastnnError is
        raised.
        """
        inverse = self.inverse_activation_function
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # the errors say more than the warnings
            targets = checks.sample_or_rows("targets_list", targets_list, self.onodes, self._dtype).X
            checks.nonempty("targets_list", len(targets))
            if inverse is _logit:
                checks.probabilities("targets_list", targets, exclusive=True)
            hidden = inverse(_rescaled(np.dot(self.who.T, np.asarray(inverse(targets.T)))))
            return _rescaled(np.dot(self.wih.T, hidden))

    def accuracy(self, X: ArrayLike, y: ArrayLike) -> float:
        """The share of rows X (n, inodes) whose largest output is at their label y (n,)."""
        return self.threshold_accuracy(X, y, 0.0)

    def threshold_accuracy(self, X: ArrayLike, y: ArrayLike, threshold: float = 0.85) -> float:
        """The same, but an output below ``threshold`` does not count."""
        threshold = checks.number("threshold", threshold, low=0)
        outputs = self.query(X)
        checks.nonempty("X", outputs.shape[1])
        labels = checks.targets("y", y, outputs.shape[1], self.onodes, self._dtype)
        if labels.ndim != 1:
            raise InvalidArgumentError("y", f"labels ({outputs.shape[1]},)", f"shape {labels.shape}")
        return float(np.mean((outputs.argmax(axis=0) == labels) & (outputs.max(axis=0) >= threshold)))

    def _data(self, x_name: str, inputs: ArrayLike, t_name: str, targets: ArrayLike) -> Data:
        X, scale = checks.sample_or_rows(x_name, inputs, self.inodes, self._dtype)
        T = checks.sample_or_rows(t_name, targets, self.onodes, self._dtype).X
        if T.dtype != self._dtype:  # bytes
            T = T.astype(self._dtype)
        if len(T) != len(X):
            raise InvalidArgumentError(t_name, f"{len(X)} rows, as many as {x_name}", len(T))
        checks.nonempty(x_name, len(X))
        return Data(X, scale, T)

    def _is_replaced(self) -> bool:
        """Whether the caller has put another function in the place of the sigmoid; says so once for every class."""
        if self.activation_function is _sigmoid:
            return False
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        if name not in _warned:
            _warned.add(name)
            message = f"{name} computes in NumPy, which is slower: activation_function is replaced"
            warnings.warn(message, stacklevel=3)
        return True

    def _train_slowly(self, X: FloatArray, T: FloatArray) -> None:
        hidden = self.activation_function(np.dot(self.wih, X.T))
        final = self.activation_function(np.dot(self.who, hidden))
        error = T.T - final
        hidden_error = np.dot(self.who.T, error)
        self.who += self.lr * np.dot(error * final * (1 - final), hidden.T)
        self.wih += self.lr * np.dot(hidden_error * hidden * (1 - hidden), X)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lent"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._forget_sums()


neuralnetwork = neuralNetwork


def _rescaled(values: FloatArray) -> FloatArray:
    """From least and greatest to 0.01 and 0.99."""
    least, spread = values.min(), np.ptp(values)
    if not np.isfinite(spread):
        raise InvalidArgumentError("targets_list", "targets that lead back to finite numbers", "NaN or infinity")
    if spread == 0:
        raise InvalidArgumentError("targets_list", "targets that lead back to more than one value", "one value")
    return (values - least) / spread * 0.98 + 0.01


class Rows(NamedTuple):
    """What :func:`load_csv` reads."""

    inputs: NDArray[np.float64]  # (n, pixels)
    targets: NDArray[np.float64]  # (n, 10)


def load_csv(path: StrPath, high: float = 1.0) -> Rows:
    """Read mnist_train.csv (or .csv.gz) as :func:`fastnn.datasets.read_csv` does, and scale it as the book does.

    Inputs are 0.99 p / 255 + 0.01; a target is ``high`` (the book's 0.99, or 1.0) at its label and 0.01 elsewhere.
    Raises FileFormatError, with the line, also for labels beyond 9.
    """
    high = checks.number("high", high, low=0)
    images, labels = read_digits(path)
    scaled = np.arange(256) / 255.0 * 0.99 + 0.01
    targets = np.full((len(labels), 10), 0.01)
    targets[np.arange(len(labels)), labels] = high
    inputs = np.empty(images.shape)
    for start in range(0, len(images), 64):  # as indices these are 64 bits each, which are to stay in the cache
        rows = slice(start, start + 64)
        np.take(scaled, images[rows], out=inputs[rows], mode="clip")
    return Rows(inputs, targets)
