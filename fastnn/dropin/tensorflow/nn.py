"""Activations by TensorFlow's names, ``tf.nn``: those of :mod:`fastnn.dropin.keras.activations`."""

from __future__ import annotations

from ..keras.activations import (
    elu,
    gelu,
    leaky_relu,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    swish,
    tanh,
)
from ..keras.subset import outside
from .names import TENSORFLOW

__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]

__getattr__ = outside(__name__, __all__, frozenset(TENSORFLOW["nn"].split()))
