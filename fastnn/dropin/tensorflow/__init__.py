"""TensorFlow programs that train fully connected networks with tf.keras.

    import fastnn.dropin.tensorflow as tf

``tf.keras`` is :mod:`fastnn.dropin.keras`, under every name that its modules have there. Around it are functions of
arrays (``tf.constant``, ``tf.reduce_mean``, ``tf.math``), activations (``tf.nn``), ``tf.random``, and settings of
devices, threads and sessions, which have no effect. Arrays are NumPy's, with ``.numpy()``. All else of TensorFlow can
be imported and raises an error that names it when it is used.
"""

from __future__ import annotations

import sys
from logging import Logger, getLogger
from typing import Any

import numpy as np

from .. import keras as keras
from ..keras.modules import KERAS, alias, complete
from ..keras.sessions import ignored
from ..keras.subset import outside
from ..keras.tensor import Tensor as Tensor
from . import arrays
from . import config as config
from . import math as math
from . import nn as nn
from . import random as random
from . import train as train
from . import v1 as _v1
from .arrays import *  # noqa: F403  # TensorFlow has them here
from .names import TENSORFLOW
from .nn import sigmoid as sigmoid
from .nn import tanh as tanh
from .v1 import *  # noqa: F403  # as TensorFlow 1 did

__version__ = "2.21.0"  # that of the TensorFlow with which the Keras followed goes

float16, float32, float64 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)
int8, int16, int32, int64 = np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int64)
uint8, uint16, uint32, uint64 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint64)
bool = np.dtype(np.bool_)
as_dtype = np.dtype
newaxis = None

initializers, losses = keras.initializers, keras.losses
metrics, optimizers = keras.metrics, keras.optimizers

# What is there of modules that are else nothing but stand-ins.
_HARMLESS: dict[str, dict[str, Any]] = {
    "autograph": {"set_verbosity": ignored},
    "python.client.device_lib": {"list_local_devices": config.list_physical_devices},
    "python.framework.ops": {"reset_default_graph": ignored},
    "test": {
        "gpu_device_name": lambda: "",
        "is_built_with_cuda": lambda: False,
        "is_built_with_gpu_support": lambda: False,
        "is_gpu_available": lambda cuda_only=False, min_cuda_compute_capability=None: False,
    },
    "version": {"VERSION": __version__},
}

__all__ = [
    *arrays.__all__,
    *_v1.__all__,
    "Tensor",
    "as_dtype",
    "bool",
    "config",
    "device",
    "executing_eagerly",
    "float16",
    "float32",
    "float64",
    "get_logger",
    "initializers",
    "int8",
    "int16",
    "int32",
    "int64",
    "keras",
    "losses",
    "math",
    "metrics",
    "newaxis",
    "nn",
    "optimizers",
    "sigmoid",
    "tanh",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]

__getattr__ = outside(__name__, (), frozenset(TENSORFLOW[""].split()))


def device(name: str) -> Any:
    """A context that has no effect: everything runs on the CPU."""
    return _v1.Graph()


def executing_eagerly() -> Any:
    """True: there are no graphs."""
    return True


def get_logger() -> Logger:
    """The logger of the name "tensorflow", to which nothing is written."""
    return getLogger("tensorflow")


def _complete_tensorflow() -> None:
    """Let the modules of TensorFlow be imported, and those of fastnn.dropin.keras as its own."""
    known = {module: frozenset(names.split()) for module, names in TENSORFLOW.items()}
    complete(__name__, sorted(known.keys() - {"", "compat.v1"}), known)
    alias(f"{__name__}.compat.v1", _v1)
    for module, there in _HARMLESS.items():
        vars(sys.modules[f"{__name__}.{module}"]).update(there)
    ours = sorted(name for name in sys.modules if name == KERAS or name.startswith(f"{KERAS}."))
    for home in ("keras", "python.keras", "compat.v1.keras", "compat.v2.keras", "contrib.keras"):
        for name in ours:
            alias(f"{__name__}.{home}{name.removeprefix(KERAS)}", sys.modules[name])


_complete_tensorflow()
