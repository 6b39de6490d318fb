"""What scikit-learn asks of an estimator, without importing scikit-learn before it is used."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from ....errors import FastnnError, InvalidArgumentError


class Estimator:
    """The base of both kinds of wrappers."""

    _estimator_type: ClassVar[str]  # of scikit-learn below 1.6

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name."""
        raise NotImplementedError

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; raises FastnnError for names that there are not."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise InvalidArgumentError("params", f"names among {', '.join(known)}", repr(name))
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        """What kind of estimator this is; asked by scikit-learn alone, from 1.6 on."""
        from sklearn.utils import ClassifierTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type=self._estimator_type,
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags() if self._estimator_type == "classifier" else None,
            regressor_tags=RegressorTags() if self._estimator_type == "regressor" else None,
            non_deterministic=True,
        )

    def __repr__(self) -> str:
        params = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({params})"


def scikit_learn() -> Any:
    """scikit-learn; raises FastnnError without it."""
    try:
        import sklearn.metrics
        import sklearn.utils.multiclass
        import sklearn.utils.validation
    except ImportError as error:
        raise FastnnError(f'keras.wrappers need scikit-learn ({error}); pip install "fastnn-cpu[sklearn]"') from None
    return sklearn
