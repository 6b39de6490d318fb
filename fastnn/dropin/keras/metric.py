"""The base class of metrics, and the means and sums of whatever values they are given."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from . import config
from .layer import own_name
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
