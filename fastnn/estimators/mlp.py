"""scikit-learn's multilayer perceptrons with fastnn's kernels under them.

Everything that is not arithmetic stays scikit-learn's own code: parameters, validation, the loop over epochs with its
stopping rules and warnings, and lbfgs. What is overridden is one step of that code. Its loop asks ``_backprop`` for the
loss and the gradients of a batch and then updates the weights; here it is told that the whole epoch is one batch, and
``_backprop`` trains that epoch with the kernels, in batches of the true size. lbfgs asks ``_backprop`` for the loss and
gradient over all rows, which one kernel call returns.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from sklearn.utils.validation import validate_data

from .. import checks
from ..errors import InvalidArgumentError
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
)
from ..nn.fit import packed
from . import hooks
from .records import recorded

try:
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer

    # What is overridden below.
    MLPClassifier._fit_stochastic, MLPClassifier._fit_lbfgs  # noqa: B018  # are they there?
    MLPClassifier._backprop, MLPClassifier._forward_pass_fast  # noqa: B018  # as above
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
# The kernels' losses that have scikit-learn's gradient, (a - y) / rows, by the activation of the outputs.
LOSSES = {
    "identity": "quadratic",
    "sigmoid": "binary_cross_entropy",
    "softmax": "cross_entropy",
    "exponential": "poisson",
}
LEAST_FORWARD_WORK = 20_000  # multiply-adds of a forward pass from which packing the weights pays,
LEAST_SPARSE_WORK = 600_000  # and of sparse rows' first layer, if these are also twice as many as there are weights


class Compiled:
    """A network with scikit-learn's weights in it, and the data of a training.

    Attributes
    ----------
    parameters : in which ``coefs_`` and ``intercepts_`` may be views.
    of_outputs : what the kernels' loss is multiplied by: scikit-learn takes the mean of the outputs' squares.
    """

    def __init__(self, estimator: Any, dtype: np.dtype[Any]) -> None:
        sizes = [len(estimator.coefs_[0]), *(coef.shape[1] for coef in estimator.coefs_)]
        output = ACTIVATIONS[estimator.out_activation_]
        activations = [*estimator._kernel_activations(len(sizes) - 2), output]
        self.parameters = Parameters.zeros(sizes, activations, LOSSES[output], True, dtype)
        if output in ("softmax", "sigmoid"):
            # scikit-learn takes the logarithms of probabilities that are this far from 0 and 1.
            self.parameters.net = self.parameters.net._replace(least_probability=float(np.finfo(dtype).eps))
        self.has_labels = output == "softmax"
        self.of_outputs = 1 / sizes[-1] if output == "identity" else 1.0
        self.load(estimator)

    def load(self, estimator: Any) -> None:
        """Copy the estimator's weights into the network, unless they are there."""
        for views, arrays in (
            (self.parameters.weights, estimator.coefs_),
            (self.parameters.biases, estimator.intercepts_),
        ):
            for view, array in zip(views, arrays, strict=True):
                if not np.may_share_memory(view, array):
                    view[:] = array

    def inputs(self, X: Any) -> Rows:
        """Rows X (n, features), dense or sparse, as the kernels take them."""
        if checks.is_sparse(X):
            return checks.csr("X", X.tocsr())
        return checks.for_kernels(X, self.parameters.vector.dtype)

    def rows(self, X: Any, y: NDArray[Any]) -> Data:
        """The same with scikit-learn's targets y (n, outputs)."""
        dtype = self.parameters.vector.dtype
        targets = y.argmax(axis=1).astype(np.int32) if self.has_labels else checks.for_kernels(y, dtype)
        return Data(self.inputs(X), 1.0, targets)

    def forward(self, X: Any) -> FloatArray:
        """The outputs (n, outputs) for rows X (n, features)."""
        net, vector = self.parameters.net, self.parameters.vector
        out = np.empty((X.shape[0], int(net.sizes[-1])), vector.dtype)
        get_backend().forward(net, vector, self.inputs(X), 1.0, out)
        return out


class Epochs(Compiled):
    """Epochs of a stochastic training: what ``_backprop`` is while ``_fit_stochastic`` runs.

    Parameters
    ----------
    estimator : with its weights and its ``_optimizer``.
    batch_size, shuffled : as the caller has set them.
    """

    def __init__(self, estimator: Any, dtype: np.dtype[Any], batch_size: int, shuffled: bool) -> None:
        super().__init__(estimator, dtype)
        self.estimator, self.batch_size, self.shuffled = estimator, batch_size, shuffled
        self.data: Data | None = None  # once the rows to train on are known
        vector, optimizer = self.parameters.vector, estimator._optimizer
        self.is_adam = isinstance(optimizer, AdamOptimizer)
        self.state = aligned_zeros((SLOTS[ADAM if self.is_adam else MOMENTUM], vector.size), vector.dtype)
        self.take_over()

    def take_over(self) -> None:
        """Have the estimator's weights, which are loaded, and its optimizer's state where the kernels update them."""
        estimator, optimizer, parameters = self.estimator, self.estimator._optimizer, self.parameters
        kept = (optimizer.ms, optimizer.vs) if self.is_adam else (optimizer.velocities,)
        for slot, arrays in zip(self.state, kept, strict=True):
            for view, array in zip(self._views(slot), arrays, strict=True):
                view[:] = array
        estimator.coefs_, estimator.intercepts_ = parameters.weights, parameters.biases
        optimizer.update_params = _nothing  # the kernels have made the updates when the loop asks for them

    def _views(self, vector: FloatArray) -> list[FloatArray]:
        """Weights and then biases, layer by layer, of a vector that is laid out as the parameters."""
        parts = Parameters(self.parameters.net, vector)
        return [*parts.weights, *parts.biases]

    def take(self, X: Any, y: NDArray[Any]) -> None:
        """Take the rows to train on, which are the same in every epoch."""
        self.data = packed(self.rows(X, y), self.parameters.net, self.estimator.max_iter)
        self.order: IntArray = np.arange(len(y))
        self.starts = np.arange(0, len(y), self.batch_size)
        self.rows_of_batches = np.diff(self.starts, append=len(y))

    def rule(self) -> Rule:
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

    def __call__(self, X: Any, y: NDArray[Any], sample_weight: NDArray[Any] | None) -> float:
        """Train one epoch on the rows, and return its loss, the mean over the rows."""
        if self.data is None:
            self.take(X, y)
        assert self.data is not None
        if self.shuffled:
            places = np.arange(len(y))  # as sklearn.utils.shuffle has it
            self.estimator._random_state.shuffle(places)
            self.order = self.order[places]
        data, totals = self.data, self.rows_of_batches.astype(np.float64)
        sample_weight = self.estimator._row_weights(y, sample_weight)
        if sample_weight is not None:
            # Kernels divide by a batch's rows, scikit-learn by the sum of its weights.
            in_order = np.asarray(sample_weight, np.float64)[self.order]
            totals = np.add.reduceat(in_order, self.starts)
            if not totals.all():
                raise InvalidArgumentError("sample_weight, class_weight", "a row above 0 in every batch", "only zeros")
            weights = np.empty(len(in_order))
            weights[self.order] = in_order * np.repeat(self.rows_of_batches / totals, self.rows_of_batches)
            data = data._replace(weights=checks.for_kernels(weights, self.parameters.vector.dtype))
        rule, penalties = self.rule(), np.zeros((len(totals), PENALTY_PARTS))
        state = self.state if SLOTS[rule.optimizer] else self.state[:0]
        args = EpochArgs(self.order, self.batch_size, rule, penalty_factors=1 / totals, penalties=penalties)
        result = self.run(state, data, args)
        self._count_updates(result.batches)
        if result.batches < len(totals):
            # scikit-learn goes on with what is no number any more, and refuses the weights in the end.
            self.parameters.vector[:] = np.nan
            return math.nan
        shares = self.rows_of_batches / totals
        return (result.loss * self.of_outputs + float(penalties.sum(axis=1) @ shares)) / len(y)

    def run(self, state: FloatArray, data: Data, args: EpochArgs) -> EpochResult:
        """The epoch that these arguments describe."""
        return get_backend().train_epoch(self.parameters.net, self.parameters.vector, state, data, args)

    def _count_updates(self, count: int) -> None:
        optimizer = self.estimator._optimizer
        if self.is_adam and count:
            optimizer.t += count
            corrections = np.sqrt(1 - optimizer.beta_2**optimizer.t) / (1 - optimizer.beta_1**optimizer.t)
            optimizer.learning_rate = optimizer.learning_rate_init * corrections

    def give_back(self) -> None:
        """Leave the estimator with arrays of its own."""
        estimator, optimizer = self.estimator, self.estimator._optimizer
        for name in ("coefs_", "intercepts_"):
            setattr(estimator, name, [np.array(array, order="C") for array in getattr(estimator, name)])
        del optimizer.update_params
        slots = [[np.array(view, order="C") for view in self._views(slot)] for slot in self.state]
        if self.is_adam:
            optimizer.ms, optimizer.vs = slots
        else:
            (optimizer.velocities,) = slots


class Gradients(Compiled):
    """The loss and its gradient over all rows: what ``_backprop`` is while ``_fit_lbfgs`` runs."""

    def __init__(self, estimator: Any, X: Any, y: NDArray[Any], sample_weight: NDArray[Any] | None) -> None:
        super().__init__(estimator, X.dtype)
        self.estimator = estimator
        self.data = self.rows(X, y)
        self.total = float(len(y))
        sample_weight = estimator._row_weights(y, sample_weight)
        if sample_weight is not None:
            # Kernels divide by the rows, scikit-learn by the sum of their weights.
            self.total = float(sample_weight.sum())
            if not self.total:
                raise InvalidArgumentError("sample_weight, class_weight", "a row above 0", "only zeros")
            weights = sample_weight * (len(y) / self.total)
            self.data = self.data._replace(weights=checks.for_kernels(weights, X.dtype))
        self.grad = aligned_zeros(self.parameters.vector.size, X.dtype)

    def __call__(self) -> tuple[float, list[FloatArray], list[FloatArray]]:
        """The loss with its penalty, and the gradients of the weights and of the biases, layer by layer."""
        self.load(self.estimator)
        net, vector = self.parameters.net, self.parameters.vector
        loss = get_backend().loss_grad(net, vector, self.data, self.grad) * self.of_outputs
        share = self.estimator.alpha / self.total
        grads = Parameters(net, self.grad)
        for coef, grad in zip(self.estimator.coefs_, grads.weights, strict=True):
            grad += share * coef
            loss += 0.5 * share * float(np.vdot(coef, coef))
        return loss, grads.weights, grads.biases


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

    def _fit_stochastic(self, X: Any, y: Any, *rest: Any) -> None:
        fit: Callable[..., None] = super()._fit_stochastic  # type: ignore[misc]  # scikit-learn's
        reason = refusal(self, X) or self._fit_refusal(X, rest[-1])
        with recorded(self, "partial_fit" if rest[-1] else "fit", reason):
            if reason is not None:
                fit(X, y, *rest)
                return
            with self._one_batch_an_epoch(X.shape[0], incremental=rest[-1]) as (batch_size, shuffled):
                self._training = batch_size, shuffled
                try:
                    fit(X, y, *rest)
                finally:
                    del self._training
                    if (compiled := self.__dict__.pop("_compiled", None)) is not None:
                        compiled.give_back()

    def _fit_refusal(self: Any, X: Any, incremental: bool) -> str | None:
        """Why scikit-learn's own code is to train, or None."""
        rows = 200 if self.batch_size == "auto" else self.batch_size
        is_narrow = self.coefs_[0].shape[1] * self.coefs_[0].itemsize < ALIGNMENT
        if incremental and checks.is_sparse(X) and X.shape[0] <= rows and is_narrow:
            return "one batch of sparse rows for a layer that padding makes wider"
        return None

    @contextmanager
    def _one_batch_an_epoch(self: Any, rows: int, incremental: bool) -> Iterator[tuple[int, bool]]:
        """Let scikit-learn's loop see one batch without a shuffle; yields the batch size and whether to shuffle."""
        batch_size, shuffled = self.batch_size, self.shuffle
        count = rows
        if self.early_stopping and not incremental:
            count -= math.ceil(self.validation_fraction * rows)  # as train_test_split has it
        if batch_size == "auto":
            size = min(200, count)
        else:
            size = int(np.clip(batch_size, 1, count))
            if batch_size > count:
                warnings.warn(
                    "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=5
                )
        self.batch_size, self.shuffle = max(count, 1), False
        try:
            yield size, shuffled
        finally:
            self.batch_size, self.shuffle = batch_size, shuffled

    def _fit_lbfgs(self, X: Any, y: Any, *rest: Any) -> None:
        fit: Callable[..., None] = super()._fit_lbfgs  # type: ignore[misc]  # scikit-learn's
        reason = refusal(self, X)
        with recorded(self, "fit", reason):
            if reason is None:
                self._compiled = Gradients(self, X, y, rest[0] if len(rest) == 6 else None)  # weights came with 1.7
            try:
                fit(X, y, *rest)
            finally:
                self.__dict__.pop("_compiled", None)

    def _backprop(self, X: Any, y: Any, *rest: Any) -> tuple[float, list[FloatArray], list[FloatArray]]:
        compiled = self.__dict__.get("_compiled")
        if compiled is None and "_training" in self.__dict__:
            compiled = self._compiled = self._epochs(self, X.dtype, *self._training)
        if isinstance(compiled, Gradients):
            return compiled()
        if compiled is None:
            return super()._backprop(X, y, *rest)  # type: ignore[misc]  # scikit-learn's
        sample_weight, coef_grads, intercept_grads = rest[0] if len(rest) == 5 else None, *rest[-2:]
        return compiled(X, y, sample_weight), coef_grads, intercept_grads

    def _forward_pass_fast(self: Any, X: Any, check_input: bool = True) -> FloatArray:
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        reason = self._forward_refusal(X)
        with recorded(self, "predict", reason):
            if reason is not None:
                return super()._forward_pass_fast(X, check_input=False)  # type: ignore[misc]  # scikit-learn's
            compiled = self.__dict__.get("_compiled") or Compiled(self, X.dtype)
            return compiled.forward(X)

    def _forward_refusal(self: Any, X: Any) -> str | None:
        """Why scikit-learn's own code is to compute the outputs, or None."""
        size, least = sum(coef.size for coef in self.coefs_), LEAST_FORWARD_WORK
        work = X.shape[0] * size
        if checks.is_sparse(X):  # whose other layers scikit-learn is as fast at
            work = X.nnz * self.coefs_[0].shape[1]
            least = least if "_compiled" in vars(self) else max(LEAST_SPARSE_WORK, 2 * size)
        return refusal(self, X) or ("so small that packing would take longer" if work < least else None)


def _nothing(params: object, grads: object) -> None:
    """An optimizer's update that has been made already."""


def refusal(estimator: Any, X: Any) -> str | None:
    """Why scikit-learn's own code is to run, or None."""
    if MISSING_HOOK is not None:
        return MISSING_HOOK
    if X.dtype not in (np.float32, np.float64):
        return f"input of {X.dtype}"
    if any(coef.dtype != X.dtype for coef in estimator.coefs_):
        return "weights of another type than the input"
    return None
