"""scikit-learn's perceptrons with what it has been asked for and has left to others.

Beyond scikit-learn's parameters there are ``activation`` by layer, ``class_weight``, ``dropout``, ``callbacks``,
``progress`` and, as arguments of ``fit``, rows to validate on. All are off at first, and then the numbers are
scikit-learn's. With any of them the kernels train, for scikit-learn's own code knows none.

The loop over epochs remains scikit-learn's. It calls ``_update_no_improvement_count`` after each, which is where rows
are validated on and callbacks called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import neural_network
from sklearn.base import is_classifier
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import Interval, StrOptions

from .. import checks
from ..errors import FastnnError, InvalidArgumentError
from ..kernels import get_backend
from ..kernels.records import HIDDEN_ACTIVATIONS
from ..kernels.spec import Data, EpochArgs, EpochResult, FloatArray, IntArray, Tick
from ..nn.dropout import dropout_rates, parts
from ..nn.weighting import class_factors
from ..progress import Bar, new_bar, ticker
from . import hooks
from .documented import with_entries, with_parameters_of
from .mlp import (
    ACTIVATIONS,
    HAS_SAMPLE_WEIGHT,
    MISSING_HOOK,
    CompiledMLP,
    Epochs,
    RecordedMLP,
    accuracy,
    loss_function,
    refusal,
    training_refusal,
)

REFUSED = MISSING_HOOK  # why the options are, or None
if MISSING_HOOK is None:
    try:
        from sklearn.utils.validation import _check_sample_weight, validate_data

        for kind in (neural_network.MLPClassifier, neural_network.MLPRegressor):
            hooks.require(kind, "_validate_input", "X y incremental reset")
            hooks.require(kind, "_initialize", "y layer_units dtype")
            hooks.require(kind, "_init_coef", "fan_in fan_out dtype")
            of_epoch = "early_stopping X y sample_weight" if HAS_SAMPLE_WEIGHT else "early_stopping X_val y_val"
            hooks.require(kind, "_update_no_improvement_count", of_epoch)
    except (ImportError, AttributeError) as error:
        REFUSED = hooks.missing(error, "perceptrons")

SKLEARNS_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
NAMES = (*SKLEARNS_ACTIVATIONS, *(name for name in HIDDEN_ACTIVATIONS if name not in SKLEARNS_ACTIVATIONS))
IN_THE_LOOP = ("batch_size", "shuffle", "early_stopping")  # parameters that are others while it runs

CONSTRAINTS: dict[str, list[Any]] = {
    "activation": [StrOptions({*NAMES}), list, tuple],
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "callbacks": [list, tuple, None],
    "progress": ["boolean"],
}

PARAMETERS = {
    "activation": """\
activation : str, or list of them of length n_layers - 2, default='relu'
    Activation function of the hidden layers: one for all, or one for each.

    - 'identity', 'logistic' (or 'sigmoid'), 'tanh' and 'relu', as in scikit-learn;
    - 'leaky_relu' (slope 0.01), 'elu', 'selu', 'gelu' (exact), 'silu' (swish), 'softplus', 'softsign',
      'hard_sigmoid' (slope 1/6) and 'exponential': `fastnn.kernels.records` has the equations.

    Weights are drawn as by scikit-learn: uniformly within sqrt(6 / (inputs + outputs)), of a logistic
    layer, and of the outputs after one, within sqrt(2 / (inputs + outputs)).""",
    "early_stopping": """\
early_stopping : bool, default=False
    Whether to terminate training when validation score is not improving by at least ``tol`` for
    ``n_iter_no_change`` consecutive epochs. The score is that of `X_val` and `y_val` where these are passed
    to :meth:`fit`. Otherwise ``validation_fraction`` of the training data are set aside; the split is
    stratified, except in a multilabel setting.
    If False, training stops when the training loss does not improve by more than ``tol`` for
    ``n_iter_no_change`` consecutive passes over the training set.
    Only effective when solver='sgd' or 'adam'.""",
    "dropout": """\
dropout : float, or array-like of shape (n_layers - 2,), default=0.0
    Rate at which each output of the hidden layers is left out of a training step, the others divided by
    1 - rate (Srivastava et al. 2014): one for all layers, or one for each. `loss_curve_` is of the outputs
    with dropout. The masks go on, and do not begin anew, with `partial_fit` and `warm_start`.
    Only with solver='sgd' or 'adam'.""",
    "callbacks": """\
callbacks : list of callables, default=None
    Called as ``f(estimator)`` after every epoch, also that of `partial_fit`, with the estimator as it would
    be had training ended there: it predicts, can be pickled or copied, and goes on with the weights that a
    callback leaves in it. Training ends with the epoch after which one returns True.
    Only with solver='sgd' or 'adam'.""",
    "progress": """\
progress : bool, default=False
    Whether to show on stderr, where that is a terminal or a notebook's, a bar of the epochs, up to ``max_iter``.
    Only with solver='sgd' or 'adam'.""",
}
CLASS_WEIGHT = """\
class_weight : dict, 'balanced' or list of dicts, default=None
    Factors of the rows' losses by label, 1 where none is given, with which `sample_weight` is multiplied;
    or 'balanced', ``n_samples / (n_classes * np.bincount(y))``. With several labels a row, 'balanced' or a
    dict for each. `partial_fit`, which does not see all rows, takes no 'balanced'. Validation scores and
    losses are not weighted by it."""
ATTRIBUTES = {
    "validation_loss_curve_": """\
validation_loss_curve_ : list of shape (n_iter_,), or None
    The loss after each epoch, without the penalty of `alpha`, of the rows that are validated on: `X_val` and
    `y_val`, or those that early stopping has set aside. None if there are none.""",
    "validation_scores_": """\
validation_scores_ : list of shape (n_iter_,), or None
    The score after each epoch of the same rows: accuracy, or of a regressor R2.""",
}


class ValidationRows(NamedTuple):
    """Rows that are validated on after every epoch."""

    X: Any  # (n, features)
    y: NDArray[Any]  # (n,) or (n, outputs), as they are scored
    targets: NDArray[Any]  # (n, outputs), of the loss
    weights: NDArray[Any] | None = None  # (n,)


@dataclass
class Watch:
    """What goes on beside a training."""

    parameters: dict[str, Any]  # those of IN_THE_LOOP, as they have been set
    epochs: int  # at most
    stops_early: bool
    class_factors: list[FloatArray] | None
    held_out: ValidationRows | None  # as soon as it is known
    is_given: bool  # whether it was passed to fit
    bar: Bar | None = None


class Stopped(Exception):  # noqa: N818  # it is no error
    """Ends scikit-learn's loop."""


class WatchedEpochs(Epochs):
    """Epochs with dropout, and a bar that shows how far they are."""

    def set_data(self, X: Any, y: NDArray[Any], sample_weight: NDArray[Any] | None) -> None:
        self.rates = dropout_rates(self.estimator.dropout, len(self.parameters.net.activations) - 1)
        super().set_data(X, y, sample_weight)
        watch = self.estimator._watch
        if self.estimator.progress:
            watch.bar = new_bar(watch.epochs * len(self.batches.starts), "batches")

    def batches_come_again(self) -> bool:
        return super().batches_come_again() and not any(map(any, self.rates))

    def run(self, state: FloatArray, data: Data, args: EpochArgs, tick: Tick) -> EpochResult:
        estimator, net, vector = self.estimator, self.parameters.net, self.parameters.vector
        watch, bar = estimator._watch, estimator._watch.bar
        before = estimator.n_iter_ * len(self.batches.starts)
        label = f"Epoch {estimator.n_iter_ + 1}/{watch.epochs}"
        assert args.penalty_factors is not None
        assert args.penalties is not None
        loss, done = 0.0, 0
        masks = vars(estimator).get("_mask_rng")
        for part in parts(net, self.rates, data, args.order, self.batch_size, masks):
            count = -(-len(part.order) // self.batch_size)
            batches = slice(done, done + count)
            args_of_part = args._replace(
                order=part.order,
                rule=args.rule._replace(step=args.rule.step + done),
                dropout=part.masks,
                penalty_factors=args.penalty_factors[batches],
                penalties=args.penalties[batches],
            )
            of_part = both(tick, done, ticker(bar, before + done, label))
            result = get_backend().train_epoch(net, vector, state, part.data, args_of_part, of_part)
            loss, done = loss + result.loss, done + result.batches
            if result.batches < count:
                break
        if bar and estimator.verbose:
            bar.clear()  # for the line that is printed next
        elif bar:
            bar.update(before + done, label)
        return EpochResult(loss, 0, done)


def both(tick: Tick, first: int, other: Tick | None) -> Tick:
    """What tells ``tick`` of a part of the work that begins with ``first``, and then ``other``."""
    if other is None and first == 0:
        return tick

    def tell(done: int) -> None:
        tick(first + done)
        if other is not None:
            other(done)

    return tell


class Options:
    """What both estimators add to scikit-learn's, as far as it is arguments."""

    _held_out: tuple[Any, Any, Any]  # X_val, y_val and their weights, while fit runs

    @with_parameters_of(neural_network.MLPClassifier.fit)
    def fit(
        self, X: Any, y: Any, *args: Any, X_val: Any = None, y_val: Any = None, sample_weight_val: Any = None, **kw: Any
    ) -> Any:
        """Fit the model to data matrix X and target(s) y.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            The input data.

        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The target values (class labels in classification, real numbers in regression).

        sample_weight : array-like of shape (n_samples,), default=None
            Factors of the rows' losses. With scikit-learn 1.7 or newer.

        X_val : ndarray or sparse matrix of shape (n_val, n_features), default=None
            Rows to validate on after every epoch: `validation_scores_` and `validation_loss_curve_` are theirs. With
            ``early_stopping=True`` they decide when to stop, and nothing is set aside. In a `Pipeline`, `X_val` can be
            transformed as `X` is, with ``Pipeline(..., transform_input=["X_val"])``. Only with solver='sgd' or 'adam'.

        y_val : ndarray of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets.

        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights in the scores and losses. With scikit-learn 1.7 or newer.

        Returns
        -------
        self : object
            Returns a trained MLP model.
        """
        if (X_val is None) != (y_val is None):
            missing, other = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
            raise InvalidArgumentError(missing, f"what belongs to {other}", None)
        if sample_weight_val is not None and X_val is None:
            raise InvalidArgumentError("X_val", "the rows of sample_weight_val", None)
        if sample_weight_val is not None and not HAS_SAMPLE_WEIGHT:
            raise InvalidArgumentError("sample_weight_val", "none before scikit-learn 1.7", type(sample_weight_val))
        if X_val is not None:
            self._held_out = X_val, y_val, sample_weight_val
        try:
            return super().fit(X, y, *args, **kw)  # type: ignore[misc]  # scikit-learn's
        finally:
            vars(self).pop("_held_out", None)

    def _fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        on = self._options()
        for name in on if REFUSED is not None else ():
            raise InvalidArgumentError(name, f"none, for {REFUSED}", on[name])
        for name in ("dropout", "callbacks", "progress", "X_val"):
            if self.solver == "lbfgs" and name in on:
                raise InvalidArgumentError(name, "none with solver='lbfgs'", on[name])
        return super()._fit(*args, **kwargs)  # type: ignore[misc]  # scikit-learn's

    def _options(self: Any) -> dict[str, Any]:
        """What is on beyond scikit-learn's, after a check."""
        layers = int(np.size(self.hidden_layer_sizes))
        self._kernel_activations(layers)
        dropout, callbacks = self.dropout, checks.functions("callbacks", self.callbacks or ())
        class_weight = getattr(self, "class_weight", None)
        options = {
            "activation": (self.activation, self._has_own_activations()),
            "class_weight": (class_weight, class_weight is not None),
            "dropout": (dropout, any(map(any, dropout_rates(dropout, layers)))),
            "callbacks": (callbacks, bool(callbacks)),
            "progress": (self.progress, self.progress),
            "X_val": ("rows to validate on", "_held_out" in vars(self)),
        }
        return {name: value for name, (value, is_on) in options.items() if is_on}

    def _has_own_activations(self: Any) -> bool:
        """Whether scikit-learn's own code does not know the activations."""
        return not isinstance(self.activation, str) or self.activation not in SKLEARNS_ACTIVATIONS

    def _kernel_activations(self: Any, layers: int) -> list[str]:
        expected, check = "a name, or {} of them, one per hidden layer", partial(checks.choice, names=NAMES)
        found = checks.one_or_each("activation", self.activation, layers, expected, check)
        names = found if isinstance(found, list) else [found] * layers
        return [ACTIVATIONS.get(name, name) for name in names]


class ExtendedMLP(Options, CompiledMLP):
    """What both estimators add to scikit-learn's."""

    _epochs = WatchedEpochs
    _watch: Watch  # while a training runs

    def _init_coef(self: Any, *args: Any) -> Any:
        init: Callable[..., Any] = super()._init_coef  # type: ignore[misc]  # scikit-learn's
        if not self._has_own_activations():
            return init(*args)
        names = self._kernel_activations(int(np.size(self.hidden_layer_sizes)))
        # This is the layer that comes next. The outputs are drawn as the last hidden layer, if there is one.
        name = names[min(len(self.coefs_), len(names) - 1)] if names else "identity"
        with self._instead(activation="logistic" if name == "sigmoid" else "identity"):
            return init(*args)

    def _initialize(self, *args: Any) -> None:
        super()._initialize(*args)  # type: ignore[misc]  # scikit-learn's
        self.validation_loss_curve_: list[float] | None = None
        vars(self).pop("_mask_rng", None)

    @contextmanager
    def _instead(self, **parameters: Any) -> Iterator[None]:
        """Let parameters be others for a while."""
        given = {name: getattr(self, name) for name in parameters}
        vars(self).update(parameters)
        try:
            yield
        finally:
            vars(self).update(given)

    def _for_kernels(self: Any, X: Any) -> Any:
        """Rows in the type of the weights, where scikit-learn's own code cannot take the kernels' place."""
        dtype = self.coefs_[0].dtype
        X = X.tocsr().astype(dtype, copy=False) if issparse(X) else checks.for_kernels(X, dtype)
        self._raise_for(refusal(self, X))
        return X

    def _raise_for(self, reason: str | None) -> None:
        if reason is not None:
            raise FastnnError(f"{', '.join(self._options())}: expected what fastnn can train, found {reason}")

    @contextmanager
    def _watching(self: Any, y: NDArray[Any], incremental: bool) -> Iterator[Watch]:
        """What goes on beside the training with all targets y (n, outputs), while it runs."""
        given = vars(self).get("_held_out")
        self._watch = Watch(
            {name: getattr(self, name) for name in IN_THE_LOOP},
            1 if incremental else self.max_iter,
            self.early_stopping and not incremental,
            self._class_factors(y, incremental),
            None if given is None else self._checked(*given),
            given is not None,
        )
        try:
            yield self._watch
        finally:
            if self._watch.bar:
                self._watch.bar.close()
            del self._watch

    def _checked(self: Any, X: Any, y: Any, weights: Any) -> ValidationRows:
        """Rows to validate on, as scikit-learn takes those to train on."""
        with self._instead(warm_start=False):  # for they need not have all the classes
            X, targets = self._validate_input(X, y, incremental=True, reset=False)
        targets = targets.reshape(len(targets), -1)
        weights = None if weights is None else _check_sample_weight(weights, X)
        labels = self._label_binarizer.inverse_transform(targets) if is_classifier(self) else targets
        return ValidationRows(X, labels, targets, weights)

    def _class_factors(self, y: NDArray[Any], incremental: bool) -> list[FloatArray] | None:
        """The factors of the rows' losses by what is in the columns of targets, if there are any."""
        return None

    def _zero_weights(self: Any) -> Exception:
        if self._watch.class_factors is None:
            return super()._zero_weights()
        return InvalidArgumentError("sample_weight, class_weight", "a row above 0 in every batch", "only zeros")

    def _fit_lbfgs(self, X: Any, y: Any, *rest: Any) -> None:
        if self._options():
            X = self._for_kernels(X)
            self._raise_for(training_refusal(self, X, y, incremental=False))
        with self._watching(y, incremental=False):
            super()._fit_lbfgs(X, y, *rest)

    def _fit_stochastic(self: Any, X: Any, y: Any, *rest: Any) -> None:
        on = self._options()
        if on:
            X = self._for_kernels(X)
            self._raise_for(training_refusal(self, X, y, incremental=rest[-1]))
        if "dropout" in on and "_mask_rng" not in vars(self):
            self._mask_rng = np.random.default_rng(self._random_state.randint(np.iinfo(np.int32).max))
        has_ended = False
        with self._watching(y, incremental=rest[-1]) as watch:
            # Where there are rows to validate on, scikit-learn's loop is not to set others aside.
            with self._instead(early_stopping=self.early_stopping and not watch.is_given):
                try:
                    super()._fit_stochastic(X, y, *rest)
                    has_ended = not watch.is_given
                except Stopped:
                    pass
            if watch.stops_early and not has_ended:  # what scikit-learn's loop does in its end
                self.coefs_, self.intercepts_ = self._best_coefs, self._best_intercepts

    def _update_no_improvement_count(self: Any, early_stopping: bool, X: Any, y: Any, *weights: Any) -> None:
        """What happens after every epoch; ``weights`` came with scikit-learn 1.7."""
        watch = self._watch
        if early_stopping and watch.held_out is None:
            targets = self._label_binarizer.transform(y).astype(bool) if is_classifier(self) else y
            watch.held_out = ValidationRows(X, y, targets, *weights)
        rows = watch.held_out
        if rows is not None:
            X, y, weights = rows.X, rows.y, (rows.weights,) * len(weights)
        update: Callable[..., None] = super()._update_no_improvement_count  # type: ignore[misc]  # scikit-learn's
        update(watch.stops_early, X, y, *weights)
        if rows is not None:
            self._validate(rows, *weights)
        self._optimizer.iteration_ends(self.t_)  # as the loop does after this, and it is the same twice
        if self.callbacks and self._ask_callbacks():
            raise Stopped
        if watch.stops_early and watch.is_given and self._no_improvement_count > self.n_iter_no_change:
            # The loop would say that the training loss did not improve.
            message = (
                f"Validation score did not improve more than tol={self.tol:f} for {self.n_iter_no_change} "
                "consecutive epochs."
            )
            if self._optimizer.trigger_stopping(message, self.verbose):
                raise Stopped
            self._no_improvement_count = 0

    def _validate(self: Any, rows: ValidationRows, *weights: Any) -> None:
        """Add the score and the loss of the rows to those of the epochs before."""
        if not self._watch.stops_early:
            self.validation_scores_ = self.validation_scores_ or []
            self.validation_scores_.append(self._score(rows.X, rows.y, *weights))
            if self.verbose:
                print(f"Validation score: {self.validation_scores_[-1]:f}")
        outputs = self._forward_pass_fast(rows.X, check_input=False)
        self.validation_loss_curve_ = self.validation_loss_curve_ or []
        self.validation_loss_curve_.append(float(loss_function(self)(rows.targets, outputs, *weights)))

    def _score(self: Any, X: Any, y: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> float:
        """As scikit-learn has it from 1.7 on, before which it raised for labels that are names."""
        predicted = self._predict(X, check_input=False)
        if predicted.dtype.kind == "f" and not np.isfinite(predicted).all():
            return math.nan
        score = accuracy if is_classifier(self) else r2_score
        return float(score(y, predicted, sample_weight=sample_weight))

    def _ask_callbacks(self: Any) -> bool:
        """Call the callbacks with the estimator as if training had ended; whether one wants that."""
        compiled, watch = self._compiled, self._watch
        names = ("_compiled", "_training", "_watch", "_held_out")
        hidden = {name: vars(self).pop(name) for name in names if name in vars(self)}
        compiled.detach()
        if watch.bar:
            watch.bar.clear()  # for what they may print
        try:
            with self._instead(**watch.parameters):
                found = [callback(self) for callback in self.callbacks]
        finally:
            vars(self).update(hidden)
            compiled.load()
            compiled.attach()
        return any(isinstance(answer, bool | np.bool_) and answer for answer in found)

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> FloatArray:
        if check_input:
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        return super()._forward_pass_fast(self._for_kernels(X) if self._has_own_activations() else X, False)

    def _fit_refusal(self, X: Any, incremental: bool) -> str | None:
        return None if self._options() else super()._fit_refusal(X, incremental)

    def _forward_refusal(self, X: Any) -> str | None:
        return None if self._has_own_activations() else super()._forward_refusal(X)


if REFUSED is not None:

    class ExtendedMLP(Options, RecordedMLP):  # type: ignore[no-redef]  # in the place of the one above
        """The arguments alone, which are refused if they are on."""

        _missing_hook = REFUSED


class MLPClassifier(ExtendedMLP, neural_network.MLPClassifier):  # type: ignore[misc]  # it has no types
    __doc__ = with_entries(
        neural_network.MLPClassifier.__doc__,
        {"Parameters": {**PARAMETERS, "class_weight": CLASS_WEIGHT}, "Attributes": ATTRIBUTES},
    )
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **neural_network.MLPClassifier._parameter_constraints,
        **CONSTRAINTS,
        "class_weight": [dict, StrOptions({"balanced"}), list, None],
    }

    @with_parameters_of(neural_network.MLPClassifier.__init__)
    def __init__(
        self,
        *args: Any,
        class_weight: Any = None,
        dropout: Any = 0.0,
        callbacks: Any = None,
        progress: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.class_weight, self.dropout, self.callbacks, self.progress = class_weight, dropout, callbacks, progress

    def _columns(self: Any, y: NDArray[Any]) -> list[IntArray]:
        """What is in each column of targets y (n, outputs): places of classes or, of several labels a row, 0 or 1."""
        return [y.argmax(axis=1)] if self.out_activation_ == "softmax" else [*y.T.astype(np.int64)]

    def _class_factors(self: Any, y: NDArray[Any], incremental: bool) -> list[FloatArray] | None:
        given = self.class_weight
        if given is None:
            return None
        if incremental and given == "balanced":
            raise InvalidArgumentError("class_weight", "a dict for partial_fit, which does not see all rows", given)
        columns = self._columns(y)
        if not self._label_binarizer.y_type_.startswith("multilabel"):
            return [class_factors(given, columns[0], self.classes_)]
        each = [given] * len(columns) if given == "balanced" else given
        if not isinstance(each, list) or len(each) != len(columns):
            raise InvalidArgumentError("class_weight", f"'balanced' or a dict for each of {len(columns)} labels", given)
        return [class_factors(*pair, np.arange(2)) for pair in zip(each, columns, strict=True)]

    def _row_weights(self, y: NDArray[Any], sample_weight: NDArray[Any] | None) -> NDArray[Any] | None:
        factors = self._watch.class_factors
        if factors is None:
            return sample_weight
        weights = np.prod([each[column] for each, column in zip(factors, self._columns(y), strict=True)], axis=0)
        return weights if sample_weight is None else weights * sample_weight


class MLPRegressor(ExtendedMLP, neural_network.MLPRegressor):  # type: ignore[misc]  # it has no types
    __doc__ = with_entries(neural_network.MLPRegressor.__doc__, {"Parameters": PARAMETERS, "Attributes": ATTRIBUTES})
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **neural_network.MLPRegressor._parameter_constraints,
        **CONSTRAINTS,
    }

    @with_parameters_of(neural_network.MLPRegressor.__init__)
    def __init__(
        self, *args: Any, dropout: Any = 0.0, callbacks: Any = None, progress: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.dropout, self.callbacks, self.progress = dropout, callbacks, progress
