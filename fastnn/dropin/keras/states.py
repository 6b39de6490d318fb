"""The state of an optimizer in the order in which Keras keeps it in its files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kernels.params import bias_views, weight_views
from ...kernels.records import NADAM_DECAY
from ...kernels.spec import FloatArray
from .network import Network
from .optimizers import Nadam, Optimizer, RMSprop

Order = list[tuple[int, int]]  # which slot of which variable


def variables(network: Network, vector: FloatArray) -> list[FloatArray]:
    """Kernel, bias, kernel, bias ... as views of a vector that is laid out as the parameters are."""
    weights, biases = weight_views(network.net, vector), bias_views(network.net, vector)
    both = zip(weights, biases, strict=True)
    return [view for pair in both for view in pair if view is not None]


def in_keras_order(optimizer: Optimizer, network: Network) -> list[NDArray[Any]]:
    """The number of updates, the rate unless a schedule gives it, and the arrays of the state."""
    dtype = network.dtype
    found: list[NDArray[Any]] = [np.array(optimizer.iterations, np.int32)]
    if optimizer.schedule is None and not optimizer.decay:
        found.append(np.array(optimizer.learning_rate, dtype))
    slots = [variables(network, slot) for slot in optimizer.state_for(network)]
    count = len(variables(network, network.params))
    found += [slots[slot][variable] for variable, slot in _order(optimizer, count)]
    if isinstance(optimizer, Nadam):
        steps = np.arange(1, optimizer.iterations + 1)
        found.append(np.array(np.prod(optimizer.beta_1 * (1 - NADAM_DECAY**steps / 2)), dtype))
    return found


def restore(optimizer: Optimizer, network: Network, arrays: Sequence[NDArray[Any]]) -> bool:
    """Take over what :func:`in_keras_order` or another version of Keras gives; False where it is no such state."""
    if not arrays or arrays[0].shape != () or arrays[0] < 0:
        return False
    optimizer.iterations = int(arrays[0])
    rest = list(arrays[2:] if len(arrays) > 1 and arrays[1].shape == () else arrays[1:])
    slots = [variables(network, slot) for slot in optimizer.state_for(network)]
    count = len(variables(network, network.params))
    ours = _order(optimizer, count)
    for order in (ours, sorted(ours), sorted(ours, key=lambda place: place[1])):
        places = [slots[slot][variable] for variable, slot in order]
        if [place.shape for place in places] == [array.shape for array in rest[: len(places)]]:
            for place, array in zip(places, rest, strict=False):
                place[:] = array
            return True
    return False


def _order(optimizer: Optimizer, count: int) -> Order:
    """The slots of each variable together or, of RMSprop, those of a kind."""
    if isinstance(optimizer, RMSprop):
        momentum, squares = 0, 1
        kinds = [squares, momentum] if optimizer.momentum else [squares]
        return [(variable, slot) for slot in kinds for variable in range(count)]
    return [(variable, slot) for variable in range(count) for slot in range(optimizer.slots)]
