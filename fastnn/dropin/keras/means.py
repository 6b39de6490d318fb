"""Metrics that are means, over the rows, of one of :mod:`.scores`; and R2, the quotient of two sums over them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from ...errors import InvalidArgumentError
from . import scores
from .metric import MeanMetricWrapper, Metric
from .tensor import Tensor


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
