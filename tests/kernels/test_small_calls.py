"""Calls whose work takes less than a millisecond start no thread: it would cost more than it saves."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn.dropin import layers, nielsen, nielsen2, rashid
from fastnn.kernels.native import native  # whose globals its functions read

X = np.random.default_rng(0).integers(0, 256, (200, 784)).astype(np.uint8)
LABELS = np.arange(200) % 10
PAIRS = [((x / np.float32(256)).astype(np.float32)[:, np.newaxis], np.eye(10)[[k % 10]].T) for k, x in enumerate(X)]
CALLS = {
    "forward": lambda: fastnn.MLP([784, 30, 10], seed=0).forward(X[:100]),
    "fit": lambda: fastnn.MLP([784, 30, 10], seed=0).fit(X, LABELS, epochs=1, batch_size=10),
    "search": lambda: fastnn.Neighbors().fit(X[:100], LABELS[:100]).search(X[:3], 5),
    "backprop": lambda: nielsen.Network([784, 30, 10]).backprop(*PAIRS[0]),
    "backprop of chapter 3": lambda: nielsen2.Network([784, 30, 10]).backprop(*PAIRS[0]),
    "update by one pair": lambda: nielsen.Network([784, 30, 10]).update_mini_batch(PAIRS[:1], 0.1),
    "update by ten": lambda: nielsen2.Network([784, 30, 10]).update_mini_batch(PAIRS[:10], 0.1, 0.1, 200),
    "epoch of pairs": lambda: nielsen.Network([784, 30, 10]).SGD(list(PAIRS), 1, 10, 0.1),
    "feedforward": lambda: nielsen.Network([784, 30, 10]).feedforward(PAIRS[0][0]),
    "train": lambda: rashid.neuralNetwork(784, 30, 10, 0.1).train(X[0] / 255, np.full(10, 0.1)),
    "query": lambda: rashid.neuralNetwork(784, 30, 10, 0.1).query(X[0] / 255),
    "layers": lambda: layers.SimpleNetwork(784, 10).train(X / 255, np.eye(10)[LABELS], num_epochs=1),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_thread_is_started(monkeypatch, call):
    def num_threads():
        raise AssertionError("asked how many threads there may be")

    monkeypatch.setattr(native, "num_threads", num_threads)
    with fastnn.use("native"):
        CALLS[call]()


def test_an_epoch_of_mnist_does_ask(monkeypatch):
    """So that the test above would see it."""
    monkeypatch.setattr(native, "num_threads", lambda: 1 / 0)
    (images, labels), _ = fastnn.datasets.load_mnist()
    for call in (
        lambda: fastnn.MLP([784, 30, 10], seed=0).fit(images, labels, epochs=1),
        lambda: fastnn.MLP([784, 30, 10], seed=0).forward(images),
    ):
        with fastnn.use("native"), pytest.raises(ZeroDivisionError):
            call()


def test_a_gradient_that_is_kept_keeps_no_more_than_itself():
    """The book's figures keep nabla_b of thousands of pairs, whose arrays are small."""
    nabla_b, nabla_w = nielsen.Network([784, 30, 10]).backprop(*PAIRS[0])
    assert all(b.base is None or b.base.nbytes <= 2 * b.nbytes for b in nabla_b)
    assert [w.shape for w in nabla_w] == [(30, 784), (10, 30)]
