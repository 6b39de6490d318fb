"""fastnn.dropin.keras beside Keras itself, which must be installed: losses from equal weights, accuracies over seeds.

    KERAS_BACKEND=jax python benchmarks/keras_parity.py                   # every loss, some minutes
    KERAS_BACKEND=jax python benchmarks/keras_parity.py --only mae adam   # combinations whose names hold all of these
    KERAS_BACKEND=jax python benchmarks/keras_parity.py --seeds 5 --only none  # accuracies alone

From equal weights and without shuffling, the losses of three epochs agree to 1e-5 for every loss, optimizer and
activation that both have; shuffling and dropout draw other random numbers, so there only the accuracies' distributions
can agree. Where Keras' backends differ, fastnn follows TensorFlow: the binary cross-entropy of sigmoid outputs and the
categorical one of softmax outputs are computed from the inputs of those, and only other outputs are clipped to
[1e-7, 1 - 1e-7]. JAX, NumPy and PyTorch clip all probabilities, which differs for those nearer to 0 or 1 than that. But
the categorical one of sigmoid outputs divides them by their sum, as all but TensorFlow do, which takes their inputs for
those of a softmax: there it is left out.

A combination may differ by rounding: where a gradient is a sum that is all but zero, Adam and its like step by its
sign. With --floatx float64, and JAX_ENABLE_X64=1 for JAX, what is left tells that from a mistake.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras as theirs

import fastnn.dropin.keras as ours
from fastnn.datasets import load_mnist
from fastnn.errors import FastnnError

RNG = np.random.default_rng(0)
COUNT, WIDTH, CLASSES, EPOCHS, BATCH = 96, 8, 3, 3, 16
X = RNG.normal(size=(COUNT, WIDTH)).astype(np.float32)
LABELS = (X @ RNG.normal(size=(WIDTH, CLASSES))).argmax(axis=1)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[LABELS]
BITS = (X[:, :2] > 0.3).astype(np.float32)
NUMBERS = (X[:, :2] * 1.5 + X[:, 2:4]).astype(np.float32)
COUNTS = RNG.poisson(np.exp(X[:, :2] / 2)).astype(np.float32)
TOLERANCE = 1e-5  # of a loss, relative

Array = NDArray[Any]


class Problem(NamedTuple):
    """A loss, by Keras' module, with the outputs and targets that it goes with."""

    loss: Callable[[Any], Any]
    output: str
    targets: Array


PROBLEMS = {
    "mse": Problem(lambda k: "mse", "linear", NUMBERS),
    "mse of sigmoid": Problem(lambda k: "mse", "sigmoid", BITS),
    "mae": Problem(lambda k: "mae", "linear", NUMBERS),
    "huber": Problem(lambda k: k.losses.Huber(), "linear", NUMBERS),
    "poisson": Problem(lambda k: "poisson", "exponential", COUNTS),
    "poisson of softplus": Problem(lambda k: "poisson", "softplus", COUNTS),
    "binary": Problem(lambda k: "binary_crossentropy", "sigmoid", BITS),
    "binary of hard_sigmoid": Problem(lambda k: "binary_crossentropy", "hard_sigmoid", BITS),
    "binary of logits": Problem(lambda k: k.losses.BinaryCrossentropy(from_logits=True), "linear", BITS),
    "categorical": Problem(lambda k: "categorical_crossentropy", "softmax", ONE_HOT),
    "categorical of sigmoid": Problem(lambda k: "categorical_crossentropy", "sigmoid", ONE_HOT),
    "categorical of logits": Problem(lambda k: k.losses.CategoricalCrossentropy(from_logits=True), "linear", ONE_HOT),
    "sparse": Problem(lambda k: "sparse_categorical_crossentropy", "softmax", LABELS),
    "sparse of logits": Problem(lambda k: k.losses.SparseCategoricalCrossentropy(from_logits=True), "linear", LABELS),
}
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda k: "sgd",
    "momentum": lambda k: k.optimizers.SGD(0.02, momentum=0.9),
    "nesterov": lambda k: k.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    "rmsprop": lambda k: "rmsprop",
    "adam": lambda k: "adam",
    "adamw": lambda k: k.optimizers.AdamW(0.01),
    "nadam": lambda k: k.optimizers.Nadam(0.01),
    "adagrad": lambda k: k.optimizers.Adagrad(0.05),
    "sgd with clipnorm": lambda k: k.optimizers.SGD(0.1, clipnorm=0.2),
    "sgd with clipvalue": lambda k: k.optimizers.SGD(0.1, clipvalue=0.02),
    "sgd with global_clipnorm": lambda k: k.optimizers.SGD(0.1, global_clipnorm=0.2),
    "adam with a schedule": lambda k: k.optimizers.Adam(k.optimizers.schedules.ExponentialDecay(0.05, 4, 0.7)),
}
ACTIVATIONS = [
    *("linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign"),
    *("hard_sigmoid", "exponential"),
]


def losses(k: Any, problem: Problem, optimizer: Callable[[Any], Any], activation: str) -> list[float]:
    """The loss of each epoch."""
    outputs = problem.targets.shape[1] if problem.targets.ndim > 1 else CLASSES
    shapes = [(WIDTH, 7), (7,), (7, outputs), (outputs,)]
    layers = [k.layers.Input((WIDTH,)), k.layers.Dense(7, activation), k.layers.Dense(outputs, problem.output)]
    model = k.Sequential(layers)
    rng = np.random.default_rng(3)
    model.set_weights([(rng.normal(size=shape) * 0.3).astype(np.float32) for shape in shapes])
    model.compile(optimizer=optimizer(k), loss=problem.loss(k))
    fitted = model.fit(X, problem.targets, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0)
    return [float(loss) for loss in fitted.history["loss"]]


def compare_losses(only: list[str], sample: int | None) -> None:
    print(f"{'loss, optimizer, activation':64} {'Keras, last epoch':>18} {'differs by':>11}")
    counts = {"agree": 0, "differ": 0, "refused": 0}
    combinations = [
        parts
        for parts in itertools.product(PROBLEMS, OPTIMIZERS, ACTIVATIONS)
        if all(part in ", ".join(parts) for part in only)
    ]
    if sample is not None:
        combinations = random.Random(0).sample(combinations, min(sample, len(combinations)))
    for name, how, activation in combinations:
        title, problem, optimizer = f"{name}, {how}, {activation}", PROBLEMS[name], OPTIMIZERS[how]
        expected = losses(theirs, problem, optimizer, activation)
        try:
            found = losses(ours, problem, optimizer, activation)
        except FastnnError as error:
            counts["refused"] += 1
            print(f"{title:64} {expected[-1]:18.7f} refused: {error}")
            continue
        apart = float(np.abs(np.array(found) / expected - 1).max())
        counts["agree" if apart <= TOLERANCE else "differ"] += 1
        print(f"{title:64} {expected[-1]:18.7f} {apart:11.1e}{'' if apart <= TOLERANCE else '  DIFFERS'}", flush=True)
    print(", ".join(f"{count} {what}" for what, count in counts.items()))


def digits(k: Any) -> float:
    """Test accuracy of the first program on 6,000 digits, after two epochs."""
    (x, y), (x_test, y_test) = load_mnist()
    model = k.Sequential([k.layers.Dense(32, "relu"), k.layers.Dropout(0.2), k.layers.Dense(10, "softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:6000].reshape(-1, 784) / np.float32(255), y[:6000], epochs=2, verbose=0)
    return float(model.evaluate(x_test[:2000].reshape(-1, 784) / np.float32(255), y_test[:2000], verbose=0)[1])


def patients(k: Any) -> float:
    """Accuracy of the 12-8-1 network of the Pima tutorials, with data of its shape."""
    rng = np.random.default_rng(5)
    x = rng.random((768, 8)) * [17, 199, 122, 99, 846, 67, 2.4, 81]
    y = x[:, 1] / 199 + x[:, 5] / 67 + 0.2 * rng.normal(size=768) > 1
    layers = [k.layers.Dense(12, "relu"), k.layers.Dense(8, "relu"), k.layers.Dense(1, "sigmoid")]
    model = k.Sequential(layers)
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x, y, epochs=40, batch_size=10, verbose=0)
    return float(model.evaluate(x, y, verbose=0)[1])


def flowers(k: Any) -> float:
    """Accuracy on three classes of four numbers, by RMSprop."""
    rng = np.random.default_rng(6)
    y = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 4)) + 1.2 * np.eye(3, 4)[y]
    model = k.Sequential([k.layers.Dense(10, "tanh"), k.layers.Dense(3, "softmax")])
    model.compile(loss="sparse_categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    model.fit(x[:200], y[:200], epochs=30, batch_size=8, verbose=0)
    return float(model.evaluate(x[200:], y[200:], verbose=0)[1])


def compare_accuracies(seeds: int) -> None:
    for program in (digits, patients, flowers):
        figures = {}
        for name, k in (("fastnn", ours), ("Keras", theirs)):
            runs = []
            for seed in range(seeds):
                k.utils.set_random_seed(seed)
                runs.append(program(k))
            figures[name] = statistics.fmean(runs), statistics.stdev(runs), runs
        (mean, _, _), (expected, spread, runs) = figures["fastnn"], figures["Keras"]
        within = min(runs) - spread <= mean <= max(runs) + spread
        print(
            f"{program.__name__:10} over {seeds} seeds: "
            + ", ".join(f"{name} {values[0]:.4f} +- {values[1]:.4f}" for name, values in figures.items())
            + f"; apart {mean - expected:+.4f}, {'within' if within else 'OUTSIDE'} Keras' own spread",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], help="combinations whose names hold all of these")
    parser.add_argument("--floatx", choices=("float32", "float64"), default="float32")
    parser.add_argument("--sample", type=int, help="compare so many of the combinations, drawn at random")
    parser.add_argument("--seeds", type=int, default=0, help="compare accuracies over so many seeds as well")
    options = parser.parse_args()
    for k in (ours, theirs):
        k.config.set_floatx(options.floatx)
    if theirs.backend.backend() == "tensorflow":
        del PROBLEMS["categorical of sigmoid"]
    print(f"Keras {theirs.__version__} on {theirs.backend.backend()}, {theirs.config.floatx()}")
    compare_losses(options.only, options.sample)
    if options.seeds > 1:
        compare_accuracies(options.seeds)


if __name__ == "__main__":
    main()
