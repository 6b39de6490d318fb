"""The float type of new models, as ``keras.config`` has it."""

from __future__ import annotations

import numpy as np

from ... import checks
from .subset import outside

__all__ = ["floatx", "set_floatx"]

_floatx = "float32"

__getattr__ = outside(__name__, __all__)


def floatx() -> str:
    """The float type in which models built from now on compute: "float32", or what :func:`set_floatx` has set."""
    return _floatx


def set_floatx(value: str) -> None:
    """Let models built from now on compute in "float32" or "float64"."""
    global _floatx
    _floatx = checks.float_dtype(np.dtype(value) if isinstance(value, str) else value).name
