"""The network.py of DeepLearningPython, the widely used Python 3 port of Nielsen's programs; see :mod:`.nielsen`.

    import fastnn.dropin.nielsen_py3 as network

It differs from the book's in two things (github.com/MichalDanielDobrzanski/DeepLearningPython): ``SGD`` shuffles a copy
of the caller's list, which keeps its order, and prints ``Epoch 0 : 9123 / 10000``, with a blank before the colon.
"""

from __future__ import annotations

from . import nielsen
from .nielsen.base import derivative_in, sigmoid

__all__ = ["Network", "sigmoid", "sigmoid_prime"]


sigmoid_prime = derivative_in(__name__)


class Network(nielsen.Network):
    """:class:`fastnn.dropin.nielsen.Network`, shuffling and printing as the port does."""

    _module = __name__
    _originals = nielsen.Network._originals | {"sigmoid": sigmoid, "sigmoid_prime": sigmoid_prime}
    _copies_training_data = True

    def _report(self, epoch: int, correct: int, count: int) -> None:
        print(f"Epoch {epoch} : {correct} / {count}")
