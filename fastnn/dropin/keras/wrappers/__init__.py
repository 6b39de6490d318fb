"""Models as estimators of scikit-learn, as Keras 3 has them; those of Keras 1 and 2 are in ``scikit_learn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .... import checks
from ....errors import FastnnError, InvalidArgumentError
from ..callbacks import History
from ..models import Model, clone_model
from ..subset import outside
from . import scikit_learn as scikit_learn
from .estimator import Estimator
from .estimator import scikit_learn as _sklearn

__all__ = ["SKLearnClassifier", "SKLearnRegressor"]

__getattr__ = outside(__name__, __all__)


class SKLBase(Estimator):
    """What the two wrappers share.

    Parameters
    ----------
    model : a compiled model, of which a copy with new weights is trained; or a function of X, y and ``model_kwargs``
        that returns one.
    warm_start : go on with the model of the last ``fit``.
    model_kwargs : arguments of ``model``, where that is a function.
    fit_kwargs : arguments of the model's ``fit``; those given to :meth:`fit` go before. Clones, as scikit-learn makes
        them to validate and to search, keep them; Keras' lose them.

    Attributes
    ----------
    model_ : the model after ``fit``.
    history_ : the History of its training.
    n_features_in_ : the width of X.
    """

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ) -> None:
        self.model, self.warm_start = model, warm_start
        self.model_kwargs, self.fit_kwargs = model_kwargs, fit_kwargs

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The four parameters."""
        return {name: getattr(self, name) for name in ("model", "warm_start", "model_kwargs", "fit_kwargs")}

    def fit(self, X: ArrayLike, y: ArrayLike, **kwargs: Any) -> Self:
        """Train on rows X (n, width) and targets y (n,) or (n, outputs)."""
        X, y = _sklearn().utils.validation.check_X_y(X, y, multi_output=True)
        self.n_features_in_ = np.shape(X)[1]
        targets = self._targets(np.asarray(y))
        if not (self.warm_start and hasattr(self, "model_")):
            self.model_ = self._new_model(X, targets)
        self.history_: History = self.model_.fit(X, targets, **{**(self.fit_kwargs or {}), **kwargs})
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The predictions, of the shape of the targets."""
        raise NotImplementedError

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """What the model is trained on."""
        raise NotImplementedError

    def _new_model(self, X: ArrayLike, targets: NDArray[Any]) -> Model:
        if isinstance(self.model, Model):
            model: Any = clone_model(self.model)
        elif callable(self.model):
            model = self.model(X=X, y=targets, **(self.model_kwargs or {}))
        else:
            checks.unsupported("model", "a compiled model, or a function that returns one", self.model)
        if model.optimizer is None or model.loss is None:
            raise InvalidArgumentError("model", "a compiled one, with a loss and an optimizer", "one that is not")
        return model

    def _outputs(self, X: ArrayLike) -> NDArray[Any]:
        if not hasattr(self, "model_"):
            raise FastnnError(f"{type(self).__name__}: expected fit before predict")
        rows = _sklearn().utils.validation.check_array(X)
        outputs: NDArray[Any] = self.model_.predict(rows)
        return outputs

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")


class SKLearnClassifier(SKLBase):
    """A model with an output for each class, trained on one-hot rows of labels of any kind.

    Attributes
    ----------
    classes_ : (n,) the labels there are.
    """

    _estimator_type = "classifier"

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The labels (n,) of the largest outputs."""
        return self.classes_[self._outputs(X).argmax(axis=1)]

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """The outputs (n, classes)."""
        return self._outputs(X)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The accuracy."""
        return float(_sklearn().metrics.accuracy_score(y, self.predict(X), sample_weight=sample_weight))

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        if (kind := _sklearn().utils.multiclass.type_of_target(y)) not in ("binary", "multiclass"):
            raise InvalidArgumentError("y", "labels of two or more classes", kind)
        labels = y.reshape(-1)
        self.classes_ = np.unique(labels)
        if len(self.classes_) == 1:
            raise InvalidArgumentError("y", "labels of two or more classes", "one class")
        return (labels[:, None] == self.classes_).astype(np.float64)


class SKLearnRegressor(SKLBase):
    """A model of numbers."""

    _estimator_type = "regressor"

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The outputs (n, outputs), or (n,) if the targets were."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._of_one_axis else outputs

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The share of the variance that is explained, R^2."""
        return float(_sklearn().metrics.r2_score(y, self.predict(X), sample_weight=sample_weight))

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        self._of_one_axis = y.ndim == 1
        return y[:, None] if self._of_one_axis else y
