"""The network2.py of DeepLearningPython, the widely used Python 3 port of Nielsen's programs; see :mod:`.nielsen2`.

    import fastnn.dropin.nielsen2_py3 as network2

It differs from the book's in three things (github.com/MichalDanielDobrzanski/DeepLearningPython): ``SGD`` shuffles a
copy of the caller's list, which keeps its order; it prints no empty line after an epoch's; and ``total_cost`` adds the
L2 penalty once per pair, where the book adds it once, so that with n pairs it counts n times. The training itself is
the book's.
"""

from __future__ import annotations

import os
from typing import Any

from numpy.typing import NDArray

from ..kernels.spec import QUADRATIC
from .nielsen import network2 as nielsen2
from .nielsen.base import derivative_in, sigmoid, vectorized_result
from .nielsen.network2 import CrossEntropyCost

__all__ = [
    "CrossEntropyCost",
    "Network",
    "QuadraticCost",
    "load",
    "sigmoid",
    "sigmoid_prime",
    "vectorized_result",
]


sigmoid_prime = derivative_in(__name__)


class QuadraticCost(nielsen2.QuadraticCost):
    """C = |a - y|^2 / 2."""

    @staticmethod
    def delta(z: NDArray[Any], a: NDArray[Any], y: NDArray[Any]) -> Any:
        """dC/dz of the output layer, a = sigmoid(z), by this module's sigmoid_prime."""
        return (a - y) * sigmoid_prime(z)


class Network(nielsen2.Network):
    """:class:`fastnn.dropin.nielsen2.Network`, shuffling, printing and adding up the cost as the port does."""

    _module = __name__
    _originals = nielsen2.Network._originals | {"sigmoid": sigmoid, "sigmoid_prime": sigmoid_prime}
    _kernel_losses = nielsen2.Network._kernel_losses | {QuadraticCost.delta: QUADRATIC}
    _copies_training_data = True

    def _end_report(self) -> None:
        """Print nothing."""

    def _penalized(self, cost: float, lmbda: float, count: int) -> float:
        return super()._penalized(cost, lmbda * count, count)


def load(filename: str | os.PathLike[str]) -> Network:
    """Read a network that :meth:`Network.save`, or the original's, wrote."""
    return nielsen2.load_as(Network, filename)
