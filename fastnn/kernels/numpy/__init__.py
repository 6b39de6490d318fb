"""The NumPy kernels: the definition of every kernel, and the baseline of every benchmark."""

from .network import describe, forward, layer_grad, loss_grad, train_epoch
from .search import neighbors

__all__ = ["describe", "forward", "layer_grad", "loss_grad", "neighbors", "train_epoch"]
