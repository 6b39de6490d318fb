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
from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import ArrayLike

from ... import checks
from ...errors import InvalidArgumentError
from . import scores
from .counts import (
    AUC,
    F1Score,
    FalseNegatives,
    FalsePositives,
    FBetaScore,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from .layer import snake_case
from .means import (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    R2Score,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    TopKCategoricalAccuracy,
)
from .metric import Mean, MeanMetricWrapper, Metric, Sum
from .subset import outside
from .tensor import Tensor, tensor


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
    **{snake_case(name): kind for name, kind in CLASSES.items() if name not in _OF_ARGUMENTS},
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
    return str(name) if name else snake_case(type(identifier).__name__)


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


def is_rowwise(metric: Metric) -> bool:
    """Whether it makes no difference how rows are shared out among batches."""
    return type(metric) in CLASSES.values()


def is_own_function(metric: object) -> bool:
    """Whether it is one of the functions here, which its name gives again."""
    return any(metric is function for function in _FUNCTIONS.values())
