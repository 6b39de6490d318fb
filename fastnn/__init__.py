"""Fast training of small neural networks on a CPU.

The names below are imported when they are first used, so that ``import fastnn`` costs little more than NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "MLP": "nn.mlp",
    "load": "nn.mlp",
    "Neighbors": "neighbors",
    "cross_validate_k": "neighbors",
    "explain": "nn.explain",
    "sweep": "nn.sweep",
    "EarlyStopping": "nn.stopping",
    "History": "nn.history",
    "get_backend": "kernels",
    "set_backend": "kernels",
    "backends": "kernels",
    "set_num_threads": "kernels",
    "use": "kernels",
    "FastnnError": "errors",
    "DivergenceError": "errors",
    "datasets": "",
    "distributed": "",
    "metrics": "",
    "plots": "",
    "schedules": "",
}

# What needs scikit-learn is not in __all__, so that an import of all names does without.
_ESTIMATORS = ("MLPClassifier", "MLPRegressor", "KNeighborsClassifier", "KNeighborsRegressor", "NearestNeighbors")

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from . import datasets as datasets
    from . import distributed as distributed
    from . import metrics as metrics
    from . import plots as plots
    from .errors import DivergenceError as DivergenceError
    from .errors import FastnnError as FastnnError
    from .estimators.extended import MLPClassifier as MLPClassifier
    from .estimators.extended import MLPRegressor as MLPRegressor
    from .estimators.neighbors import KNeighborsClassifier as KNeighborsClassifier
    from .estimators.neighbors import KNeighborsRegressor as KNeighborsRegressor
    from .estimators.neighbors import NearestNeighbors as NearestNeighbors
    from .kernels import backends as backends
    from .kernels import get_backend as get_backend
    from .kernels import set_backend as set_backend
    from .kernels import set_num_threads as set_num_threads
    from .kernels import use as use
    from .neighbors import Neighbors as Neighbors
    from .neighbors import cross_validate_k as cross_validate_k
    from .nn import schedules as schedules
    from .nn.explain import explain as explain
    from .nn.history import History as History
    from .nn.mlp import MLP as MLP
    from .nn.mlp import load as load
    from .nn.stopping import EarlyStopping as EarlyStopping
    from .nn.sweep import sweep as sweep


def __getattr__(name: str) -> Any:
    home = "estimators" if name in _ESTIMATORS else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
    module = importlib.import_module(f".{home or name}", __name__)
    value = getattr(module, name) if home else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from importlib.util import find_spec

    usable = _ESTIMATORS if find_spec("sklearn") else ()
    return sorted({*globals(), *_HOMES, *usable})
