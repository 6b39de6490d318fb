"""``tf.train``: the optimizers of TensorFlow 1 that its Keras programs compiled models with, as those of Keras."""

from __future__ import annotations

from ..keras import optimizers
from ..keras.subset import outside
from .names import TENSORFLOW

__all__ = ["AdamOptimizer", "GradientDescentOptimizer", "MomentumOptimizer", "RMSPropOptimizer"]

__getattr__ = outside(__name__, __all__, frozenset(TENSORFLOW["train"].split()))


def AdamOptimizer(  # noqa: N802  # TensorFlow's name
    learning_rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
) -> optimizers.Optimizer:
    """Adam with TensorFlow 1's epsilon."""
    return optimizers.Adam(learning_rate, beta_1=beta1, beta_2=beta2, epsilon=epsilon)


def GradientDescentOptimizer(learning_rate: float) -> optimizers.Optimizer:  # noqa: N802  # TensorFlow's name
    """SGD."""
    return optimizers.SGD(learning_rate)


def MomentumOptimizer(  # noqa: N802  # TensorFlow's name
    learning_rate: float, momentum: float, use_nesterov: bool = False
) -> optimizers.Optimizer:
    """SGD with momentum."""
    return optimizers.SGD(learning_rate, momentum=momentum, nesterov=use_nesterov)


def RMSPropOptimizer(  # noqa: N802  # TensorFlow's name
    learning_rate: float, decay: float = 0.9, momentum: float = 0.0, epsilon: float = 1e-10
) -> optimizers.Optimizer:
    """RMSprop with TensorFlow 1's epsilon."""
    return optimizers.RMSprop(learning_rate, rho=decay, momentum=momentum, epsilon=epsilon)
