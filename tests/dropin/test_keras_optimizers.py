"""Optimizers and schedules of fastnn.dropin.keras against Keras 3's equations, written anew in NumPy."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import layers, models, optimizers
from fastnn.dropin.keras.optimizers import schedules

RNG = np.random.default_rng(4)
X = RNG.normal(size=(60, 5))
Y = X @ RNG.normal(size=(5, 3)) + RNG.normal(size=(60, 3))
BATCH = 12


@pytest.fixture(autouse=True)
def _float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


def linear(optimizer):
    model = models.Sequential([layers.Dense(3, input_dim=5)])
    model.compile(optimizer, "mse")
    return model


def gradients(kernel, bias, rows):
    error = 2 * (X[rows] @ kernel + bias - Y[rows]) / (3 * len(rows))
    return [X[rows].T @ error, error.sum(axis=0)]


def follow(weights, step, epochs=4, change=lambda grads: grads):
    """The weights after ``step(i, slot, w, g)`` for every weight of every batch, the i-th, with a dict a weight."""
    weights, slots, i = [w.copy() for w in weights], [{}, {}], 0
    for _ in range(epochs):
        for start in range(0, len(X), BATCH):
            grads = change(gradients(*weights, np.arange(start, start + BATCH)))
            weights = [step(i, slot, w, g) for slot, w, g in zip(slots, weights, grads, strict=True)]
            i += 1
    return weights


def sgd(rate):
    return lambda i, slot, w, g: w - (rate(i) if callable(rate) else rate) * g


def rmsprop(i, slot, w, g, rate=0.01, rho=0.8, momentum=0.0):
    slot["v"] = rho * slot.get("v", 0) + (1 - rho) * g**2
    step = rate * g / np.sqrt(slot["v"] + 1e-7)
    slot["m"] = momentum * slot.get("m", 0) + step
    return w - (slot["m"] if momentum else step)


def adam(i, slot, w, g, rate=0.01, decay=0.0):
    t = i + 1
    w = w - w * decay * rate
    slot["m"] = slot.get("m", 0) + (g - slot.get("m", 0)) * (1 - 0.9)
    slot["v"] = slot.get("v", 0) + (g**2 - slot.get("v", 0)) * (1 - 0.999)
    return w - rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * slot["m"] / (np.sqrt(slot["v"]) + 1e-7)


def nadam(i, slot, w, g, rate=0.01):
    t = i + 1
    now, after = 0.9 * (1 - 0.5 * 0.96**t), 0.9 * (1 - 0.5 * 0.96 ** (t + 1))
    slot["u"] = slot.get("u", 1) * now
    slot["m"] = 0.9 * slot.get("m", 0) + 0.1 * g
    slot["v"] = 0.999 * slot.get("v", 0) + 0.001 * g**2
    mean = after * slot["m"] / (1 - slot["u"] * after) + (1 - now) * g / (1 - slot["u"])
    return w - rate * mean / (np.sqrt(slot["v"] / (1 - 0.999**t)) + 1e-7)


def adagrad(i, slot, w, g, rate=0.5):
    slot["v"] = slot.get("v", 0.3) + g**2
    return w - rate * g / np.sqrt(slot["v"] + 1e-7)


def by_norm(grads):
    return [g * min(1, 0.5 / np.linalg.norm(g)) for g in grads]


def by_global_norm(grads):
    norm = math.sqrt(sum((g**2).sum() for g in grads))
    return [g * min(1, 0.5 / norm) for g in grads]


RULES = {
    "rmsprop": (lambda: optimizers.RMSprop(0.01, 0.8), rmsprop, None),
    "rmsprop, momentum": (lambda: optimizers.RMSprop(0.01, 0.8, 0.9), lambda *a: rmsprop(*a, momentum=0.9), None),
    "adamw": (lambda: optimizers.AdamW(0.01, 0.03), lambda *a: adam(*a, decay=0.03), None),
    "adam, weight decay": (lambda: optimizers.Adam(0.01, weight_decay=0.1), lambda *a: adam(*a, decay=0.1), None),
    "nadam": (lambda: optimizers.Nadam(0.01), nadam, None),
    "adagrad": (lambda: optimizers.Adagrad(0.5, 0.3), adagrad, None),
    "clipvalue": (lambda: optimizers.SGD(0.1, clipvalue=0.2), sgd(0.1), lambda g: [np.clip(x, -0.2, 0.2) for x in g]),
    "clipnorm": (lambda: optimizers.SGD(0.1, clipnorm=0.5), sgd(0.1), by_norm),
    "global_clipnorm": (lambda: optimizers.SGD(0.1, global_clipnorm=0.5), sgd(0.1), by_global_norm),
    "decay": (lambda: optimizers.SGD(lr=0.1, decay=0.2), sgd(lambda i: 0.1 / (1 + 0.2 * i)), None),
    "schedule": (
        lambda: optimizers.SGD(schedules.ExponentialDecay(0.1, 4, 0.5)),
        sgd(lambda i: 0.1 * 0.5 ** (i / 4)),
        None,
    ),
}


@pytest.mark.parametrize("backend", ["native", "numpy"])
@pytest.mark.parametrize("name", RULES)
def test_twenty_updates(name, backend):
    make, step, change = RULES[name]
    with fastnn.use(backend):
        model = linear(make())
        first = model.get_weights()
        model.fit(X, Y, batch_size=BATCH, epochs=3, shuffle=False, verbose=0)
        for start in range(0, len(X), BATCH):
            rows = slice(start, start + BATCH)
            model.train_on_batch(X[rows], Y[rows])  # goes on with state and count
    assert model.optimizer.iterations == 20
    expected = follow(first, step, change=change or (lambda grads: grads))
    for array, other in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["sgd", "RMSprop", "rmsprop", "Adam", "adamw", "nadam", "adagrad"])
def test_names(name):
    optimizer = optimizers.get(name)
    assert type(optimizer).__name__.lower() == name.lower()
    assert float(optimizer.learning_rate) == (0.01 if name == "sgd" else 0.001)
    again = type(optimizer)(**optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    assert again.rule() == optimizer.rule()
    assert (
        optimizers.get({"class_name": type(optimizer).__name__, "config": optimizer.get_config()}).rule()
        == again.rule()
    )


def test_the_learning_rate_is_a_number_that_may_be_assigned():
    model = linear(optimizers.Adam(lr=0.25))
    optimizer = model.optimizer
    assert optimizer.lr == optimizer.learning_rate == 0.25
    assert float(optimizer.learning_rate.numpy()) == 0.25
    assert f"{optimizer.lr:.3f}" == "0.250"
    optimizer.lr = 0.5
    assert optimizer.learning_rate == 0.5
    optimizer.learning_rate.assign(np.float32(0.125))
    assert optimizer.rule().learning_rate == 0.125
    optimizer.lr = np.array(2.0)
    optimizer.learning_rate = optimizer.learning_rate * 0.5
    assert optimizer.rule().learning_rate == 1.0
    assert pickle.loads(pickle.dumps(optimizer.lr)) == 1.0
    assert copy.deepcopy(model).optimizer.lr == 1.0


def test_a_schedule_is_not_overwritten_by_a_number():
    optimizer = optimizers.SGD(learning_rate=schedules.PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.25]))
    assert optimizer.learning_rate == 1.0
    optimizer.iterations = 3
    assert optimizer.learning_rate == 0.5
    with pytest.raises(fastnn.FastnnError, match="learning_rate: expected a schedule"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = schedules.InverseTimeDecay(1.0, 1, 0.5)
    assert optimizers.SGD(**optimizer.get_config()).rates(2).tolist() == [1.0, 1 / 1.5]


STEPS = np.array([0, 1, 4, 5, 10, 23])

# The rates of STEPS as Keras 3.15.1 computes them, in float32.
SCHEDULES = {
    "exponential": (
        schedules.ExponentialDecay(0.5, 4, 0.5),
        [0.5, 0.42044821, 0.25, 0.21022411, 0.08838835, 0.00929068],
    ),
    "stairs": (
        schedules.ExponentialDecay(0.5, 4, 0.5, staircase=True),
        [0.5, 0.5, 0.25, 0.25, 0.125, 0.015625],
    ),
    "inverse": (schedules.InverseTimeDecay(0.5, 4, 2.0), [0.5, 0.5 / 1.5, 0.5 / 3, 0.5 / 3.5, 0.5 / 6, 0.5 / 12.5]),
    "polynomial": (schedules.PolynomialDecay(0.5, 8, 0.1, 2.0), [0.5, 0.40625, 0.2, 0.15625, 0.1, 0.1]),
    "cycle": (
        schedules.PolynomialDecay(0.5, 8, 0.1, 2.0, cycle=True),
        [0.5, 0.40625, 0.2, 0.15625, 0.15625, 0.10069445],
    ),
    "cosine": (schedules.CosineDecay(0.5, 8, 0.1), [0.5, 0.4828729, 0.27499998, 0.18889621, 0.05, 0.05]),
    "warm": (
        schedules.CosineDecay(0.1, 8, 0.1, warmup_target=0.5, warmup_steps=3),
        [0.1, 0.23333333, 0.48287287, 0.43409902, 0.06712709, 0.05],
    ),
    "pieces": (schedules.PiecewiseConstantDecay([4, 10], [3.0, 2.0, 1.0]), [3, 3, 3, 2, 2, 1]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    schedule, expected = SCHEDULES[name]
    np.testing.assert_allclose(schedule(STEPS), expected, rtol=1e-6)
    assert schedule(4).numpy() == pytest.approx(expected[2])
    again = schedules.deserialize(schedules.serialize(schedule))
    assert again.get_config() == schedule.get_config()
    np.testing.assert_array_equal(again.rates(0, 24)[STEPS], schedule(STEPS))


def test_a_schedule_of_ones_own():
    class Warm(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1 * min(1.0, (step + 1) / 7)

    model = linear(optimizers.SGD(Warm()))
    first = model.get_weights()
    model.fit(X, Y, batch_size=BATCH, epochs=4, shuffle=False, verbose=0)
    expected = follow(first, sgd(lambda i: 0.1 * min(1, (i + 1) / 7)))
    np.testing.assert_allclose(model.get_weights()[0], expected[0], rtol=1e-12)


WRONG = [
    (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0), "clipnorm: expected at most one of clipnorm, clipvalue"),
    (lambda: optimizers.SGD(clipvalue=0), "clipvalue: expected a finite number above 0"),
    (lambda: optimizers.RMSprop(centered=True), "centered: expected no such option of RMSprop"),
    (lambda: optimizers.Adam(amsgrad=True), "amsgrad: expected no such option of Adam"),
    (lambda: optimizers.Nadam(schedule_decay=0.1), "schedule_decay: expected no such option of Nadam"),
    (lambda: optimizers.SGD(gradient_accumulation_steps=2), "gradient_accumulation_steps: expected no such option"),
    (lambda: optimizers.get("adadelta"), "optimizer: expected one of sgd, rmsprop, adam, .*, found 'adadelta'"),
    (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps: expected a finite number above 0"),
    (lambda: schedules.PiecewiseConstantDecay([1], [1.0]), "values: expected 2, one more than boundaries"),
]


@pytest.mark.parametrize(("call", "message"), WRONG, ids=[message[:30] for _, message in WRONG])
def test_one_clear_error(call, message):
    with pytest.raises(fastnn.FastnnError, match=message):
        call()
