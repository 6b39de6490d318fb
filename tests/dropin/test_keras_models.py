"""Models of fastnn.dropin.keras as chains of layers: activations as layers, models in models, shared layers, Model."""

from __future__ import annotations

import copy
import pickle
from collections import Counter

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import activations, layers, models
from fastnn.dropin.tensorflow import nn

X = np.random.default_rng(0).random((70, 6), np.float32)
LABELS = (X[:, 0] > X[:, 1]) * 1 + (X[:, 2] > 0.5)
Y = np.sin(X[:, :1] * 3)


@pytest.fixture(autouse=True)
def _fresh_names(monkeypatch):
    monkeypatch.setattr(keras.layer, "_names", Counter())


def compiled(model, loss="sparse_categorical_crossentropy"):
    model.compile("adam", loss, ["accuracy"])
    return model


def same(first, second):
    return len(first) == len(second) and all((a == b).all() for a, b in zip(first, second, strict=True))


# Activations -------------------------------------------------------------------------------------------------------

Z = np.array([[-2.0, 0.0, 1.5], [3.0, -0.5, 0.25]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", Z),
        ("relu", np.maximum(Z, 0)),
        ("sigmoid", 1 / (1 + np.exp(-Z))),
        ("tanh", np.tanh(Z)),
        ("leaky_relu", np.where(Z > 0, Z, 0.2 * Z)),
        ("elu", np.where(Z > 0, Z, np.expm1(Z))),
        ("softmax", np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)),
    ],
)
def test_functions_of_arrays(name, expected):
    function = getattr(activations, name)
    assert activations.get(name) is activations.get(function) is function
    assert (function.__name__, activations.serialize(function)) == (name, name)
    assert pickle.loads(pickle.dumps(function)) is function
    found = function(Z)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert type(found.numpy()) is np.ndarray
    assert function(Z.tolist()).dtype == np.float64
    assert function(np.arange(3)).dtype == np.float32  # as config.floatx() is
    assert function(Z[0]).shape == (3,)
    if name != "softmax":
        assert function(0.5) == pytest.approx(function([[0.5]]).item())


def test_none_is_linear():
    assert activations.get(None) is activations.linear
    assert activations.softmax(Z, axis=1).shape == Z.shape
    with pytest.raises(fastnn.FastnnError, match="axis: expected no such option of softmax"):
        activations.softmax(Z, axis=0)
    with pytest.raises(fastnn.FastnnError, match=r"activation: expected one of linear, relu, .*, found <function"):
        layers.Dense(2, activation=lambda x: x)


def test_an_activation_becomes_one_with_the_dense_layer_before_it():
    weights = []
    for apart in (False, True):
        keras.utils.set_random_seed(1)
        if apart:
            model = models.Sequential()
            model.add(layers.Dense(5, input_shape=(6,)))
            model.add(layers.Activation("relu"))
            model.add(layers.Dropout(0.25))
            model.add(layers.Dense(4))
            model.add(layers.Dropout(0.5))
            model.add(layers.Activation(activations.relu))  # which is the same before or after Dropout
            model.add(layers.Dense(3))
            model.add(layers.Softmax())
        else:
            middle = [layers.Dropout(0.25), layers.Dense(4, "relu"), layers.Dropout(0.5)]
            first = layers.Dense(5, activations.relu)
            model = models.Sequential([layers.Input((6,)), first, *middle, layers.Dense(3, "softmax")])
        compiled(model).fit(X, LABELS, epochs=3, verbose=0)
        weights.append([*model.get_weights(), model.predict(X, verbose=0)])
    assert same(*weights)


def test_activations_as_layers():
    assert layers.Activation("tanh").get_config() == {"name": "activation", "activation": "tanh"}
    assert layers.ReLU(negative_slope=0.0).name == "re_lu"
    assert layers.LeakyReLU(alpha=0.1).get_config() == {"name": "leaky_re_lu", "negative_slope": 0.1}
    assert layers.ELU(0.5).get_config() == {"name": "elu", "alpha": 0.5}
    np.testing.assert_allclose(layers.LeakyReLU()(Z), np.where(Z > 0, Z, 0.3 * Z))
    np.testing.assert_allclose(layers.ELU(0.5)(Z), np.where(Z > 0, Z, 0.5 * np.expm1(Z)))
    np.testing.assert_allclose(layers.Softmax()(Z).sum(axis=1), 1)
    model = models.Sequential([layers.Dense(2, input_dim=3), layers.LeakyReLU(0.1)])
    z = Z @ model.get_weights()[0]
    np.testing.assert_allclose(model.predict(Z, verbose=0), np.where(z > 0, z, 0.1 * z), rtol=1e-5)
    assert model.layers[0].activation is activations.linear


NUMBERED = {
    "leaky_relu": lambda x, number: activations.leaky_relu(x, negative_slope=number),
    "tf.nn.leaky_relu": lambda x, number: nn.leaky_relu(x, alpha=number),
    "elu": lambda x, number: activations.elu(x, number),
}


@pytest.mark.parametrize("name", NUMBERED)
def test_numbers_of_activations(name):
    """By function or layer, of a layer of its own or of the Dense: it trains as the equation's slope says."""
    function, layer = NUMBERED[name], layers.ELU if name == "elu" else layers.LeakyReLU
    below = np.expm1 if name == "elu" else np.array
    np.testing.assert_allclose(function(Z, 0.4), np.where(Z > 0, Z, 0.4 * below(Z)))
    first, last = np.random.default_rng(2).normal(size=(6, 4)), np.random.default_rng(3).normal(size=(4, 1))
    inputs = layers.Input((6,))
    hidden = function(layers.Dense(4, use_bias=False)(inputs), 0.4)
    functional = models.Model(inputs, layers.Dense(1, use_bias=False)(hidden))
    apart = [layers.Dense(4, use_bias=False), layer(0.4), layers.Dense(1, use_bias=False)]
    within = [layers.Dense(4, layer(0.4), use_bias=False), layers.Dense(1, use_bias=False)]
    z = X @ first
    a, slope = np.where(z > 0, z, 0.4 * below(z)), np.where(z > 0, 1, 0.4 * (np.exp(z) if name == "elu" else 1))
    delta = 2 * (a @ last - Y) / len(X)
    expected = [first - 0.1 * X.T @ (delta @ last.T * slope), last - 0.1 * a.T @ delta]
    for model in (functional, *(models.Sequential([layers.Input((6,)), *each]) for each in (apart, within))):
        model.set_weights([first, last])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.train_on_batch(X, Y)
        for found, array in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_allclose(found, array, rtol=1e-5, atol=1e-6)
        again = models.model_from_json(model.to_json())
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


# Models in models --------------------------------------------------------------------------------------------------


def test_probabilities_of_a_model_of_logits():
    model = models.Sequential([layers.Flatten(input_shape=(2, 3)), layers.Dense(5, "relu"), layers.Dense(3)])
    probabilities = models.Sequential([model, layers.Softmax()])
    assert [layer.name for layer in probabilities.layers] == ["sequential", "softmax"]
    images = X.reshape(-1, 2, 3)
    logits = model(images).numpy()
    np.testing.assert_allclose(probabilities(images), activations.softmax(logits), rtol=1e-6)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(images, LABELS, epochs=2, verbose=0)  # what is shared has changed
    trained = model(images, training=False).numpy()
    assert (trained != logits).any()
    np.testing.assert_allclose(probabilities.predict(images, verbose=0), activations.softmax(trained), rtol=1e-6)
    assert same(probabilities.weights, model.weights)


def test_models_are_built_by_the_model_that_has_them():
    inner = models.Sequential([layers.Dense(4, "relu"), layers.Dropout(0.5)])
    model = models.Sequential([layers.Input((6,)), inner, layers.Dense(3, "softmax")])
    assert inner.built
    assert [w.shape for w in model.weights] == [(6, 4), (4,), (4, 3), (3,)]
    compiled(model).fit(X, LABELS, epochs=2, verbose=0)
    assert same(inner.get_weights(), model.get_weights()[:2])
    assert model.get_layer("sequential") is inner
    lines = []
    model.summary(print_fn=lines.append)
    assert "sequential (Sequential)" in lines[0]
    with pytest.raises(fastnn.FastnnError, match="training: expected False for a model with Dropout"):
        model(X, training=True)


def test_models_that_share_a_layer_train_in_turn():
    shared = layers.Dense(4, "relu", name="shared")
    heads = [layers.Dense(3, "softmax", name=name) for name in ("first", "second")]
    pair = [compiled(models.Sequential([layers.Input((6,)), shared, head])) for head in heads]
    expected = [compiled(models.Sequential([layers.Input((6,)), layers.Dense(4, "relu"), layers.Dense(3, "softmax")]))]
    expected.append(copy.deepcopy(expected[0]))
    for ours, theirs in zip(pair, expected, strict=True):
        theirs.set_weights(ours.get_weights())
    for turn in range(3):
        for one in (0, 1):
            for models_ in (pair, expected):
                keras.utils.set_random_seed(turn)
                models_[one].fit(X, LABELS, verbose=0)
            other = expected[1 - one]
            other.layers[0].set_weights(expected[one].layers[0].get_weights())
    for ours, theirs in zip(pair, expected, strict=True):
        assert same(ours.get_weights(), theirs.get_weights())
    again = pickle.loads(pickle.dumps(pair))
    again[0].layers[0].kernel[:] = 1
    assert (again[1].get_weights()[0] == 1).all()
    assert (pair[0].get_weights()[0] != 1).any()


def test_the_last_layer_may_be_taken_off():
    model = models.Sequential([layers.Dense(4, "tanh", input_dim=6), layers.Dense(3), layers.Softmax()])
    model.pop()
    model.pop()
    assert model.output_shape == (None, 4)
    z = X @ model.layers[0].kernel + model.layers[0].bias
    np.testing.assert_allclose(model.predict(X, verbose=0), np.tanh(z), rtol=1e-5)
    model.add(layers.Dense(2))
    assert model.predict(X, verbose=0).shape == (70, 2)
    with pytest.raises(fastnn.FastnnError, match="layers: expected at least one layer"):
        models.Sequential().pop()


# Functional models -------------------------------------------------------------------------------------------------


def test_a_functional_model_is_the_sequential_one(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    keras.utils.set_random_seed(3)
    inputs = keras.Input(shape=(2, 3), name="image")
    x = layers.Flatten()(inputs)
    x = layers.Dense(5, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    outputs = layers.Dense(3, activation="softmax", name="class")(x)
    assert repr(outputs).startswith("<KerasTensor shape=(None, 3), dtype=float32, sparse=False, ragged=False, name=")
    model = compiled(keras.Model(inputs=inputs, outputs=outputs))
    model.fit(X.reshape(-1, 2, 3), LABELS, epochs=2, verbose=0)
    keras.utils.set_random_seed(3)
    middle = [layers.Flatten(), layers.Dense(5, "relu"), layers.Dropout(0.5)]
    other = compiled(models.Sequential([layers.Input((2, 3)), *middle, layers.Dense(3, "softmax")]))
    other.fit(X.reshape(-1, 2, 3), LABELS, epochs=2, verbose=0)
    assert same(model.get_weights(), other.get_weights())
    assert isinstance(other, keras.Model)
    assert (model.name, model.input_shape, model.output_shape) == ("functional", (None, 2, 3), (None, 3))
    assert model.input is inputs
    assert model.outputs == [outputs]
    assert [layer.name for layer in model.layers] == ["image", "flatten", "dense", "dropout", "class"]
    assert repr(model) == "<Functional name=functional, built=True>"
    model = keras.Model(inputs, outputs, name="mine")
    model.summary()
    assert capsys.readouterr().out.startswith('Model: "mine"\n')
    lines = []
    model.summary(print_fn=lines.append)
    assert "│ image (InputLayer)              │ (None, 2, 3)           │             0 │" in lines[0]


def test_an_autoencoder_has_its_coder_and_its_decoder():
    inputs = keras.Input((6,))
    code = layers.Dense(2, activation="relu")(inputs)
    decode = layers.Dense(6, activation="sigmoid")
    outputs = decode(code)
    encoder, autoencoder = keras.Model(inputs, code), keras.Model(inputs, outputs)
    codes = keras.Input((2,))
    decoder = keras.Model(codes, decode(codes))
    autoencoder.compile("adam", "binary_crossentropy")
    autoencoder.fit(X, X, epochs=2, verbose=0)
    expected = autoencoder.predict(X, verbose=0)
    np.testing.assert_allclose(decoder.predict(encoder.predict(X, verbose=0), verbose=0), expected, rtol=1e-6)
    assert same(autoencoder.weights, encoder.weights + decoder.weights)


def test_the_outputs_of_a_layer_of_a_model():
    model = models.Sequential([layers.Dense(4, "tanh", input_dim=6), layers.Dense(3)])
    hidden = keras.Model(inputs=model.input, outputs=model.layers[0].output)
    z = X @ model.layers[0].kernel
    np.testing.assert_allclose(hidden.predict(X, verbose=0), np.tanh(z), rtol=1e-5, atol=1e-7)
    inner = keras.Model(inputs=model.inputs, outputs=model.get_layer("dense_1").output)
    np.testing.assert_allclose(inner(X), model(X))
    tensor = keras.Input((6,))
    outer = keras.Model(tensor, layers.Softmax()(model(tensor)))
    np.testing.assert_allclose(outer(X), activations.softmax(model(X)), rtol=1e-6)


def test_images_come_back_from_reshape():
    model = models.Sequential([layers.Reshape((6,), input_shape=(2, 3)), layers.Dense(6), layers.Reshape((3, -1))])
    model.compile("sgd", "mse")
    images = X.reshape(-1, 2, 3)
    targets = X.reshape(-1, 3, 2)
    assert model.predict(images, verbose=0).shape == (70, 3, 2)
    first = model.evaluate(images, targets, verbose=0)
    assert first == pytest.approx(float(np.mean((model.predict(images, verbose=0) - targets) ** 2)), rel=1e-5)
    model.fit(images, targets, epochs=5, verbose=0)
    assert model.evaluate(images, targets, verbose=0) < first


def test_classes_with_computations_of_their_own_are_refused():
    with pytest.raises(fastnn.FastnnError, match=r"Own, a class with a call\(\) of its own, is not in"):

        class Own(layers.Layer):
            def call(self, inputs):
                return inputs
