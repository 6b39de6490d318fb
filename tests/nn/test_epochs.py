"""What MLP.fit computes: an epoch is that of the equations, whatever the arrays, in the seed's order."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from problems import EPSILON, assert_trained_like, naive_network
from problems import make_mlp as make

import fastnn
from fastnn import MLP

# ---- what an epoch does


SETTINGS = [
    ({}, ("sgd", 0.0)),
    ({"momentum": 0.8}, ("momentum", 0.8)),
    ({"optimizer": "momentum"}, ("momentum", 0.9)),
    ({"optimizer": "momentum", "momentum": 0.5}, ("momentum", 0.5)),
    ({"momentum": 0.8, "nesterov": True}, ("nesterov", 0.8)),
    ({"optimizer": "momentum", "nesterov": True}, ("nesterov", 0.9)),
    ({"optimizer": "nesterov"}, ("nesterov", 0.9)),
    ({"optimizer": "nesterov", "momentum": 0.5}, ("nesterov", 0.5)),
    ({"optimizer": "adam"}, ("adam", 0.0)),
]


@pytest.mark.quick("backend")
@pytest.mark.parametrize("l2", [0.0, 0.02])
@pytest.mark.parametrize(("settings", "rule"), SETTINGS, ids=str)
def test_epochs_are_those_of_the_equations(backend, data, settings, rule, l2):
    X, y = data
    model = make()
    network = naive_network(model)
    optimizer = naive.Optimizer(rule[0], 0.05, momentum=rule[1], l2=l2)
    history = model.fit(X, y, epochs=3, batch_size=7, learning_rate=0.05, l2=l2, shuffle=False, **settings)
    tolerance = 1e-10 if rule[0] == "adam" else 1e-12
    for epoch in range(3):  # the optimizer goes on from epoch to epoch
        total, correct, _ = naive.train_epoch(network, X.tolist(), naive.one_hot(y, 3), range(60), 7, optimizer)
        loss = total / 60 + naive.penalty(network, l2)
        assert history.loss[epoch] == pytest.approx(loss, rel=tolerance)
        assert history.accuracy[epoch] == correct / 60
    assert_trained_like(model, network, tolerance)


@pytest.mark.parametrize(
    ("output", "loss"),
    [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("sigmoid", "quadratic"), ("identity", None)],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_labels_are_one_hot_targets(backend, data, dtype, output, loss):
    X, y = data
    by_label, by_target = (make(dtype=dtype, output=output, loss=loss) for _ in range(2))
    expected = by_label.fit(X, y, epochs=2)
    found = by_target.fit(X, np.eye(3)[y], epochs=2)
    assert found.loss == expected.loss
    assert (by_label.params == by_target.params).all()
    for same in (y.astype(np.uint8), y.astype(">i8"), y.tolist(), np.eye(3, dtype=int)[y]):
        model = make(dtype=dtype, output=output, loss=loss)
        model.fit(X, same, epochs=2)
        assert (model.params == by_label.params).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_train_as_their_values_over_255(backend, data, dtype, tmp_path):
    images, y = np.random.default_rng(0).integers(0, 256, (60, 5)).astype(np.uint8), data[1]
    images.tofile(tmp_path / "X")
    memory_mapped = np.memmap(tmp_path / "X", np.uint8, "r", shape=images.shape)
    by_bytes, by_map, by_floats = (make(dtype=dtype) for _ in range(3))
    by_bytes.fit(images, y, epochs=2)
    by_map.fit(memory_mapped, y, epochs=2)
    by_floats.fit(images / 255, y, epochs=2)
    assert (by_map.params == by_bytes.params).all()
    assert np.abs(by_bytes.params - by_floats.params).max() <= 16 * EPSILON[dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kind_of_array_does_not_matter(backend, data, dtype, tmp_path):
    X, y = data[0].astype(np.float32), data[1]
    expected = make(dtype=dtype)
    expected.fit(X, y, epochs=1)
    read_only = X.copy()
    read_only.flags.writeable = False
    X.tofile(tmp_path / "X")
    memory_mapped = np.memmap(tmp_path / "X", np.float32, "r", shape=X.shape)
    for same in (X.astype(np.float64), np.asfortranarray(X), read_only, memory_mapped, X.tolist()):
        model = make(dtype=dtype)
        model.fit(same, y, epochs=1)
        assert (model.params == expected.params).all()


def test_the_callers_arrays_are_left_alone(backend, data):
    X, y = data
    originals = X.copy(), y.copy()
    make().fit(X, y, epochs=2)
    for array, original in zip(data, originals, strict=True):
        assert (array == original).all()


def test_without_biases(backend, data):
    X, y = data
    model = make(bias=False)
    network = naive_network(model)
    model.fit(X, y, epochs=1, batch_size=7, shuffle=False)
    naive.train_epoch(network, X.tolist(), naive.one_hot(y, 3), range(60), 7, naive.Optimizer("sgd", 0.1))
    assert_trained_like(model, network, 1e-12)


def test_a_batch_larger_than_the_data_is_all_of_it(data):
    whole, larger = make(), make()
    whole.fit(*data, epochs=2, batch_size=60)
    larger.fit(*data, epochs=2, batch_size=10**30)
    assert (whole.params == larger.params).all()


def test_all_backends_train_alike(data):
    models = [make() for _ in range(3)]
    for model, name in zip(models, ("native", "numba", "numpy"), strict=True):
        with fastnn.use(name):
            model.fit(*data, epochs=5, batch_size=4)
    for model in models[1:]:
        assert np.abs(model.params - models[0].params).max() <= 1e-12 * np.abs(models[0].params).max()


@pytest.mark.quick("backend")
def test_training_learns(backend):
    """Two moons' simplest cousin: exclusive or."""
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    model = MLP([2, 8, 1], activation="tanh", seed=0)
    history = model.fit(X, y, epochs=500, batch_size=4, optimizer="adam", learning_rate=0.05)
    assert model.score(X, y) == 1
    assert history.loss[-1] < 0.05 < history.loss[0]


# ---- orders and seeds


def test_shuffling_draws_a_new_permutation_every_epoch(monkeypatch, data):
    orders, kernels = [], fastnn.get_backend("numpy")
    original = kernels.train_epoch
    monkeypatch.setattr(kernels, "train_epoch", lambda *args: orders.append(args[4].order.tolist()) or original(*args))
    with fastnn.use("numpy"):
        make().fit(*data, epochs=3)
        make().fit(*data, epochs=1)
        make(seed=2).fit(*data, epochs=1)
        make().fit(*data, epochs=2, shuffle=False)
    shuffled, again, other, plain = orders[:3], orders[3], orders[4], orders[5:]
    assert all(sorted(order) == list(range(60)) for order in orders)
    assert len({tuple(order) for order in shuffled}) == 3
    assert again == shuffled[0]
    assert other != shuffled[0]
    assert plain == [list(range(60))] * 2


def test_the_seed_decides_everything(backend, data):
    first, second, third = make(), make(), make(seed=2)
    for model in (first, second, third):
        model.fit(*data, epochs=2)
    assert (first.params == second.params).all()
    assert (first.params != third.params).any()


def test_fit_goes_on_from_the_present_weights(backend, data):
    twice, once = make(), make()
    twice.fit(*data, epochs=2, shuffle=False)
    twice.fit(*data, epochs=3, shuffle=False)
    once.fit(*data, epochs=5, shuffle=False)
    assert (twice.params == once.params).all()


def test_fit_starts_with_a_fresh_optimizer(data):
    X, y = data
    model = make()
    model.fit(X, y, epochs=2, learning_rate=0.1, momentum=0.9, shuffle=False)
    network = naive_network(model)
    model.fit(X, y, epochs=1, batch_size=20, learning_rate=0.1, momentum=0.9, shuffle=False)
    fresh = naive.Optimizer("momentum", 0.1, momentum=0.9)
    naive.train_epoch(network, X.tolist(), naive.one_hot(y, 3), range(60), 20, fresh)
    assert_trained_like(model, network, 1e-12)
