"""The class of Rashid, Make Your Own Neural Network, as the book's repository has it since May 2017.

    from fastnn.dropin.rashid2017 import neuralNetwork

It is that of :mod:`fastnn.dropin.rashid` but for the weights, of which each is drawn by the number of inputs of its
layer: wih from normal(0, inodes ** -0.5) and who from normal(0, hnodes ** -0.5). The first printing has the numbers of
outputs there, hnodes and onodes.
"""

from __future__ import annotations

from . import rashid
from .rashid import Rows, load_csv

__all__ = ["Rows", "load_csv", "neuralNetwork", "neuralnetwork"]


class neuralNetwork(rashid.neuralNetwork):  # noqa: N801  # the book's name
    """:class:`fastnn.dropin.rashid.neuralNetwork` with the weights that are drawn since 2017."""

    def _deviations(self) -> tuple[float, float]:
        return self.inodes**-0.5, self.hnodes**-0.5


neuralnetwork = neuralNetwork
