import random

import book_oracle
import numpy as np
import pytest

from fastnn.dropin import mnist_loader
from fastnn.dropin.layers import functions
from fastnn.dropin.nielsen import base as book


@pytest.fixture
def seeded():
    def seed(number):
        random.seed(number)
        np.random.seed(number)

    return seed


@pytest.fixture
def said_nothing_yet(monkeypatch):
    monkeypatch.setattr(book, "_warned", set())
    monkeypatch.setattr(functions, "_said", set())


@pytest.fixture(scope="session")
def mnist():
    """The loader's pairs: training, validation, test."""
    return mnist_loader.load_data_wrapper()


@pytest.fixture(scope="session")
def pixels(mnist):
    """Training images as the loader's pixels 0..255, uint8 (50000, 784)."""
    return np.ascontiguousarray((np.hstack([x for x, _ in mnist[0]]).T * 256).astype(np.uint8))


def make_small_data(count, inputs=12, seed=0):
    """Learnable pairs: the digit is the largest of ten sums of inputs."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(10, inputs))
    columns = [rng.random((inputs, 1)) for _ in range(count)]
    digits = [int(np.argmax(mixing @ (x - 0.5))) for x in columns]
    training = [(x, book_oracle.one_hot(digit)) for x, digit in zip(columns, digits, strict=True)]
    return training, list(zip(columns, digits, strict=True))


@pytest.fixture
def small_data():
    return make_small_data(300)


@pytest.fixture
def disagreement():
    """The largest difference of any weight or bias array, relative to that array's largest value."""

    def of(net, oracle):
        pairs = zip(net.weights + net.biases, oracle.weights + oracle.biases, strict=True)
        return max(np.abs(ours - theirs).max() / np.abs(theirs).max() for ours, theirs in pairs)

    return of
