"""scikit-learn's multilayer perceptrons with fastnn's kernels under them.

Everything that is not arithmetic stays scikit-learn's own code: parameters, validation, the loop over epochs with its
stopping rules and warnings, and lbfgs. What is overridden is one step of that code. Its loop asks ``_backprop`` for the
loss and the gradients of a batch and then updates the weights; here it is told that the whole epoch is one batch, and
``_backprop`` trains that epoch with the kernels, in batches of the true size. lbfgs asks ``_backprop`` for the loss and
gradient over all rows, which one kernel call returns.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score
from sklearn.neural_network import MLPClassifier

from .. import checks
from ..kernels import get_backend
from ..kernels.params import Parameters, aligned_zeros
from ..kernels.spec import (
    ADAM,
    ALIGNMENT,
    MOMENTUM,
    NESTEROV,
    PENALTY_PARTS,
    SGD,
    SLOTS,
    Data,
    EpochArgs,
    EpochResult,
    FloatArray,
    IntArray,
    Rows,
    Rule,
    Tick,
)
from ..nn.fit import packed
from . import hooks
from .records import recorded

HAS_SAMPLE_WEIGHT = "sample_weight" in inspect.signature(MLPClassifier.fit).parameters  # since 1.7

try:
    from sklearn.neural_network import _multilayer_perceptron as theirs
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
    from sklearn.utils.validation import validate_data

    OPTIMIZERS = (AdamOptimizer, SGDOptimizer)
    TABLES = (theirs.ACTIVATIONS, theirs.DERIVATIVES, theirs.LOSS_FUNCTIONS)
    of_batch = f"X y {'sample_weight ' if HAS_SAMPLE_WEIGHT else ''}activations deltas coef_grads intercept_grads"
    hooks.require(MLPClassifier, "_backprop", of_batch)
    hooks.require(MLPClassifier, "_fit_stochastic", f"{of_batch} layer_units incremental")
    hooks.require(MLPClassifier, "_fit_lbfgs", f"{of_batch} layer_units")
    hooks.require(MLPClassifier, "_forward_pass_fast", "X check_input")
    weight = "sample_weight " if HAS_SAMPLE_WEIGHT else ""
    hooks.require(MLPClassifier, "_score", f"X y {weight}".strip())
    hooks.require(MLPClassifier, "_score_with_function", f"X y {weight}score_function")
    MISSING_HOOK: str | None = None
except (ImportError, AttributeError) as error:
    MISSING_HOOK = hooks.missing(error, "perceptrons")

ACTIVATIONS = {
    "identity": "identity",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "softmax": "softmax",
    "exp": "exponential",
}
# The kernels' losses by scikit-learn's loss and activation of the outputs. Their gradient is (a - y) / rows, which is
# what scikit-learn takes for the gradient of any pair.
LOSSES = {
    ("squared_error", "identity"): "quadratic",
    ("log_loss", "logistic"): "binary_cross_entropy",
    ("log_loss", "softmax"): "cross_entropy",
    ("poisson", "exp"): "poisson",
}
# The kernels stand in for these methods of scikit-learn's, and so for nobody else's under their names.
STOOD_IN_FOR = ("_backprop", "_compute_loss_grad", "_forward_pass")
# BLAS is as fast at dense products, and its threads begin sooner. What the kernels save besides pays from so many
# multiply-adds of a forward pass.
LEAST_FORWARD_WORK = 40_000_000
# From so many inputs and outputs of a layer BLAS takes less time for its dense product, and scikit-learn is to answer
# where that is most of the work. The first layer's is not dense if at most this share of some rows is other than zero.
WIDE, MOST_NONZERO, ROWS_COUNTED = 400, 0.5, 64
# Of sparse rows it pays from so many multiply-adds of the first layer, if there are also twice as many of them as there
# are weights.
LEAST_SPARSE_WORK = 600_000


class Batches(NamedTuple):
    """Consecutive rows of an order, batch after batch.

    Attributes
    ----------
    starts : (batches,) the places of their first rows.
    counts : (batches,) their rows.
    """

    starts: IntArray
    counts: IntArray

    @classmethod
    def of(cls, rows: int, size: int) -> Batches:
        """The batches of ``size`` rows, with a smaller last one where ``rows`` are no multiple."""
        starts = np.arange(0, rows, size)
        return cls(starts, np.diff(starts, append=rows))


class CompiledNetwork:
    """A network with an estimator's weights in it.

    Parameters
    ----------
    estimator : with ``coefs_``, ``intercepts_`` and an ``out_activation_`` that goes with its ``loss``.
    dtype : float32 or float64, in which to compute.

    Attributes
    ----------
    parameters : in which ``coefs_`` and ``intercepts_`` may be views.
    of_outputs : what the kernels' loss is multiplied by: scikit-learn takes the mean of the outputs' squares.
    """

    def __init__(self, estimator: Any, dtype: np.dtype[Any]) -> None:
        sizes = [len(estimator.coefs_[0]), *(coef.shape[1] for coef in estimator.coefs_)]
        output, loss = estimator.out_activation_, LOSSES[estimator.loss, estimator.out_activation_]
        activations = [*estimator._kernel_activations(len(sizes) - 2), ACTIVATIONS[output]]
        self.parameters = Parameters.zeros(sizes, activations, loss, True, dtype)
        if output in ("softmax", "logistic"):
            # scikit-learn takes the logarithms of probabilities that are this far from 0 and 1.
            self.parameters.net = self.parameters.net._replace(least_probability=float(np.finfo(dtype).eps))
        self.estimator = estimator
        self.has_labels = output == "softmax"
        self.of_outputs = 1 / sizes[-1] if output == "identity" else 1.0
        self.load()

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parameters.vector.dtype

    def load(self) -> None:
        """Copy the estimator's weights into the network, unless they are there."""
        for views, arrays in (
            (self.parameters.weights, self.estimator.coefs_),
            (self.parameters.biases, self.estimator.intercepts_),
        ):
            for view, array in zip(views, arrays, strict=True):
                if not np.may_share_memory(view, array):
                    view[:] = array

    def inputs(self, X: Any) -> Rows:
        """Rows X (n, features) as the kernels take them.

        They are numbers of a type that ``dtype`` holds, in an array or in one of SciPy's sparse matrices. Raises
        :class:`~fastnn.errors.InvalidArgumentError` for a sparse matrix whose indices are out of bounds.
        """
        if checks.is_sparse(X):
            return checks.csr("X", X.tocsr().astype(self.dtype, copy=False))
        return checks.for_kernels(X, None if X.dtype == np.uint8 else self.dtype)

    def rows(self, X: Any, y: NDArray[Any]) -> Data:
        """Rows X (n, features) with scikit-learn's targets y (n, outputs), which are bool where there are classes."""
        targets = y.argmax(axis=1).astype(np.int32) if self.has_labels else checks.for_kernels(y, self.dtype)
        return Data(self.inputs(X), 1.0, targets)

    def weighted(
        self, data: Data, y: NDArray[Any], sample_weight: NDArray[Any] | None, order: IntArray, batches: Batches
    ) -> tuple[Data, NDArray[np.float64]]:
        """The data with factors by which the kernels' mean over a batch is scikit-learn's, and what that divides by.

        Kernels divide the sum over a batch by its rows, scikit-learn by the sum of their weights.

        Parameters
        ----------
        y : (n, outputs), scikit-learn's targets of the data.
        sample_weight : (n,), or None.
        order : (n,) the rows, batch after batch.
        batches : into which they are cut.

        Returns
        -------
        data, and totals : (batches,) the sums of the batches' weights, or their rows where there are no weights.

        Raises
        ------
        ZeroDivisionError, or what the estimator has in its place, if a batch's weights sum to zero.
        """
        weights = self.estimator._row_weights(y, sample_weight)
        if weights is None:
            return data, batches.counts.astype(np.float64)
        in_order = np.asarray(weights, np.float64)[order]
        totals = np.add.reduceat(in_order, batches.starts)
        if not totals.all():
            raise self.estimator._zero_weights()
        factors = np.empty(len(order))
        factors[order] = in_order * np.repeat(batches.counts / totals, batches.counts)
        return data._replace(weights=checks.for_kernels(factors, self.dtype)), totals

    def forward(self, X: Any) -> FloatArray:
        """The outputs (n, outputs) for rows X (n, features), of ``dtype``."""
        net, vector = self.parameters.net, self.parameters.vector
        out = np.empty((X.shape[0], int(net.sizes[-1])), self.dtype)
        get_backend().forward(net, vector, self.inputs(X), 1.0, out)
        return out


class Epochs(CompiledNetwork):
    """Epochs of a stochastic training, each of which is one call of ``_backprop`` while ``_fit_stochastic`` runs.

    Parameters
    ----------
    estimator : with its weights and its ``_optimizer``.
    dtype : that of the weights and of the rows.
    batch_size, shuffled : as the caller has set them.
    epochs : how many there are at most.
    """

    def __init__(self, estimator: Any, dtype: np.dtype[Any], batch_size: int, shuffled: bool, epochs: int) -> None:
        super().__init__(estimator, dtype)
        self.batch_size, self.shuffled, self.epochs = batch_size, shuffled, epochs
        self.data: Data | None = None  # once the rows to train on are known
        vector, optimizer = self.parameters.vector, estimator._optimizer
        self.is_adam = type(optimizer) is AdamOptimizer
        self.state = aligned_zeros((SLOTS[ADAM if self.is_adam else MOMENTUM], vector.size), vector.dtype)
        self.attach()

    def attach(self) -> None:
        """Have the estimator's weights, which are loaded, and its optimizer's state where the kernels update them."""
        estimator, optimizer = self.estimator, self.estimator._optimizer
        kept = (optimizer.ms, optimizer.vs) if self.is_adam else (optimizer.velocities,)
        for slot, arrays in zip(self.state, kept, strict=True):
            for view, array in zip(self._views(slot), arrays, strict=True):
                view[:] = array
        self.views = self.parameters.weights, self.parameters.biases
        self._exchange((estimator.coefs_, estimator.intercepts_), self.views)
        optimizer.update_params = _nothing  # the kernels have made the updates when the loop asks for them

    def detach(self) -> None:
        """Leave the estimator and its optimizer with arrays of their own."""
        optimizer, (weights, biases) = self.estimator._optimizer, self.views
        self._exchange(self.views, (_copies(weights), _copies(biases)))
        del optimizer.update_params
        slots = [_copies(self._views(slot)) for slot in self.state]
        if self.is_adam:
            optimizer.ms, optimizer.vs = slots
        else:
            (optimizer.velocities,) = slots

    def _exchange(self, old: tuple[list[FloatArray], ...], new: tuple[list[FloatArray], ...]) -> None:
        """Put new lists of weights and of biases where the estimator has the old ones.

        After a training that stopped early the best weights are the weights themselves, and change with them.
        """
        names = ("coefs_", "_best_coefs"), ("intercepts_", "_best_intercepts")
        for pair, before, after in zip(names, old, new, strict=True):
            for name in pair:
                if getattr(self.estimator, name, None) is before:
                    setattr(self.estimator, name, after)

    def _views(self, vector: FloatArray) -> list[FloatArray]:
        """Weights and then biases, layer by layer, of a vector that is laid out as the parameters."""
        parts = Parameters(self.parameters.net, vector)
        return [*parts.weights, *parts.biases]

    def set_data(self, X: Any, y: NDArray[Any], sample_weight: NDArray[Any] | None) -> None:
        """Set the rows to train on, which are the same in every epoch."""
        self.order: IntArray = np.arange(len(y))
        self.batches = Batches.of(len(y), self.batch_size)
        self.loss_type = loss_type(self.estimator, self.dtype, y, sample_weight)
        batch_size = self.batch_size if self.batches_come_again() else None
        self.data = packed(self.rows(X, y), self.parameters.net, self.epochs, batch_size)

    def batches_come_again(self) -> bool:
        """Whether every epoch has the same batches."""
        return not self.shuffled

    def next_rule(self) -> Rule:
        """The optimizer's next update; l2 is to be divided by the rows, or weights, of each batch."""
        optimizer, l2 = self.estimator._optimizer, float(self.estimator.alpha)
        if self.is_adam:
            return Rule(
                ADAM,
                float(optimizer.learning_rate_init),
                l2=l2,
                beta1=float(optimizer.beta_1),
                beta2=float(optimizer.beta_2),
                epsilon=float(optimizer.epsilon),
                step=optimizer.t,
            )
        momentum = float(optimizer.momentum)
        kind = SGD if momentum == 0 else NESTEROV if optimizer.nesterov else MOMENTUM
        return Rule(kind, optimizer.learning_rate, momentum, l2)

    def train_epoch(self, X: Any, y: NDArray[Any], sample_weight: NDArray[Any] | None) -> Any:
        """Train one epoch.

        Parameters
        ----------
        X : (n, features), dense or sparse, of ``dtype``.
        y : (n, outputs), scikit-learn's targets.
        sample_weight : (n,) factors of the rows' losses, or None.

        Returns
        -------
        loss : the mean over the rows, with the penalties, of scikit-learn's type; NaN where training diverged.

        Raises
        ------
        ZeroDivisionError, or what the estimator has in its place, if a batch's weights sum to zero.
        """
        if self.data is None:
            self.set_data(X, y, sample_weight)
        assert self.data is not None
        if self.shuffled:
            places = np.arange(len(y))  # as sklearn.utils.shuffle has it
            self.estimator._random_state.shuffle(places)
            self.order = self.order[places]
        data, totals = self.weighted(self.data, y, sample_weight, self.order, self.batches)
        rule, penalties = self.next_rule(), np.zeros((len(totals), PENALTY_PARTS))
        state = self.state if SLOTS[rule.optimizer] else self.state[:0]
        args = EpochArgs(self.order, self.batch_size, rule, penalty_factors=1 / totals, penalties=penalties)
        # Python runs no handler of signals inside a list's method: Ctrl-C cannot come before the count is there.
        counts = [0]
        try:
            result = self.run(state, data, args, counts.append)
            counts.append(result.batches)
        finally:
            self._count_updates(counts[-1])
        if result.batches < len(totals):
            # scikit-learn goes on with what is no number any more, and refuses the weights in the end.
            self.parameters.vector[:] = np.nan
            return self.loss_type(math.nan)
        shares = self.batches.counts / totals
        return self.loss_type((result.loss * self.of_outputs + float(penalties.sum(axis=1) @ shares)) / len(y))

    def run(self, state: FloatArray, data: Data, args: EpochArgs, tick: Tick) -> EpochResult:
        """The epoch that these arguments describe."""
        return get_backend().train_epoch(self.parameters.net, self.parameters.vector, state, data, args, tick)

    def _count_updates(self, count: int) -> None:
        optimizer = self.estimator._optimizer
        if self.is_adam and count:
            optimizer.t += count
            corrections = np.sqrt(1 - optimizer.beta_2**optimizer.t) / (1 - optimizer.beta_1**optimizer.t)
            optimizer.learning_rate = optimizer.learning_rate_init * corrections


class Gradients(CompiledNetwork):
    """The loss and its gradient over all rows, which ``_backprop`` returns while ``_fit_lbfgs`` runs.

    Parameters
    ----------
    estimator : with its weights.
    dtype : in which scikit-learn computes.
    X, y, sample_weight : as for :meth:`Epochs.train_epoch`, X of any type that ``dtype`` holds.
    """

    def __init__(
        self, estimator: Any, dtype: np.dtype[Any], X: Any, y: NDArray[Any], sample_weight: NDArray[Any] | None
    ) -> None:
        super().__init__(estimator, dtype)
        self.loss_type = loss_type(estimator, dtype, y, sample_weight)
        order, batch = np.arange(len(y)), Batches.of(len(y), len(y))
        self.data, (self.total,) = self.weighted(self.rows(X, y), y, sample_weight, order, batch)
        self.grad = aligned_zeros(self.parameters.vector.size, dtype)

    def loss_grad(self) -> tuple[Any, list[FloatArray], list[FloatArray]]:
        """The loss with its penalty, of scikit-learn's type, and its gradient.

        The gradient is views by layer, (inputs, outputs) of the weights and (outputs,) of the biases, which the next
        call overwrites.
        """
        self.load()
        net, vector = self.parameters.net, self.parameters.vector
        loss = get_backend().loss_grad(net, vector, self.data, self.grad) * self.of_outputs
        share = self.estimator.alpha / self.total
        grads = Parameters(net, self.grad)
        for coef, grad in zip(self.estimator.coefs_, grads.weights, strict=True):
            grad += share * coef
            loss += 0.5 * share * float(np.vdot(coef, coef))
        return self.loss_type(loss), grads.weights, grads.biases


class RecordedMLP:
    """What stands in the place of :class:`CompiledMLP` with a scikit-learn that lacks the hooks: its own code runs."""

    _missing_hook = MISSING_HOOK

    def _fit(self, *args: Any, **kwargs: Any) -> Any:
        with recorded(self, "partial_fit" if kwargs.get("incremental") else "fit", self._missing_hook):
            return super()._fit(*args, **kwargs)  # type: ignore[misc]  # scikit-learn's

    def _forward_pass_fast(self, *args: Any, **kwargs: Any) -> Any:
        with recorded(self, "predict", self._missing_hook):
            return super()._forward_pass_fast(*args, **kwargs)  # type: ignore[misc]  # as above


class CompiledMLP:
    """What both estimators override of scikit-learn's."""

    _compiled: Epochs | Gradients | None  # while a training runs
    _epochs: type[Epochs] = Epochs

    def _kernel_activations(self: Any, layers: int) -> list[str]:
        """The kernels' names of the activations of so many hidden layers."""
        return [ACTIVATIONS[self.activation]] * layers

    def _row_weights(self, y: NDArray[Any], sample_weight: NDArray[Any] | None) -> NDArray[Any] | None:
        """The factors (n,) of the losses of rows with scikit-learn's targets y (n, outputs)."""
        return sample_weight

    def _zero_weights(self) -> Exception:
        """What is raised for a batch whose weights sum to zero, as NumPy raises it in scikit-learn's losses."""
        return ZeroDivisionError("Weights sum to zero, can't be normalized")

    def _fit_stochastic(self, X: Any, y: Any, *rest: Any) -> None:
        fit: Callable[..., None] = super()._fit_stochastic  # type: ignore[misc]  # scikit-learn's
        incremental = rest[-1]
        reason = training_refusal(self, X, y, incremental) or self._fit_refusal(X, incremental)
        with recorded(self, "partial_fit" if incremental else "fit", reason):
            if reason is not None:
                fit(X, y, *rest)
                return
            with self._one_batch_an_epoch(X.shape[0], incremental) as training:
                self._training = training
                try:
                    fit(X, y, *rest)
                finally:
                    del self._training
                    if (compiled := self.__dict__.pop("_compiled", None)) is not None:
                        compiled.detach()

    def _fit_refusal(self: Any, X: Any, incremental: bool) -> str | None:
        """Why scikit-learn's own code is to train what the kernels could train, or None."""
        rows = 200 if self.batch_size == "auto" else self.batch_size
        is_narrow = self.coefs_[0].shape[1] * self.coefs_[0].itemsize < ALIGNMENT
        if incremental and checks.is_sparse(X) and X.shape[0] <= rows and is_narrow:
            return "one batch of sparse rows for a layer that padding makes wider"
        return None

    @contextmanager
    def _one_batch_an_epoch(self: Any, rows: int, incremental: bool) -> Iterator[tuple[int, bool, int]]:
        """Let scikit-learn's loop see one batch without a shuffle.

        Yields the batch size, whether to shuffle and how many epochs there are at most.
        """
        batch_size, shuffled = self.batch_size, self.shuffle
        count = rows
        if self.early_stopping and not incremental:
            count -= math.ceil(self.validation_fraction * rows)  # as train_test_split has it
        whole: int = max(count, 1)
        if batch_size == "auto":
            size, whole = min(200, count), _PlainInt(whole)
        else:
            size = int(np.clip(batch_size, 1, count))
            # scikit-learn clips a size that is too large, and says so where nothing else is wrong.
            whole = max(batch_size, whole)
        self.batch_size, self.shuffle = whole, False
        try:
            yield size, shuffled, 1 if incremental else self.max_iter
        finally:
            self.batch_size, self.shuffle = batch_size, shuffled

    def _fit_lbfgs(self, X: Any, y: Any, *rest: Any) -> None:
        fit: Callable[..., None] = super()._fit_lbfgs  # type: ignore[misc]  # scikit-learn's
        reason = training_refusal(self, X, y, incremental=False)
        with recorded(self, "fit", reason):
            if reason is None:
                dtype = common_type(self, X)
                assert dtype is not None
                self._compiled = Gradients(self, dtype, X, y, rest[0] if HAS_SAMPLE_WEIGHT else None)
            try:
                fit(X, y, *rest)
            finally:
                self.__dict__.pop("_compiled", None)

    def _backprop(self, X: Any, y: Any, *rest: Any) -> tuple[Any, list[FloatArray], list[FloatArray]]:
        compiled = self.__dict__.get("_compiled")
        if compiled is None and "_training" in self.__dict__:
            compiled = self._compiled = self._epochs(self, X.dtype, *self._training)
        if isinstance(compiled, Gradients):
            return compiled.loss_grad()
        if compiled is None:
            return super()._backprop(X, y, *rest)  # type: ignore[misc]  # scikit-learn's
        coef_grads, intercept_grads = rest[-2:]
        return compiled.train_epoch(X, y, rest[0] if HAS_SAMPLE_WEIGHT else None), coef_grads, intercept_grads

    def _forward_pass_fast(self: Any, X: Any, check_input: bool = True) -> FloatArray:
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        reason = self._forward_refusal(X)
        with recorded(self, "predict", reason):
            if reason is not None:
                return super()._forward_pass_fast(X, check_input=False)  # type: ignore[misc]  # scikit-learn's
            dtype, compiled = common_type(self, X), self.__dict__.get("_compiled")
            assert dtype is not None
            if compiled is None or compiled.dtype != dtype:
                compiled = CompiledNetwork(self, dtype)
            return compiled.forward(X)

    def _score(self: Any, X: Any, y: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> float:
        """The score of the rows that are held out in training."""
        weights = {"sample_weight": sample_weight} if HAS_SAMPLE_WEIGHT else {}
        if "_compiled" not in vars(self) or not is_classifier(self):
            return super()._score(X, y, **weights)  # type: ignore[misc]  # scikit-learn's
        return super()._score_with_function(X, y, score_function=accuracy, **weights)  # type: ignore[misc]  # as above

    def _forward_refusal(self: Any, X: Any) -> str | None:
        """Why scikit-learn's own code is to compute the outputs, or None."""
        size, least = sum(coef.size for coef in self.coefs_), LEAST_FORWARD_WORK
        work = X.shape[0] * size
        if checks.is_sparse(X):  # whose other layers scikit-learn is as fast at
            work = X.nnz * self.coefs_[0].shape[1]
            least = least if "_compiled" in vars(self) else max(LEAST_SPARSE_WORK, 2 * size)
        elif work >= least and 2 * self._wide_size(X) > size:
            return "layers so wide that scikit-learn is as fast"
        return "so little that scikit-learn is as fast" if work < least else refusal(self, X)

    def _wide_size(self: Any, X: NDArray[Any]) -> int:
        """The weights of the layers at whose products BLAS is faster."""
        wide = [coef.size for coef in self.coefs_ if min(coef.shape) >= WIDE]
        if wide and min(self.coefs_[0].shape) >= WIDE:
            some = X[:: -(-len(X) // ROWS_COUNTED)]
            if np.count_nonzero(some) <= MOST_NONZERO * some.size:
                wide = wide[1:]
        return sum(wide)


if MISSING_HOOK is not None:
    CompiledMLP = RecordedMLP  # type: ignore[misc, assignment]  # as its docstring says


class _PlainInt(int):
    """A number that remains an int in ``np.clip``.

    scikit-learn multiplies the loss by a batch's rows: by an int if ``batch_size`` is "auto", and a loss of float32 is
    one then, but by NumPy's int64 if it is a number.
    """

    def clip(self, *bounds: Any, **rest: Any) -> int:
        return int(np.clip(int(self), *bounds))


def _nothing(params: object, grads: object) -> None:
    """An optimizer's update that has been made already."""


def _copies(arrays: list[FloatArray]) -> list[FloatArray]:
    """Contiguous copies."""
    return [np.array(array, order="C") for array in arrays]


def loss_function(estimator: Any) -> Callable[..., Any]:
    """scikit-learn's function (y, outputs[, sample_weight]) that computes the estimator's loss without the penalty."""
    is_binary = estimator.loss == "log_loss" and estimator.out_activation_ == "logistic"
    function: Callable[..., Any] = theirs.LOSS_FUNCTIONS["binary_log_loss" if is_binary else estimator.loss]
    return function


def accuracy(y: NDArray[Any], predicted: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> float:
    """scikit-learn's accuracy_score of labels that a binarizer has made, y (n,) or (n, outputs) and what is predicted.

    That checks the labels' kind at every call, which takes most of the time of a small network's epoch.
    """
    score: Callable[..., float] = getattr(theirs, "accuracy_score", accuracy_score)  # which callers may replace
    if score is not accuracy_score or sample_weight is not None or y.ndim > 1 or y.dtype != predicted.dtype:
        return score(y, predicted, sample_weight=sample_weight)
    return float(np.mean(y == predicted))


def loss_type(estimator: Any, dtype: np.dtype[Any], y: NDArray[Any], sample_weight: NDArray[Any] | None) -> type[Any]:
    """The type that scikit-learn's loss, with its penalty, has for outputs of ``dtype``.

    It depends on NumPy's version and on the types of the targets, the weights and alpha.
    """
    outputs = np.full((1, y.shape[1]), 0.5, dtype)
    targets = np.zeros_like(outputs, y.dtype)
    weights = () if sample_weight is None else (np.ones(1, sample_weight.dtype),)
    total = weights[0].sum() if weights else 1
    return type(loss_function(estimator)(targets, outputs, *weights) + 0.5 * estimator.alpha * dtype.type(0) / total)


def common_type(estimator: Any, X: Any) -> np.dtype[Any] | None:
    """The type in which scikit-learn computes the outputs for rows X, if it is one of the kernels'."""
    types = {array.dtype for array in (*estimator.coefs_, *estimator.intercepts_)}
    if X.dtype.kind not in "biuf" or len(types) > 1:
        return None
    found = np.result_type(X.dtype, *types)
    return found if found in (np.float32, np.float64) else None


def is_sklearns(function: object) -> bool:
    """Whether scikit-learn, or fastnn, has defined a function, and not whoever has put it in the place of another."""
    module: str = getattr(function, "__globals__", {}).get("__name__", "")
    return module.partition(".")[0] in ("sklearn", "fastnn")


def refusal(estimator: Any, X: Any) -> str | None:
    """Why scikit-learn's own code is to run for rows X, in training or not, or None."""
    if common_type(estimator, X) is None:
        return f"input of {X.dtype}, or weights of another type than floats"
    pair = estimator.loss, estimator.out_activation_
    if pair not in LOSSES:
        return f"outputs by {pair[1]!r} with the loss {pair[0]!r}"
    names = [name for name in (estimator.activation, *pair) if isinstance(name, str)]
    for name in [*names, "binary_log_loss"]:
        if not all(is_sklearns(table[name]) for table in TABLES if name in table):
            return f"{name!r} is not scikit-learn's own"
    return None


def training_refusal(estimator: Any, X: Any, y: NDArray[Any], incremental: bool) -> str | None:
    """Why scikit-learn's own code is to train with rows X and targets y (n, outputs), or None."""
    is_lbfgs = estimator.solver == "lbfgs"
    for name in (*STOOD_IN_FOR, "_loss_grad_lbfgs") if is_lbfgs else STOOD_IN_FOR:
        found = [vars(kind)[name] for kind in type(estimator).__mro__ if name in vars(kind)]
        if name in vars(estimator) or not all(map(is_sklearns, found)):
            return f"{name} is not scikit-learn's own"
    if not is_lbfgs:
        if any(coef.dtype != X.dtype for coef in estimator.coefs_):
            return "weights of another type than the input"
        if not X.dtype.isnative:
            return "input whose bytes are in another machine's order"
        if (theirs.AdamOptimizer, theirs.SGDOptimizer) != OPTIMIZERS:
            return "optimizers that are not scikit-learn's own"
        optimizer = getattr(estimator, "_optimizer", None) if incremental else None
        if optimizer is not None and type(optimizer) not in OPTIMIZERS:
            return f"an optimizer that is a {type(optimizer).__name__}"
    if estimator.loss == "poisson" and (y < 0).any():
        return "negative targets, of which Poisson's loss is no number"
    return refusal(estimator, X)
