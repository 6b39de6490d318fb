"""MLP: a small fully connected network whose parameters lie in one flat vector."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy, deepcopy
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import checks
from ..errors import FastnnError, InvalidArgumentError, callers_depth
from ..io import model_io
from ..kernels import get_backend
from ..kernels.formulas import target_rows
from ..kernels.params import OwnsParameters, Parameters
from ..kernels.records import ACTIVATION_RECORDS, ActivationName, LossName, OptimizerName
from ..kernels.spec import CSR, Data, FloatArray, Net, Rows, one_layer
from . import display, lr_finder
from . import fit as training
from .backquery import backquery
from .evaluate import evaluate
from .history import History
from .initializers import INITIALIZERS, InitializerName
from .lr_finder import RangeTest
from .optimizer import OptimizerState, optimizer_rule
from .schedules import Schedule
from .steps import Training
from .stopping import EarlyStopping

Callback = Callable[["MLP", History], object]


class MLP(OwnsParameters):
    """A multilayer perceptron, trained by mini-batch gradient descent.

    Parameters
    ----------
    sizes : layer sizes, inputs first: ``[784, 30, 10]``.
    activation : of the hidden layers, one name for all or one per hidden layer: "sigmoid", "tanh", "relu",
        "leaky_relu" (slope 0.01), "elu", "selu", "gelu" (exact), "silu" (swish), "softplus", "softsign",
        "hard_sigmoid" (of slope 1/6), "exponential" or "identity"; ``fastnn.kernels.records`` has their equations and
        sources.
    output : activation of the last layer: any of these or "softmax". By default it follows the loss: softmax for
        "cross_entropy", exponential for the two of Poisson, sigmoid for the other cross-entropies and "quadratic",
        identity for the rest.
    loss : with target y and output a, averaged over the samples:
        "quadratic", sum((a - y)^2) / 2 (Nielsen's cost);
        "mean_squared_error", mean over the outputs of (a - y)^2;
        "mean_absolute_error", mean over the outputs of |a - y|;
        "huber", mean over the outputs of e^2 / 2 where |e| <= 1 for e = a - y, else |e| - 1/2;
        "binary_cross_entropy", -sum(y log a + (1 - y) log(1 - a)) over the outputs, which must be sigmoid;
        "cross_entropy", -sum(y log a) over the outputs, which must be softmax;
        "poisson", sum(y log(y / a) - y + a) over the outputs, which must be exponential (half the deviance);
        "mean_poisson", mean over the outputs of a - y log(a + 1e-7), as Keras has it;
        "normalised_cross_entropy" and "clipped_binary_cross_entropy", the same of any outputs as Keras has them: of
        probabilities that are clipped to 1e-7..1 - 1e-7, for the first after a division by their sum.
        By default it follows ``output``: "cross_entropy" for softmax, "binary_cross_entropy" for sigmoid, "poisson" for
        exponential, "mean_squared_error" for the rest; with neither given, softmax and "cross_entropy" (one output:
        sigmoid and "binary_cross_entropy").
    init : "glorot" (uniform; Glorot & Bengio 2010), "he" (He et al. 2015), "normal" (weights and biases normal(0, 1);
        Nielsen, chapter 1), "normal_scaled" (the same, weights divided by sqrt(inputs); Nielsen, chapter 3), "rashid"
        (normal(0, 1/sqrt(inputs)); Rashid, part 2) or "truncated_normal" (the same, redrawn beyond two standard
        deviations). Biases start at zero except in Nielsen's two.
    bias : whether layers have biases; one for all, or one for each.
    dtype : "float32" or "float64", of parameters and arithmetic.
    seed : of the initial weights and of the shuffling; anything that ``numpy.random.default_rng`` takes.

    A model is a classifier when its output is softmax or sigmoid, else a regressor; ``predict`` and ``score`` differ. A
    classifier learns the names of its classes from the first labels that it is trained with.

    Raises
    ------
    FastnnError : for any argument outside the above.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: ActivationName | Sequence[ActivationName] = "sigmoid",
        output: ActivationName | None = None,
        loss: LossName | None = None,
        init: InitializerName = "glorot",
        bias: bool | Sequence[bool] = True,
        dtype: DTypeLike = "float32",
        seed: int | np.random.Generator | None = None,
    ) -> None:
        self.sizes = tuple(checks.layer_sizes(sizes))
        activations, self.loss = checks.architecture(list(self.sizes), activation, output, loss)
        self._is_loss_chosen = loss is not None or output is not None
        self._classes: NDArray[Any] | None = None  # until training tells them
        self._optimizer_state: OptimizerState | None = None  # of the last training
        # Of bytes (True) and of other numbers (False): whether nothing more is said about how they are scaled.
        self._settled_scales: frozenset[bool] = frozenset()
        self.activations = tuple(activations)
        self.init = checks.choice("init", init, tuple(INITIALIZERS))
        bias = checks.biases(bias, len(self.activations))
        self.dtype = checks.float_dtype(dtype)
        try:
            self.rng = np.random.default_rng(seed)
        except (TypeError, ValueError):
            raise InvalidArgumentError("seed", "an integer >= 0, a numpy Generator or None", repr(seed)) from None
        try:
            self._parameters = Parameters.zeros(self.sizes, self.activations, self.loss, bias, self.dtype)
            self._draw_parameters()
        except (MemoryError, OverflowError, ValueError):
            raise InvalidArgumentError("sizes", "a network that fits in memory", list(self.sizes)) from None

    def _draw_parameters(self) -> None:
        draw, normal_biases = INITIALIZERS[self.init]
        for weights in self.weights:
            weights[:] = draw(self.rng, *weights.shape)
        if normal_biases:
            for biases in self.biases:
                biases[:] = self.rng.normal(size=biases.shape)

    @property
    def net(self) -> Net:
        """The network as the kernels take it."""
        return self._parameters.net

    @property
    def params(self) -> FloatArray:
        """All parameters in one vector, as the kernels take them."""
        return self._parameters.vector

    @property
    def weights(self) -> tuple[FloatArray, ...]:
        """One (inputs, outputs) array per layer: writable views, so editing them edits the model.

        Assign a sequence of such arrays to replace all of them.
        """
        return tuple(self._parameters.weights)

    @weights.setter
    def weights(self, values: Sequence[ArrayLike]) -> None:
        checks.parameters("weights", values, self.weights)

    @property
    def biases(self) -> tuple[FloatArray, ...]:
        """One (outputs,) array for each layer that has biases, as for ``weights``."""
        return tuple(self._parameters.biases)

    @biases.setter
    def biases(self, values: Sequence[ArrayLike]) -> None:
        checks.parameters("biases", values, self.biases)

    def _has_biases(self) -> bool | list[bool]:
        """The argument ``bias``."""
        biased = (self.net.biases >= 0).tolist()
        return biased if any(biased) and not all(biased) else biased[0]

    @property
    def is_classifier(self) -> bool:
        """Whether the outputs are class scores (softmax or sigmoid)."""
        return ACTIVATION_RECORDS[self.activations[-1]].is_score

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels (classes,) of a classifier's outputs, ascending; of one sigmoid output those of 0 and 1.

        They are 0, 1, ... unless the first labels that it was trained with were others. A regressor has none.
        """
        if not self.is_classifier:
            raise AttributeError("a regressor has no classes_")
        return np.arange(self._class_count) if self._classes is None else self._classes

    @property
    def has_classes(self) -> bool:
        """Whether a training has told a classifier's classes."""
        return self.is_classifier and self._classes is not None

    @property
    def _class_count(self) -> int:
        return max(self.sizes[-1], 2)

    def check_data(
        self,
        X: object,
        y: object,
        names: tuple[str, str] = ("X", "y"),
        classes: NDArray[Any] | None = None,
    ) -> Data:
        """Validate rows (n, inputs) with targets (n, outputs) or labels (n,), of ``classes`` or else of the model's."""
        rows = self._rows(names[0], checks.numeric_rows(names[0], X))
        y = checks.plain_array(names[1], y)
        classes = self._classes if classes is None else classes
        return Data(*rows, self._targets(names[1], y, self._labels(y, len(rows.X), classes), len(rows.X), classes))

    def check_training_data(self, X: object, y: object) -> tuple[Data, NDArray[Any]]:
        """Validate rows (n, inputs) with targets (n, outputs) or labels (n,) to train with.

        Returns them and the classes, which are those of the labels where the model knows none yet. Warns where the rows
        may be scaled otherwise than is meant, and where targets may be a regression's though nobody has chosen a loss.
        """
        array = checks.numeric_rows("X", X)
        rows = self._rows("X", array)
        given = array.values if isinstance(array, CSR) else array
        if given.dtype != checks.UINT8 and len(given) and given.max() > 1:
            self._settled_scales |= {False}  # such numbers are what it is trained with
        y = checks.plain_array("y", y)
        doubt = None if self._is_loss_chosen else checks.doubtful_targets("y", y, self.sizes[-1])
        labels, classes = self._labels(y, len(rows.X), self._classes), self._classes
        if classes is None:
            count = self._class_count
            classes = np.arange(count) if labels is None else checks.learned_classes("y", labels, count)
        data = Data(*rows, self._targets("y", y, labels, len(rows.X), classes))
        if doubt:
            warnings.warn(doubt, stacklevel=callers_depth())
        return data, classes

    def learn_classes(self, classes: NDArray[Any] | None) -> None:
        """From now on the classes (classes,) are these, ascending; None: those of the labels that come next."""
        self._classes = classes

    def _rows(self, argument: str, array: Rows) -> checks.InputRows:
        """Rows (n, inputs); warns once if they may be scaled otherwise than is meant.

        For bytes that is settled by any above those of a table, for other numbers by those of the training.
        """
        rows = checks.input_rows(argument, array, self.sizes[0], self.dtype)
        is_bytes = array.dtype == checks.UINT8
        if is_bytes not in self._settled_scales:
            settled, doubt = checks.doubtful_scale(array.values if isinstance(array, CSR) else array)
            if settled:
                self._settled_scales |= {is_bytes}
            if doubt:
                warnings.warn(f"{argument}: {doubt}", stacklevel=callers_depth())
        return rows

    def _inputs(self, X: ArrayLike) -> tuple[checks.InputRows, bool]:
        """X as rows (n, inputs), and whether it is a single one (inputs,)."""
        array = checks.numeric_rows("X", X)
        if isinstance(array, CSR) or array.ndim != 1:
            return self._rows("X", array), False
        return self._rows("X", array[np.newaxis]), True

    def _labels(self, y: NDArray[Any], count: int, classes: NDArray[Any] | None) -> NDArray[Any] | None:
        """What of y are a classifier's labels (count,), of ``classes`` if these are known; None: they are targets."""
        y = checks.without_column(y)
        if not self.is_classifier or y.ndim != 1 or len(y) != count:
            return None
        # With one output 0, 1 and whatever lies between are targets; of whole numbers, two others are labels.
        is_target = self.sizes[-1] == 1 and y.dtype.kind in "iuf" and (classes is None or checks.is_range(classes))
        return None if is_target and not checks.are_two_others(y) else y

    def _targets(
        self,
        argument: str,
        y: NDArray[Any],
        labels: NDArray[Any] | None,
        count: int,
        classes: NDArray[Any] | None,
    ) -> NDArray[Any]:
        if labels is not None and classes is not None:
            is_place = self.sizes[-1] > 1 and labels.dtype.kind in "buif" and checks.is_range(classes)
            y = y if is_place else checks.places_of(argument, labels, classes)
        targets = checks.targets(argument, y, count, self.sizes[-1], self.dtype)
        if targets.ndim == 2 and self.loss in ("binary_cross_entropy", "clipped_binary_cross_entropy"):
            checks.probabilities(argument, targets)
        if targets.ndim == 2 and self.loss in ("poisson", "mean_poisson"):
            checks.not_negative(argument, targets)
        return targets

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float | None = None,
        optimizer: OptimizerName = "sgd",
        momentum: float | None = None,
        nesterov: bool = False,
        l2: float | Sequence[float] = 0.0,
        l1: float | Sequence[float] = 0.0,
        weight_decay: float | None = None,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        decay: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        sample_weight: ArrayLike | None = None,
        shuffle: bool = True,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        validation_split: float = 0.0,
        early_stopping: int | EarlyStopping | None = None,
        schedule: Schedule | None = None,
        callbacks: Iterable[Callback] = (),
        verbose: bool | int = 0,
    ) -> History:
        """Train, going on from the present weights with a fresh optimizer state.

        Parameters
        ----------
        X : (n, inputs), an array or, as for all methods, a sparse matrix or array of SciPy's in CSR form, which is
            never made dense. uint8 images are scaled to [0, 1] inside the kernels and never copied to float as a
            whole, so they may be memory-mapped; float32 and float64 are used as they are, other numbers are converted.
            But where the training is long enough to gain by it, images given as reals become bytes again, to a
            rounding: rows in memory of which every value is k / 255, k / 256 or k for a whole 0 <= k <= 255.
            A warning comes where the type of X and its numbers disagree about whether they are pixels.
        y : labels (n,) or (n, 1), or targets (n, outputs). Labels of a classifier are whole numbers 0..outputs-1, or
            names or numbers of any one type, of which there must be one class for each output; ``predict`` answers in
            the same. With one output numbers (n,) are targets from 0 to 1, and two other labels its two classes. With
            neither loss nor output chosen, a regression's targets are refused or, if they may be probabilities, warned
            about.
        epochs, batch_size : the last batch of an epoch may be smaller.
        learning_rate : of the mean gradient of a batch; by default 0.1 for "sgd", 0.01 for "momentum" and "nesterov",
            0.001 for the others.
        optimizer : "sgd", "momentum", "nesterov", "adam" (0.9, 0.999, 1e-8), "adamw" (the same), "nadam" (the same),
            "rmsprop" (0.9, 1e-7) or "adagrad" (1e-7); ``fastnn.kernels.records`` has their equations and sources.
            "sgd" with a ``momentum``, and with ``nesterov=True``, means these too.
        momentum : by default 0.9 for "momentum" and "nesterov"; "rmsprop" may have one.
        l2, l1 : l2 adds l2/2 times the sum of squared weights (not biases) to the loss, l1 adds l1 times that of their
            absolute values; one factor, or one for each layer.
        weight_decay : before each update w -= rate * weight_decay * w, of weights and biases (Loshchilov & Hutter
            2019); by default 0.004 for "adamw".
        clip_value, clip_norm : each element of the gradient is clipped to +-clip_value; or the gradient of each layer's
            weights, and of its biases, to the norm clip_norm, which takes whole gradients and so more time.
        decay : after t updates the rate is divided by 1 + decay * t.
        dropout : the rate at which each output of the hidden layers is left out while training, the others divided by
            1 - rate (Srivastava et al. 2014); one for all of them, or one for each hidden layer.
        class_weight : factors of the losses by label, 1 where none is given; or "balanced", n / (classes * count).
        sample_weight : (n,) factors of the rows' losses, of whose products the mean over the rows is taken.
        shuffle : draw a new order for every epoch.
        validation_data : (X, y) measured after every epoch.
        validation_split : in place of it, the share of the rows to hold out for that, the last ones of X as in Keras;
            shuffle rows that are in order of their classes first.
        early_stopping : an :class:`~fastnn.EarlyStopping`, or its patience in epochs; needs one of the two.
        schedule : function of the epoch (from 0) and ``learning_rate`` giving that epoch's rate; see
            :mod:`fastnn.schedules`.
        callbacks : functions called as f(model, history) after every epoch; one that returns True ends training.
        verbose : 0 or False silent; 1 or True a line an epoch and a progress bar on a terminal; 2 the lines alone.

        Returns
        -------
        History : one entry an epoch.

        Raises
        ------
        DivergenceError : the loss became NaN or infinite; the model has its last finite weights, or with early stopping
            those of the best epoch.
        FastnnError : unusable arguments.
        """
        rule = optimizer_rule(
            optimizer,
            learning_rate,
            momentum,
            nesterov,
            l1=l1,
            l2=l2,
            layers=len(self.activations),
            weight_decay=weight_decay,
            clip_value=clip_value,
            clip_norm=clip_norm,
        )
        options = training.Options(
            epochs, batch_size, shuffle, decay, dropout, class_weight, sample_weight, schedule, callbacks, verbose
        )
        validation = training.Validation(validation_data, validation_split, early_stopping)
        history, self._optimizer_state = training.fit(self, X, y, rule, options, validation)
        return history

    def begin_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        batch_size: int = 32,
        learning_rate: float | None = None,
        optimizer: OptimizerName = "sgd",
        momentum: float | None = None,
    ) -> Training:
        """Begin a training that goes on by as many batches as each call of its ``advance`` asks for.

        For programs that show a network, or change its learning rate, while it learns. X (n, inputs), y (n,) or
        (n, outputs) and the other arguments are as for :meth:`fit`, and whole epochs give the same weights as there;
        ``partial_fit`` goes on with the state of its optimizer. Raises FastnnError for rows, targets and settings that
        ``fit`` refuses, before anything is trained.
        """
        rule = optimizer_rule(optimizer, learning_rate, momentum, layers=len(self.activations))
        begun = Training(self, X, y, rule, batch_size)
        self._optimizer_state = begun.state
        return begun

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        classes: ArrayLike | None = None,
        batch_size: int = 32,
        learning_rate: float | None = None,
        optimizer: OptimizerName = "sgd",
        momentum: float | None = None,
        nesterov: bool = False,
        l2: float | Sequence[float] = 0.0,
        l1: float | Sequence[float] = 0.0,
        weight_decay: float | None = None,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        decay: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        class_weight: Mapping[Any, float] | None = None,
        sample_weight: ArrayLike | None = None,
        shuffle: bool = True,
    ) -> MLP:
        """One epoch over some rows, going on with the state of the optimizer from the last training of the model.

        Arguments as for :meth:`fit`. Another optimizer than the last one starts with a state of its own. ``classes``
        are all the labels that there will be, needed where they are not 0..outputs-1 and the first rows lack some of
        them. Returns the model.
        """
        rule = optimizer_rule(
            optimizer,
            learning_rate,
            momentum,
            nesterov,
            l1=l1,
            l2=l2,
            layers=len(self.activations),
            weight_decay=weight_decay,
            clip_value=clip_value,
            clip_norm=clip_norm,
        )
        if classes is not None:
            self._check_classes(classes)
        options = training.Options(1, batch_size, shuffle, decay, dropout, class_weight, sample_weight, None, (), 0)
        kept = self._optimizer_state
        state = kept if kept is not None and kept.optimizer == rule.optimizer else None
        nothing = training.Validation(None, 0.0, None)
        self._optimizer_state = training.fit(self, X, y, rule, options, nothing, state)[1]
        return self

    def lr_find(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        batch_size: int = 32,
        optimizer: OptimizerName = "sgd",
        momentum: float | None = None,
        nesterov: bool = False,
        l2: float | Sequence[float] = 0.0,
        l1: float | Sequence[float] = 0.0,
        weight_decay: float | None = None,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        dropout: float | Sequence[float] = 0.0,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        sample_weight: ArrayLike | None = None,
        lowest: float = lr_finder.LOWEST,
        highest: float = lr_finder.HIGHEST,
        steps: int = lr_finder.STEPS,
    ) -> RangeTest:
        """Which learning rate? Train a copy of the model for a moment at ever greater rates, and look at the loss.

        X, y and the arguments that ``fit`` has too are those of the training to come. The rates go from ``lowest`` to
        ``highest`` in ``steps``, by one factor from each batch to the next, and the test ends where the loss diverges.
        The model stays as it is, its random stream and the state of its optimizer included, and equal models with
        equal data find the same. See :mod:`fastnn.nn.lr_finder` for the rule of the suggestion and its sources.

            rate = model.lr_find(X, y, optimizer="adam").suggestion
            model.fit(X, y, optimizer="adam", learning_rate=rate)

        Raises what ``fit`` raises for the same arguments.
        """
        rule = optimizer_rule(
            optimizer,
            None,
            momentum,
            nesterov,
            l1=l1,
            l2=l2,
            layers=len(self.activations),
            weight_decay=weight_decay,
            clip_value=clip_value,
            clip_norm=clip_norm,
        )
        twin = copy(self)
        twin.rng = deepcopy(self.rng)
        test = lr_finder.range_test(
            twin,
            X,
            y,
            rule,
            batch_size=batch_size,
            dropout=dropout,
            class_weight=class_weight,
            sample_weight=sample_weight,
            lowest=lowest,
            highest=highest,
            steps=steps,
        )
        return lr_finder.completed(test)

    def _check_classes(self, classes: ArrayLike) -> None:
        """Learn the labels (classes,) that there will be, unless they are known, and then they must be the same."""
        if not self.is_classifier:
            raise InvalidArgumentError("classes", "none for a regressor", classes)
        learned = checks.learned_classes("classes", checks.plain_array("classes", classes), self._class_count)
        if self._classes is None:
            self._classes = learned
        elif not np.array_equal(self._classes, learned):
            raise InvalidArgumentError("classes", f"those of the first training, {self._classes.tolist()}", classes)

    def __copy__(self) -> MLP:
        twin = super().__copy__()
        twin._optimizer_state = copy(self._optimizer_state)
        return twin

    def forward(self, X: ArrayLike) -> FloatArray:
        """The outputs (n, outputs) for rows (n, inputs), or (outputs,) for one row (inputs,)."""
        return self._outputs(X)[0]

    def layer_outputs(self, X: ArrayLike) -> tuple[FloatArray, ...]:
        """What each layer puts out, first to last: (n, units) for rows (n, inputs), (units,) for one row (inputs,)."""
        (rows, scale), single = self._inputs(X)
        found: list[FloatArray] = []
        for layer, units in enumerate(self.sizes[1:]):
            out = np.empty((len(rows), units), self.dtype)
            get_backend().forward(one_layer(self.net, layer), self.params, rows, scale, out)
            found.append(out[0] if single else out)
            rows, scale = out, 1.0
        return tuple(found)

    def _outputs(self, X: ArrayLike) -> tuple[FloatArray, bool]:
        """What ``forward`` returns, and whether all of it is finite."""
        rows, single = self._inputs(X)
        out, finite = self._outputs_of(*rows)
        return out[0] if single else out, finite

    def _outputs_of(self, X: Rows, scale: float) -> tuple[FloatArray, bool]:
        """The same of rows as the kernels take them."""
        out = np.empty((len(X), self.sizes[-1]), self.dtype)
        finite = get_backend().forward(self.net, self.params, X, scale, out)
        if not finite:
            checks.blame_nonfinite("X", X)
        return out, finite

    def _scores(self, X: ArrayLike) -> FloatArray:
        """The outputs of a classifier, which compare only if none is NaN."""
        out, finite = self._outputs(X)
        if not finite and np.isnan(out).any():
            raise InvalidArgumentError("X", checks.FINITE_OUTPUTS, "NaN")
        return out

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The classes (n,) of a classifier, of ``classes_``: the largest output, or with one whether it is > 0.5.

        For a regressor the outputs themselves, (n, outputs), or (n,) with one output.
        """
        if self.is_classifier:
            out = self._scores(X)
            places = (out[..., 0] > 0.5).astype(np.int64) if self.sizes[-1] == 1 else out.argmax(axis=-1)
            classes = self.classes_
            return places if checks.is_range(classes) else classes[places]
        out = self.forward(X)
        return out[..., 0] if self.sizes[-1] == 1 else out

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Class probabilities (n, classes): the outputs; with one sigmoid output p, the two columns 1 - p and p.

        Several sigmoid outputs are one probability each and need not add up to 1. A regressor has none and raises
        FastnnError.
        """
        if not self.is_classifier:
            raise FastnnError(f"predict_proba: expected a softmax or sigmoid output, found {self.activations[-1]}")
        out = self._scores(X)
        return np.concatenate([1 - out, out], axis=-1) if self.sizes[-1] == 1 else out

    def backquery(self, targets: ArrayLike) -> FloatArray:
        """The inputs (n, inputs) that lead back from targets (n, outputs) above 0 and below 1: what a class looks like.

        Each layer's signals go back through the inverse of its activation and the transposed weights and are stretched
        to 0.01..0.99, row by row (Rashid, Make Your Own Neural Network, part 3).
        """
        array = checks.numeric_array("targets", targets)
        rows = checks.rows("targets", array, self.sizes[-1], np.dtype(np.float64), 1.0)
        checks.probabilities("targets", rows.X, exclusive=True)
        return backquery(self._parameters, rows.X.astype(np.float64))

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Accuracy of a classifier, R^2 (mean over outputs, as scikit-learn's) of a regressor."""
        data = self.check_data(X, y)
        checks.nonempty("X", len(data.X))
        if self.is_classifier:
            return evaluate(self.net, self.params, data)[1]
        targets = target_rows(data.y, slice(None), self.sizes[-1], self.dtype)
        out, _ = self._outputs_of(data.X, data.scale)
        with np.errstate(over="ignore", invalid="ignore"):
            residual = np.square(targets - out, dtype=np.float64).sum(axis=0)
            spread = np.square(targets - targets.mean(axis=0, dtype=np.float64)).sum(axis=0)
        if not (np.isfinite(residual).all() and np.isfinite(spread).all()):
            checks.blame_nonfinite("y", data.y)
            raise InvalidArgumentError("X", checks.FINITE_SQUARES, "larger ones")
        perfect = np.where(residual == 0, 1.0, 0.0)  # a constant target: no spread to explain
        return float(np.mean(np.where(spread > 0, 1 - residual / np.where(spread > 0, spread, 1), perfect)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a safetensors file; :func:`fastnn.load` reads it back.

        It replaces what was there only once the new file is safely on disk. Its tensors are "weights.0" (inputs,
        outputs), "biases.0" (outputs,) and so on, in the model's dtype; other programs may read them with the
        safetensors library. Raises FastnnError if the file cannot be written, and whatever happens leaves the old file
        or the new one, and nothing else.
        """
        saved = model_io.Saved(
            list(self.sizes),
            list(self.activations),
            self.loss,
            self.init,
            self._has_biases(),
            self.dtype.name,
            self.classes_.tolist() if self.has_classes else None,
            self.weights,
            self.biases,
        )
        model_io.write(path, saved)

    def summary(self, width: int | None = None) -> None:
        """Print a table of the layers: activation, shape of the weights, parameters; as wide as the terminal at most.

        ``width`` are characters instead. Parameters are those of ``weights`` and ``biases``, without padding.
        """
        width = None if width is None else checks.integer("width", width, low=1)
        counts = self._parameter_counts()
        rows = [("Layer", "Activation", "Weights", "Biases", "Parameters")]
        shapes = zip(self.weights, self.net.biases >= 0, self.activations, counts, strict=True)
        for layer, (weights, is_biased, activation, count) in enumerate(shapes, 1):
            inputs, outputs = weights.shape
            biases = str(outputs) if is_biased else "none"
            rows.append((str(layer), activation, f"{inputs} x {outputs}", biases, f"{count:,}"))
        size = sum(counts) * self.dtype.itemsize
        total = f"{sum(counts):,} parameters, {size / 1024:,.1f} KiB of {self.dtype}"
        print(display.table(f"{display.short_sizes(self.sizes)}, {self.loss}", rows, total, width))

    def _parameter_counts(self) -> list[int]:
        """Weights and biases of each layer."""
        pairs = zip(self.weights, self.net.biases >= 0, strict=True)
        return [weights.size + weights.shape[1] * bool(is_biased) for weights, is_biased in pairs]

    def __repr__(self) -> str:
        kind = f"{display.short_sizes(self.sizes)} {display.short_activations(self.activations)}"
        return f"{type(self).__name__}({kind}, {self.loss}, {self.dtype}, {sum(self._parameter_counts()):,} parameters)"

    def _repr_html_(self) -> str:
        """A diagram of the layers, for notebooks."""
        classes = map(str, self.classes_.tolist()) if self.has_classes and not checks.is_range(self.classes_) else ()
        return display.diagram(repr(self), self.sizes, self.activations, self._parameter_counts(), list(classes))


def load(path: str | os.PathLike[str]) -> MLP:
    """Read a model that :meth:`MLP.save` wrote; it predicts bit for bit what the saved one did.

    Its random generator is a fresh one, seeded by the system. Raises FileFormatError, naming file, offset, expected
    and found, for a file that is missing (it is a FileNotFoundError too), damaged in any bit, cut short or no fastnn
    model.
    """
    saved = model_io.read(path)
    *hidden, output = saved.activations
    names: dict[str, Any] = {"activation": hidden, "output": output, "loss": saved.loss, "init": saved.init}
    try:
        model = MLP(saved.sizes, **names, bias=saved.bias, dtype=saved.dtype)
    except FastnnError as error:
        raise model_io.unusable(path, error) from error
    model.weights, model.biases = saved.weights, saved.biases
    if saved.classes is not None:
        model.learn_classes(np.array(saved.classes))
    return model
