"""How weights of fastnn.dropin.keras start, and what they add to the loss: initializers and regularizers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import initializers, layers, models, regularizers

# name: (standard deviation of weights (300, 500), the most that any is away from 0)
RANDOM = {
    "normal": (0.05, math.inf),
    "random_normal": (0.05, math.inf),
    "RandomNormal": (0.05, math.inf),
    "uniform": (0.1 / math.sqrt(12), 0.05),
    "random_uniform": (0.1 / math.sqrt(12), 0.05),
    "truncated_normal": (0.05 * 0.87962566, 0.1),
    "glorot_uniform": (math.sqrt(2 / 800), math.sqrt(6 / 800)),
    "glorot_normal": (math.sqrt(2 / 800), 2 * math.sqrt(2 / 800) / 0.87962566),
    "he_uniform": (math.sqrt(2 / 300), math.sqrt(6 / 300)),
    "he_normal": (math.sqrt(2 / 300), 2 * math.sqrt(2 / 300) / 0.87962566),
    "lecun_uniform": (math.sqrt(1 / 300), math.sqrt(3 / 300)),
    "lecun_normal": (math.sqrt(1 / 300), 2 * math.sqrt(1 / 300) / 0.87962566),
}


def kernel(initializer, inputs=300, units=500):
    return models.Sequential([layers.Dense(units, kernel_initializer=initializer, input_dim=inputs)]).get_weights()[0]


@pytest.mark.parametrize("name", RANDOM)
def test_random_weights(name):
    keras.utils.set_random_seed(2)
    weights = kernel(name)
    spread, limit = RANDOM[name]
    assert weights.std() == pytest.approx(spread, rel=0.01)
    assert abs(weights.mean()) < spread / 100
    largest = np.abs(weights).max()
    assert largest <= limit * (1 + 1e-6)
    assert largest > 0.99 * limit or math.isinf(limit)
    keras.utils.set_random_seed(2)
    assert (kernel(getattr(initializers, name)()) == weights).all()


def test_weights_that_are_not_random():
    assert (kernel("zeros") == 0).all()
    assert (kernel("ones", 2, 3) == 1).all()
    assert (kernel(initializers.Constant(0.25), 2, 3) == 0.25).all()
    assert (kernel(initializers.identity(gain=2), 2, 3) == 2 * np.eye(2, 3)).all()
    assert (kernel(lambda shape, dtype=None: np.full(shape, 3), 2, 3) == 3).all()
    for shape in ((40, 7), (7, 40)):
        q = kernel(initializers.Orthogonal(gain=3.0), *shape)
        square = q.T @ q if shape[0] > shape[1] else q @ q.T
        np.testing.assert_allclose(square, 9 * np.eye(7), atol=1e-5)


def test_a_seed_gives_the_same_weights_to_every_layer():
    seeded = initializers.HeNormal(seed=5)
    assert (kernel(seeded) == kernel(initializers.he_normal(5))).all()
    assert (kernel(seeded) != kernel("he_normal")).any()
    assert (seeded((300, 500)).numpy() == kernel(seeded)).all()
    assert seeded((2, 2), dtype="float64").dtype == np.float64


def test_biases_start_as_asked_and_after_their_kernel():
    keras.utils.set_random_seed(7)
    layer = layers.Dense(4, bias_initializer="normal", kernel_initializer="uniform", input_dim=3)
    weights = models.Sequential([layer]).get_weights()
    rng = np.random.default_rng(7)
    assert (weights[0] == rng.uniform(-0.05, 0.05, (3, 4)).astype(np.float32)).all()
    assert (weights[1] == rng.normal(0, 0.05, 4).astype(np.float32)).all()


@pytest.mark.parametrize("name", initializers.CLASSES)
def test_descriptions_of_initializers(name):
    first = initializers.CLASSES[name]()
    again = initializers.get(initializers.serialize(first))
    assert (type(again), again.get_config()) == (type(first), first.get_config())
    assert initializers.get(first) is first


X = np.random.default_rng(0).normal(size=(50, 4))
Y = np.random.default_rng(1).normal(size=(50, 2))


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize(
    ("regularizer", "l1", "l2"),
    [
        (regularizers.l2(0.1), 0, 0.1),
        ("l2", 0, 0.01),
        (regularizers.L1(0.05), 0.05, 0),
        ("l1", 0.01, 0),
        (regularizers.l1_l2(l1=0.05, l2=0.1), 0.05, 0.1),
        (regularizers.l2(l=0.2), 0, 0.2),
        ("l1_l2", 0.01, 0.01),
    ],
)
def test_penalties_are_in_the_loss_and_in_the_gradient(regularizer, l1, l2, backend):
    keras.config.set_floatx("float64")
    try:
        model = models.Sequential([layers.Dense(2, kernel_regularizer=regularizer, input_dim=4)])
    finally:
        keras.config.set_floatx("float32")
    model.compile(keras.optimizers.SGD(0.05), "mse")
    kernel, bias = model.get_weights()
    losses = []
    for _ in range(2):
        sums = 0.0
        for start in range(0, 50, 20):
            x, y = X[start : start + 20], Y[start : start + 20]
            error = x @ kernel + bias - y
            penalty = l1 * np.abs(kernel).sum() + l2 * (kernel**2).sum()
            sums += len(x) * ((error**2).mean() + penalty)
            delta = 2 * error / error.size
            kernel = kernel - 0.05 * (x.T @ delta + l1 * np.sign(kernel) + 2 * l2 * kernel)
            bias = bias - 0.05 * delta.sum(axis=0)
        losses.append(sums / 50)
    with fastnn.use(backend):
        history = model.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0, validation_data=(X, Y))
        evaluated = model.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-11)
    np.testing.assert_allclose(model.get_weights()[1], bias, rtol=1e-11)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-11)
    penalty = l1 * np.abs(kernel).sum() + l2 * (kernel**2).sum()
    assert evaluated == pytest.approx(((X @ kernel + bias - Y) ** 2).mean() + penalty)
    assert history.history["val_loss"][-1] == evaluated
    assert float(regularizers.get(regularizer)(kernel)) == pytest.approx(penalty)


def test_penalties_are_of_their_own_layer():
    layer = layers.Dense(3, kernel_regularizer=regularizers.l2(0.5), kernel_initializer="ones")
    model = models.Sequential([layers.Dense(2, input_dim=4, kernel_initializer="ones"), layer])
    model.compile("sgd", "mse")
    zeros = np.zeros((5, 4))
    assert model.evaluate(zeros, np.zeros((5, 3)), verbose=0) == pytest.approx(0.5 * 6)


@pytest.mark.parametrize("backend", ["native", "numba", "numpy"])
def test_layers_with_and_without_biases(backend, tmp_path):
    keras.utils.set_random_seed(1)
    middle = [layers.Dense(5, "tanh", use_bias=False), layers.Dense(3, "relu"), layers.Dense(2, use_bias=False)]
    model = models.Sequential([layers.Input((4,)), *middle])
    assert [w.shape for w in model.get_weights()] == [(4, 5), (5, 3), (3,), (3, 2)]
    model.compile("adam", "mse")
    with fastnn.use(backend):
        model.fit(X, Y, epochs=2, verbose=0)
        found = model.predict(X, verbose=0)
    first, second, bias, third = model.get_weights()
    np.testing.assert_allclose(found, np.maximum(np.tanh(X @ first) @ second + bias, 0) @ third, rtol=1e-4, atol=1e-6)
    assert (bias != 0).any()
    model.save(tmp_path / "mixed.keras")
    assert (models.load_model(tmp_path / "mixed.keras").predict(X, verbose=0) == model.predict(X, verbose=0)).all()


def test_names_of_keras_1():
    layer = layers.Dense(
        output_dim=4, input_dim=8, init="normal", activation="relu", W_regularizer=regularizers.l2(0.01), bias=False
    )
    assert (layer.units, layer.use_bias, layer.kernel_regularizer.l2) == (4, False, 0.01)
    assert isinstance(layer.kernel_initializer, initializers.RandomNormal)
    assert layers.Dropout(p=0.25).rate == 0.25
    for option in ("b_regularizer", "activity_regularizer", "bias_regularizer"):
        with pytest.raises(fastnn.FastnnError, match="regularizer: expected no such option of Dense"):
            layers.Dense(4, **{option: "l2"})
    with pytest.raises(fastnn.FastnnError, match=r"initializer: expected one of constant, .*, found 'nothing'"):
        layers.Dense(4, kernel_initializer="nothing")
    with pytest.raises(fastnn.FastnnError, match=r"keras\.constraints\.max_norm is not in fastnn's part of Keras"):
        layers.Dense(4, kernel_constraint=keras.constraints.max_norm(3))
    with pytest.raises(fastnn.FastnnError, match="units: expected an integer, found NoneType"):
        layers.Dense()
