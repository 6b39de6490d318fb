"""Seconds of the tutorials' programs, with their own modules and with fastnn.dropin's; writes a table.

    python benchmarks/compare_dropins.py                  # measure everything that is installed, print
    python benchmarks/compare_dropins.py --only layers    # the rows whose name begins so
    python benchmarks/compare_dropins.py --write          # and rewrite results_dropins.json and its table

The originals are the NumPy programs that the tests hold the drop-ins to (tests/oracles), in float64, and Keras,
where it is installed, on the backend that KERAS_BACKEND names. Both sides of a row do the same work on the same data,
in turn, `--rounds` times; a ratio is the median of the rounds' ratios, with the least and the greatest. The BLAS of
the originals has the faster of one and all threads. Afterwards their weights are compared, or, where the two shuffle
by themselves, their accuracies.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pairs
from contenders import UnavailableError, blas_settings, fastest_setting, seconds_alone, with_blas_threads
from numpy.typing import NDArray
from pairs import Pair, in_turn
from reports import HERE, Report

import fastnn
from fastnn.dropin import layers, rashid, scratch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracles"))

import layers_oracle
import mnist_oracle
import rashid_oracle
import scratch_oracle

Array = NDArray[Any]
RESULTS = HERE / "results_dropins.json"
START = "<!-- drop-ins table: written by benchmarks/compare_dropins.py -->"
END = "<!-- end of the drop-ins table -->"
SINGLES = 1000  # calls with one sample that are timed together


@cache
def mnist() -> tuple[Array, Array, Array, Array]:
    """Pixels and labels of both parts, uint8 (n, 784)."""
    (X, y), (X_test, y_test) = fastnn.datasets.load_mnist()
    return X.reshape(-1, 784), y, X_test.reshape(-1, 784), y_test


@cache
def rashids_rows() -> tuple[Array, Array]:
    X, y, _, _ = mnist()
    inputs = X[:5000] / 255.0 * 0.99 + 0.01
    return inputs, np.where(np.eye(10)[y[:5000]] > 0, 0.99, 0.01)


def quietly(run: Callable[[], object]) -> Callable[[], None]:
    """The whole of a run, without what it prints."""

    def silent() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            run()

    return silent


def twice(make: Callable[[Any], Any], ours: Any, theirs: Any) -> tuple[Any, Any]:
    """What ``make`` makes of the two modules from the same seed."""
    made = []
    for module in (ours, theirs):
        np.random.seed(1)
        made.append(make(module))
    return made[0], made[1]


def weights_differ(ours: Callable[[], list[Array]], theirs: Callable[[], list[Array]]) -> Callable[[], str]:
    def say() -> str:
        pairs = zip(ours(), theirs(), strict=True)
        return f"weights to {max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs):.0e}"

    return say


def predictions_differ(
    ours: Callable[[Array], object], theirs: Callable[[Array], object], rows: Array
) -> Callable[[], str]:
    return lambda: f"{sum(bool(ours(row) != theirs(row)) for row in rows)} of {len(rows):,} predictions differ"


def each(call: Callable[..., object], *columns: Array) -> Callable[[], object]:
    """Call for one row after the other."""

    def run() -> None:
        for row in zip(*columns, strict=True):
            call(*row)

    return run


def some_each(call: Callable[[Array], object], rows: Array) -> Callable[[], object]:
    """The same for the next SINGLES rows, so that no run has its rows in the cache from the one before."""
    places = cycle(range(0, len(rows) - SINGLES + 1, SINGLES))

    def run() -> None:
        for row in rows[(start := next(places)) : start + SINGLES]:
            call(row)

    return run


def rashid_network(module: Any) -> Any:
    return module.neuralNetwork(784, 88, 10, 0.1)


def rashid_train() -> Pair:
    ours, theirs = twice(rashid_network, rashid, rashid_oracle)
    rows = rashids_rows()
    return Pair(
        each(ours.train, *rows),
        each(theirs.train, *rows),
        weights_differ(lambda: [ours.wih, ours.who], lambda: [theirs.wih, theirs.who]),
    )


def rashid_fit() -> Pair:
    ours, theirs = twice(rashid_network, rashid, rashid_oracle)
    rows = rashids_rows()
    return Pair(
        lambda: ours.fit(*rows),
        each(theirs.train, *rows),
        weights_differ(lambda: [ours.wih, ours.who], lambda: [theirs.wih, theirs.who]),
    )


def rashid_query() -> Pair:
    ours, theirs = twice(rashid_network, rashid, rashid_oracle)
    X = rashids_rows()[0]
    return Pair(
        some_each(ours.query, X),
        some_each(theirs.query, X),
        weights_differ(lambda: [ours.query(X)], lambda: [theirs.query(X)]),
        SINGLES,
    )


def split_lines(path: Path) -> tuple[Array, Array]:
    """The book's way to read mnist_train.csv."""
    inputs, targets = [], []
    with path.open() as file:
        for line in file.readlines():
            values = line.split(",")
            inputs.append(np.asarray(values[1:], dtype=float) / 255.0 * 0.99 + 0.01)
            targets.append(np.zeros(10) + 0.01)
            targets[-1][int(values[0])] = 0.99
    return np.array(inputs), np.array(targets)


@cache
def csv_folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    mnist_oracle.write_csv(Path(folder.name) / "mnist_train.csv", "train", 10_000)
    return folder


def rashid_csv() -> Pair:
    path = Path(csv_folder().name) / "mnist_train.csv"

    def ours() -> tuple[Array, Array]:
        return rashid.load_csv(path, high=0.99)

    def disagreement() -> str:
        return f"arrays to {max(np.abs(a - b).max() for a, b in zip(ours(), split_lines(path), strict=True)):.0e}"

    return Pair(ours, lambda: split_lines(path), disagreement)


def layers_runs(*functions: Any) -> Pair:
    """Each run trains a new network: in one trained for long the original's slopes get subnormal, and it slow."""
    X, y, _, _ = mnist()
    X, targets = X / 255.0, np.eye(10)[y]
    found: dict[Any, list[Array]] = {}

    def run(module: Any, rows: int = len(X)) -> Callable[[], None]:
        def train() -> None:
            np.random.seed(1)
            network = module.SimpleNetwork(784, 10, (64, 32), *functions)
            network.train(X[:rows], targets[:rows])
            found[module] = [values for layer in network.layers for values in (layer.W, layer.b)]

        return train

    start = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        run(layers, 32)()
    if functions:
        print(f"  compiling took {time.perf_counter() - start:.1f} s")
    return Pair(run(layers), run(layers_oracle), weights_differ(lambda: found[layers], lambda: found[layers_oracle]))


def layers_train() -> Pair:
    return layers_runs()


def layers_own() -> Pair:
    return layers_runs(lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y))


def layers_predict() -> Pair:
    X = mnist()[2] / 255.0
    ours, theirs = twice(lambda module: module.SimpleNetwork(784, 10), layers, layers_oracle)
    return Pair(
        some_each(ours.predict, X),
        some_each(theirs.predict, X),
        predictions_differ(ours.predict, theirs.predict, X),
        SINGLES,
    )


def scratch_fit() -> Pair:
    X, y, _, _ = mnist()
    images, labels = X[:20000].tolist(), y[:20000].tolist()
    found: dict[Any, Any] = {}

    def run(module: Any) -> Callable[[], object]:
        def fit() -> None:
            np.random.seed(1)
            found[module] = module.fit(images, labels, 0.1, 20, 128)

        return fit

    return Pair(
        run(scratch), run(scratch_oracle), weights_differ(lambda: found[scratch], lambda: found[scratch_oracle])
    )


def scratch_predict() -> Pair:
    X, y, X_test, _ = mnist()
    X_test = X_test / 255.0  # as programs scale for predict, but not for fit
    np.random.seed(1)
    with contextlib.redirect_stdout(io.StringIO()):
        weights = scratch.fit(X[:1000], y[:1000], 0.1, 1, 128)
    ours, theirs = (
        lambda image, module=module: module.predict(image, *weights) for module in (scratch, scratch_oracle)
    )
    return Pair(some_each(ours, X_test), some_each(theirs, X_test), predictions_differ(ours, theirs, X_test), SINGLES)


def keras_pair(sizes: list[int], options: dict[str, Any], data: tuple[Array, Array], held: Any, **fitting: Any) -> Pair:
    """``fit`` of a network of Dense layers, beside Keras on the backend that KERAS_BACKEND says.

    ``options`` are those of ``compile``, which the last layer's activation follows. What Keras takes to compile its
    functions is printed: it is in no row.
    """
    try:
        import keras
    except ImportError as reason:
        raise UnavailableError(str(reason)) from None
    from fastnn.dropin import keras as fast

    models: list[Any] = []
    for module in (fast, keras):
        module.utils.set_random_seed(1)
        hidden = [module.layers.Dense(size, "relu") for size in sizes[:-1]]
        last = module.layers.Dense(sizes[-1], "sigmoid" if sizes[-1] == 1 else "softmax")
        model = module.Sequential([*hidden, last])
        model.compile(optimizer="adam", metrics=["accuracy"], **options)
        models.append(model)
    ours, theirs = models

    def fit(model: Any, **options: Any) -> Callable[[], None]:
        return lambda: model.fit(*data, verbose=0, **fitting | options) and None

    fit(ours, epochs=1)()  # builds it
    first, second = (seconds_alone(fit(theirs, epochs=1)) for _ in range(2))
    print(f"  Keras builds and compiles in {first - second:.1f} s")

    def disagreement() -> str:
        figures = [float(model.evaluate(*held, verbose=0)[1]) for model in (ours, theirs)]
        rival = f"Keras {keras.__version__} on {keras.backend.backend()}"
        return f"accuracies {figures[0]:.2%} and {figures[1]:.2%}, the second of {rival}"

    return Pair(fit(ours), fit(theirs), disagreement)


def keras_fit() -> Pair:
    """README's program, an epoch of it."""
    X, y, X_test, y_test = mnist()
    X, X_test = X.astype(np.float32) / 255, X_test.astype(np.float32) / 255
    loss = {"loss": "sparse_categorical_crossentropy"}
    return keras_pair([128, 10], loss, (X, y), (X_test, y_test), validation_split=0.2)


def keras_pima() -> Pair:
    """The first network of the tutorials, with data of the shape of theirs."""
    rng = np.random.default_rng(5)
    X = rng.random((768, 8)) * [17, 199, 122, 99, 846, 67, 2.4, 81]
    y = (X[:, 1] / 199 + X[:, 5] / 67 + 0.2 * rng.normal(size=768) > 1).astype(float)
    return keras_pair([12, 8, 1], {"loss": "binary_crossentropy"}, (X, y), (X, y), batch_size=10, epochs=150)


@dataclass(frozen=True)
class Row:
    """One of the table's rows; ``asked`` is how many times faster fastnn is to be."""

    name: str
    title: str
    asked: float
    make: Callable[[], Pair]


ROWS = [
    Row("rashid-train", "rashid: 784-88-10, `train` for each of 5,000 rows", 5, rashid_train),
    Row("rashid-fit", "rashid: the same in one `fit`", 30, rashid_fit),
    Row("rashid-query", "rashid: `query`, one sample", 3, rashid_query),
    Row("rashid-csv", "rashid: `load_csv`, 10,000 lines", 10, rashid_csv),
    Row("layers-train", "layers: 784-64-32-10, `train`, 5 epochs in batches of 32", 10, layers_train),
    Row("layers-own", "layers: the same with a sigmoid of one's own", 1, layers_own),
    Row("layers-predict", "layers: `predict`, one sample", 3, layers_predict),
    Row("scratch-fit", "scratch: 784-128-10, `fit`, 20 epochs of 20,000 images in lists", 4, scratch_fit),
    Row("scratch-predict", "scratch: `predict`, one image", 3, scratch_predict),
    Row("keras-fit", "keras: 784-128-10, Adam, an epoch of `fit` in batches of 32", 30, keras_fit),
    Row("keras-pima", "keras: 8-12-8-1, Adam, 150 epochs of `fit` in batches of 10", 100, keras_pima),
]


def measure(row: Row, rounds: int) -> Report:
    """Time both sides in turn."""
    pair = row.make()
    setting = fastest_setting(
        blas_settings(), lambda **setting: with_blas_threads(quietly(row.make().theirs), **setting)
    )
    theirs = with_blas_threads(quietly(pair.theirs), **setting)
    sides = replace(pair, ours=quietly(pair.ours), theirs=theirs)
    return {"title": row.title, "asked": row.asked, "settings": setting} | in_turn(sides, rounds)


def table(report: Report) -> str:
    heads = {"theirs": "original", "ours": "fastnn.dropin", "disagreement": "after the last round"}
    words = f"Medians of {report['rounds']} runs each, taken in turn; a single sample's is of {SINGLES:,} calls."
    return pairs.table(report, heads, words)


if __name__ == "__main__":
    pairs.compare(__doc__, ROWS, measure, table, RESULTS, (START, END))
