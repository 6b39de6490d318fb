"""What the two housing data sets share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .... import checks

Rows = tuple[NDArray[Any], NDArray[Any]]


def split(x: NDArray[Any], y: NDArray[Any], test_split: float, seed: int) -> tuple[Rows, Rows]:
    """Rows in the order that NumPy's RandomState(seed) shuffles them to, and a share of them, the last, for tests."""
    share = checks.number("test_split", test_split, low=0, high=1, below=True)
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    count = int(len(x) * (1 - share))
    return (x[order[:count]], y[order[:count]]), (x[order[count:]], y[order[count:]])
