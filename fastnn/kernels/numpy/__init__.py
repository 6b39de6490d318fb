"""The NumPy kernels: the definition of every kernel, and the baseline of every benchmark."""

from ..spec import Capabilities
from .network import describe, forward, layer_grad, loss_grad, train_epoch
from .search import neighbors

__all__ = ["capabilities", "describe", "forward", "layer_grad", "loss_grad", "name", "neighbors", "train_epoch"]

name = "numpy"
capabilities = Capabilities()
