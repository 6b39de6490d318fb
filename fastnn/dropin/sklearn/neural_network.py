"""``sklearn.neural_network`` with compiled perceptrons; all other names are scikit-learn's own."""

from __future__ import annotations

from typing import Any

from sklearn import neural_network

from ...estimators.mlp import CompiledMLP


class MLPClassifier(CompiledMLP, neural_network.MLPClassifier):  # type: ignore[misc]  # it has no types
    __doc__ = neural_network.MLPClassifier.__doc__


class MLPRegressor(CompiledMLP, neural_network.MLPRegressor):  # type: ignore[misc]  # it has no types
    __doc__ = neural_network.MLPRegressor.__doc__


__all__ = [*neural_network.__all__]


def __getattr__(name: str) -> Any:
    return getattr(neural_network, name)
