"""Data sets, as ``keras.datasets`` has them: MNIST alone."""

from ..subset import outside
from . import mnist as mnist

__all__ = ["mnist"]

__getattr__ = outside(__name__, __all__)
