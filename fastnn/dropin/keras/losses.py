"""Losses, as ``keras.losses`` has them: what each asks of outputs and targets, and which of the kernels' it is.

Where Keras' backends differ, these are TensorFlow's: the categorical cross-entropy of softmax outputs and the binary
one of sigmoid outputs are computed from the inputs of those. The categorical one of other outputs is JAX's: TensorFlow
takes the inputs of sigmoids for those of a softmax, and with labels clips other outputs before it normalises them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from ...errors import InvalidArgumentError, callers_depth
from ...kernels.records import LOSS_RECORDS
from ...kernels.spec import ACTIVATIONS as KERNEL_ACTIVATIONS
from ...kernels.spec import BINARY_CROSS_ENTROPY, LOSSES, Net
from .activations import KERAS
from .layer import snake_case
from .metrics import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    cosine_similarity,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from .network import Network
from .subset import outside, refuse
from .tensor import Tensor, tensor

__all__ = [
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]

__getattr__ = outside(__name__, __all__)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error

MEAN = "sum_over_batch_size"
REDUCTIONS = (MEAN, "mean", "auto", "sum", "none")  # the first three are one


class Loss:
    """A loss per sample, averaged over a batch: with weights, the sum of the products divided by the samples.

    Called with targets and outputs it gives that mean, a tensor; with ``reduction`` "sum" the sum and with "none" the
    losses themselves, of which a model is not trained.
    """

    function: ClassVar[Callable[..., Tensor]]  # the losses of the samples
    rule: ClassVar[str] = ""  # the kernels' name
    labels = False  # whether targets are class indices

    def __init__(self, name: str | None = None, reduction: str | None = MEAN, **options: Any) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.reduction = checks.choice("reduction", "none" if reduction is None else reduction, REDUCTIONS)
        refuse(type(self).__name__, options, axis=-1)

    def kernels(self, output: str) -> tuple[str, str]:
        """The kernels' loss, and the activation in which it ends, for a last layer's activation ``output``."""
        return self.rule, output

    def net(self, network: Network) -> Net:
        """The network with this loss; raises InvalidArgumentError where its outputs do not go with it."""
        if REDUCTIONS.index(self.reduction) > 2:
            raise InvalidArgumentError("loss", f"one whose reduction is {MEAN!r}, to train", repr(self.reduction))
        rule, output = self.kernels(network.plan.activations[-1])
        if output == "softmax" and network.plan.sizes[-1] == 1:
            _warn_once("softmax of one output is always 1: nothing is learnt")
        activations = network.net.activations.copy()
        activations[-1] = KERNEL_ACTIVATIONS.index(output)
        return network.net._replace(loss=LOSSES.index(rule), activations=activations)

    def targets(self, argument: str, y: NDArray[Any], count: int, outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Targets (count, outputs) of ``dtype`` from such, or from (count,) for one output."""
        # Labels, which checks.targets would take for one-hot rows, are none here.
        if y.shape[1:] != (outputs,) and not (y.ndim == outputs == 1):
            hint = " (labels want a sparse loss)" if isinstance(self, CategoricalCrossentropy) else ""
            expected, found = f"targets ({count}, {outputs}) for {self.name}{hint}", f"shape {y.shape}"
            raise InvalidArgumentError(argument, expected, found)
        return checks.targets(argument, y, count, outputs, dtype)

    def options(self) -> dict[str, Any]:
        """What ``function`` is called with beside targets and outputs."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return {"name": self.name, "reduction": self.reduction, **self.options()}

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Tensor:
        losses = type(self).function(y_true, y_pred, **self.options())
        if sample_weight is not None:
            losses = tensor(losses * np.reshape(np.asarray(sample_weight, losses.dtype), losses.shape))
        if self.reduction == "none":
            return losses
        return tensor(losses.sum() if self.reduction == "sum" else losses.mean())


class MeanSquaredError(Loss):
    """mean_j (y_j - a_j)^2 over the outputs a, of any activation; targets (n, outputs)."""

    function = staticmethod(mean_squared_error)
    rule = "mean_squared_error"


class MeanAbsoluteError(Loss):
    """mean_j |y_j - a_j|; targets (n, outputs)."""

    function = staticmethod(mean_absolute_error)
    rule = "mean_absolute_error"


class Huber(Loss):
    """mean_j of e^2 / 2 for errors |e| up to 1, and of |e| - 1/2 beyond; targets (n, outputs)."""

    function = staticmethod(huber)
    rule = "huber"

    def __init__(
        self, delta: float = 1.0, name: str | None = None, reduction: str | None = MEAN, **options: Any
    ) -> None:
        if checks.number("delta", delta, low=0) != 1:
            raise InvalidArgumentError("delta", "1, the one there is in fastnn", delta)
        super().__init__(name or "huber_loss", reduction, **options)


class Poisson(Loss):
    """mean_j a_j - y_j log(a_j + 1e-7); targets (n, outputs)."""

    function = staticmethod(poisson)
    rule = "mean_poisson"


class CrossEntropy(Loss):
    """A loss of probabilities; with ``from_logits``, of linear outputs, whose softmax or sigmoid is in the loss."""

    fused: ClassVar[str]  # the kernels' loss of ``rule``'s probabilities where these are softmax's or sigmoid's

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = MEAN,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self.from_logits = checks.boolean("from_logits", from_logits)
        self.label_smoothing = checks.number("label_smoothing", label_smoothing, low=0, high=1)
        super().__init__(name, reduction, axis=axis, **options)

    def kernels(self, output: str) -> tuple[str, str]:
        probabilities = LOSS_RECORDS[self.fused].output
        if self.from_logits:
            if output == probabilities:
                message = (
                    f"{self.name} is given from_logits=True, but the outputs are no logits: they come from a {output}"
                )
                _warn_once(f"{message}. They are taken for what they are")
            elif output != "identity":
                expected = f"linear outputs for {type(self).__name__}(from_logits=True)"
                raise InvalidArgumentError("loss", expected, f"{KERAS[output]} ones")
            return self.fused, probabilities
        return (self.fused if output == probabilities else self.rule), output

    def options(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}

    def targets(self, argument: str, y: NDArray[Any], count: int, outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        targets = super().targets(argument, y, count, outputs, dtype)
        smoothing = self.label_smoothing
        if not smoothing:
            return targets
        return targets * dtype.type(1 - smoothing) + dtype.type(smoothing / self.classes(outputs))

    def classes(self, outputs: int) -> int:
        """Over how many classes each target is smoothed."""
        return outputs


class SparseCategoricalCrossentropy(CrossEntropy):
    """-log of the output at the label, a share of all outputs; targets are labels (n,) or (n, 1)."""

    function = staticmethod(sparse_categorical_crossentropy)
    rule, fused = "normalised_cross_entropy", "cross_entropy"
    labels = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: None = None,
        reduction: str | None = MEAN,
        axis: int = -1,
        name: str | None = None,
        **options: Any,
    ) -> None:
        refuse(type(self).__name__, options | {"ignore_class": ignore_class})
        super().__init__(from_logits, 0.0, axis, reduction, name)

    def options(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits}

    def targets(self, argument: str, y: NDArray[Any], count: int, outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Labels (count,) int32."""
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim != 1:
            raise InvalidArgumentError(argument, f"labels ({count},) for {self.name}", f"shape {y.shape}")
        if y.dtype.kind == "f":  # Keras takes whole numbers of any type
            with np.errstate(invalid="ignore"):
                whole = y.astype(np.int64)
            y = whole if (whole == y).all() else y
        if outputs == 1 and (y != 0).any():  # one output's y would be taken for targets
            raise InvalidArgumentError(argument, f"labels 0..0 for {self.name} of one output", y[y != 0][0])
        return checks.targets(argument, y, count, outputs, dtype)


class CategoricalCrossentropy(CrossEntropy):
    """-sum_j y_j log(a_j / sum_k a_k); targets are rows (n, outputs), such as ``to_categorical`` makes."""

    function = staticmethod(categorical_crossentropy)
    rule, fused = "normalised_cross_entropy", "cross_entropy"


class BinaryCrossentropy(CrossEntropy):
    """-mean_j (y_j log a_j + (1 - y_j) log(1 - a_j)); targets (n, outputs) from 0 to 1."""

    function = staticmethod(binary_crossentropy)
    rule, fused = "clipped_binary_cross_entropy", "binary_cross_entropy"

    def targets(self, argument: str, y: NDArray[Any], count: int, outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        targets = super().targets(argument, y, count, outputs, dtype)
        checks.probabilities(argument, targets)
        return targets

    def classes(self, outputs: int) -> int:
        return 2


def factor(net: Net) -> float:
    """What the kernels' loss of a sample is to be multiplied by: that of sigmoids is a sum, and Keras' the mean."""
    return 1 / int(net.sizes[-1]) if net.loss == BINARY_CROSS_ENTROPY else 1.0


_warned: set[str] = set()


def _warn_once(message: str) -> None:
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, stacklevel=callers_depth())


CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        BinaryCrossentropy,
        CategoricalCrossentropy,
        Huber,
        MeanAbsoluteError,
        MeanSquaredError,
        Poisson,
        SparseCategoricalCrossentropy,
    )
}
_BY_FUNCTION = {kind.function: kind for kind in CLASSES.values()}
_SHORT = {
    "bce": BinaryCrossentropy,
    "BCE": BinaryCrossentropy,
    "huber_loss": Huber,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
}
_BY_NAME = {snake_case(name): kind for name, kind in CLASSES.items()} | _SHORT | CLASSES


def get(identifier: object) -> Loss:
    """The loss of a name, a function or a description, for outputs that are no logits; or the loss given."""
    if isinstance(identifier, Loss):
        return identifier
    match identifier:
        case {"class_name": str(name), "config": dict(arguments)}:
            made: Loss = _BY_NAME[checks.choice("loss", name, tuple(_BY_NAME))](**arguments)
            return made
        case [only]:
            return get(only)
    kind = _BY_FUNCTION.get(identifier) if callable(identifier) else None
    if kind is None and isinstance(identifier, type) and issubclass(identifier, Loss):
        kind = identifier
    if kind is None:
        by_class = isinstance(identifier, str) and identifier in CLASSES
        names = CLASSES if by_class else [name for name in _BY_NAME if name not in CLASSES]
        kind = _BY_NAME[checks.choice("loss", identifier, tuple(names))]
    named: Loss = kind()
    return named


def serialize(loss: Loss) -> dict[str, Any]:
    """The class and the arguments of a loss."""
    return {"class_name": type(loss).__name__, "config": loss.get_config()}


deserialize = get
