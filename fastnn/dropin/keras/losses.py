"""Losses, as ``keras.losses`` has them: what each asks of outputs and targets, and which of the kernels' it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ... import checks
from ...errors import InvalidArgumentError
from ...kernels.records import LOSS_RECORDS
from ...kernels.spec import ACTIVATIONS as KERNEL_ACTIVATIONS
from ...kernels.spec import LOSSES, Net
from .activations import KERAS
from .network import Network
from .subset import UnsupportedError, outside, refuse

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "get",
]

__getattr__ = outside(__name__, __all__)


class Loss:
    """A loss per sample, averaged over a batch: with weights, the sum of the products divided by the samples."""

    rule: ClassVar[str]  # the kernels' name
    labels = False  # whether targets are class indices
    from_logits = False

    def __init__(self, options: dict[str, Any], **defaults: object) -> None:
        self.name = str(options.pop("name", None) or _names(type(self))[0])
        refuse(type(self).__name__, options, reduction="sum_over_batch_size", **defaults)

    def output(self, output: str) -> str:
        """The kernels' activation in which this loss ends, for a last layer's ``output``; raises where none fits."""
        return output

    def net(self, network: Network) -> Net:
        """The network with this loss; raises InvalidArgumentError where its outputs do not go with it."""
        output = self.output(network.plan.activations[-1])
        if output == "softmax" and network.plan.sizes[-1] == 1:
            raise InvalidArgumentError("loss", "at least two outputs for softmax", "one")
        activations = network.net.activations.copy()
        activations[-1] = KERNEL_ACTIVATIONS.index(output)
        return network.net._replace(loss=LOSSES.index(self.rule), activations=activations)

    def targets(self, argument: str, y: NDArray[Any], count: int, outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Targets (count, outputs) of ``dtype`` from such, or from (count,) for one output."""
        if y.ndim != 2 and not (y.ndim == outputs == 1):
            hint = " (labels want a sparse loss)" if self.rule == "cross_entropy" else ""
            raise InvalidArgumentError(argument, f"targets ({count}, {outputs}) for {self.name}{hint}", y.shape)
        return checks.targets(argument, y, count, outputs, dtype)

    def factor(self, outputs: int) -> float:
        """What the kernels' loss of a sample is to be multiplied by."""
        return 1.0

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return {"name": self.name}

    def __call__(self, y_true: object, y_pred: object) -> object:
        raise UnsupportedError(f"{self.name}: expected a loss for compile, or model.evaluate; found a loss called")


class MeanSquaredError(Loss):
    """mean((y - a)^2) over the outputs a, of any activation; targets (n, outputs)."""

    rule = "mean_squared_error"

    def __init__(self, **options: Any) -> None:
        super().__init__(options)


class CrossEntropy(Loss):
    """A loss of probabilities; with ``from_logits``, of linear outputs, whose softmax or sigmoid is in the loss."""

    def __init__(self, from_logits: bool = False, **options: Any) -> None:
        self.from_logits = checks.boolean("from_logits", from_logits)
        super().__init__(options, axis=-1, label_smoothing=0.0)

    def output(self, output: str) -> str:
        required = LOSS_RECORDS[self.rule].output
        if output != ("identity" if self.from_logits else required):
            kind = type(self).__name__
            raise InvalidArgumentError(
                "loss",
                f"{required} outputs for {kind}(), or linear ones for {kind}(from_logits=True)",
                f"{KERAS[output]} ones for {kind}({'from_logits=True' if self.from_logits else ''})",
            )
        return required

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"from_logits": self.from_logits}


class SparseCategoricalCrossentropy(CrossEntropy):
    """-log of the softmax output at the label; targets are labels (n,) or (n, 1)."""

    rule = "cross_entropy"
    labels = True

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
        return checks.targets(argument, y, count, outputs, dtype)


class CategoricalCrossentropy(CrossEntropy):
    """-sum(y log a) over the softmax outputs a; targets are rows (n, outputs), such as ``to_categorical`` makes."""

    rule = "cross_entropy"


class BinaryCrossentropy(CrossEntropy):
    """-mean(y log a + (1 - y) log(1 - a)) over the sigmoid outputs a; targets (n, outputs) from 0 to 1."""

    rule = "binary_cross_entropy"

    def targets(self, argument: str, y: NDArray[Any], count: int, outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        targets = super().targets(argument, y, count, outputs, dtype)
        checks.probabilities(argument, targets)
        return targets

    def factor(self, outputs: int) -> float:
        return 1 / outputs  # the kernels sum over the outputs


_BY_NAME: dict[str, Callable[[], Loss]] = {
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "bce": BinaryCrossentropy,
    "mse": MeanSquaredError,
}


def _names(kind: type[Loss]) -> list[str]:
    return [name for name, named in _BY_NAME.items() if named is kind]


def get(identifier: object) -> Loss:
    """The loss of a name, for outputs that are no logits, or the loss given."""
    if isinstance(identifier, Loss):
        return identifier
    return _BY_NAME[checks.choice("loss", identifier, tuple(_BY_NAME))]()
