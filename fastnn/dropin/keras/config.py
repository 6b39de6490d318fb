"""The float type of new models and Keras' other settings, as ``keras.config`` has them."""

from __future__ import annotations

import numpy as np

from ... import checks
from ...errors import InvalidArgumentError
from .subset import outside

__all__ = [
    "backend",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]

EPSILON = 1e-7  # what keeps logarithms and quotients finite

_floatx = "float32"

__getattr__ = outside(__name__, __all__)


def floatx() -> str:
    """The float type in which models built from now on compute: "float32", or what :func:`set_floatx` has set."""
    return _floatx


def set_floatx(value: str) -> None:
    """Let models built from now on compute in "float32" or "float64"."""
    global _floatx
    _floatx = checks.float_dtype(np.dtype(value) if isinstance(value, str) else value).name


def epsilon() -> float:
    """1e-7: probabilities in losses are clipped to [1e-7, 1 - 1e-7]."""
    return EPSILON


def set_epsilon(value: float) -> None:
    """Take 1e-7 alone, which is fixed; raises FastnnError for another."""
    if value != epsilon():
        raise InvalidArgumentError("value", f"{epsilon()}, which is fixed", repr(value))


def image_data_format() -> str:
    """The one order of axes that there is, "channels_last"."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Take "channels_last" alone; raises FastnnError for another."""
    checks.choice("data_format", data_format, (image_data_format(),))


def backend() -> str:
    """The name "tensorflow", which programs ask about before they set up a session."""
    return "tensorflow"
