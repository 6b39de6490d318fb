"""Layer-by-layer networks of fastnn beside those of their oracle, and samples to train both on."""

import layers_oracle
import numpy as np

from fastnn.dropin import layers

SIZES = (12, 4, (9, 7))


def samples(count=100, seed=1, inputs=12, outputs=4):
    """Learnable: the class is the largest of some sums of inputs."""
    rng = np.random.default_rng(seed)
    X = rng.random((count, inputs)) * (rng.random((count, inputs)) < 0.4)
    labels = (X @ rng.normal(size=(inputs, outputs))).argmax(axis=1)
    return X, np.eye(outputs)[labels], labels


def twins(*arguments, seed=3, sizes=SIZES, **options):
    """fastnn's network and the oracle's, from the same draws."""
    np.random.seed(seed)
    theirs = layers_oracle.SimpleNetwork(*sizes, *arguments)
    after = np.random.get_state()[2]
    np.random.seed(seed)
    ours = layers.SimpleNetwork(*sizes, *arguments, **options)
    assert np.random.get_state()[2] == after
    return ours, theirs


def distance(ours, theirs):
    """How far apart their parameters are, relative to the greatest of each array."""
    pairs = [(a.W, b.W) for a, b in zip(ours.layers, theirs.layers, strict=True)]
    pairs += [(a.b, b.b) for a, b in zip(ours.layers, theirs.layers, strict=True)]
    return max(np.abs(found - expected).max() / np.abs(expected).max() for found, expected in pairs)
