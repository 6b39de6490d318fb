"""fastnn.dropin.layers against tests/layers_oracle.py, which is written anew from the original's behaviour."""

import copy
import doctest
import pickle
import sys
import warnings

import layers_oracle as oracle
import numpy as np
import pytest

import fastnn
from fastnn.dropin import functions, layers

SIZES = (12, 4, (9, 7))


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(functions, "_said", set())


@pytest.fixture(params=["native", "numba", "numpy"])
def any_backend(request):
    with fastnn.use(request.param):
        yield request.param


def samples(count=100, seed=1, inputs=12, outputs=4):
    """Learnable: the class is the largest of some sums of inputs."""
    rng = np.random.default_rng(seed)
    X = rng.random((count, inputs)) * (rng.random((count, inputs)) < 0.4)
    labels = (X @ rng.normal(size=(inputs, outputs))).argmax(axis=1)
    return X, np.eye(outputs)[labels], labels


def twins(*arguments, seed=3, sizes=SIZES, **options):
    np.random.seed(seed)
    theirs = oracle.SimpleNetwork(*sizes, *arguments)
    after = np.random.get_state()[2]
    np.random.seed(seed)
    ours = layers.SimpleNetwork(*sizes, *arguments, **options)
    assert np.random.get_state()[2] == after
    return ours, theirs


def distance(ours, theirs):
    pairs = [(a.W, b.W) for a, b in zip(ours.layers, theirs.layers, strict=True)]
    pairs += [(a.b, b.b) for a, b in zip(ours.layers, theirs.layers, strict=True)]
    return max(np.abs(found - expected).max() / np.abs(expected).max() for found, expected in pairs)


# ---- parameters and single layers


def test_parameters_are_drawn_as_the_original_draws_them():
    ours, theirs = twins()
    assert distance(ours, theirs) == 0
    assert [layer.size for layer in ours.layers] == [9, 7, 4]
    assert [layer.W.shape for layer in ours.layers] == [(12, 9), (9, 7), (7, 4)]
    np.random.seed(5)
    neuron = layers.Neuron(3, layers.sigmoid)
    np.random.seed(5)
    truth = oracle.Neuron(3, oracle.sigmoid)
    np.testing.assert_array_equal(neuron.W, truth.W)
    np.testing.assert_array_equal(neuron.b, truth.b)


@pytest.mark.parametrize("name", [n for n in layers.__all__ if n[0].islower()])
def test_the_functions(name):
    rng = np.random.default_rng(0)
    arguments = [rng.uniform(0.1, 0.9, (5, 3)) for _ in range(2 if "loss" in name or "entropy" in name else 1)]
    np.testing.assert_allclose(getattr(layers, name)(*arguments), getattr(oracle, name)(*arguments), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, list])
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_a_layer_forward_and_backward(any_backend, rows, dtype):
    ours, theirs = (network.layers[0] for network in twins())
    x = np.random.default_rng(2).integers(0, 3, (rows, 12))
    x = x.tolist() if dtype is list else x.astype(dtype)
    slopes = np.random.default_rng(3).normal(size=(rows, 9))
    np.testing.assert_allclose(ours.forward(x), theirs.forward(np.asarray(x, float)), rtol=1e-13)
    assert ours.x is x
    np.testing.assert_allclose(ours.y, theirs.y, rtol=1e-13)
    np.testing.assert_allclose(ours.backward(slopes), theirs.backward(slopes), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ours.dL_dW, theirs.dL_dW, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ours.dL_db, theirs.dL_db, rtol=1e-12, atol=1e-14)
    kept = ours.dL_dW
    ours.optimize(0.1)
    theirs.optimize(0.1)
    np.testing.assert_allclose(ours.W, theirs.W, rtol=1e-12)
    np.testing.assert_allclose(ours.b, theirs.b, rtol=1e-12)
    ours.backward(2 * slopes)
    assert ours.dL_dW is not kept  # the original makes a new array


def test_one_sample_is_a_vector():
    ours, theirs = twins()
    x = samples()[0][0]
    np.testing.assert_allclose(ours.forward(x), theirs.forward(x), rtol=1e-13)
    assert ours.forward(x).shape == (4,)
    back = ours.backward(np.ones(4))
    rows = copy.deepcopy(ours)
    rows.forward(x[np.newaxis])
    np.testing.assert_array_equal(back, rows.backward(np.ones((1, 4)))[0])
    np.testing.assert_array_equal(ours.layers[0].dL_dW, rows.layers[0].dL_dW)


def test_parameters_may_be_edited_and_assigned():
    ours, theirs = twins()
    X, T, _ = samples()
    view = ours.layers[1].W
    for network in (ours, theirs):
        network.layers[0].W[2, :] = 0.25
        network.layers[0].W = network.layers[0].W * 2
        network.layers[2].b = np.arange(4.0)
        network.train(X, T, num_epochs=1)
    assert distance(ours, theirs) < 1e-13
    np.testing.assert_array_equal(view, ours.layers[1].W)  # still a view
    with pytest.raises(fastnn.FastnnError, match=r"W\[0\]: expected shape \(12, 9\), found shape \(9, 12\)"):
        ours.layers[0].W = np.zeros((9, 12))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_are_on_their_own(duplicate):
    ours, theirs = twins()
    X, T, _ = samples()
    other = duplicate(ours)
    ours.train(X, T, num_epochs=1)
    assert distance(other, theirs) == 0
    other.train(X, T, num_epochs=1)
    assert distance(other, ours) == 0


def test_the_list_of_layers_may_change():
    X, T, _ = samples()
    networks = twins()
    for network, module in zip(networks, (layers, oracle), strict=True):
        np.random.seed(8)
        network.layers.insert(2, module.FullyConnectedLayer(7, 7, module.sigmoid, module.derivated_sigmoid))
        network.train(X, T, num_epochs=1)
    assert distance(*networks) < 1e-13
    networks[0].layers.pop(1)
    with pytest.raises(fastnn.FastnnError, match="layers: expected 9 inputs of float64"):
        networks[0].predict(X[0])


# ---- training


@pytest.mark.parametrize("losses", ["L2", "cross_entropy"])
@pytest.mark.parametrize("batch_size", [1, 8, 32])
def test_training(any_backend, capsys, losses, batch_size):
    names = f"loss_{losses}" if losses == "L2" else losses, f"derivated_{'loss_' if losses == 'L2' else ''}{losses}"
    np.random.seed(3)
    ours = layers.SimpleNetwork(*SIZES, loss_function=getattr(layers, names[0]),
                                derivated_loss_function=getattr(layers, names[1]))  # fmt: skip
    np.random.seed(3)
    theirs = oracle.SimpleNetwork(*SIZES, loss_function=getattr(oracle, names[0]),
                                  derivated_loss_function=getattr(oracle, names[1]))  # fmt: skip
    X, T, labels = samples(101)
    printed = []
    for network in (ours, theirs):
        found = network.train(X, T, X[:50], labels[:50], batch_size=batch_size, num_epochs=2, learning_rate=0.01)
        printed.append((capsys.readouterr().out, found))
    assert printed[0][0] == printed[1][0]
    np.testing.assert_allclose(printed[0][1], printed[1][1], rtol=1e-11)
    assert distance(ours, theirs) < 1e-11
    assert ours.layers[0].x is None
    assert ours.layers[0].dL_dW is None


def test_weights_after_a_hundred_updates_of_the_tutorials_network():
    (X, y), (X_test, y_test) = fastnn.datasets.load_mnist()
    X, X_test, T = X.reshape(-1, 784)[:3200] / 255.0, X_test.reshape(-1, 784)[:200] / 255.0, np.eye(10)[y[:3200]]
    ours, theirs = twins(sizes=(784, 10))
    figures = [network.train(X, T, X_test, y_test[:200], num_epochs=1) for network in (ours, theirs)]
    assert distance(ours, theirs) < 1e-10
    np.testing.assert_allclose(*figures, rtol=1e-10)
    raw = twins(sizes=(784, 10))[0]
    raw.layers[0].W /= 255
    raw.train((X * 255).round().astype(np.uint8), T, num_epochs=1)  # uint8 stays 0..255, as in the original
    assert np.isfinite(raw.layers[0].W).all()


def test_the_tail_that_fills_no_batch_is_dropped():
    X, T, _ = samples(45)
    ours, cut = twins()[0], twins()[0]
    assert ours.train(X, T, batch_size=20, num_epochs=2)[0] == cut.train(X[:40], T[:40], batch_size=20, num_epochs=2)[0]
    assert distance(ours, cut) == 0


def test_without_validation_the_accuracy_is_not_a_number(capsys):
    X, T, _ = samples()
    losses, accuracies = twins()[0].train(X, T, num_epochs=1)
    assert (len(losses), accuracies) == (1, [])
    assert capsys.readouterr().out.endswith("| val accuracy = nan%\n")


def test_predictions_and_accuracy(any_backend):
    ours, theirs = twins()
    X, _, labels = samples()
    assert ours.predict(X).tolist() == [theirs.predict(x) for x in X] == [ours.predict(x) for x in X]
    assert isinstance(ours.predict(X[0]), np.integer)
    assert ours.evaluate_accuracy(X, labels) == theirs.evaluate_accuracy(X, labels)
    ours.forward(X)
    ours.predict(X[0])
    assert ours.layers[0].x is X


def test_accuracy_over_seeds_is_the_originals():
    X, T, labels = samples(600, seed=4)
    found = []
    for seed in range(5):
        networks = twins(seed=seed)
        for network in networks:
            network.train(X, T, num_epochs=30, batch_size=10, learning_rate=0.05)
        found.append([network.evaluate_accuracy(X, labels) for network in networks])
    ours, theirs = np.mean(found, axis=0)
    assert theirs > 0.7
    assert ours == pytest.approx(theirs, abs=0.002)


def test_float32():
    X, T, _labels = samples()
    ours, theirs = twins(dtype="float32")
    for network in (ours, theirs):
        network.train(X, T, num_epochs=3, learning_rate=0.01)
    assert ours.layers[0].W.dtype == np.float32
    assert distance(ours, theirs) < 1e-5


# ---- callers' functions

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


def test_without_numba_functions_run_as_they_are(monkeypatch):
    monkeypatch.delattr("fastnn.kernels.jit_functions", raising=False)
    monkeypatch.setitem(sys.modules, "fastnn.kernels.jit_functions", None)
    X, T, _ = samples()
    ours, theirs = twins(np.tanh, lambda y: 1 - y * y)
    with pytest.warns(UserWarning, match="Numba cannot be used"):
        ours.train(X, T, num_epochs=1)
    theirs.train(X, T, num_epochs=1)
    assert distance(ours, theirs) < 1e-12


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


# ---- what is wrong


def test_divergence_keeps_the_last_parameters():
    X, T, _ = samples()
    ours, _ = twins(lambda x: x * x, lambda y: 2 * np.sqrt(y))
    with pytest.raises(fastnn.DivergenceError, match=r"epoch 0: training diverged after \d+ of 3 batches"):
        ours.train(X, T, learning_rate=1e9)
    assert all(np.isfinite(layer.W).all() for layer in ours.layers)


X, T, LABELS = samples()
WRONG = {
    "layer_size": (lambda: layers.FullyConnectedLayer(3, 0, np.tanh), "layer_size: expected an integer of at least 1"),
    "function": (lambda: layers.FullyConnectedLayer(3, 2, "sigmoid"), "activation_function: expected a function"),
    "inputs": (lambda: layers.Neuron(3, np.tanh).forward([1.0, 2.0]), r"x: expected shape \(3,\) or \(n, 3\)"),
    "rows": (lambda: layers.FullyConnectedLayer(3, 2, np.tanh).forward(X), r"x: expected shape \(n, 3\)"),
    "backward": (lambda: layers.FullyConnectedLayer(3, 2, np.tanh).backward([1.0]), "a forward pass before it"),
    "optimize": (lambda: layers.FullyConnectedLayer(3, 2, np.tanh).optimize(0.1), "a backward pass before it"),
    "targets": (lambda: twins()[0].train(X, LABELS), r"y_train: expected targets of shape \(100, 4\)"),
    "batch": (lambda: twins()[0].train(X, T, batch_size=101), "batch_size: expected at most 100"),
    "rate": (lambda: twins()[0].train(X, T, learning_rate=-1.0), "learning_rate"),
    "nan": (lambda: twins()[0].train(np.full_like(X, np.nan), T), "X_train: expected finite numbers"),
    "labels": (lambda: twins()[0].evaluate_accuracy(X, T), r"y_val: expected shape \(100,\)"),
    "no layers": (lambda: _without_layers().predict(X[0]), "layers: expected at least one layer"),
    "no derivative": (lambda: _without_derivative().train(X, T), "derivated_activation_function: expected a function"),
    "shape": (lambda: layers.FullyConnectedLayer(12, 2, lambda x: x.sum()).forward(X), "of its argument's shape"),
}


def _without_layers():
    network = twins()[0]
    network.layers.clear()
    return network


def _without_derivative():
    return layers.SimpleNetwork(12, 4, derivated_activation_function=None)


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case):
    call, message = WRONG[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(fastnn.FastnnError, match=message):
            call()


def test_the_examples_in_the_docstring():
    assert doctest.testmod(layers).failed == 0
    assert doctest.testmod(layers).attempted > 2
