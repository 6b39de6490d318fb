"""scikit-learn's estimators with fastnn's kernels under them.

The classes are imported when they are first used, for they need scikit-learn.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "MLPClassifier": "mlp",
    "MLPRegressor": "mlp",
    "KNeighborsClassifier": "neighbors",
    "KNeighborsRegressor": "neighbors",
    "NearestNeighbors": "neighbors",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
