"""KerasClassifier and KerasRegressor, as Keras 1 and 2 have them in ``keras.wrappers.scikit_learn``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....errors import FastnnError, InvalidArgumentError
from ...keras.callbacks import History
from ..models import Model
from ..subset import known_names, outside
from ..utils import to_categorical
from .estimator import Estimator

__all__ = ["BaseWrapper", "KerasClassifier", "KerasRegressor"]

__getattr__ = outside(__name__, __all__, known_names("keras.wrappers.scikit_learn"))

METHODS = (Model.fit, Model.predict, Model.evaluate)


class BaseWrapper(Estimator):
    """A model made anew for every ``fit``, for scikit-learn's pipelines, scores and searches.

    Parameters
    ----------
    build_fn : a function that returns a compiled model; or None, for a subclass whose ``__call__`` does; or an object
        whose ``__call__`` does.
    sk_params : arguments of that function, and of the model's fit, predict and evaluate, such as ``epochs``. Each
        goes to those that have an argument of its name.

    Attributes
    ----------
    model : the model after ``fit``.

    Raises InvalidArgumentError, which is a ValueError, for parameters that none of these has.
    """

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        self.build_fn, self.sk_params = build_fn, sk_params
        self.check_params(sk_params)

    def check_params(self, params: dict[str, Any]) -> None:
        """Raise for parameters that neither ``build_fn`` nor the model's methods have."""
        build = self._builder()
        if _takes_any(build):
            return
        names = {*_arguments(build), *(name for method in METHODS for name in _arguments(method))}
        for name in params:
            if name not in names and name != "nb_epoch":
                raise InvalidArgumentError(
                    name, "an argument of build_fn, fit, predict or evaluate", "none of this name"
                )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """``sk_params``, and ``build_fn``."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Self:
        """Add to ``sk_params``."""
        self.check_params({name: value for name, value in params.items() if name != "build_fn"})
        self.build_fn = params.pop("build_fn", self.build_fn)
        self.sk_params.update(params)
        return self

    def fit(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> History:
        """Make a model and train it; ``kwargs`` go before ``sk_params``. Returns the History of the training."""
        self.model: Any = self._builder()(**self.filter_sk_params(self._builder()))
        targets: Any = y
        if _loss_name(self.model) == "categorical_crossentropy" and np.ndim(y) != 2:
            targets = to_categorical(y)
        history: History = self.model.fit(x, targets, **self._fitting(kwargs))
        return history

    def filter_sk_params(self, fn: Callable[..., Any], override: dict[str, Any] | None = None) -> dict[str, Any]:
        """Those of ``sk_params`` that a function has arguments for, and ``override``."""
        names = _arguments(fn)
        return {name: value for name, value in self.sk_params.items() if name in names} | (override or {})

    def _fitting(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        epochs = {"epochs": self.sk_params["nb_epoch"]} if "nb_epoch" in self.sk_params else {}  # Keras 1's name
        return epochs | self.filter_sk_params(Model.fit, kwargs)

    def _builder(self) -> Callable[..., Any]:
        if self.build_fn is not None:
            return self.build_fn
        if not callable(self):
            raise InvalidArgumentError("build_fn", "a function that returns a compiled model", "None")
        return self

    def _predicted(self, x: ArrayLike, kwargs: dict[str, Any]) -> NDArray[Any]:
        if not hasattr(self, "model"):
            raise FastnnError(f"{type(self).__name__}: expected fit before predict")
        outputs: NDArray[Any] = self.model.predict(x, **self.filter_sk_params(Model.predict, kwargs))
        return outputs

    def _evaluated(self, x: ArrayLike, y: ArrayLike, kwargs: dict[str, Any]) -> dict[str, float]:
        if not hasattr(self, "model"):
            raise FastnnError(f"{type(self).__name__}: expected fit before score")
        options = self.filter_sk_params(Model.evaluate, kwargs) | {"return_dict": True}
        figures: dict[str, float] = self.model.evaluate(x, y, **options)
        return figures

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model")


class KerasClassifier(BaseWrapper):
    """A wrapper of a classifier.

    Attributes
    ----------
    classes_ : (n,) what the labels given to ``fit`` are; classes are numbered in this order.
    """

    _estimator_type = "classifier"

    def fit(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> History:
        """Train on labels (n,) or (n, 1) of any kind, or on one-hot rows (n, classes)."""
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] > 1:
            self.classes_ = np.arange(labels.shape[1])
        elif labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1):
            self.classes_ = np.unique(labels)
            labels = np.searchsorted(self.classes_, labels)
        else:
            raise InvalidArgumentError("y", "labels (n,) or one-hot rows (n, classes)", f"shape {labels.shape}")
        self.n_classes_ = len(self.classes_)
        return super().fit(x, labels, **kwargs)

    def predict(self, x: ArrayLike, **kwargs: Any) -> NDArray[Any]:
        """The classes: (n,) of the largest output or, of models with one output, (n, 1) of whether it is above 0.5."""
        outputs = self._predicted(x, kwargs)
        return self.classes_[outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype(np.int32)]

    def predict_proba(self, x: ArrayLike, **kwargs: Any) -> NDArray[Any]:
        """The outputs (n, classes), also of models with one, that of the second of two classes."""
        outputs = self._predicted(x, kwargs)
        return outputs if outputs.shape[1] > 1 else np.hstack([1 - outputs, outputs])

    def score(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> float:
        """The accuracy; raises FastnnError, a ValueError too, for models that are not compiled with it."""
        labels: Any = np.searchsorted(self.classes_, np.asarray(y)) if np.ndim(y) == 1 or np.shape(y)[1] == 1 else y
        if hasattr(self, "model") and _loss_name(self.model) == "categorical_crossentropy" and np.ndim(labels) != 2:
            labels = to_categorical(labels, self.n_classes_)
        figures = self._evaluated(x, labels, kwargs)
        for name, figure in figures.items():
            if name in ("acc", "accuracy"):
                return figure
        raise InvalidArgumentError("model", 'one compiled with metrics=["accuracy"]', f"figures {', '.join(figures)}")


class KerasRegressor(BaseWrapper):
    """A wrapper of a regressor."""

    _estimator_type = "regressor"

    def predict(self, x: ArrayLike, **kwargs: Any) -> NDArray[Any]:
        """The outputs, (n,) of models with one and else (n, outputs)."""
        return np.squeeze(self._predicted(x, kwargs), axis=-1) if self._one() else self._predicted(x, kwargs)

    def score(self, x: ArrayLike, y: ArrayLike, **kwargs: Any) -> float:
        """The loss, negated: more is better."""
        return -self._evaluated(x, y, kwargs)["loss"]

    def _one(self) -> bool:
        return hasattr(self, "model") and self.model.output_shape[-1] == 1


def _arguments(function: Callable[..., Any]) -> list[str]:
    """The names of a function's arguments, without ``self``."""
    return [name for name in inspect.signature(function).parameters if name != "self"]


def _takes_any(function: Callable[..., Any]) -> bool:
    return any(argument.kind is argument.VAR_KEYWORD for argument in inspect.signature(function).parameters.values())


def _loss_name(model: Any) -> str:
    loss = getattr(model, "loss", None)
    return str(getattr(loss, "name", getattr(loss, "__name__", loss)))
