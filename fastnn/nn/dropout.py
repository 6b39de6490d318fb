"""The masks of an epoch's dropout (inverted; Srivastava et al. 2014), drawn anew for every row and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..kernels.spec import Data, Dropout, IntArray, Net

MOST_BYTES = 256 << 20  # of masks at a time
BLOCK = 8192  # rows drawn at a time

Rates = Sequence[Sequence[float]]  # of the dropouts, one after the other, on the inputs and on each hidden layer


class Part(NamedTuple):
    """Rows to train on in one go."""

    data: Data
    order: IntArray
    masks: Dropout | None  # row i is for row i of the data

    def batches(self, batch_size: int) -> Iterator[Part]:
        """The same, batch by batch."""
        for start in range(0, len(self.order), batch_size):
            rows = self.order[start : start + batch_size]
            masks = self.masks and self.masks._replace(kept=self.masks.kept[rows])
            yield Part(taken(self.data, rows), np.arange(len(rows)), masks)


def dropout_rates(dropout: object, hidden: int) -> list[list[float]]:
    """The rates of :meth:`fastnn.MLP.fit`'s argument, which is a rate for all hidden layers or one for each."""
    expected = "a rate, or {} of them, one per hidden layer"
    check = partial(checks.number, low=0, high=1, below=True)
    found = checks.one_or_each("dropout", dropout, hidden, expected, check)
    values = found if isinstance(found, list) else [found] * hidden
    return [[], *([rate] if rate else [] for rate in values)]


def parts(
    net: Net, rates: Rates, data: Data, order: IntArray, batch_size: int, rng: np.random.Generator
) -> Iterator[Part]:
    """The epoch over ``order`` in one part or, where its masks would be too large, in several of whole batches."""
    width = _bytes_per_row(net, rates, data)
    if width * len(order) <= MOST_BYTES:
        yield _masked(net, rates, data, order, rng)
        return
    count = max(MOST_BYTES // width // batch_size, 1) * batch_size
    for start in range(0, len(order), count):
        rows = order[start : start + count]
        yield _masked(net, rates, taken(data, rows), np.arange(len(rows)), rng)


def taken(data: Data, rows: IntArray | slice) -> Data:
    """The data of some rows: of a slice, views."""
    weights = None if data.weights is None else data.weights[rows]
    return Data(data.X[rows], data.scale, data.y[rows], weights)


def _masked(net: Net, rates: Rates, data: Data, order: IntArray, rng: np.random.Generator) -> Part:
    """With masks drawn for every row of ``data``; those on the inputs are applied to a copy."""
    on_inputs, *on_hidden = rates
    if on_inputs:
        data = _dropped(data, on_inputs, rng)
    if not any(on_hidden):
        return Part(data, order, None)
    strides = net.strides[:-1]
    kept = np.ones((len(data.X), int(strides.sum())), np.uint8)
    scales = np.ones(len(strides))
    for layer, of_layer in enumerate(on_hidden):
        start = int(strides[:layer].sum())
        scales[layer] = _draw_into(kept[:, start : start + int(net.sizes[layer + 1])], of_layer, rng)
    return Part(data, order, Dropout(kept, scales))


def _dropped(data: Data, rates: Sequence[float], rng: np.random.Generator) -> Data:
    kept = np.ones(data.X.shape, np.uint8)
    scale = _draw_into(kept, rates, rng)
    X = data.dense * kept
    if X.dtype == np.uint8:  # bytes remain bytes
        return data._replace(X=X, scale=data.scale * scale)
    return data._replace(X=np.multiply(X, X.dtype.type(scale), out=X))


def _draw_into(kept: NDArray[np.uint8], rates: Sequence[float], rng: np.random.Generator) -> float:
    """Zero what the dropouts of these rates drop; return by what the rest is to be multiplied."""
    scale = 1.0
    for rate in rates:
        scale /= 1 - rate
        for start in range(0, len(kept), BLOCK):
            block = kept[start : start + BLOCK]
            block &= rng.random(block.shape, np.float32) >= rate
    return scale


def _bytes_per_row(net: Net, rates: Rates, data: Data) -> int:
    on_inputs, *on_hidden = rates
    masks = int(net.strides[:-1].sum()) if any(on_hidden) else 0
    return masks + ((1 + data.X.dtype.itemsize) * data.X.shape[1] if on_inputs else 0)
