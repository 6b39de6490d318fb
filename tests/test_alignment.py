"""What reaches the kernels: C-contiguous arrays, aligned to their type, whatever the caller's are like."""

from __future__ import annotations

import types

import numpy as np
import pytest

import fastnn
from fastnn import kernels
from fastnn.dropin import layers, nielsen, rashid, scratch
from fastnn.kernels import native
from fastnn.kernels.spec import Capabilities


def unaligned(array):
    """The same numbers, a byte beside where their type may lie."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    found = memory[1:].view(np.uint8)[: array.nbytes].view(array.dtype).reshape(array.shape)
    found[...] = array
    assert not found.flags.aligned
    return found


@pytest.fixture
def checked(monkeypatch):
    """The native kernels, which count their calls and refuse arrays that C may not read."""
    calls = []

    def check(name, function):
        def call(*arguments, **named):
            for argument in (*arguments, *named.values()):
                for part in argument if isinstance(argument, tuple) else [argument]:
                    if isinstance(part, np.ndarray):
                        assert part.flags.aligned, name
                        assert part.flags.c_contiguous or name == "encode", name
            calls.append(name)
            return function(*arguments, **named)

        return call

    names = ("forward", "loss_grad", "train_epoch", "layer_grad", "neighbors")
    capabilities = native.capabilities._asdict() | {"matrix_unit": False}
    for name in ("encode", "prepare_rows"):
        capabilities[name] = check(name, capabilities[name])
    functions = {name: check(name, getattr(native, name)) for name in names}
    table = types.SimpleNamespace(**functions, name="native", capabilities=Capabilities(**capabilities))
    monkeypatch.setitem(kernels._loaded, "native", table)
    return calls


REALS = np.random.default_rng(0).random((60, 12))


@pytest.mark.parametrize("given", ["float32", "float64", "int16", "float16", ">f4"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mlp(checked, dtype, given):
    X, y = unaligned((REALS * 9).astype(given)), unaligned(np.arange(60, dtype=np.int32) % 3)
    model, twin = (fastnn.MLP([12, 5, 3], dtype=dtype, seed=0) for _ in range(2))
    for labels in (y, unaligned(REALS[:, :3] / REALS[:, :3].sum(axis=1, keepdims=True))):
        assert model.fit(X, labels, epochs=2).loss == twin.fit(X.copy(), labels.copy(), epochs=2).loss
    assert (model.forward(X) == twin.forward(X.copy())).all()
    assert (model.forward(X[3]) == twin.forward(X[3].copy())).all()
    assert model.score(X, y) == twin.score(X.copy(), y.copy())
    assert {"train_epoch", "forward"} <= set(checked)


@pytest.mark.parametrize("given", ["float32", "float64", "int16"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
@pytest.mark.parametrize("pruning", ["always", "never"])
def test_neighbors(checked, metric, pruning, given):
    X, Q = unaligned((REALS * 99).astype(given)), unaligned((REALS[:7] * 98).astype(given))
    found = fastnn.Neighbors(metric, pruning=pruning).fit(X).search(Q, 4)
    for part, other in zip(
        found, fastnn.Neighbors(metric, pruning=pruning).fit(X.copy()).search(Q.copy(), 4), strict=True
    ):
        np.testing.assert_array_equal(part, other)
    assert "neighbors" in checked


def test_drop_ins(checked):
    x, y = unaligned(REALS[:1].T.copy()), unaligned(np.eye(3)[[1]].T.copy())
    net = nielsen.Network([12, 5, 3])
    net.feedforward(x)
    net.backprop(x, y)
    net.update_mini_batch([(x, y)] * 3, 0.1)
    net.SGD([(x, y)] * 6, 1, 2, 0.1)
    n = rashid.neuralNetwork(12, 5, 3, 0.1)
    n.train(unaligned(REALS[0]), unaligned(np.full(3, 0.5)))
    n.query(unaligned(REALS[0]))
    network = layers.SimpleNetwork(12, 3, [5])
    network.train(unaligned(REALS), unaligned(np.eye(3)[np.arange(60) % 3]), num_epochs=1)
    network.predict(unaligned(REALS[0]))
    network.forward(unaligned(REALS))
    network.backward(unaligned(np.ones((60, 3))))
    weights = scratch.fit(unaligned(REALS), np.arange(60) % 10, 0.1, 1, 4)
    scratch.predict(unaligned(REALS), *weights)
    assert set(checked) == {"forward", "loss_grad", "train_epoch", "layer_grad", "prepare_rows"}
