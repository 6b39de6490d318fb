"""Functions of arrays by TensorFlow's names, ``tf.math``."""

from ..keras.subset import outside
from . import arrays
from .arrays import *  # noqa: F403  # each is tf.math's, too
from .names import TENSORFLOW
from .nn import sigmoid as sigmoid
from .nn import softplus as softplus
from .nn import tanh as tanh

__all__ = [*arrays.__all__, "sigmoid", "softplus", "tanh"]

__getattr__ = outside(__name__, __all__, frozenset(TENSORFLOW["math"].split()))
