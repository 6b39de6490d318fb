"""Files of models, as ``keras.saving`` has them; :meth:`Model.save` says which format goes by which name."""

from __future__ import annotations

from typing import Any

from ...io.atomic import StrPath
from .models import Model, load_model, save_model
from .subset import outside

__all__ = ["load_model", "load_weights", "save_model", "save_weights"]

__getattr__ = outside(__name__, __all__)


def save_weights(model: Model, filepath: StrPath, overwrite: bool = True, **options: Any) -> None:
    """Write a built model's weights to a file; see :meth:`Model.save_weights`."""
    model.save_weights(filepath, overwrite, **options)


def load_weights(model: Model, filepath: StrPath, skip_mismatch: bool = False, **options: Any) -> None:
    """Read weights into a built model; see :meth:`Model.load_weights`."""
    model.load_weights(filepath, skip_mismatch, **options)
