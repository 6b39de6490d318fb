"""Files of a Sequential, as ``keras.saving`` has them, but in a form of fastnn's: a :mod:`fastnn.io.tensor_file`."""

from __future__ import annotations

from ...io.atomic import StrPath
from .models import Sequential, load_model
from .subset import outside

__all__ = ["load_model", "save_model"]

__getattr__ = outside(__name__, __all__)


def save_model(model: Sequential, filepath: StrPath, overwrite: bool = True) -> None:
    """Write a built model to a file; see :meth:`Sequential.save`."""
    Sequential.save(model, filepath, overwrite)
