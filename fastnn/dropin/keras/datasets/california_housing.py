"""The prices of houses in California, from Keras' file."""

from __future__ import annotations

from .... import checks
from ....datasets.npz import read_npz_arrays
from .cache import TENSORFLOW, cached
from .housing import Rows, split

__all__ = ["load_data"]


def load_data(
    version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[Rows, Rows]:
    """(x_train, y_train), (x_test, y_test): rows (n, 8), and prices (n,) in dollars; the first 600 if "small"."""
    count = {"large": None, "small": 600}[checks.choice("version", version, ("large", "small"))]
    x, y = read_npz_arrays(cached(path, f"{TENSORFLOW}california_housing.npz"), ["x", "y"])
    return split(x[:count], y[:count], test_split, seed)
