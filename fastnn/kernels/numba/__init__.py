"""The Numba kernels, compiled on first use and cached on disk."""

from .network import describe, forward, layer_grad, loss_grad, neighbors, train_epoch

__all__ = ["describe", "forward", "layer_grad", "loss_grad", "neighbors", "train_epoch"]
