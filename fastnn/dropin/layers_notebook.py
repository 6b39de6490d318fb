"""The notebook of Planche & Andres, Hands-On Computer Vision with TensorFlow 2, chapter 1; see :mod:`.layers`.

    from fastnn.dropin.layers_notebook import SimpleNetwork, binary_cross_entropy, derivated_binary_cross_entropy

Its classes are those of the chapter's modules but for two things: the cross-entropy is called
``binary_cross_entropy``, and ``train`` prints every 20th epoch and the last.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from . import layers
from .layers import FullyConnectedLayer, Neuron, derivated_loss_L2, derivated_sigmoid, loss_L2, sigmoid
from .layers import cross_entropy as binary_cross_entropy
from .layers import derivated_cross_entropy as derivated_binary_cross_entropy

__all__ = [
    "FullyConnectedLayer",
    "Neuron",
    "SimpleNetwork",
    "binary_cross_entropy",
    "derivated_binary_cross_entropy",
    "derivated_loss_L2",
    "derivated_sigmoid",
    "loss_L2",
    "sigmoid",
]


class SimpleNetwork(layers.SimpleNetwork):
    """:class:`fastnn.dropin.layers.SimpleNetwork`, which prints fewer lines."""

    def train(
        self,
        X_train: ArrayLike,
        y_train: ArrayLike,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        batch_size: int = 32,
        num_epochs: int = 5,
        learning_rate: float = 1e-3,
        print_frequency: int = 20,
    ) -> tuple[list[float], list[float]]:
        """Train; see :meth:`fastnn.dropin.layers.SimpleNetwork.train`."""
        return super().train(X_train, y_train, X_val, y_val, batch_size, num_epochs, learning_rate, print_frequency)
