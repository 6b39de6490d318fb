"""The prices of houses in Boston, from Keras' file."""

from __future__ import annotations

from ....datasets.npz import read_npz_arrays
from .cache import TENSORFLOW, cached
from .housing import Rows, split

__all__ = ["load_data"]


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[Rows, Rows]:
    """(x_train, y_train), (x_test, y_test): float64 rows (n, 13), and prices (n,) in 1000 dollars."""
    x, y = read_npz_arrays(cached(path, f"{TENSORFLOW}boston_housing.npz"), ["x", "y"])
    return split(x, y, test_split, seed)
