"""scikit-learn's estimators with fastnn's kernels under them.

The classes are imported when they are first used, for they need scikit-learn. The perceptrons are those of
:mod:`fastnn.estimators.extended`; without what these add they are in :mod:`fastnn.dropin.sklearn`.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import FastnnError

_HOMES = {
    "MLPClassifier": "extended",
    "MLPRegressor": "extended",
    "KNeighborsClassifier": "neighbors",
    "KNeighborsRegressor": "neighbors",
    "NearestNeighbors": "neighbors",
}

_LIBRARIES = {"extended": "sklearn.neural_network", "neighbors": "sklearn.neighbors"}

__all__ = [*_HOMES]

OLDEST = (1, 6)  # of scikit-learn, as pyproject.toml has it


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _require_sklearn(name)
    home = _HOMES[name]
    importlib.import_module(_LIBRARIES[home])  # first, for accel may want the classes when it is imported
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def _require_sklearn(name: str) -> None:
    """Raise a FastnnError unless there is a scikit-learn that is new enough."""
    try:
        import sklearn

        found = sklearn.__version__
    except ImportError as error:
        found = str(error)
    else:
        if tuple(map(int, found.split(".")[:2])) >= OLDEST:
            return
    oldest = ".".join(map(str, OLDEST))
    raise FastnnError(f'{name} needs scikit-learn {oldest} or newer ({found}); pip install "fastnn-cpu[sklearn]"')
