"""The one random stream of fastnn.dropin.keras; :func:`~fastnn.dropin.keras.utils.set_random_seed` describes it."""

from __future__ import annotations

import numpy as np

_rng = np.random.default_rng()


def generator() -> np.random.Generator:
    """The stream that everything here draws from."""
    return _rng


def restart(seed: int) -> None:
    """Start the stream anew from a seed."""
    global _rng
    _rng = np.random.default_rng(seed)
