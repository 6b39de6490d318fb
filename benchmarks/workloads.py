"""What the comparison trains: networks, data and learning rates, the same for fastnn and every rival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

import fastnn

FloatArray = NDArray[np.floating]
Parameters = list[tuple[FloatArray, FloatArray]]  # (inputs, outputs) weights and (outputs,) biases of every layer


@dataclass(frozen=True)
class Workload:
    """One network, trained in one way. ``rivals`` says on which share of the rows each is trained.

    A share below 1 is for rivals that would take many seconds: they train on the first rows only, and their seconds
    are scaled up to all of them.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    batch_size: int
    learning_rate: float  # of the mean gradient of a batch
    rivals: Mapping[str, float]
    dtype: str = "float32"
    activation: str = "sigmoid"
    loss: str = "quadratic"
    optimizer: str = "sgd"
    init: str = "normal_scaled"
    bias: bool = True
    shuffle: bool = True
    data: str = "pixels"  # a key of DATA
    rows: int = 60_000

    def model(self, seed: int = 1) -> fastnn.MLP:
        """A new network. Contenders begin with its weights and draw their orders from its ``rng``, as ``fit`` does."""
        return fastnn.MLP(
            self.sizes,
            activation=self.activation,
            loss=self.loss,
            init=self.init,
            bias=self.bias,
            dtype=self.dtype,
            seed=seed,
        )

    def initial(self) -> Parameters:
        """The weights and biases that all begin with; zeros stand for the biases of a network without."""
        return parameters_of(self.model())


def parameters_of(model: fastnn.MLP) -> Parameters:
    biases = model.biases or [np.zeros(weights.shape[1], model.dtype) for weights in model.weights]
    return [(weights.copy(), bias.copy()) for weights, bias in zip(model.weights, biases, strict=True)]


@dataclass(frozen=True)
class Data:
    """``X`` and ``y`` as they are given to fastnn, and a test set. uint8 pixels stand for 0..1."""

    X: NDArray[np.generic]
    y: NDArray[np.generic]
    labels: NDArray[np.uint8]
    X_test: NDArray[np.generic]
    labels_test: NDArray[np.uint8]

    def head(self, rows: int) -> Data:
        return replace(self, X=self.X[:rows], y=self.y[:rows], labels=self.labels[:rows])

    def floats(self, dtype: str) -> FloatArray:
        """The inputs as rivals take them, converted before any time is taken."""
        return as_floats(self.X, dtype)

    def targets(self, dtype: str) -> FloatArray:
        return self.y.astype(dtype) if self.y.ndim == 2 else np.eye(10, dtype=dtype)[self.y]


def as_floats(X: NDArray[np.generic], dtype: str) -> FloatArray:
    return X.astype(dtype) / np.dtype(dtype).type(255) if X.dtype == np.uint8 else X.astype(dtype, copy=False)


def pixels(dtype: str) -> Data:
    """MNIST as it is: 81% of the bytes are zero."""
    (X, y), (X_test, y_test) = fastnn.datasets.load_mnist()
    return Data(X, y, y, X_test, y_test)


def gaussian(dtype: str) -> Data:
    """MNIST in standard normal noise: no zeros, and still something to learn."""
    rng = np.random.default_rng(0)
    images = pixels(dtype)

    def noisy(X: NDArray[np.generic]) -> FloatArray:
        return as_floats(X, dtype) + rng.standard_normal(X.shape, dtype)

    return replace(images, X=noisy(images.X), X_test=noisy(images.X_test))


def rashid(dtype: str) -> Data:
    """MNIST as Rashid scales it: inputs 0.01..1.0, targets 0.01 and 0.99. No zeros, and blank pixels are all alike."""
    images = pixels(dtype)

    def scaled(X: NDArray[np.generic]) -> FloatArray:
        return (0.99 * as_floats(X, "float64") + 0.01).astype(dtype)

    targets = 0.98 * images.targets("float64") + 0.01
    return replace(images, X=scaled(images.X), y=targets.astype(dtype), X_test=scaled(images.X_test))


DATA = {"pixels": pixels, "gaussian": gaussian, "rashid": rashid}


@cache
def load(kind: str, dtype: str, rows: int) -> Data:
    return DATA[kind](dtype).head(rows)


BACKENDS = {"numba": 1.0, "numpy": 1.0}
FRAMEWORKS = {"PyTorch": 1.0, "PyTorch compiled": 1.0, "JAX": 1.0, "scikit-learn": 1.0}

A = Workload(
    "A-f32",
    "784-30-10 sigmoid, quadratic, SGD, batch 10",
    (784, 30, 10),
    batch_size=10,
    learning_rate=3.0,
    rivals={**BACKENDS, "NumPy program": 1.0, **FRAMEWORKS},
)
B = Workload(
    "B-f32",
    "784-88-10 sigmoid, no biases, online, inputs 0.01..1.0",
    (784, 88, 10),
    batch_size=1,
    learning_rate=0.1,
    rivals={"numba": 1.0, "NumPy program": 0.2, "PyTorch": 0.1, "PyTorch compiled": 0.1, "JAX": 1.0},
    init="rashid",
    bias=False,
    data="rashid",
)
D = Workload(
    "D",
    "784-128-10 ReLU, softmax, Adam, batch 32",
    (784, 128, 10),
    batch_size=32,
    learning_rate=1e-3,
    rivals={**BACKENDS, **FRAMEWORKS},
    activation="relu",
    loss="cross_entropy",
    optimizer="adam",
    init="he",
)
F = replace(
    D,
    name="F-f32",
    title="784-500-10 ReLU, softmax, SGD, one update of 20,000",
    sizes=(784, 500, 10),
    batch_size=20_000,
    rows=20_000,
    learning_rate=0.1,
    optimizer="sgd",
    shuffle=False,
    rivals={**BACKENDS, "NumPy program": 1.0, "PyTorch": 1.0},
)

WORKLOADS = [
    A,
    replace(A, name="A-f64", dtype="float64", rivals={**BACKENDS, "NumPy program": 1.0}),
    replace(
        A,
        name="A-gaussian",
        title=f"{A.title}, dense Gaussian inputs",
        data="gaussian",
        learning_rate=0.5,
        rivals={**BACKENDS, "PyTorch": 1.0, "JAX": 1.0},
    ),
    B,
    replace(B, name="B-f64", dtype="float64", rivals={"numba": 1.0, "train() calls": 0.2, "NumPy program": 0.2}),
    Workload(
        "C",
        "784-64-32-10 sigmoid, L2, SGD, batch 30, in order",
        (784, 64, 32, 10),
        batch_size=30,
        learning_rate=3.0,
        rivals={**BACKENDS, "NumPy program": 1.0},
        dtype="float64",
        shuffle=False,
    ),
    D,
    replace(D, name="E", title="784-500-10 ReLU, softmax, Adam, batch 200", sizes=(784, 500, 10), batch_size=200),
    F,
    replace(F, name="F-f64", dtype="float64", rivals={**BACKENDS, "NumPy program": 1.0}),
]


def chosen(names: list[str]) -> list[Workload]:
    """The workloads of these names; a letter alone stands for all that begin with it."""
    unknown = [name for name in names if not any(name in (work.name, work.name[0]) for work in WORKLOADS)]
    if unknown:
        raise SystemExit(f"no workload {unknown[0]}; there are {', '.join(work.name for work in WORKLOADS)}")
    return [work for work in WORKLOADS if not names or work.name in names or work.name[0] in names]
