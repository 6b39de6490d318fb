"""``sklearn.neighbors`` with compiled searches for the k nearest; all other names are scikit-learn's own."""

from __future__ import annotations

from typing import Any

from sklearn import neighbors

from ...estimators.neighbors import KNeighborsClassifier as KNeighborsClassifier
from ...estimators.neighbors import KNeighborsRegressor as KNeighborsRegressor
from ...estimators.neighbors import NearestNeighbors as NearestNeighbors

__all__ = [*neighbors.__all__]


def __getattr__(name: str) -> Any:
    return getattr(neighbors, name)
