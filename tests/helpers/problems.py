"""Random networks with data, both as the kernels take them and as tests/naive.py does; models beside tests/naive.py."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import naive
import numpy as np
from numpy.typing import NDArray

from fastnn import MLP
from fastnn.kernels.params import aligned_zeros
from fastnn.kernels.records import ACTIVATION_RECORDS, HIDDEN_ACTIVATIONS, LOSS_RECORDS, OPTIMIZER_RECORDS
from fastnn.kernels.spec import (
    ACTIVATIONS,
    CSR,
    OPTIMIZERS,
    BlockCSC,
    Data,
    Dropout,
    EpochArgs,
    EpochResult,
    Kernels,
    Net,
    Rows,
    Rule,
    Tick,
    layout,
)

Array = NDArray[Any]

BYTE_SCALE = 1 / 255
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
HIDDEN = HIDDEN_ACTIVATIONS
NUMBERED = ("leaky_relu 0.3", "elu 0.7")  # with other numbers than those of their records
OF_A = tuple(name for name in HIDDEN if not ACTIVATION_RECORDS[name].of_z)  # whose outputs tell their derivatives
FUSED = tuple(name for name, record in LOSS_RECORDS.items() if record.fused)
STEP = 1e-5  # of central differences: truncation about 1e-10, rounding about 1e-11 of the slope
MARGIN = 0.3  # every z of a kinked activation stays so far from 0
DENSE_KINDS = ("bytes", "sparse", "offset", "dense", "read_only", "memory_mapped")
INPUT_KINDS = (*DENSE_KINDS, "csr")  # the latter are those of "sparse"


@dataclass(eq=False)
class Problem:
    """The kernels' arguments; ``network``, ``inputs`` and ``targets`` are the same in nested lists of floats.

    Nobody changes a problem, so it and its truths are made once for all backends.
    """

    net: Net
    params: Array
    X: Rows
    scale: float
    y: Array
    network: naive.Network
    inputs: list[naive.Vector]
    targets: list[naive.Vector]
    weights: Array | None = None
    dropout: Dropout | None = None

    def state(self, rule: Rule) -> Array:
        optimizer = OPTIMIZER_RECORDS[OPTIMIZERS[rule.optimizer]]
        state = aligned_zeros((optimizer.slots, self.params.size), self.params.dtype)
        state[:] = optimizer.initial_state
        return state

    def output(self) -> Array:
        return np.full((len(self.X), self.net.sizes[-1]), np.nan, self.params.dtype)

    @property
    def data(self) -> Data:
        return Data(self.X, self.scale, self.y, self.weights)

    @functools.cached_property
    def naive_outputs(self) -> Array:
        return np.array([naive.forward(self.network, x) for x in self.inputs])

    @functools.cached_property
    def naive_loss(self) -> float:
        return naive.evaluate(self.network, self.inputs, self.targets, self._weights)[0]

    @functools.cached_property
    def naive_gradient(self) -> Array:
        """Without padding, as ``packed`` gives it."""
        return flat(naive.mean_gradient(self.network, self.inputs, self.targets, self._weights))

    @property
    def _weights(self) -> list[float] | None:
        return None if self.weights is None else self.weights.tolist()


@functools.cache
def make(
    sizes: tuple[int, ...],
    activations: tuple[str, ...],
    loss: str,
    *,
    dtype: str = "float64",
    bias: bool | tuple[bool, ...] = True,
    inputs: str = "dense",
    labels: bool = True,
    rows: int = 10,
    seed: int = 0,
    folder: Path | None = None,
    rates: tuple[float, ...] | None = None,
) -> Problem:
    """A problem whose z are moderate. ``folder`` is for memory-mapped inputs, which are bytes.

    With ``rates``, at which hidden layers drop outputs, samples have weights too.
    """
    rng, real = np.random.default_rng(seed), np.dtype(dtype)
    propagates_error = loss == "rashid"  # so the oracle calls the quadratic loss where the error itself goes back
    names, alphas = zip(*map(naive.number, activations), strict=True)
    net, count = layout(sizes, names, "quadratic" if propagates_error else loss, bias, real, alphas)
    net = net._replace(propagates_error=propagates_error)
    params = aligned_zeros(count, real)
    inside = ~padding(net, count)
    params[inside] = rng.normal(size=int(inside.sum()))
    for layer, fan_in in enumerate(sizes[:-1]):
        first = net.weights[layer]
        params[first : first + fan_in * net.strides[layer]] /= np.sqrt(fan_in)

    X = _inputs(rng, inputs, (rows, sizes[0]), real)
    if inputs == "memory_mapped":
        assert folder is not None
        X.tofile(folder / "X")
        X = np.memmap(folder / "X", X.dtype, mode="r", shape=X.shape)
    scale = BYTE_SCALE if X.dtype == np.uint8 else 1.0
    if labels:
        y = rng.integers(sizes[-1], size=rows).astype(np.int32)
        targets = naive.one_hot(y.tolist(), sizes[-1])
    else:
        y = rng.uniform(0.05, 0.95, (rows, sizes[-1])).astype(real)
        targets = y.tolist()
    network = naive.Network(*nested(net, params), list(activations), loss)
    nested_inputs = (X.astype(np.float64) * scale).tolist()
    weights = dropout = None
    if rates is not None:
        weights = rng.uniform(0, 2, rows).astype(real)
        weights[rows // 3] = 0
    if rates:
        kept = np.empty((rows, net.strides[:-1].sum()), np.uint8)
        for piece, rate in zip(_pieces(net, kept), rates, strict=True):
            piece[:] = rng.random(piece.shape) >= rate
        dropout = Dropout(kept, 1 / (1 - np.array(rates)))
    X = csr(X) if inputs == "csr" else X
    return Problem(net, params, X, scale, y, network, nested_inputs, targets, weights, dropout)


def csr(X: Array) -> CSR:
    """Dense rows by their nonzeros."""
    rows, columns = np.nonzero(X)
    indptr = np.searchsorted(rows, np.arange(len(X) + 1))
    return CSR(indptr, columns.astype(np.int32), X[rows, columns], X.shape[1])


def _pieces(net: Net, kept: Array) -> list[Array]:
    """The hidden layers' columns of Dropout.kept, with those of their padding."""
    return np.split(kept, np.cumsum(net.strides[:-1])[:-1], axis=1)


def naive_factors(problem: Problem) -> list[list[naive.Vector]] | None:
    """What dropout multiplies the outputs by: for every sample a list of vectors, one a hidden layer."""
    if problem.dropout is None:
        return None
    sizes = problem.net.sizes[1:-1]
    layers = zip(_pieces(problem.net, problem.dropout.kept), sizes, problem.dropout.scales, strict=True)
    factors = [(piece[:, :size] * scale).tolist() for piece, size, scale in layers]
    return [list(sample) for sample in zip(*factors, strict=True)]


def _inputs(rng: np.random.Generator, kind: str, shape: tuple[int, int], real: np.dtype[Any]) -> Array:
    if kind in ("bytes", "strokes", "end", "memory_mapped"):
        X = rng.integers(0, 256, shape).astype(np.uint8)
    else:
        X = rng.uniform(-1, 1, shape).astype(real)
    if kind in ("bytes", "sparse", "csr"):
        X[rng.random(shape) < 0.8] = 0
        X[len(X) // 2] = 0  # a row without anything to walk
    if kind == "strokes":  # what is not zero lies together
        X[np.repeat(rng.random((shape[0], -(-shape[1] // 4))) < 0.8, 4, axis=1)[:, : shape[1]]] = 0
        X[len(X) // 2] = 0
    if kind == "end":
        X[:, :-5] = 0
    if kind == "offset":  # most of a column's values are one and the same, which is zero in some columns
        u = rng.uniform(-1, 1, shape[1]).astype(real)
        u[3::7] = 0
        X = np.where(rng.random(shape) < 0.94, u, X)
        X[len(X) // 2] = u
    if kind == "read_only":
        X.flags.writeable = False
    return X


def nested(net: Net, vector: Array) -> tuple[list[list[naive.Vector]], list[naive.Vector | None]]:
    """Weights and biases, laid out as Net says, as nested lists."""
    sizes = net.sizes.tolist()
    weights = [
        [vector[first + i * stride :][:fan_out].astype(float).tolist() for i in range(fan_in)]
        for first, stride, fan_in, fan_out in zip(net.weights, net.strides, sizes[:-1], sizes[1:], strict=True)
    ]
    biases = [
        vector[first : first + fan_out].astype(float).tolist() if first >= 0 else None
        for first, fan_out in zip(net.biases, sizes[1:], strict=True)
    ]
    return weights, biases


def away_from_kinks(problem: Problem) -> Array:
    """The same problem with |z| >= MARGIN everywhere: biases of +-1 and weighted sums below 1 - MARGIN.

    Signs alternate, so that units of both branches take part.
    """
    params = copied(problem.params)
    bound = 1.0  # of the layer's inputs
    for layer, fan_in in enumerate(problem.net.sizes[:-1]):
        first, stride, fan_out = problem.net.weights[layer], problem.net.strides[layer], problem.net.sizes[layer + 1]
        weights = params[first : first + fan_in * stride]
        weights *= (1 - MARGIN) / (np.abs(weights).max() * fan_in * bound)
        biases = params[problem.net.biases[layer] :][:fan_out]
        biases[:] = (-1.0) ** np.arange(fan_out)
        bound = 6.0 if ACTIVATIONS[problem.net.activations[layer]] == "exponential" else 2.0  # of |z| up to 1.7
    return params


def padding(net: Net, count: int) -> Array:
    """Which of ``count`` parameters are neither weight nor bias."""
    free = np.ones(count, dtype=bool)
    for layer, fan_out in enumerate(net.sizes[1:]):
        for i in range(net.sizes[layer]):
            free[net.weights[layer] + i * net.strides[layer] :][:fan_out] = False
        if net.biases[layer] >= 0:
            free[net.biases[layer] :][:fan_out] = False
    return free


def flat(network: naive.Network) -> Array:
    """All parameters in one vector without padding, layer by layer, weights before biases."""
    return np.array([row[k] for row, k, _ in naive.places(network)])


def packed(net: Net, vector: Array) -> Array:
    """``vector`` without its padding: the same order as ``flat``."""
    return vector[~padding(net, len(vector))].astype(np.float64)


def distance(found: Array, expected: Array) -> float:
    """The largest error, relative to the largest expected value."""
    return float(np.abs(np.asarray(found, np.float64) - expected).max() / np.abs(expected).max())


def rule(optimizer: str, learning_rate: float = 0.1, **settings: float | tuple[float, ...]) -> Rule:
    return Rule(OPTIMIZERS.index(optimizer), learning_rate, **settings)  # type: ignore[arg-type]  # l2=.. and the like


RULES = {
    "sgd": rule("sgd", 0.02),
    "momentum with l2": rule("momentum", 0.01, momentum=0.5, l2=0.05),
    "adam": rule("adam", 0.001),
}
# An epsilon so large that they do not let the rounding of a tiny slope through in full.
KERAS_RULES = {
    "rmsprop with l1": rule("rmsprop", 0.001, l1=0.0005, epsilon=1e-3),
    "rmsprop with momentum": rule("rmsprop", 0.0002, momentum=0.9, epsilon=1e-3),
    "adamw": rule("adamw", 0.001, weight_decay=0.1, epsilon=1e-3),
    "nadam with clipped values": rule("nadam", 0.001, clip_value=0.01, epsilon=1e-3),
    "adagrad with l2": rule("adagrad", 0.01, l2=0.05),
    "sgd with weight decay": rule("sgd", 0.02, weight_decay=0.1),
    "sgd with clipped norms": rule("sgd", 0.02, clip_norm=0.05, l1=0.01),
    "adam with a clipped norm": rule("adam", 0.001, global_clip_norm=0.05, epsilon=1e-3),
}


def train(
    kernels: Kernels,
    problem: Problem,
    order: Sequence[int],
    batch: int,
    rule: Rule,
    tick: Tick | None = None,
    block_csc: BlockCSC | None = None,
    rates: Array | None = None,
    outputs: Array | None = None,
) -> tuple[EpochResult, Array, Array]:
    """An epoch on copies; returns the result, the parameters and the state."""
    params, state = copied(problem.params), problem.state(rule)
    rows = np.array(order, dtype=np.int64)
    data = problem.data._replace(block_csc=block_csc)
    epoch = EpochArgs(rows, batch, rule, problem.dropout, rates, outputs)
    result = kernels.train_epoch(problem.net, params, state, data, epoch, tick)
    return result, params, state


def copied(vector: Array) -> Array:
    """An aligned copy."""
    result = aligned_zeros(vector.size, vector.dtype)
    result[:] = vector
    return result


@functools.cache
def naive_train(
    problem: Problem, order: tuple[int, ...], batch: int, rule: Rule, rates: tuple[float, ...] | None = None
) -> tuple[tuple[float, int, int], Array, Array]:
    """The same epoch by tests/naive.py; returns its result, the parameters without padding, and the outputs."""
    network = copy.deepcopy(problem.network)
    outputs: list[naive.Vector] = []
    settings = rule._asdict()
    optimizer = naive.Optimizer(OPTIMIZERS[settings.pop("optimizer")], updates=settings.pop("step"), **settings)
    samples = problem.inputs, problem.targets, order, batch, optimizer, problem._weights, naive_factors(problem)
    result = naive.train_epoch(network, *samples, rates, outputs)
    return result, flat(network), np.array(outputs)


# ---- models


def make_mlp(**settings: Any) -> MLP:
    return MLP([5, 6, 3], **{"dtype": "float64", "seed": 1, **settings})


def naive_network(model: MLP) -> naive.Network:
    """The model in nested lists."""
    weights = [w.astype(float).tolist() for w in model.weights]
    biases = [b.astype(float).tolist() for b in model.biases] or None
    return naive.Network(weights, biases, list(model.activations), model.loss)


def assert_trained_like(model: MLP, network: naive.Network, tolerance: float) -> None:
    expected = naive_network(model)
    pairs = zip(naive.places(expected), naive.places(network), strict=True)
    values = np.array([(row[k], other[i]) for (row, k, _), (other, i, _) in pairs])
    assert np.abs(values[:, 0] - values[:, 1]).max() <= tolerance * np.abs(values[:, 1]).max()
