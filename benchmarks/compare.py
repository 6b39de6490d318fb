"""Seconds an epoch of fastnn's backends and of what they replace, on MNIST; writes results.json and README's table.

    python benchmarks/compare.py            # measure, print
    python benchmarks/compare.py --write    # and rewrite benchmarks/results.json and the table in README.md

All contenders of a workload train in turn, one epoch each, `--rounds` times; a ratio is the median of the rounds'
ratios. Everyone gets the same network, batch size, optimizer and shuffled data, and ends with a test accuracy that is
printed beside its time. Compiling and converting data happens before the first timed epoch and is reported apart.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fastnn
from fastnn.kernels import num_threads

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
RESULTS = HERE / "results.json"
START, END = "<!-- speed table: written by benchmarks/compare.py -->", "<!-- end of the speed table -->"
ACCURACY_SPREAD = 0.01  # contenders of one loss must end this close to the median


@dataclass(frozen=True)
class Workload:
    title: str
    sizes: tuple[int, ...]
    batch_size: int
    learning_rate: float
    model: dict[str, str]
    fit: dict[str, str]
    dtype: str
    book: bool = False  # the book's per-sample program can do it
    sklearn: bool = False


BOOK = {"loss": "quadratic", "init": "normal_scaled"}
MODERN = {"activation": "relu", "init": "he"}
WORKLOADS = [
    Workload("784-30-10 sigmoid, quadratic, SGD, batch 10", (784, 30, 10), 10, 3.0, BOOK, {}, "float64", book=True),
    Workload("784-30-10 sigmoid, quadratic, SGD, batch 10", (784, 30, 10), 10, 3.0, BOOK, {}, "float32", book=True),
    Workload(
        "784-128-10 ReLU, softmax, Adam, batch 32",
        (784, 128, 10), 32, 1e-3, MODERN, {"optimizer": "adam"}, "float32", sklearn=True,
    ),
    Workload(
        "784-500-10 ReLU, softmax, Adam, batch 200",
        (784, 500, 10), 200, 1e-3, MODERN, {"optimizer": "adam"}, "float32", sklearn=True,
    ),
    Workload(
        "784-500-10 ReLU, softmax, SGD, batch 20,000",
        (784, 500, 10), 20000, 0.1, MODERN, {}, "float64",
    ),
]  # fmt: skip

Epoch = Callable[[], float]  # trains one more epoch and returns its seconds
Accuracy = Callable[[], float]


def fastnn_contender(work: Workload, backend: str, data, test) -> tuple[Epoch, Accuracy]:
    model = fastnn.MLP(work.sizes, dtype=work.dtype, seed=1, **work.model)

    def epoch() -> float:
        with fastnn.use(backend):
            start = time.perf_counter()
            model.fit(*data, epochs=1, batch_size=work.batch_size, learning_rate=work.learning_rate, **work.fit)
            return time.perf_counter() - start

    with fastnn.use(backend):  # compile on a copy
        warm = fastnn.MLP(work.sizes, dtype=work.dtype, seed=1, **work.model)
        warm.fit(data[0][:400], data[1][:400], epochs=1, batch_size=work.batch_size, learning_rate=1e-6, **work.fit)
    return epoch, lambda: model.score(*test)


def book_contender(work: Workload, data, test) -> tuple[Epoch, Accuracy]:
    """The per-sample NumPy program of the book's first chapter, as the tests have it (float64)."""
    spec = importlib.util.spec_from_file_location("book_oracle", HERE.parent / "tests" / "book_oracle.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    np.random.seed(1)
    network = module.Network(list(work.sizes))
    network.weights = [w / np.sqrt(w.shape[1]) for w in network.weights]
    columns = (data[0] / 255.0)[:, :, None]
    pairs = list(zip(columns, np.eye(10)[data[1]][:, :, None], strict=True))
    test_columns = (test[0] / 255.0)[:, :, None]

    def epoch() -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            start = time.perf_counter()
            network.SGD(pairs, 1, work.batch_size, work.learning_rate)
            return time.perf_counter() - start

    def accuracy() -> float:
        return float(
            np.mean([network.feedforward(x).argmax() == y for x, y in zip(test_columns, test[1], strict=True)])
        )

    return epoch, accuracy


def sklearn_contender(work: Workload, data, test) -> tuple[Epoch, Accuracy]:
    from sklearn.neural_network import MLPClassifier

    X, X_test = (rows.astype(work.dtype) / np.float32(255) for rows in (data[0], test[0]))
    model = MLPClassifier(
        work.sizes[1:-1], activation="relu", solver="adam", alpha=0, batch_size=work.batch_size,
        learning_rate_init=work.learning_rate, random_state=1,
    )  # fmt: skip
    model.partial_fit(X[:400], data[1][:400], classes=np.arange(10))

    def epoch() -> float:
        start = time.perf_counter()
        model.partial_fit(X, data[1])  # one epoch, shuffled
        return time.perf_counter() - start

    return epoch, lambda: float(model.score(X_test, test[1]))


def contenders(work: Workload, data, test) -> dict[str, tuple[Epoch, Accuracy]]:
    made = {}
    for name, status in fastnn.backends().items():
        if status.available:
            made[name] = fastnn_contender(work, name, data, test)
        else:
            print(f"  {name} is missing: {status.detail}")
    if work.book:
        made["per-sample NumPy"] = book_contender(work, data, test)
    if work.sklearn and importlib.util.find_spec("sklearn"):
        made["scikit-learn"] = sklearn_contender(work, data, test)
    return made


def measure(work: Workload, rounds: int) -> dict:
    """Time all contenders of one workload in turn and check that they learn equally well."""
    data, test = fastnn.datasets.load_mnist()
    if work.batch_size > 10000:
        data = tuple(part[: work.batch_size] for part in data)
    made = contenders(work, data, test)
    seconds = {name: [] for name in made}
    for _ in range(rounds):
        for name, (epoch, _accuracy) in made.items():
            seconds[name].append(epoch())
    accuracy = {name: accuracy() for name, (_epoch, accuracy) in made.items()}
    middle = statistics.median(accuracy.values())
    uneven = {name: value for name, value in accuracy.items() if abs(value - middle) > ACCURACY_SPREAD}
    if uneven:
        print(f"  NOT EQUAL: accuracies {uneven} lie more than {ACCURACY_SPREAD} from {middle:.4f}")
    rows = {}
    for name, taken in seconds.items():
        ratios = [other / own for other, own in zip(taken, seconds["native"], strict=True)]
        rows[name] = {
            "seconds": statistics.median(taken),
            "fastest": min(taken),
            "slowest": max(taken),
            "native_is_faster_by": statistics.median(ratios),
            "ratios": [min(ratios), max(ratios)],
            "accuracy": accuracy[name],
        }
        print(
            f"  {name:17} {rows[name]['seconds']:8.4f} s ({min(taken):.4f} .. {max(taken):.4f})"
            f"   native is {rows[name]['native_is_faster_by']:7.2f} times as fast   accuracy {accuracy[name]:.4f}"
        )
    return {"workload": work.title, "dtype": work.dtype, "rounds": rounds, "even": not uneven, "results": rows}


def hardware() -> str:
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    native = fastnn.backends()["native"]
    return (
        f"{model}, {num_threads()} cores, native: {native.detail}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}"
    )


def table(report: dict) -> str:
    """README's table: the seconds of an epoch; where another contender beats native, that is said too."""
    names = ["native", "numba", "numpy", "per-sample NumPy", "scikit-learn"]
    titles = ["fastnn native", "fastnn numba", "fastnn numpy (batched)", "per-sample NumPy", "scikit-learn"]
    lines = ["| ms an epoch (native is faster by) | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]
    for work in report["workloads"]:
        cells = []
        for name in names:
            row = work["results"].get(name)
            if row is None:
                cells.append("")
            elif name == "native":
                cells.append(f"**{row['seconds'] * 1e3:.0f}**")
            else:
                ratio = row["native_is_faster_by"]
                cells.append(f"{row['seconds'] * 1e3:.0f} ({ratio:.1f}x{', faster than native' if ratio < 1 else ''})")
        lines.append(f"| {work['workload']}, {work['dtype']} | " + " | ".join(cells) + " |")
    return "\n".join(
        [*lines, "", f"Medians of {report['workloads'][0]['rounds']} epochs each, taken in turn, on MNIST."]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=int, help="the number of one workload, from 0")
    parser.add_argument("--write", action="store_true", help="rewrite results.json and README's table")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # scikit-learn on convergence
    report = {"hardware": hardware(), "workloads": []}
    print(report["hardware"])
    chosen = WORKLOADS if arguments.only is None else [WORKLOADS[arguments.only]]
    for work in chosen:
        print(f"{work.title}, {work.dtype}", flush=True)
        report["workloads"].append(measure(work, arguments.rounds))
    if arguments.write:
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
        text = README.read_text()
        before, rest = text.split(START)
        after = rest.split(END)[1]
        README.write_text(f"{before}{START}\n{table(report)}\n\nHardware: {report['hardware']}.\n{END}{after}")
    return 0 if all(work["even"] for work in report["workloads"]) else 1


if __name__ == "__main__":
    # A kernel choice left in the environment would slow NumPy's side; its library reads it when it is loaded.
    forced = [name for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if os.environ.pop(name, None)]
    if forced:
        os.execv(sys.executable, [sys.executable, *sys.argv])
    raise SystemExit(main())
