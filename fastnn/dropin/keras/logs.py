"""The figures of an epoch by name, under which programs of several versions of Keras look them up."""

from __future__ import annotations

from typing import Any

# What versions of Keras have called the same figure: "acc" where the program compiled with "accuracy", and so on.
_SAME = (
    ("accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"),
    ("mae", "mean_absolute_error"),
    ("mse", "mean_squared_error"),
    ("mape", "mean_absolute_percentage_error"),
    ("msle", "mean_squared_logarithmic_error"),
    ("learning_rate", "lr"),
)
_OTHER_NAMES = {name: [other for other in names if other != name] for names in _SAME for name in names}


class Logs(dict[str, Any]):
    """Figures by the names that Keras 3 gives them, which may be looked up by older or newer ones, too.

    ``logs["acc"]`` is ``logs["accuracy"]`` where the program compiled with "accuracy", as Keras 2 had it. The names
    that are listed, and that ``in`` finds, are Keras 3's alone.
    """

    def known(self, name: str) -> str | None:
        """The name, or the other name of the same figure, that is there."""
        if name in self:
            return name
        prefix = "val_" if name.startswith("val_") else ""
        others = (prefix + other for other in _OTHER_NAMES.get(name.removeprefix(prefix), ()))
        return next((other for other in others if other in self), None)

    def copy(self) -> Logs:
        """The same figures, of this class."""
        return Logs(self)

    def __missing__(self, name: str) -> Any:
        if (other := self.known(name)) is None:
            raise KeyError(name)
        return self[other]

    def get(self, name: str, default: Any = None) -> Any:
        """The figure of that name, or ``default``."""
        return default if (known := self.known(name)) is None else self[known]
