"""The parameters of a network: one vector at a 64-byte boundary, and views of it by layer.

Where each weight and bias lies in the vector says :class:`fastnn.kernels.spec.Net`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .spec import ALIGNMENT, FloatArray, Net, layout


class Parameters:
    """A network's parameters: all of them in a vector, which ``weights`` and ``biases`` view by layer.

    A copy, also a shallow or an unpickled one, has a vector of its own, which lies at a 64-byte boundary whatever the
    original's did.

    Attributes
    ----------
    net : the network's shape, and where its parameters lie in the vector.
    vector : (count,) as the kernels take it.
    """

    __slots__ = ("net", "vector")

    def __init__(self, net: Net, vector: FloatArray) -> None:
        self.net, self.vector = net, vector

    @classmethod
    def zeros(
        cls,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        bias: bool | Sequence[bool],
        dtype: np.dtype[Any],
    ) -> Self:
        """Those of a network, all zero; :func:`fastnn.kernels.spec.layout` places them."""
        net, count = layout(sizes, activations, loss, bias, dtype)
        return cls(net, aligned_zeros(count, dtype))

    @property
    def weights(self) -> list[FloatArray]:
        """One (inputs, outputs) view of the vector per layer, writable and made anew at each call."""
        return weight_views(self.net, self.vector)

    @property
    def biases(self) -> list[FloatArray]:
        """One (outputs,) view for each layer that has biases, as for ``weights``."""
        return [view for view in bias_views(self.net, self.vector) if view is not None]

    def layer(self, index: int) -> list[FloatArray]:
        """The weights and, if it has any, the biases of one layer."""
        views = self.weights[index], bias_views(self.net, self.vector)[index]
        return [view for view in views if view is not None]

    def __getstate__(self) -> tuple[Net, FloatArray]:
        return self.net, self.vector

    def __setstate__(self, state: tuple[Net, FloatArray]) -> None:
        self.net, self.vector = state[0], aligned_copy(state[1])


class OwnsParameters:
    """A model with ``_parameters`` of its own, of which a copy, also a shallow one, has its own as well."""

    _parameters: Parameters

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__setstate__({**self.__getstate__(), "_parameters": copy(self._parameters)})
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def weight_views(net: Net, params: FloatArray) -> list[FloatArray]:
    """One (fan_in, fan_out) writable view of ``params`` per layer."""
    sizes, strides = net.sizes.tolist(), net.strides.tolist()  # with plain integers a view takes half the time
    return [
        params[start : start + fan_in * stride].reshape(fan_in, stride)[:, :fan_out]
        for start, stride, fan_in, fan_out in zip(net.weights.tolist(), strides, sizes[:-1], sizes[1:], strict=True)
    ]


def bias_views(net: Net, params: FloatArray) -> list[FloatArray | None]:
    """One (fan_out,) writable view of ``params`` per layer, None for a layer without biases."""
    return [
        params[start : start + fan_out] if start >= 0 else None
        for start, fan_out in zip(net.biases.tolist(), net.sizes[1:].tolist(), strict=True)
    ]


def aligned_zeros(shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> FloatArray:
    """Zeros whose first element lies on a 64-byte boundary."""
    return _aligned(np.zeros, shape, dtype)


def aligned_empty(shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> FloatArray:
    """The same with whatever is in memory, for what is written before it is read."""
    return _aligned(np.empty, shape, dtype)


def _aligned(make: Callable[..., NDArray[np.uint8]], shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> FloatArray:
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * dtype.itemsize
    raw = make(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def aligned_copy(vector: FloatArray) -> FloatArray:
    """A copy whose first element lies on a 64-byte boundary."""
    result = aligned_empty(vector.shape, vector.dtype)
    result[:] = vector
    return result
