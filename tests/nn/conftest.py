"""What the tests of training share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def data():
    """60 rows of 5 numbers in 3 overlapping classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    return rng.normal(size=(60, 5)) + y[:, np.newaxis], y
