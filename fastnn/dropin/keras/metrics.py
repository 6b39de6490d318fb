"""Metrics, as ``keras.metrics`` has them: by name, as objects and as functions, in ``compile`` or by themselves.

    metric = metrics.AUC()
    metric.update_state([0, 1], [0.2, 0.6])
    metric.result().numpy()

The functions (``mean_absolute_error(y_true, y_pred)`` ...) return a figure a row. A function of a program's own that
goes to ``compile`` gets two NumPy arrays for every batch, the targets, (n, 1) where the outputs are, and the outputs,
and returns a figure for each row or one for the batch; Keras' mean over the batches is taken, each weighing as many
rows as it returns figures.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from ...errors import InvalidArgumentError
from ...kernels.spec import FloatArray
from . import config, scores
from .layer import own_name
from .subset import outside
from .tensor import Tensor, tensor

Array = NDArray[Any]


class Variable(Tensor):
    """A number or an array that a metric of a program's own keeps its state in."""

    def assign(self, value: ArrayLike) -> Variable:
        """Replace all of it."""
        self[...] = value
        return self

    def assign_add(self, value: ArrayLike) -> Variable:
        """Add to it in place."""
        return self.assign(np.asarray(self) + np.asarray(value))

    def assign_sub(self, value: ArrayLike) -> Variable:
        """Subtract from it in place."""
        return self.assign(np.asarray(self) - np.asarray(value))

    def value(self) -> Tensor:
        """A copy."""
        return tensor(np.array(self))

    read_value = value


class Metric:
    """What metrics share; also the base class of a program's own, which override ``update_state`` and ``result``.

    Attributes
    ----------
    name : as given, or "auc", "auc_1" and so on.
    variables : those that ``add_weight`` has made, here and in metrics that are attributes.
    """

    _direction: str | None = None  # "up" or "down": which way is better
    # Of which outputs logits can be taken back well enough for this metric: with "sigmoid", it compares each with
    # thresholds; with "softmax", only with the others of its row, or from_logits makes shares of them again.
    takes_back: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        self.name = own_name(name, self)
        self.dtype = config.floatx() if dtype is None else str(dtype)
        self._variables: list[Variable] = []

    def add_variable(
        self, shape: Sequence[int] = (), initializer: object = None, dtype: str | None = None, name: str | None = None
    ) -> Variable:
        """A new Variable of zeros or, with the initializer "ones", of ones."""
        start = initializer if isinstance(initializer, str) else type(initializer).__name__.lower()
        fill = float(checks.choice("initializer", start, ("zeros", "ones", "nonetype")) == "ones")
        variable = np.full(tuple(shape), fill, dtype or self.dtype).view(Variable)
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        name: object = None,
        shape: Sequence[int] = (),
        initializer: object = None,
        dtype: str | None = None,
        **options: object,
    ) -> Variable:
        """:meth:`add_variable`, with the arguments in the order of Keras 2 or 3."""
        if not isinstance(name, str | None):
            shape = name  # type: ignore[assignment]  # as Keras 3 has it first
        return self.add_variable(shape, initializer, dtype)

    @property
    def is_rowwise(self) -> bool:
        """Whether it makes no difference how rows are shared out among batches."""
        return type(self) in CLASSES.values()

    @property
    def variables(self) -> list[Variable]:
        inner = [metric for metric in vars(self).values() if isinstance(metric, Metric)]
        return [*self._variables, *(variable for metric in inner for variable in metric.variables)]

    weights = variables

    def reset_state(self) -> None:
        """Begin anew."""
        for variable in self.variables:
            variable.assign(0)

    def reset_states(self) -> None:
        """The older name of :meth:`reset_state`."""
        self.reset_state()

    def update_state(self, *arguments: Any, **options: Any) -> Any:
        """Take in a batch."""
        raise NotImplementedError

    def result(self) -> Any:
        """The figure of all batches since the last reset."""
        raise NotImplementedError

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Take in a batch, and return the figure of all so far."""
        self.update_state(*arguments, **options)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """An equal metric from :meth:`get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _tensor(self, figure: ArrayLike) -> Tensor:
        return tensor(figure, self.dtype)


class Mean(Metric):
    """The mean of the values given, weighted with ``sample_weight``."""

    def __init__(self, name: str | None = "mean", dtype: str | None = None) -> None:
        super().__init__(dtype, name)
        self.total, self.count = 0.0, 0.0

    def reset_state(self) -> None:
        self.total, self.count = 0.0, 0.0

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        each, weights = _weighed(values, sample_weight)
        self.total += float(each.sum(dtype=np.float64))
        self.count += float(weights.sum(dtype=np.float64)) if weights is not None else _rows(each)

    def result(self) -> Tensor:
        return self._tensor(self._mean())

    def _mean(self) -> float:
        return self.total / self.count if self.count else 0.0


class Sum(Metric):
    """The sum of the values given, weighted with ``sample_weight``."""

    def __init__(self, name: str | None = "sum", dtype: str | None = None) -> None:
        super().__init__(dtype, name)
        self.total = 0.0

    def reset_state(self) -> None:
        self.total = 0.0

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        array = np.asarray(values)
        if sample_weight is not None:
            weights = np.asarray(sample_weight)
            array = array * weights.reshape(weights.shape + (1,) * (array.ndim - weights.ndim))
        self.total += float(array.sum(dtype=np.float64))

    def result(self) -> Tensor:
        return self._tensor(self.total)


class MeanMetricWrapper(Mean):
    """The mean of a function of targets and outputs, which returns a figure a row or one for all.

    Parameters
    ----------
    fn : a function f(y_true, y_pred, **options).
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: str | None = None, **options: Any
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None), dtype)
        self._function = functools.partial(fn, **options) if options else fn
        self._options = options
        self._defaults: dict[str, Any] = {}  # of arguments that have one value here

    def update_state(  # type: ignore[override]  # of two arrays, as Keras has it
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        super().update_state(self._function(y_true, y_pred), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | self._options | self._defaults


class _MeanScore(MeanMetricWrapper):
    """The mean of one of :mod:`.scores`."""

    score: ClassVar[scores.Score]
    own: ClassVar[str]  # its name

    def __init__(self, name: str | None = None, dtype: str | None = None, **options: Any) -> None:
        super().__init__(type(self).score, name or self.own, dtype, **options)


class MeanSquaredError(_MeanScore):
    """The mean over the rows of mean_j (y_j - a_j)^2."""

    score, own, _direction = staticmethod(scores.mean_squared_error), "mean_squared_error", "down"


class RootMeanSquaredError(_MeanScore):
    """The square root of the mean of (y_j - a_j)^2 over rows and outputs."""

    score, own, _direction = staticmethod(scores.mean_squared_error), "root_mean_squared_error", "down"

    def result(self) -> Tensor:
        return self._tensor(np.sqrt(self._mean()))


class MeanAbsoluteError(_MeanScore):
    """The mean over the rows of mean_j |y_j - a_j|."""

    score, own, _direction = staticmethod(scores.mean_absolute_error), "mean_absolute_error", "down"


class MeanAbsolutePercentageError(_MeanScore):
    """The mean over the rows of 100 mean_j |(y_j - a_j) / y_j|."""

    score, own = staticmethod(scores.mean_absolute_percentage_error), "mean_absolute_percentage_error"
    _direction = "down"


class MeanSquaredLogarithmicError(_MeanScore):
    """The mean over the rows of mean_j (log(1 + y_j) - log(1 + a_j))^2."""

    score, own = staticmethod(scores.mean_squared_logarithmic_error), "mean_squared_logarithmic_error"
    _direction = "down"


def _check_axis(axis: int) -> None:
    if axis != -1:
        raise InvalidArgumentError("axis", "-1, that of the outputs", axis)


class CosineSimilarity(_MeanScore):
    """The mean over the rows of the cosine of the angle between targets and outputs."""

    score, own, _direction = staticmethod(scores.cosine_similarity), "cosine_similarity", "up"

    def __init__(self, name: str | None = None, dtype: str | None = None, axis: int = -1) -> None:
        _check_axis(axis)
        super().__init__(name, dtype)


class LogCoshError(_MeanScore):
    """The mean over the rows of mean_j log(cosh(a_j - y_j))."""

    score, own, _direction = staticmethod(scores.log_cosh), "logcosh", "down"


class Hinge(_MeanScore):
    """The mean over the rows of mean_j max(1 - y_j a_j, 0)."""

    score, own, _direction = staticmethod(scores.hinge), "hinge", "down"


class SquaredHinge(_MeanScore):
    """The mean over the rows of mean_j max(1 - y_j a_j, 0)^2."""

    score, own, _direction = staticmethod(scores.squared_hinge), "squared_hinge", "down"


class CategoricalHinge(_MeanScore):
    """The mean over the rows of max(max_j (1 - y_j) a_j - sum_j y_j a_j + 1, 0)."""

    score, own, _direction = staticmethod(scores.categorical_hinge), "categorical_hinge", "down"


class KLDivergence(_MeanScore):
    """The mean over the rows of sum_j y_j log(y_j / a_j)."""

    score, own, _direction = staticmethod(scores.kl_divergence), "kl_divergence", "down"


class Poisson(_MeanScore):
    """The mean over the rows of mean_j a_j - y_j log a_j."""

    score, own, _direction = staticmethod(scores.poisson), "poisson", "down"


class BinaryCrossentropy(_MeanScore):
    """The mean over the rows of -mean_j (y_j log a_j + (1 - y_j) log(1 - a_j))."""

    score, own, _direction = staticmethod(scores.binary_crossentropy), "binary_crossentropy", "down"

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(_MeanScore):
    """The mean over the rows of -sum_j y_j log a_j."""

    score, own, _direction = staticmethod(scores.categorical_crossentropy), "categorical_crossentropy", "down"

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)
        _check_axis(axis)
        self._defaults = {"axis": -1}
        if from_logits:
            self.takes_back = ("softmax",)  # type: ignore[misc]  # of this one


class SparseCategoricalCrossentropy(_MeanScore):
    """The mean over the rows of -log a_j at the label j."""

    score, own = staticmethod(scores.sparse_categorical_crossentropy), "sparse_categorical_crossentropy"
    _direction = "down"

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype, from_logits=from_logits)
        _check_axis(axis)
        if ignore_class is not None:
            raise InvalidArgumentError("ignore_class", "None in fastnn's part of Keras", ignore_class)
        self._defaults = {"ignore_class": None, "axis": -1}
        if from_logits:
            self.takes_back = ("softmax",)  # type: ignore[misc]  # of this one


class Accuracy(_MeanScore):
    """How often y_j = a_j."""

    score, own, _direction = staticmethod(scores.accuracy), "accuracy", "up"


class BinaryAccuracy(_MeanScore):
    """How often y_j = (a_j > threshold)."""

    score, own, _direction = staticmethod(scores.binary_accuracy), "binary_accuracy", "up"
    takes_back = ("sigmoid",)

    def __init__(self, name: str | None = None, dtype: str | None = None, threshold: float = 0.5) -> None:
        self.threshold = checks.number("threshold", threshold, low=-np.inf)
        super().__init__(name, dtype, threshold=self.threshold)


class CategoricalAccuracy(_MeanScore):
    """How often the largest output is that of the largest target."""

    score, own = staticmethod(scores.categorical_accuracy), "categorical_accuracy"
    _direction, takes_back = "up", ("sigmoid", "softmax")


class SparseCategoricalAccuracy(_MeanScore):
    """How often the largest output is that of the label."""

    score, own = staticmethod(scores.sparse_categorical_accuracy), "sparse_categorical_accuracy"
    _direction, takes_back = "up", ("sigmoid", "softmax")


class TopKCategoricalAccuracy(_MeanScore):
    """How often the output of the largest target is among the ``k`` largest."""

    score, own = staticmethod(scores.top_k_categorical_accuracy), "top_k_categorical_accuracy"
    _direction, takes_back = "up", ("sigmoid", "softmax")

    def __init__(self, k: int = 5, name: str | None = None, dtype: str | None = None) -> None:
        self.k = checks.integer("k", k, low=1)
        super().__init__(name, dtype, k=self.k)


class SparseTopKCategoricalAccuracy(_MeanScore):
    """How often the output of the label is among the ``k`` largest."""

    score, own = staticmethod(scores.sparse_top_k_categorical_accuracy), "sparse_top_k_categorical_accuracy"
    _direction, takes_back = "up", ("sigmoid", "softmax")

    def __init__(self, k: int = 5, name: str | None = None, dtype: str | None = None) -> None:
        self.k = checks.integer("k", k, low=1)
        super().__init__(name, dtype, k=self.k)


class _ByThresholds(Metric):
    """Counts what outputs above thresholds are taken for, and what they are."""

    _direction: str | None = "up"
    takes_back: ClassVar[tuple[str, ...]] = ("sigmoid",)

    def __init__(self, thresholds: Sequence[float], name: str | None, dtype: str | None) -> None:
        super().__init__(dtype, name)
        self._limits = np.asarray(thresholds, np.float64)
        self._found: scores.Confusion | None = None

    def reset_state(self) -> None:
        self._found = None

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._count(y_true, y_pred, sample_weight)

    def _count(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None, by_label: bool = False
    ) -> None:
        weights = None if sample_weight is None else scores.floats(sample_weight)
        found = scores.confusion(y_true, y_pred, self._limits, weights, by_label)
        both = [found] if self._found is None else [self._found, found]
        self._found = scores.Confusion(*(sum(parts) for parts in zip(*both, strict=True)))

    def _so_far(self) -> scores.Confusion:
        zeros = np.zeros(len(self._limits))
        return scores.Confusion(zeros, zeros, zeros, zeros) if self._found is None else self._found

    def _figure(self, by_threshold: NDArray[np.float64]) -> Tensor:
        """One figure a threshold or, of a single one, the number."""
        return self._tensor(by_threshold[0] if len(self._limits) == 1 else by_threshold)


def _thresholds(given: float | Sequence[float] | None, otherwise: float = 0.5) -> list[float]:
    found = [otherwise] if given is None else list(np.atleast_1d(given))
    if given is not None:
        for i, threshold in enumerate(found):
            checks.number(f"thresholds[{i}]", threshold, low=0, high=1)
    return [float(threshold) for threshold in found]


class _Count(_ByThresholds):
    """One of the four counts, at one threshold or several."""

    what: ClassVar[str]
    _direction = None

    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, dtype: str | None = None
    ) -> None:
        super().__init__(_thresholds(thresholds), name, dtype)
        self.init_thresholds = thresholds

    def result(self) -> Tensor:
        return self._figure(getattr(self._so_far(), self.what))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self.init_thresholds}


class TruePositives(_Count):
    """Outputs above the threshold whose target is not 0."""

    what = "true_positives"


class TrueNegatives(_Count):
    """Outputs up to the threshold whose target is 0."""

    what = "true_negatives"


class FalsePositives(_Count):
    """Outputs above the threshold whose target is 0."""

    what = "false_positives"


class FalseNegatives(_Count):
    """Outputs up to the threshold whose target is not 0."""

    what = "false_negatives"


class _Share(_ByThresholds):
    """Precision or recall."""

    what: ClassVar[str]

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(_thresholds(thresholds, 0.5 if top_k is None else -np.inf), name, dtype)
        self.init_thresholds = thresholds
        self.top_k = None if top_k is None else checks.integer("top_k", top_k, low=1)
        self.class_id = None if class_id is None else checks.integer("class_id", class_id, low=0)
        self.thresholds = list(self._limits)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        y, a = scores.aligned(y_true, y_pred)
        if self.top_k is not None:
            a = _largest_only(a, self.top_k)
        self._count(*_of_class(y, a, self.class_id), sample_weight)

    def result(self) -> Tensor:
        return self._figure(getattr(self._so_far(), self.what))

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return super().get_config() | own


class Precision(_Share):
    """Of the outputs above the threshold, the share whose target is not 0.

    Parameters
    ----------
    thresholds : one or several, 0.5 if None.
    top_k : only the largest outputs of a row count as above.
    class_id : only this output counts.
    """

    what = "precision"


class Recall(_Share):
    """Of the outputs whose target is not 0, the share that is above the threshold; parameters as for Precision."""

    what = "recall"


def _largest_only(a: FloatArray, k: int) -> FloatArray:
    places = np.argsort(-a, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(a, -np.inf)
    np.put_along_axis(kept, places, np.take_along_axis(a, places, axis=-1), axis=-1)
    return kept


def _of_class(y: FloatArray, a: FloatArray, class_id: int | None) -> tuple[FloatArray, FloatArray]:
    if class_id is None:
        return y, a
    if a.ndim != 2 or class_id >= a.shape[1]:
        raise InvalidArgumentError("class_id", f"one of the outputs of y_pred {a.shape}", class_id)
    return y[:, class_id, None], a[:, class_id, None]


class _AtOther(_ByThresholds):
    """The best of one share among the thresholds at which another is at least so much."""

    argument: ClassVar[str]  # what it is called, of the
    constrained: ClassVar[str]
    dependent: ClassVar[str]

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.num_thresholds = checks.integer("num_thresholds", num_thresholds, low=1)
        count = self.num_thresholds
        super().__init__([0.5] if count == 1 else list(np.arange(count) / (count - 1)), name, dtype)
        self.value = checks.number(self.argument, value, low=0, high=1)
        self.class_id = None if class_id is None else checks.integer("class_id", class_id, low=0)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._count(*_of_class(*scores.aligned(y_true, y_pred), self.class_id), sample_weight)

    def result(self) -> Tensor:
        found = self._so_far()
        feasible = getattr(found, self.constrained) >= self.value
        return self._tensor(np.where(feasible, getattr(found, self.dependent), 0).max(initial=0))

    def get_config(self) -> dict[str, Any]:
        own = {self.argument: self.value, "num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return super().get_config() | own


class SensitivityAtSpecificity(_AtOther):
    """The largest recall where the specificity is at least ``specificity``."""

    argument, constrained, dependent = "specificity", "specificity", "recall"

    def __init__(self, specificity: float, *arguments: Any, **options: Any) -> None:
        super().__init__(specificity, *arguments, **options)


class SpecificityAtSensitivity(_AtOther):
    """The largest specificity where the recall is at least ``sensitivity``."""

    argument, constrained, dependent = "sensitivity", "recall", "specificity"

    def __init__(self, sensitivity: float, *arguments: Any, **options: Any) -> None:
        super().__init__(sensitivity, *arguments, **options)


class PrecisionAtRecall(_AtOther):
    """The largest precision where the recall is at least ``recall``."""

    argument, constrained, dependent = "recall", "recall", "precision"

    def __init__(self, recall: float, *arguments: Any, **options: Any) -> None:
        super().__init__(recall, *arguments, **options)


class RecallAtPrecision(_AtOther):
    """The largest recall where the precision is at least ``precision``."""

    argument, constrained, dependent = "precision", "precision", "recall"

    def __init__(self, precision: float, *arguments: Any, **options: Any) -> None:
        super().__init__(precision, *arguments, **options)


class AUC(_ByThresholds):
    """The area under a curve through the points at thresholds, as Keras computes it.

    Parameters
    ----------
    num_thresholds : evenly from 0 to 1.
    curve : "ROC" or "PR".
    summation_method : "interpolation", "minoring" or "majoring".
    thresholds : others, between 0 and 1, whose ends are added.
    multi_label : the mean over the outputs' own curves, which ``label_weights`` may weigh.
    from_logits : whether outputs are logits, of which the sigmoid is taken.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: ArrayLike | None = None,
        from_logits: bool = False,
    ) -> None:
        if thresholds is None:
            count = checks.integer("num_thresholds", num_thresholds, low=2)
            inner = list(np.arange(1, count - 1) / (count - 1))
        else:
            inner = sorted(_thresholds(thresholds))
        super().__init__([-scores.EPSILON, *inner, 1 + scores.EPSILON], name, dtype)
        curve = curve.upper() if isinstance(curve, str) else curve
        self.curve = checks.choice("curve", curve, ("ROC", "PR"))
        self.summation_method = checks.choice(
            "summation_method", str(summation_method).lower(), ("interpolation", "minoring", "majoring")
        )
        self.num_thresholds = len(self._limits)
        self._given = thresholds
        self.multi_label = checks.boolean("multi_label", multi_label)
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else scores.floats(label_weights)
        self.from_logits = checks.boolean("from_logits", from_logits)

    @property
    def thresholds(self) -> list[float]:
        return list(self._limits)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        y, a = scores.aligned(y_true, y_pred)
        if self.from_logits:
            a = (np.tanh(a / 2) + 1) / 2
        weights = sample_weight
        if self.label_weights is not None and not self.multi_label:
            rows = np.ones(len(a)) if sample_weight is None else np.asarray(sample_weight).reshape(len(a))
            weights = rows[:, None] * self.label_weights
        self._count(y, a, weights, self.multi_label)

    def result(self) -> Tensor:
        areas = scores.area(self._so_far(), self.curve, self.summation_method)
        if np.ndim(areas):
            weights = np.ones(len(areas)) if self.label_weights is None else self.label_weights
            areas = scores.ratio((areas * weights).sum(), weights.sum())
        return self._tensor(areas)

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self.from_logits,
        }
        if self._given is not None:
            own["thresholds"] = list(self._limits[1:-1])
        return super().get_config() | own


class FBetaScore(Metric):
    """(1 + beta^2) P R / (beta^2 P + R) of the precision P and recall R of each output.

    Parameters
    ----------
    average : None, for a figure an output; "micro" of all counts together; the "macro" mean, or the "weighted" one.
    beta : how much more recall weighs.
    threshold : above which an output is taken for 1; None: only the largest of a row is.
    """

    _direction = "up"
    takes_back: ClassVar[tuple[str, ...]] = ("sigmoid",)

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name)
        averages = ("micro", "macro", "weighted")
        self.average = None if average is None else checks.choice("average", average, averages)
        self.beta = checks.number("beta", beta, low=0, exclusive=True)
        self.threshold = None if threshold is None else checks.number("threshold", threshold, low=0, high=1)
        self._sums: NDArray[np.float64] | None = None  # (3, outputs): hits, taken, there

    def reset_state(self) -> None:
        self._sums = None

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        y, a = scores.aligned(y_true, y_pred)
        if a.ndim != 2:
            raise InvalidArgumentError("y_pred", "shape (n, outputs)", a.shape)
        if self.threshold is None:
            taken = (a >= a.max(axis=-1, keepdims=True)) & (np.abs(a) > 1e-9)
        else:
            taken = a > self.threshold
        weights = np.ones((len(a), 1)) if sample_weight is None else np.asarray(sample_weight).reshape(len(a), 1)
        sums = np.stack([(each * weights).sum(axis=0) for each in (taken * y, taken, y)])
        self._sums = sums if self._sums is None else self._sums + sums

    def result(self) -> Tensor:
        if self._sums is None:
            return self._tensor(0.0)
        hits, taken, there = self._sums.sum(axis=1) if self.average == "micro" else self._sums
        precision, recall = hits / (taken + scores.EPSILON), hits / (there + scores.EPSILON)
        mean = precision * recall / (self.beta**2 * precision + recall + scores.EPSILON) * (1 + self.beta**2)
        if self.average == "weighted":
            mean = (mean * there / (there.sum() + scores.EPSILON)).sum()
        elif self.average == "macro":
            mean = mean.mean()
        return self._tensor(mean)

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return super().get_config() | own


class F1Score(FBetaScore):
    """2 P R / (P + R) of the precision P and recall R of each output; parameters as for FBetaScore."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "beta"}


class R2Score(Metric):
    """1 - sum (y - a)^2 / sum (y - mean y)^2 of each output.

    Parameters
    ----------
    class_aggregation : "uniform_average" over the outputs, "variance_weighted_average", or None for a figure each.
    num_regressors : of the inputs, for the adjusted figure; 0: not adjusted.
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(dtype, name)
        averages = ("uniform_average", "variance_weighted_average")
        self.class_aggregation = None
        if class_aggregation is not None:
            self.class_aggregation = checks.choice("class_aggregation", class_aggregation, averages)
        self.num_regressors = checks.integer("num_regressors", num_regressors, low=0)
        self._sums: NDArray[np.float64] | None = None  # (4, outputs): weights, y, y^2, squared errors
        self._size = 0

    def reset_state(self) -> None:
        self._sums, self._size = None, 0

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        y, a = (array.astype(np.float64) for array in scores.aligned(y_true, y_pred))
        y, a = y.reshape(len(y), -1), a.reshape(len(a), -1)
        weights = np.ones((len(a), 1)) if sample_weight is None else np.asarray(sample_weight).reshape(len(a), 1)
        sums = np.stack([(each * weights).sum(axis=0) for each in (np.ones_like(y), y, y * y, np.square(y - a))])
        self._sums = sums if self._sums is None else self._sums + sums
        self._size += y.size

    def result(self) -> Tensor:
        if self._sums is None:
            return self._tensor(0.0)
        weights, total, squares, errors = self._sums
        spread = squares - total * total / weights
        with np.errstate(divide="ignore", invalid="ignore"):
            figures = 1 - errors / spread
        figures = np.where(np.isinf(figures), 0, figures)
        if self.class_aggregation == "uniform_average":
            figures = figures.mean()
        elif self.class_aggregation is not None:
            figures = (spread * figures).sum() / spread.sum()
        if self.num_regressors and self.num_regressors < self._size - 1:
            figures = 1 - (1 - figures) * (self._size - 1) / (self._size - 1 - self.num_regressors)
        return self._tensor(figures)

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return super().get_config() | own


def _weighed(values: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Array, Array | None]:
    """A value a row, times its weight if any, and the weights a row, as Keras reduces both."""
    each = np.asarray(values)
    if sample_weight is None:
        return (each.reshape(len(each), -1).mean(axis=1) if each.ndim > 1 else each), None
    weights = np.asarray(sample_weight)
    if each.ndim == weights.ndim + 1 and each.shape[-1] == 1:
        each = each[..., 0]
    elif weights.ndim == each.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if each.ndim > weights.ndim:
        each = each.mean(axis=tuple(range(weights.ndim, each.ndim)))
    if each.ndim == 0:
        each = np.broadcast_to(each, weights.shape)
    weights = np.broadcast_to(weights, each.shape)
    each = each * weights
    if each.ndim > 1:
        each, weights = (array.reshape(len(array), -1).mean(axis=1) for array in (each, weights))
    return each, weights


def _rows(each: Array) -> int:
    return len(each) if each.ndim else 1


def _public(score: scores.Score) -> Callable[..., Tensor]:
    @functools.wraps(score)
    def function(y_true: ArrayLike, y_pred: ArrayLike, **options: Any) -> Tensor:
        return tensor(score(y_true, y_pred, **options))

    return function


accuracy = _public(scores.accuracy)
binary_accuracy = _public(scores.binary_accuracy)
binary_crossentropy = _public(scores.binary_crossentropy)
categorical_accuracy = _public(scores.categorical_accuracy)
categorical_crossentropy = _public(scores.categorical_crossentropy)
categorical_hinge = _public(scores.categorical_hinge)
cosine_similarity = _public(scores.cosine_similarity)
hinge = _public(scores.hinge)
huber = _public(scores.huber)
kl_divergence = KLD = kld = kullback_leibler_divergence = _public(scores.kl_divergence)
log_cosh = logcosh = _public(scores.log_cosh)
mean_absolute_error = mae = MAE = _public(scores.mean_absolute_error)
mean_absolute_percentage_error = mape = MAPE = _public(scores.mean_absolute_percentage_error)
mean_squared_error = mse = MSE = _public(scores.mean_squared_error)
mean_squared_logarithmic_error = msle = MSLE = _public(scores.mean_squared_logarithmic_error)
poisson = _public(scores.poisson)
sparse_categorical_accuracy = _public(scores.sparse_categorical_accuracy)
sparse_categorical_crossentropy = _public(scores.sparse_categorical_crossentropy)
sparse_top_k_categorical_accuracy = _public(scores.sparse_top_k_categorical_accuracy)
squared_hinge = _public(scores.squared_hinge)
top_k_categorical_accuracy = _public(scores.top_k_categorical_accuracy)

CLASSES: dict[str, type[Metric]] = {
    kind.__name__: kind
    for kind in (
        AUC,
        Accuracy,
        BinaryAccuracy,
        BinaryCrossentropy,
        CategoricalAccuracy,
        CategoricalCrossentropy,
        CategoricalHinge,
        CosineSimilarity,
        F1Score,
        FBetaScore,
        FalseNegatives,
        FalsePositives,
        Hinge,
        KLDivergence,
        LogCoshError,
        Mean,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredError,
        MeanSquaredLogarithmicError,
        Poisson,
        Precision,
        PrecisionAtRecall,
        R2Score,
        Recall,
        RecallAtPrecision,
        RootMeanSquaredError,
        SensitivityAtSpecificity,
        SparseCategoricalAccuracy,
        SparseCategoricalCrossentropy,
        SparseTopKCategoricalAccuracy,
        SpecificityAtSensitivity,
        SquaredHinge,
        Sum,
        TopKCategoricalAccuracy,
        TrueNegatives,
        TruePositives,
    )
}

_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    name: value for name, value in list(globals().items()) if inspect.isfunction(getattr(value, "__wrapped__", None))
}

__all__ = ["MeanMetricWrapper", "Metric", *CLASSES, *_FUNCTIONS, "deserialize", "get", "serialize"]
__getattr__ = outside(__name__, __all__)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"(?<=[A-Z])(?=[A-Z][a-z])", "_", name)).lower()


# What a metric may be called in ``compile``: its class, the same with underscores, or a function's names.
_SHORT = {
    "bce": BinaryCrossentropy,
    "BCE": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "MAPE": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
    "MSLE": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError,
    "cosine": CosineSimilarity,
    "cosine_proximity": CosineSimilarity,
}
_OF_ARGUMENTS = {"SensitivityAtSpecificity", "SpecificityAtSensitivity", "PrecisionAtRecall", "RecallAtPrecision"}
_BY_NAME: dict[str, Any] = {
    **_FUNCTIONS,
    **{name: kind for name, kind in CLASSES.items() if name not in _OF_ARGUMENTS},
    **{_snake(name): kind for name, kind in CLASSES.items() if name not in _OF_ARGUMENTS},
    **_SHORT,
}
ACCURACIES = ("accuracy", "acc")  # which of them depends on targets and outputs
CROSSENTROPIES = ("crossentropy", "ce")


def get(identifier: object) -> Any:
    """The metric of a name or of its description by :func:`serialize`, or the one given; of a class, a new one."""
    if isinstance(identifier, str):
        names = (*_BY_NAME, *ACCURACIES, *CROSSENTROPIES)
        if identifier not in names:
            raise InvalidArgumentError("metrics", "a metric of fastnn's part of Keras", repr(identifier))
        found = _BY_NAME[identifier]
    elif isinstance(identifier, dict):
        found = deserialize(identifier)
    else:
        found = identifier
    if isinstance(found, type):
        found = found()
    if not callable(found):
        checks.unsupported("metrics", "the name of a metric, a metric or a function", identifier)
    return found


def serialize(metric: Metric) -> dict[str, Any]:
    """The class and the arguments of an equal metric."""
    return {"class_name": type(metric).__name__, "config": metric.get_config()}


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The metric that :func:`serialize` or Keras has described."""
    match config:
        case {"class_name": str(name), "config": dict(options)}:
            known = CLASSES | (custom_objects or {})
            kind = known[checks.choice("metric's class_name", name, tuple(known))]
            options = {key: value for key, value in options.items() if key != "dtype"}
            try:
                return kind(**options)
            except TypeError as error:
                raise InvalidArgumentError(name, "the arguments of its kind", error) from None
    raise InvalidArgumentError("metric", "a class_name and its config", config)


def flattened(argument: str, given: object) -> list[Any]:
    """What ``compile`` is given as metrics: none, one, a list, or those of the one output by its name; as a list."""
    if given is None:
        return []
    if isinstance(given, dict) and "class_name" not in given:
        return [metric for each in given.values() for metric in flattened(argument, each)]
    if isinstance(given, list | tuple):
        return [metric for each in given for metric in flattened(argument, each)]
    if isinstance(given, Iterable) and not isinstance(given, str | dict):
        checks.unsupported(argument, "a list of metrics, such as ['accuracy']", given)
    return [given]


def name_of(identifier: object) -> str:
    """What Keras calls the figures of a metric: a string's own name, a function's, or that of the object."""
    if isinstance(identifier, str):
        return identifier
    name = getattr(identifier, "name", None) or getattr(identifier, "__name__", None)
    return str(name) if name else _snake(type(identifier).__name__)


def resolved(identifier: object, targets: tuple[int, ...], outputs: int) -> Metric:
    """The metric for targets of a shape and so many outputs, on which depends what "accuracy" is."""
    is_sparse = len(targets) == 1 or (targets[-1] == 1 and outputs > 1)
    if identifier in ACCURACIES:
        kind = BinaryAccuracy if outputs == 1 else SparseCategoricalAccuracy if is_sparse else CategoricalAccuracy
        return kind(name=str(identifier))
    if identifier in CROSSENTROPIES:
        entropies = (BinaryCrossentropy, SparseCategoricalCrossentropy, CategoricalCrossentropy)
        return entropies[0 if outputs == 1 else 1 if is_sparse else 2](name=str(identifier))
    found = get(identifier)
    if not isinstance(found, Metric):
        return MeanMetricWrapper(found, name_of(identifier))
    if isinstance(identifier, str):
        found.name = identifier
    return found


def is_own_function(metric: object) -> bool:
    """Whether it is one of the functions here, which its name gives again."""
    return any(metric is function for function in _FUNCTIONS.values())
