"""How fastnn's costs grow, and what single calls cost; prints, and writes JSON with --json FILE.

    python benchmarks/scaling.py                        # all parts
    python benchmarks/scaling.py --only calls width     # some of: calls, tiny, fixed, samples, width

calls    microseconds of one image through 784-30-10 from Python, beside NumPy, PyTorch, JAX and scikit-learn;
         millions of images a second in one call with 10,000
tiny     GFLOP/s of 4-32-16-4 trained by Adam on all of 10,000 rows at once, on one thread, counting 6 FLOP a weight
         and row (forward, gradient, error), as a share of the core's peak
fixed    milliseconds that a fit takes beyond its epochs: checks, compression, packing
samples  seconds a row and memory of fits on 60,000 and 1,000,000 memory-mapped uint8 rows, each in a new process
width    seconds a multiply-add from 30 to 2,000 hidden units
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import roofline
from contenders import UnavailableError, blas_settings, with_blas_threads

import fastnn

Report = dict[str, Any]  # as JSON

ROUNDS = 5
SMALL, LARGE = 60_000, 1_000_000  # rows
MOVES = 17  # places in which an image comes, once in each
WIDTHS = (30, 100, 300, 1000, 2000)
WIDTH_ROWS = 20_000
TINY_SIZES, TINY_ROWS, TINY_EPOCHS = (4, 32, 16, 4), 10_000, 200
BOOK: dict[str, Any] = {"loss": "quadratic", "init": "normal_scaled", "seed": 1}
BOOK_FIT: dict[str, Any] = {"batch_size": 10, "learning_rate": 3.0}


def per_call(call: Callable[[], object]) -> float:
    """Seconds of one call: the median of some rounds of as many calls as take a fifth of a second."""
    timer = timeit.Timer(call)
    number, _ = timer.autorange()
    return statistics.median(timer.repeat(ROUNDS, number)) / number


def single_calls() -> dict[str, Callable[[], object]]:
    """One image through 784-30-10, the ways that people call it. The libraries are warm and hold one image."""
    from programs import sigmoid

    from fastnn.dropin.nielsen import Network

    image = fastnn.datasets.load_mnist()[1][0][0] / 255
    column, row = image[:, None], image.astype(np.float32)
    model, book = fastnn.MLP((784, 30, 10), **BOOK), Network([784, 30, 10])
    layers = [(w, b) for w, b in zip(book.weights, book.biases, strict=True)]

    def by_hand() -> object:
        a = column
        for w, b in layers:
            a = sigmoid(np.dot(w, a) + b)
        return a

    calls: dict[str, Callable[[], object]] = {
        "fastnn Network.feedforward, float64 column": lambda: book.feedforward(column),
        "fastnn MLP.forward, float32": lambda: model.forward(row),
        "NumPy, float64 column": by_hand,
    }
    for name, make in {"PyTorch": torch_call, "JAX": jax_call, "scikit-learn": sklearn_call}.items():
        try:
            calls[name] = make(model, row)
        except ImportError as reason:
            print(f"  {name} is left out: {reason}")
    return calls


def torch_call(model: fastnn.MLP, row: np.ndarray) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    layers = [layer for a, b in ((784, 30), (30, 10)) for layer in (torch.nn.Linear(a, b), torch.nn.Sigmoid())]
    network, x = torch.nn.Sequential(*layers), torch.from_numpy(row)

    @torch.inference_mode()
    def call() -> object:
        return network(x)

    return call


def jax_call(model: fastnn.MLP, row: np.ndarray) -> Callable[[], object]:
    import jax
    import jax.numpy as jnp

    (w1, w2), (b1, b2) = ([jnp.asarray(part) for part in parts] for parts in (model.weights, model.biases))
    network = jax.jit(lambda x: jax.nn.sigmoid(jax.nn.sigmoid(x @ w1 + b1) @ w2 + b2))
    return lambda: np.asarray(network(row))


def sklearn_call(model: fastnn.MLP, row: np.ndarray) -> Callable[[], object]:
    from sklearn.neural_network import MLPClassifier

    X, y = (part[:400] for part in fastnn.datasets.load_mnist()[0])
    network = MLPClassifier((30,), activation="logistic").partial_fit(X / np.float32(255), y, classes=np.arange(10))
    return lambda: network.predict_proba(row[None])


def calls() -> Report:
    found: dict[str, float] = {}
    contenders = single_calls()

    def one_image() -> None:
        for name, call in contenders.items():
            found[name] = per_call(call) * 1e6
            print(f"  {found[name]:8.2f} microseconds  {name}", flush=True)

    with_blas_threads(one_image, blas_settings()[0]["threads"])()  # one thread, the best for so little
    images = fastnn.datasets.load_mnist()[1][0]
    model = fastnn.MLP((784, 30, 10), **BOOK)
    millions = {}
    for name, X in {"uint8": images, "float32": images.astype(np.float32) / 255}.items():
        millions[name] = len(X) / per_call(lambda X=X: model.forward(X)) / 1e6
        print(f"  {millions[name]:8.2f} million images a second, 10,000 {name} images in one call")
    return {"microseconds": found, "million_images_a_second": millions}


def tiny() -> Report:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((TINY_ROWS, TINY_SIZES[0]), np.float32)
    y = np.tanh(X @ rng.standard_normal((TINY_SIZES[0], TINY_SIZES[-1]), np.float32))
    model = fastnn.MLP(TINY_SIZES, activation="tanh", output="identity", seed=1)
    seconds = []
    with fastnn.use(num_threads=1):
        for _ in range(ROUNDS):
            start = time.perf_counter()
            model.fit(
                X, y, epochs=TINY_EPOCHS, batch_size=TINY_ROWS, learning_rate=1e-3, optimizer="adam", shuffle=False
            )
            seconds.append((time.perf_counter() - start) / TINY_EPOCHS)
    weights = sum(a * b for a, b in pairwise(TINY_SIZES))
    update = statistics.median(seconds)
    rate = 6 * weights * TINY_ROWS / update
    found = {"seconds_an_update": update, "flop_a_second": rate}
    print(f"  {update * 1e3:.3f} ms an update, {rate / 1e9:.0f} GFLOP/s", end="")
    try:
        found["share_of_peak"] = rate / roofline.machine().one_core["float32"]
        print(f", {found['share_of_peak']:.0%} of the core's peak")
    except UnavailableError as reason:
        print(f" ({reason})")
    return found


def fixed() -> Report:
    X, y = fastnn.datasets.load_mnist()[0]
    found = {}
    for dtype in ("float32", "float64"):
        model, extra, later = fastnn.MLP((784, 30, 10), dtype=dtype, **BOOK), [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            history = model.fit(X, y, epochs=4, **BOOK_FIT)
            later.append(statistics.median(history.seconds[1:]))
            extra.append(time.perf_counter() - start - 4 * later[-1])
        found[dtype] = {"fixed_seconds": statistics.median(extra), "epoch_seconds": statistics.median(later)}
        print(
            f"  {dtype}: {found[dtype]['fixed_seconds'] * 1e3:.1f} ms once per fit, "
            f"{found[dtype]['epoch_seconds'] * 1e3:.1f} ms an epoch"
        )
    return found


def resident(field: str) -> int:
    """A line of this process's memory in /proc, in bytes: VmHWM (the most ever resident), RssAnon, RssFile."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def probe(path: Path, rows: int) -> Report:
    """Fit the first rows of a memory-mapped file; to be run in a process of its own.

    ``peak_resident`` counts pages of the file that are in memory anyway, as the system's cache of it, and that it may
    drop at any time; ``peak_anonymous`` is what the fit itself holds, looked at every 5 ms.
    """
    labels = np.resize(fastnn.datasets.load_mnist()[0][1], rows)
    X = np.memmap(path, np.uint8, "r", shape=(rows, 784))
    model, anonymous, done = fastnn.MLP((784, 30, 10), **BOOK), [resident("RssAnon")], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            anonymous.append(resident("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    history = model.fit(X, labels, epochs=3, **BOOK_FIT)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return {
        "rows": rows,
        "seconds_a_row": statistics.median(history.seconds[1:]) / rows,
        "fit_seconds_a_row": seconds / 3 / rows,
        "peak_resident": resident("VmHWM"),
        "peak_anonymous": max(anonymous),
        "loss": history.loss[-1],
    }


def write_rows(path: Path, rows: int) -> None:
    """MNIST's training images again and again, every time moved by another number of pixels.

    The first of them are moved as all are: in digits that lie in one place fewer inputs differ from image to image, and
    60,000 such rows take 0.87 times as long as 60,000 of these.
    """
    images = fastnn.datasets.load_mnist()[0][0]
    with path.open("wb") as file:
        for block in range(-(-rows // len(images))):
            moved = np.empty_like(images)
            for pixels in range(MOVES):
                some = slice((pixels - block) % MOVES, None, MOVES)
                moved[some] = np.roll(images[some], pixels, axis=1)
            file.write(moved[: rows - block * len(images)].data)


def samples() -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        write_rows(path, LARGE)
        found = []
        for rows in (SMALL, LARGE):
            command = [sys.executable, __file__, "--probe", str(path), str(rows)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(done.stdout))
            print(
                f"  {rows:9,} rows: {found[-1]['seconds_a_row'] * 1e9:.0f} ns a row and epoch "
                f"({found[-1]['fit_seconds_a_row'] * 1e9:.0f} with the fit's fixed costs), peak resident "
                f"{found[-1]['peak_resident'] / 1e6:.0f} MB, of that anonymous {found[-1]['peak_anonymous'] / 1e6:.0f}"
            )
    small, large = found
    slower = large["seconds_a_row"] / small["seconds_a_row"]
    more = {name: large[name] - small[name] for name in ("peak_resident", "peak_anonymous")}
    print(
        f"  {slower:.2f} times the seconds a row; {more['peak_resident'] / 1e6:.0f} MB more resident, "
        f"{more['peak_anonymous'] / 1e6:.0f} MB more anonymous"
    )
    return {"runs": found, "slower_by": slower, "more": more}


def width() -> Report:
    X, y = (part[:WIDTH_ROWS] for part in fastnn.datasets.load_mnist()[0])
    inputs, found = np.count_nonzero(X) / len(X), {}
    for hidden in WIDTHS:
        sizes = (784, hidden, 10)
        model = fastnn.MLP(sizes, activation="relu", seed=1)
        history = model.fit(X, y, epochs=1 + ROUNDS, batch_size=10, learning_rate=0.05)
        seconds = statistics.median(history.seconds[1:])
        macs = {"dense": roofline.macs_a_row(sizes, 784), "nonzero": roofline.macs_a_row(sizes, inputs)}
        found[hidden] = {"seconds": seconds} | {k: seconds / (macs[k] * len(X)) for k in macs}
        print(
            f"  {hidden:5} hidden: {seconds * 1e3:8.1f} ms, {found[hidden]['nonzero'] * 1e12:6.2f} ps a multiply-add "
            f"that is not zero, {found[hidden]['dense'] * 1e12:6.2f} ps a dense one",
            flush=True,
        )
    costs = [entry["dense"] for entry in found.values()]  # narrow networks pay for what does not grow with the width
    rise = max(wide / min(costs[: k + 1]) for k, wide in enumerate(costs))
    print(f"  the dearest costs {max(costs) / min(costs):.2f} times the cheapest, {rise:.2f} times any narrower one")
    return {"rows": len(X), "widths": found, "dearest_by_cheapest": max(costs) / min(costs), "largest_rise": rise}


PARTS: Mapping[str, Callable[[], Report]] = {
    "calls": calls,
    "tiny": tiny,
    "fixed": fixed,
    "samples": samples,
    "width": width,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--probe", nargs=2, metavar=("FILE", "ROWS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.probe:
        print(json.dumps(probe(Path(arguments.probe[0]), int(arguments.probe[1]))))
        return
    report: Report = {"hardware": roofline.hardware()}
    print(report["hardware"])
    for name in arguments.only:
        print(f"\n{name}", flush=True)
        report[name] = PARTS[name]()
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    roofline.without_forced_kernels()
    main()
