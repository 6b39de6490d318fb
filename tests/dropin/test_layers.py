"""fastnn.dropin.layers against tests/layers_oracle.py, which is written anew from the original's behaviour."""

import copy
import doctest
import pickle
import warnings

import layers_oracle as oracle
import numpy as np
import pytest
from layer_twins import SIZES, distance, samples, twins

import fastnn
from fastnn.dropin import layers, layers_notebook

pytestmark = pytest.mark.usefixtures("said_nothing_yet")


@pytest.fixture(params=["native", "numba", "numpy"])
def any_backend(request):
    with fastnn.use(request.param):
        yield request.param


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


@pytest.mark.quick("any_backend")
@pytest.mark.parametrize("losses", ["L2", "cross_entropy"])
@pytest.mark.parametrize("batch_size", [1, 8, 32])
def test_training(any_backend, capsys, losses, batch_size):
    loss = "loss_L2" if losses == "L2" else losses
    made = []
    for module in (layers, oracle):
        np.random.seed(3)
        functions = getattr(module, loss), getattr(module, f"derivated_{loss}")
        made.append(module.SimpleNetwork(*SIZES, loss_function=functions[0], derivated_loss_function=functions[1]))
    ours, theirs = made
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


@pytest.mark.parametrize(("module", "options"), [(layers_notebook, {}), (layers, {"print_frequency": 20})])
@pytest.mark.parametrize("epochs", [0, 1, 41, 47])
def test_every_twentieth_epoch_is_printed_and_the_last(capsys, module, options, epochs):
    X, T, labels = samples()
    printed = []
    for kind, these in ((module.SimpleNetwork, options), (oracle.NotebookNetwork, {})):
        np.random.seed(3)
        network = kind(*SIZES)
        losses, accuracies = network.train(X, T, X[:50], labels[:50], num_epochs=epochs, **these)
        assert (len(losses), len(accuracies)) == (epochs, epochs)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert len(printed[0].splitlines()) == {0: 0, 1: 1, 41: 3, 47: 4}[epochs]


def test_losses_are_of_the_originals_type():
    assert type(twins()[0].train(X, T, num_epochs=1)[0][0]) is np.float64


def test_the_names_of_the_notebook():
    assert layers_notebook.binary_cross_entropy is layers.cross_entropy
    assert layers_notebook.derivated_binary_cross_entropy is layers.derivated_cross_entropy
    assert set(layers.__all__) ^ set(layers_notebook.__all__) == {
        "cross_entropy",
        "derivated_cross_entropy",
        "binary_cross_entropy",
        "derivated_binary_cross_entropy",
    }


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
    "lines": (lambda: twins()[0].train(X, T, print_frequency=0), "print_frequency: expected an integer of at least 1"),
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
