"""Metrics that count what outputs above thresholds are taken for, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from ...errors import InvalidArgumentError
from ...kernels.spec import FloatArray
from .config import EPSILON
from .confusion import Confusion, area, confusion, ratio
from .metric import Metric
from .scores import aligned, floats
from .tensor import Tensor


class _ByThresholds(Metric):
    """Counts what outputs above thresholds are taken for, and what they are."""

    _direction: str | None = "up"
    takes_back: ClassVar[tuple[str, ...]] = ("sigmoid",)

    def __init__(self, thresholds: Sequence[float], name: str | None, dtype: str | None) -> None:
        super().__init__(dtype, name)
        self._limits = np.asarray(thresholds, np.float64)
        self._found: Confusion | None = None

    def reset_state(self) -> None:
        self._found = None

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._count(y_true, y_pred, sample_weight)

    def _count(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None, by_label: bool = False
    ) -> None:
        weights = None if sample_weight is None else floats(sample_weight)
        found = confusion(y_true, y_pred, self._limits, weights, by_label)
        both = [found] if self._found is None else [self._found, found]
        self._found = Confusion(*(sum(parts) for parts in zip(*both, strict=True)))

    def _so_far(self) -> Confusion:
        zeros = np.zeros(len(self._limits))
        return Confusion(zeros, zeros, zeros, zeros) if self._found is None else self._found

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
        y, a = aligned(y_true, y_pred)
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
        self._count(*_of_class(*aligned(y_true, y_pred), self.class_id), sample_weight)

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
        super().__init__([-EPSILON, *inner, 1 + EPSILON], name, dtype)
        curve = curve.upper() if isinstance(curve, str) else curve
        self.curve = checks.choice("curve", curve, ("ROC", "PR"))
        self.summation_method = checks.choice(
            "summation_method", str(summation_method).lower(), ("interpolation", "minoring", "majoring")
        )
        self.num_thresholds = len(self._limits)
        self._given = thresholds
        self.multi_label = checks.boolean("multi_label", multi_label)
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else floats(label_weights)
        self.from_logits = checks.boolean("from_logits", from_logits)

    @property
    def thresholds(self) -> list[float]:
        return list(self._limits)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        y, a = aligned(y_true, y_pred)
        if self.from_logits:
            a = (np.tanh(a / 2) + 1) / 2
        weights = sample_weight
        if self.label_weights is not None and not self.multi_label:
            rows = np.ones(len(a)) if sample_weight is None else np.asarray(sample_weight).reshape(len(a))
            weights = rows[:, None] * self.label_weights
        self._count(y, a, weights, self.multi_label)

    def result(self) -> Tensor:
        areas = area(self._so_far(), self.curve, self.summation_method)
        if np.ndim(areas):
            weights = np.ones(len(areas)) if self.label_weights is None else self.label_weights
            areas = ratio((areas * weights).sum(), weights.sum())
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
        y, a = aligned(y_true, y_pred)
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
        precision, recall = hits / (taken + EPSILON), hits / (there + EPSILON)
        mean = precision * recall / (self.beta**2 * precision + recall + EPSILON) * (1 + self.beta**2)
        if self.average == "weighted":
            mean = (mean * there / (there.sum() + EPSILON)).sum()
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
