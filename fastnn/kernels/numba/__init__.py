"""The Numba kernels, compiled on first use and cached on disk."""

from ..spec import Capabilities
from .network import describe, forward, layer_grad, loss_grad, train_epoch
from .search import neighbors

__all__ = ["capabilities", "describe", "forward", "layer_grad", "loss_grad", "name", "neighbors", "train_epoch"]

name = "numba"
capabilities = Capabilities()
