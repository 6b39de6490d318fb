"""What tests have the workers of joblib and Dask do: tell what they got, and die."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastnn.distributed
from fastnn import checks
from fastnn.dropin.sklearn.neighbors import NearestNeighbors
from fastnn.dropin.sklearn.neural_network import MLPClassifier


def die_once(flag: str) -> None:
    """Kill the first process that calls this with the name of a file, which it writes its id to."""
    try:
        with open(flag, "x") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """A scorer, accuracy, in which one process dies."""

    def __init__(self, flag: str) -> None:
        self.flag = flag

    def __call__(self, estimator: Any, X: NDArray[Any], y: NDArray[Any]) -> float:
        die_once(self.flag)
        return float(estimator.score(X, y))


def arm(flag: str) -> None:
    """Have the first shard of this process that is searched for die, unless another process's has."""
    search = fastnn.distributed._Shard.search

    def deadly(self: Any, *args: Any) -> Any:
        die_once(flag)
        return search(self, *args)

    fastnn.distributed._Shard.search = deadly  # type: ignore[method-assign]  # of this worker alone


def is_shared(X: NDArray[Any]) -> dict[str, bool]:
    """Whether what is fitted on X in a worker, where X is on disk and read-only, is X itself."""
    neighbors = NearestNeighbors(algorithm="brute").fit(X)
    neighbors.kneighbors(X[:3])
    perceptron = MLPClassifier((8,), max_iter=1).fit(X, np.arange(len(X)) % 2)
    assert perceptron.n_iter_ == 1
    index = fastnn.Neighbors().fit(X)
    index.search(X[:3])
    return {
        "read-only": not X.flags.writeable,
        "on disk": checks.is_on_disk(X),
        "estimator": np.shares_memory(neighbors._fit_X, X),
        "index": np.shares_memory(index.X, X),
    }


def parts_on_disk(index: fastnn.Neighbors) -> list[bool]:
    """Whether the rows of an index, and its codes, came to a worker without a copy."""
    codes = [codes.rows for codes in index._codes.values() if codes is not None]
    index.search(index.X[:3])
    return [checks.is_on_disk(array) for array in (index.X, *codes)]
