"""Callers' activation and loss functions in fastnn.dropin.layers: compiled, or run as they are."""

import functools
import sys

import layers_oracle as oracle
import numpy as np
import pytest
from layer_twins import SIZES, distance, samples, twins

import fastnn
from fastnn.dropin import layers
from fastnn.dropin.layers import functions

pytestmark = pytest.mark.usefixtures("said_nothing_yet")

SLOPE = 0.05


def leaky(x):
    return np.where(x > 0, x, SLOPE * x)


def derivated_leaky(y):
    return np.where(y > 0, 1.0, SLOPE)


def bent(x):
    return leaky(x) + 0.1 * np.tanh(x)  # calls another function


def derivated_bent(y):
    return derivated_leaky(y)


def in_place(x):
    x *= 0.5
    return np.tanh(x)


def by_a_mask(x):
    x[x < 0] = 0
    return x


def by_halves(x):
    return by_halves(x / 2) if np.abs(x).max() > 100 else np.tanh(x)


class Doubled:
    def __call__(self, x):
        return np.tanh(2 * x)


OWN = {
    "relu as a lambda": (lambda x: np.maximum(x, 0), lambda y: y > 0),
    "their own sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)),
    "step": (lambda x: np.where(x > 0, 1, 0), lambda y: np.ones_like(y)),
    "in place": (in_place, lambda y: 0.5 * (1 - y * y)),
}
NOT_COMPILED = {
    "an object": (Doubled(), lambda y: 2 * (1 - y * y), "no Python function, but of type Doubled"),
    "a recursion": (by_halves, lambda y: 1 - y * y, "it calls itself"),
    "a list": (lambda x: np.tanh(x * FACTORS[0]), lambda y: 1 - y * y, "refers to 'FACTORS', of type list"),
    "random": (lambda x: np.tanh(x) + 0 * np.random.rand(*x.shape), lambda y: 1 - y * y, "draws random numbers"),
    "a mask": (by_a_mask, lambda y: y > 0, "Numba cannot compile it"),
    "beyond Numba": (lambda x: np.apply_along_axis(np.tanh, 0, x), lambda y: 1 - y * y, "Numba cannot compile it"),
}
FACTORS = [1.0]


@pytest.mark.parametrize(("kind", "backend"), [*((kind, "native") for kind in OWN), ("their own sigmoid", "numpy")])
def test_callers_functions_are_compiled(backend, capsys, kind):
    X, T, labels = samples()
    ours, theirs = twins(*OWN[kind])
    with fastnn.use(backend):
        for network in (ours, theirs):
            for layer in network.layers:
                layer.W *= 0.3
            network.train(X, T, X, labels, num_epochs=2, batch_size=8, learning_rate=0.003)
        lines, said = capsys.readouterr()
        lines = lines.splitlines()
        assert lines[:2] == lines[2:]
        assert said.count("compiled with Numba") == (backend != "numpy")
        assert distance(ours, theirs) < 1e-11
        np.testing.assert_allclose(ours.forward(X), theirs.forward(X), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(ours.backward(T), theirs.backward(T), rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(ours.forward(X[0]), theirs.forward(X[0]), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("kind", NOT_COMPILED)
def test_others_run_as_they_are_and_it_says_why(kind):
    X, T, _ = samples()
    activation, derivative, why = NOT_COMPILED[kind]
    ours, theirs = twins(activation, derivative)
    with pytest.warns(UserWarning, match=why) as caught:
        ours.train(X, T, num_epochs=2, learning_rate=0.003)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    theirs.train(X, T, num_epochs=2, learning_rate=0.003)
    assert distance(ours, theirs) < 1e-11


def test_a_number_that_a_function_refers_to_may_change(monkeypatch):
    X, T, _ = samples()
    ours, theirs = twins(bent, derivated_bent)
    for slope in (0.05, 0.5):
        monkeypatch.setitem(globals(), "SLOPE", slope)
        for network in (ours, theirs):
            network.train(X, T, num_epochs=1, learning_rate=0.0001)
            network.forward(X)
        np.testing.assert_allclose(ours.layers[-1].y, theirs.layers[-1].y, rtol=1e-10)
        assert distance(ours, theirs) < 1e-10


@pytest.mark.parametrize("built_in", ["activation", "loss"])
def test_built_in_functions_beside_callers(capsys, built_in):
    X, T, _ = samples()

    def absolute(pred, target):
        return np.sum(np.abs(pred - target)) / len(pred)

    def derivated_absolute(pred, target):
        return np.sign(pred - target)

    found = []
    for module in (layers, oracle):
        np.random.seed(3)
        own = {"activation_function": np.tanh, "derivated_activation_function": lambda y: 1 - y * y}
        if built_in == "activation":
            own = {"loss_function": absolute, "derivated_loss_function": derivated_absolute}
        network = module.SimpleNetwork(*SIZES, **own)
        network.train(X, T, num_epochs=2, learning_rate=0.01)
        found.append(network)
    assert distance(*found) < 1e-11
    assert "sigmoid" not in capsys.readouterr().err


def test_layers_of_several_kinds_go_one_by_one():
    X, T, _ = samples()
    networks = twins()
    for network in networks:
        network.layers[0].activation_function = np.tanh
        network.layers[0].derivated_activation_function = lambda y: 1 - y * y
        network.train(X, T, num_epochs=2, learning_rate=0.01)
    assert distance(*networks) < 1e-12
    assert networks[0].predict(X[0]) == networks[1].predict(X[0])


def refuse_to_cache(*arguments, **options):
    raise RuntimeError("cannot cache function: no locator available")


@pytest.mark.parametrize("reason", ["not installed", "no folder for its cache"])
def test_without_numba_functions_run_as_they_are(monkeypatch, reason):
    monkeypatch.delattr("fastnn.kernels.numba.user_functions", raising=False)
    if reason == "not installed":
        monkeypatch.setitem(sys.modules, "fastnn.kernels.numba.user_functions", None)
    else:
        monkeypatch.delitem(sys.modules, "fastnn.kernels.numba.user_functions", raising=False)
        monkeypatch.setattr("numba.njit", refuse_to_cache)
    monkeypatch.setattr(functions, "_compiler", functools.cache(functions._compiler.__wrapped__))
    X, T, _ = samples()
    ours, theirs = twins(np.tanh, lambda y: 1 - y * y)
    with pytest.warns(UserWarning, match="Numba cannot be used"):
        ours.train(X, T, num_epochs=1)
    theirs.train(X, T, num_epochs=1)
    assert distance(ours, theirs) < 1e-12
    assert functions._compiler.cache_info().misses == 1  # an import that fails takes milliseconds


def test_a_neuron_of_any_function():
    def step(z):
        return np.where(z > 0, 1, 0)

    for function in (step, layers.sigmoid, lambda z: 1 if z > 0 else 0):
        np.random.seed(6)
        ours = layers.Neuron(3, function)
        np.random.seed(6)
        theirs = oracle.Neuron(3, function)
        x = np.random.default_rng(1).uniform(size=(2, 3))
        np.testing.assert_array_equal(ours.forward(x[0]), theirs.forward(x[0]))
        if function is step:
            np.testing.assert_array_equal(ours.forward(x), theirs.forward(x))
