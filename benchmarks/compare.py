"""Seconds an epoch of fastnn and of the tools people use today, on MNIST; writes results.json and a table.

    python benchmarks/compare.py                 # measure everything that is installed, print
    python benchmarks/compare.py --only A D      # some workloads: A stands for A-f32, A-f64 and A-gaussian
    python benchmarks/compare.py --write         # and rewrite results.json, its table and what README shows of it

All contenders of a workload train in turn, one epoch each, `--rounds` times; a ratio is the median of the rounds'
ratios, with the least and the greatest. Everyone gets the same network, initial weights, batches, optimizer and dtype,
and ends with a test accuracy that is printed beside its time and must be native's. (The NumPy programs stay in float64,
as they are, and the book's shuffles by itself. scikit-learn has no quadratic loss and draws its own weights.) Before
each turn all rest, so that threads which still wait for another library's work do not take its core.

For native, an epoch is a whole call of `fit` on the arrays as a user has them, uint8 images for MNIST, with all that
this prepares anew; "native, later epochs" is what one more epoch of the same call takes. The rivals' data are
converted to floats beforehand. That, and compiling, is reported as setup and is in no epoch.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import roofline
import summary
from contenders import Contender, UnavailableError, blas_settings, seconds_alone, tuned, with_blas_threads
from reports import HERE, TABLES, Report, Timing, arguments, begin, cell, timing, write_between, write_json
from rivals import RIVALS
from workloads import Data, Parameters, Workload, as_floats, chosen, load, parameters_of

import fastnn
from fastnn.dropin.rashid import neuralNetwork

RESULTS = HERE / "results.json"
START, END = "<!-- speed table: written by benchmarks/compare.py -->", "<!-- end of the speed table -->"
ACCURACY_SPREAD = 0.01  # contenders must end this close to their peers
LATER = "native, later epochs"
TRAIN_CALLS = "train() calls"
UNLIKE = (LATER, TRAIN_CALLS)  # train four epochs a round, or by another rule: no common accuracy
COLUMNS = {
    "native": "fastnn native",
    LATER: "later epochs",
    "numba": "fastnn numba",
    "numpy": "fastnn numpy (batched)",
    TRAIN_CALLS: "fastnn sample by sample",
    "NumPy program": "NumPy program it replaces",
    "PyTorch": "PyTorch",
    "PyTorch compiled": "PyTorch, compiled step",
    "JAX": "JAX",
    "scikit-learn": "scikit-learn",
}


@dataclass(frozen=True)
class Result(Timing):
    """One contender's epochs of one workload; seconds are of all rows."""

    accuracy: float
    expected_accuracy: float | None  # native's after as many epochs on as many rows
    share_of_rows: float
    setup_seconds: float
    settings: str

    @property
    def even(self) -> bool:
        return self.expected_accuracy is None or abs(self.accuracy - self.expected_accuracy) <= ACCURACY_SPREAD

    def line(self, name: str) -> str:
        notes = [self.settings] if self.settings else []
        if self.share_of_rows < 1:
            notes.append(f"scaled up from {self.share_of_rows:.0%} of the rows")
        if not self.even:
            notes.append(f"NOT EQUAL: native reaches {self.expected_accuracy:.4f}")
        return f"  {name:20} {self.text()}  accuracy {self.accuracy:.4f}  setup {self.setup_seconds:.2f} s" + (
            f"  [{'; '.join(notes)}]" if notes else ""
        )


def fit_options(work: Workload) -> Report:
    return {
        "batch_size": work.batch_size,
        "learning_rate": work.learning_rate,
        "optimizer": work.optimizer,
        "shuffle": work.shuffle,
    }


def backend(name: str) -> Callable[[Workload, Data], Contender]:
    """MLP.fit of one epoch on one of fastnn's backends; the first one compiles."""

    def build(work: Workload, data: Data, *, threads: int | None = None) -> Contender:
        model = work.model()

        def train() -> None:
            with fastnn.use(name):
                model.fit(data.X, data.y, epochs=1, **fit_options(work))

        with fastnn.use(name):
            part = data.head(2 * work.batch_size)
            work.model().fit(part.X, part.y, epochs=1, **fit_options(work))
        return Contender(with_blas_threads(train, threads), lambda: parameters_of(model))

    def make(work: Workload, data: Data) -> Contender:
        status = fastnn.backends()[name]
        if not status.available:
            raise UnavailableError(status.detail)
        return tuned(build, work, data, blas_settings() if name == "numpy" else [{}])

    return make


def later_epochs(work: Workload, data: Data) -> Contender:
    """The epochs of one `fit` after its first."""
    model = work.model()

    def train() -> float:
        with fastnn.use("native"):
            history = model.fit(data.X, data.y, epochs=4, **fit_options(work))
        return statistics.median(history.seconds[1:])

    return Contender(train, lambda: parameters_of(model))


def train_calls(work: Workload, data: Data) -> Contender:
    """The drop-in for Rashid's class, with its own rule, called sample by sample from Python as its program does."""
    network = neuralNetwork(*work.sizes, work.learning_rate)
    (first, _), (second, _) = work.initial()
    network.wih, network.who = first.T.copy(), second.T.copy()
    rng = work.model().rng

    def train() -> None:
        with fastnn.use("native"):
            for k in rng.permutation(len(data.X)):
                network.train(data.X[k], data.y[k])

    return Contender(train, lambda: [(w.T, np.zeros(len(w))) for w in (network.wih, network.who)])


FACTORIES = {name: backend(name) for name in ("native", "numba", "numpy")} | RIVALS
FACTORIES |= {LATER: later_epochs, TRAIN_CALLS: train_calls}


def accuracy(work: Workload, parameters: Parameters, data: Data) -> float:
    """The share of the test images that these weights classify rightly."""
    x = as_floats(data.X_test, "float64")
    for layer, (weights, biases) in enumerate(parameters):
        x = x @ weights + biases
        if layer < len(parameters) - 1:
            x = np.maximum(x, 0) if work.activation == "relu" else 1 / (1 + np.exp(-x))
    return float(np.mean(x.argmax(axis=1) == data.labels_test))


def join(work: Workload, data: Data) -> dict[str, Contender]:
    """All contenders of a workload that can run here, native first."""
    made = {}
    for name, share in {"native": 1.0, LATER: 1.0, **work.rivals}.items():
        try:
            made[name] = FACTORIES[name](work, data.head(round(share * len(data.X))))
        except (ImportError, UnavailableError) as reason:
            print(f"  {name} is left out: {reason}")
    return made


def peers(work: Workload, data: Data, rounds: int) -> dict[float, float]:
    """By share of the rows: the accuracy that native reaches in as many epochs of as many rows."""
    found = {}
    for share in {1.0, *work.rivals.values()}:
        native = backend("native")(work, data.head(round(share * len(data.X))))
        for _ in range(rounds):
            native.train()
        found[share] = accuracy(work, native.parameters(), data)
    return found


def measure(work: Workload, rounds: int) -> Report:
    """Time all contenders of one workload in turn and check that they learn equally well."""
    data = load(work.data, work.dtype, work.rows)
    made = join(work, data)
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, contender in made.items():
            seconds[name].append(seconds_alone(contender.train) / work.rivals.get(name, 1.0))
    expected = peers(work, data, rounds)
    results = {}
    for name, taken in seconds.items():
        share = work.rivals.get(name, 1.0)
        reached = accuracy(work, made[name].parameters(), data)
        results[name] = Result(
            **vars(timing(taken, seconds["native"])),
            accuracy=reached,
            expected_accuracy=None if name in UNLIKE else expected[share],
            share_of_rows=share,
            setup_seconds=made[name].setup,
            settings=made[name].settings,
        )
        print(results[name].line(name), flush=True)
    return {
        "name": work.name,
        "workload": work.title,
        "dtype": work.dtype,
        "rounds": rounds,
        "even": all(result.even for result in results.values()),
        "results": {name: asdict(result) for name, result in results.items()},
        "roofline": limits(work, data, results["native"].seconds),
    }


def limits(work: Workload, data: Data, seconds: float) -> dict[str, float] | None:
    """How close native comes to what the machine can do."""
    try:
        floor = roofline.floor(work, data)
    except UnavailableError as reason:
        print(f"  no roofline: {reason}")
        return None
    found = floor.report(seconds)
    print(
        f"  multiply-adds: {floor.nonzero_macs / 1e9:.2f} G not zero, {floor.nonzero_seconds * 1e3:.1f} ms at peak, "
        f"{found['share_of_peak_nonzero']:.0%} reached; {floor.dense_macs / 1e9:.2f} G dense, "
        f"{floor.dense_seconds * 1e3:.1f} ms, {found['share_of_peak_dense']:.0%}\n"
        f"  bytes: {floor.input_bytes / 1e6:.0f} MB of inputs from memory, {floor.input_seconds * 1e3:.1f} ms; "
        f"{floor.weight_bytes / 1e9:.2f} GB of weights in cache, step by step, {floor.weight_seconds * 1e3:.1f} ms"
        f"  floor {floor.seconds * 1e3:.1f} ms, native takes {seconds / floor.seconds:.1f} times that"
    )
    return found


def table(report: Report) -> str:
    """docs/benchmarks.md's table: milliseconds an epoch; where another contender beats native, that is said too."""
    shown = {name: title for name, title in COLUMNS.items() if any(name in w["results"] for w in report["workloads"])}
    lines = [
        "| ms an epoch (native is faster by) | " + " | ".join(shown.values()) + " |",
        "|---|" + "---|" * len(shown),
    ]
    for work in report["workloads"]:
        cells = [
            cell(work["results"].get(name), bold=name == "native", ratio=name not in ("native", LATER))
            for name in shown
        ]
        lines.append(f"| {work['workload']}, {work['dtype']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(report: Report) -> None:
    write_json(RESULTS, report)
    rounds = report["workloads"][0]["rounds"]
    notes = (
        f"Medians of {rounds} epochs each, taken in turn, on MNIST. A native epoch is a whole call of `fit`; the NumPy "
        f"programs run in float64.\n\nHardware: {report['hardware']}."
    )
    write_between(TABLES, START, END, f"{table(report)}\n\n{notes}")
    summary.write()


def main() -> int:
    parser = arguments(__doc__, "workloads, as A-f32, or A for all of A", "results.json")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("--write wants all workloads")
    works = chosen(options.only)
    warnings.simplefilter("ignore")  # scikit-learn on convergence
    report = begin() | {"workloads": []}
    for work in works:
        print(f"\n{work.name}: {work.title}, {work.dtype}", flush=True)
        report["workloads"].append(measure(work, options.rounds))
    if options.json:
        write_json(options.json, report)
    if options.write:
        write(report)
    return 0 if all(work["even"] for work in report["workloads"]) else 1


if __name__ == "__main__":
    roofline.without_forced_kernels()
    raise SystemExit(main())
