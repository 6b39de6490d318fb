"""The NumPy programs that fastnn replaces, as their readers write them; all in float64, as the originals.

Each factory takes a workload and its data and returns a Contender. The programs are written anew.
"""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
from contenders import Contender, with_blas_threads
from workloads import Data, FloatArray, Workload

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracles"))

import book_oracle


def sigmoid(z: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-z))


def book(work: Workload, data: Data, *, threads: int | None) -> Contender:
    """Nielsen's network.py: sample by sample on columns, as tests/oracles/book_oracle.py has it."""
    network = book_oracle.Network(list(work.sizes))
    network.weights = [weights.T.astype(float) for weights, _ in work.initial()]
    network.biases = [biases[:, None].astype(float) for _, biases in work.initial()]
    columns, targets = data.floats("float64")[:, :, None], data.targets("float64")[:, :, None]
    pairs = list(zip(columns, targets, strict=True))

    def train() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            network.SGD(pairs, 1, work.batch_size, work.learning_rate)

    return Contender(
        with_blas_threads(train, threads),
        lambda: [(w.T, b[:, 0]) for w, b in zip(network.weights, network.biases, strict=True)],
    )


class QueryNetwork:
    """Rashid's class of two layers without biases; ``train`` takes one sample.

    His passes ``output_errors`` back to the hidden layer as they are, not times the output's derivative, which is no
    gradient of a loss. Here it is the gradient, for the same work, so that all contenders make the same updates.
    """

    def __init__(self, wih: FloatArray, who: FloatArray, learning_rate: float) -> None:
        self.wih, self.who, self.lr = wih, who, learning_rate

    def train(self, inputs_list: FloatArray, targets_list: FloatArray) -> None:
        inputs = np.array(inputs_list, ndmin=2).T
        targets = np.array(targets_list, ndmin=2).T
        hidden = sigmoid(np.dot(self.wih, inputs))
        outputs = sigmoid(np.dot(self.who, hidden))
        output_errors = (targets - outputs) * outputs * (1 - outputs)
        hidden_errors = np.dot(self.who.T, output_errors)
        self.who += self.lr * np.dot(output_errors, hidden.T)
        self.wih += self.lr * np.dot(hidden_errors * hidden * (1 - hidden), inputs.T)


def online(work: Workload, data: Data, *, threads: int | None) -> Contender:
    """Rashid's program: one ``train`` call a sample."""
    (first, _), (second, _) = work.initial()
    network = QueryNetwork(first.T.astype(float), second.T.astype(float), work.learning_rate)
    X, T = data.floats("float64"), data.targets("float64")
    rng = work.model().rng

    def train() -> None:
        for k in rng.permutation(len(X)):
            network.train(X[k], T[k])

    return Contender(
        with_blas_threads(train, threads),
        lambda: [(w.T, np.zeros(len(w))) for w in (network.wih, network.who)],
    )


class Layer:
    """A fully connected sigmoid layer that keeps what its last forward and backward pass computed."""

    def __init__(self, weights: FloatArray, biases: FloatArray) -> None:
        self.W, self.b = weights, biases

    def forward(self, x: FloatArray) -> FloatArray:
        self.x = x
        self.y = sigmoid(np.dot(x, self.W) + self.b)
        return self.y

    def backward(self, dL_dy: FloatArray) -> FloatArray:
        dL_dz = dL_dy * self.y * (1 - self.y)
        self.dL_dW = np.dot(self.x.T, dL_dz)
        self.dL_db = dL_dz.sum(axis=0)
        return np.dot(dL_dz, self.W.T)

    def optimize(self, epsilon: float) -> None:
        self.W -= epsilon * self.dL_dW
        self.b -= epsilon * self.dL_db


def layers(work: Workload, data: Data, *, threads: int | None) -> Contender:
    """The layer-by-layer program: L2 loss, its derivative 2 (prediction - target) not divided by the rows.

    fastnn's gradient is that of the mean of half the squares, so this program's rate is smaller by twice the batch.
    """
    network = [Layer(weights.astype(float), biases.astype(float)) for weights, biases in work.initial()]
    X, T = data.floats("float64"), data.targets("float64")
    epsilon = work.learning_rate / (2 * work.batch_size)

    def train() -> None:
        losses = []
        for start in range(0, len(X), work.batch_size):
            x, target = X[start : start + work.batch_size], T[start : start + work.batch_size]
            for layer in network:
                x = layer.forward(x)
            losses.append(np.sum(np.square(x - target)) / len(x))
            gradient = 2 * (x - target)
            for layer in reversed(network):
                gradient = layer.backward(gradient)
            for layer in network:
                layer.optimize(epsilon)

    return Contender(with_blas_threads(train, threads), lambda: [(layer.W, layer.b) for layer in network])


def full_batch(work: Workload, data: Data, *, threads: int | None) -> Contender:
    """Gradient descent over all rows at once: ReLU, softmax, cross-entropy."""
    (w1, b1), (w2, b2) = ((weights.astype(float), biases.astype(float)) for weights, biases in work.initial())
    X, T = data.floats("float64"), data.targets("float64")

    def train() -> None:
        z1 = np.dot(X, w1) + b1
        a1 = np.maximum(0, z1)
        z2 = np.dot(a1, w2) + b2
        e = np.exp(z2 - np.max(z2, axis=1, keepdims=True))
        p = e / np.sum(e, axis=1, keepdims=True)
        -np.mean(np.sum(T * np.log(p + 1e-8), axis=1))  # the loss that the program prints
        dz2 = (p - T) / len(X)
        dz1 = np.dot(dz2, w2.T) * (z1 > 0)
        w2[:] -= work.learning_rate * np.dot(a1.T, dz2)
        b2[:] -= work.learning_rate * np.sum(dz2, axis=0)
        w1[:] -= work.learning_rate * np.dot(X.T, dz1)
        b1[:] -= work.learning_rate * np.sum(dz1, axis=0)

    return Contender(with_blas_threads(train, threads), lambda: [(w1, b1), (w2, b2)])


PROGRAMS = {"A": book, "B": online, "C": layers, "F": full_batch}  # by the letter of the workload
