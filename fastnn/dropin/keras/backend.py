"""What programs use of ``keras.backend`` around a model; its functions of tensors are stand-ins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import checks
from . import layer, sessions
from .config import backend as backend
from .config import epsilon as epsilon
from .config import floatx as floatx
from .config import image_data_format as image_data_format
from .config import set_epsilon as set_epsilon
from .config import set_floatx as set_floatx
from .config import set_image_data_format as set_image_data_format
from .subset import outside

__all__ = [
    "backend",
    "cast_to_floatx",
    "clear_session",
    "epsilon",
    "eval",
    "floatx",
    "get_session",
    "get_value",
    "image_data_format",
    "image_dim_ordering",
    "is_keras_tensor",
    "learning_phase",
    "manual_variable_initialization",
    "reset_uids",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_image_dim_ordering",
    "set_learning_phase",
    "set_session",
    "set_value",
]

__getattr__ = outside(__name__, __all__)


def clear_session(free_memory: bool = True) -> None:
    """Let the names of layers and models start with "dense" and "sequential" again; there is no other state."""
    layer.restart_names()


reset_uids = clear_session


def cast_to_floatx(x: ArrayLike) -> NDArray[Any]:
    """The array with numbers of the type :func:`floatx`."""
    return np.asarray(x, floatx())


def get_value(x: Any) -> Any:
    """The numbers of what has ``numpy()``; whatever else is what it is, such as an optimizer's learning rate."""
    return x.numpy() if hasattr(x, "numpy") else x


eval = get_value


def set_value(x: Any, value: Any) -> None:
    """Assign to what has ``assign`` or to an array, such as one of ``model.weights``; raises FastnnError for others."""
    if hasattr(x, "assign"):
        x.assign(value)
    elif isinstance(x, np.ndarray):
        x[...] = value
    else:
        checks.unsupported("x", "a weight of a model, or its optimizer's learning rate", x)


def is_keras_tensor(x: object) -> bool:
    """Whether this is what a layer gives for an Input, without numbers."""
    return isinstance(x, layer.KerasTensor)


def image_dim_ordering() -> str:
    """The name "tf": Keras 1's for "channels_last"."""
    return "tf"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Take "tf" alone; raises FastnnError for another."""
    checks.choice("dim_ordering", dim_ordering, (image_dim_ordering(),))


def get_session() -> sessions.Session:
    """A session, in which there is nothing to run but initializers."""
    return sessions.Session()


def learning_phase() -> int:
    """0: ``fit`` alone trains."""
    return 0


set_session = set_learning_phase = manual_variable_initialization = sessions.ignored
