"""Does the rate that lr_find suggests do as well as the best of twelve? On the workloads of workloads.py, on MNIST.

    python benchmarks/lr_find.py                   # workloads A to F, three seeds, print
    python benchmarks/lr_find.py --only A D        # some workloads
    python benchmarks/lr_find.py --digits          # other data, every optimizer, three activations and batch sizes
    python benchmarks/lr_find.py --write           # and rewrite results_lr_find.json and its table

For each seed a network is trained for a fixed number of epochs at each rate of a grid of twelve, two to a decade, and
at the suggestion, always from the same initial weights in the same batches. The share is the test accuracy at the
suggestion by the best of the grid's, which the test images tell themselves: the comparison favours the grid. Shares of
other rules for the same losses are interpolated between the grid's accuracies. The constants of the rule were chosen by
the workloads; scikit-learn's digits, with other networks and all optimizers, had no part in that.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import textwrap
from dataclasses import dataclass

import numpy as np
import roofline
from reports import HERE, TABLES, Report, arguments, write_between, write_json
from workloads import WORKLOADS, Data, FloatArray, Workload, chosen, load

import fastnn
from fastnn.kernels.spec import OPTIMIZERS

RESULTS = HERE / "results_lr_find.json"
START, END = "<!-- lr_find table: written by benchmarks/lr_find.py -->", "<!-- end of the lr_find table -->"
EPOCHS = {"A-f32": 5, "A-gaussian": 5, "B-f32": 2, "C": 5, "D": 3, "E": 3, "F-f32": 60}
# The share of the grid's best accuracy that a suggestion should reach.
WANTED = 0.98
# Of the digits the last so many test what the others have taught.
TESTED = 500
# Twelve rates, two to a decade: around the usual ones of each optimizer.
GRIDS = {"sgd": 10 ** np.arange(-4, 1.6, 0.5), "adam": 10 ** np.arange(-5.5, 0.1, 0.5)}


def steepest(rates: FloatArray, losses: FloatArray) -> float:
    """Where the loss falls most from one rate to the next: PyTorch Lightning's suggestion."""
    return float(rates[np.argmin(np.gradient(losses))])


def valley(rates: FloatArray, losses: FloatArray) -> float:
    """The middle of the longest falling subsequence of losses: fastai's default."""
    count = len(losses)
    longest, end = [1] * count, 0
    for i in range(1, count):
        longest[i] += max((longest[j] for j in range(i) if losses[i] < losses[j]), default=0)
        if longest[i] > longest[end]:
            end = i
    start = end - longest[end] + 1
    third = (end - start) / 3
    return float(rates[start + int(third) + int(third / 2)])


def tenth(rates: FloatArray, losses: FloatArray) -> float:
    """A tenth of the rate of the least loss: fastai's "minimum"."""
    return float(rates[np.argmin(losses)]) / 10


OTHERS = {"steepest": steepest, "valley": valley, "minimum / 10": tenth}


@dataclass(frozen=True)
class Result:
    """Of one workload, by seed."""

    hardware: str
    epochs: int
    suggestions: list[float]
    accuracies: list[float]
    best: list[float]  # of the grid
    best_rates: list[float]
    others: dict[str, list[float]]  # shares of other rules

    @property
    def shares(self) -> list[float]:
        return [reached / best for reached, best in zip(self.accuracies, self.best, strict=True)]

    def cells(self, work: Workload) -> str:
        def span(values: list[float], form: str) -> str:
            low, high = (format(value, form) for value in (min(values), max(values)))
            return low if low == high else f"{low} .. {high}"

        cells = [f"{work.name}: {work.title}", str(self.epochs), span(self.best_rates, ".2g"), span(self.best, ".2%")]
        cells += [span(self.suggestions, ".2g"), span(self.accuracies, ".2%"), f"**{min(self.shares):.1%}**"]
        cells += [f"{min(shares):.1%}" for shares in self.others.values()]
        return f"| {' | '.join([*cells])} |"


def accuracy(work: Workload, data: Data, seed: int, rate: float) -> float:
    """On the test images, after training at this rate; of one that diverges, with the last finite weights."""
    model = work.model(seed)
    settings = {"batch_size": work.batch_size, "optimizer": work.optimizer, "shuffle": work.shuffle}
    with contextlib.suppress(fastnn.DivergenceError):
        model.fit(data.X, data.y, epochs=EPOCHS[work.name], learning_rate=rate, **settings)
    return float(np.mean(model.forward(data.X_test).argmax(axis=1) == data.labels_test))


def measure(work: Workload, seeds: range) -> Result:
    data = load(work.data, work.dtype, work.rows)
    result = Result(roofline.hardware(), EPOCHS[work.name], [], [], [], [], {name: [] for name in OTHERS})
    for seed in seeds:
        found = work.model(seed).lr_find(data.X, data.y, batch_size=work.batch_size, optimizer=work.optimizer)
        assert found.suggestion is not None
        rates = GRIDS[work.optimizer]
        reached = [accuracy(work, data, seed, float(rate)) for rate in rates]
        for name, rule in OTHERS.items():
            at = np.interp(np.log(rule(found.rates, found.smoothed)), np.log(rates), reached)
            result.others[name].append(float(at / max(reached)))
        result.suggestions.append(found.suggestion)
        result.accuracies.append(accuracy(work, data, seed, found.suggestion))
        result.best.append(max(reached))
        result.best_rates.append(float(rates[int(np.argmax(reached))]))
        grid = " ".join(f"{share:.3f}" for share in reached)
        print(
            f"  {work.name} seed {seed}: {found.suggestion:.2g} -> {result.accuracies[-1]:.4f}, {result.shares[-1]:.1%}"
            f" of {result.best[-1]:.4f} at {result.best_rates[-1]:.2g}; grid {grid}",
            flush=True,
        )
    return result


def digits() -> Report:
    """On 1,297 of scikit-learn's digits, tested on 500, 64-32-10 for 15 epochs: the shares of all cases."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = (X[order] / 16).astype(np.float32), y[order]
    shares = []
    for optimizer, activation, batch_size in itertools.product(OPTIMIZERS, ("relu", "sigmoid", "tanh"), (10, 32, 200)):
        init = "he" if activation == "relu" else "glorot"
        settings = {"batch_size": batch_size, "optimizer": optimizer}

        def model(activation: str = activation, init: str = init) -> fastnn.MLP:
            return fastnn.MLP([64, 32, 10], activation=activation, init=init, seed=1)

        def reach(rate: float, model=model, settings=settings) -> float:
            trained = model()
            with contextlib.suppress(fastnn.DivergenceError):
                trained.fit(X[:-TESTED], y[:-TESTED], epochs=15, learning_rate=rate, **settings)
            return trained.score(X[-TESTED:], y[-TESTED:])

        suggestion = model().lr_find(X[:-TESTED], y[:-TESTED], **settings).suggestion
        rates = GRIDS["sgd"] if optimizer in ("sgd", "momentum", "nesterov") else 10 * GRIDS["adam"]
        shares.append(reach(suggestion) / max(reach(float(rate)) for rate in rates))
        print(f"  {optimizer}, {activation}, batches of {batch_size}: {suggestion:.2g}, {shares[-1]:.1%}", flush=True)
    reach = int(np.sum(np.array(shares) >= WANTED))
    return {"hardware": roofline.hardware(), "cases": len(shares), "reach": reach, "least": min(shares)}


def main() -> None:
    parser = arguments(__doc__, "workloads, such as A or A-f32", "results_lr_find.json and its table")
    parser.set_defaults(rounds=3)
    parser.add_argument("--digits", action="store_true", help="other data in place of the workloads")
    options = parser.parse_args()
    works = [work for work in chosen(options.only) if work.name in EPOCHS and not options.digits]
    results = {}
    for work in works:
        results[work.name] = measure(work, range(1, options.rounds + 1))
        print(f"{work.name}: worst share {min(results[work.name].shares):.1%}", flush=True)
    report: Report = {"workloads": {name: vars(each) for name, each in results.items()}}
    if options.digits:
        report["digits"] = digits()
        print("{reach} of {cases} cases reach 98%; the least share is {least:.1%}".format(**report["digits"]))
    if options.json:
        write_json(options.json, report)
    if options.write:
        write(report)


def write(report: Report) -> None:
    """Put these workloads among those that were measured before, and the table of all of them into the page."""
    if RESULTS.exists():
        before = json.loads(RESULTS.read_text())
        report["workloads"] = before["workloads"] | report["workloads"]
        report = before | report
    write_json(RESULTS, report)
    write_between(TABLES, START, END, text(report))


def text(report: Report) -> str:
    """The table of the workloads, and on which machine each was measured."""
    head = ["", "epochs", "best of 12 rates", "its accuracy", "suggestion", "its accuracy", "worst share"]
    head += [*(f"{name}'s" for name in OTHERS)]
    table = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for work in WORKLOADS:
        if work.name in report["workloads"]:
            table.append(Result(**report["workloads"][work.name]).cells(work))
    machines: dict[str, list[str]] = {}
    for name, each in report["workloads"].items():
        machines.setdefault(each["hardware"], []).append(name)
    one = len(machines) == 1
    note = "; ".join(machine if one else f"{', '.join(names)}: {machine}" for machine, names in machines.items()) + "."
    if "digits" in report:
        note += (
            " On scikit-learn's digits, 64-32-10, {reach} of {cases} combinations of optimizer, activation and batch "
            "size reach 98% of the grid's best; the least share is {least:.1%}."
        ).format(**report["digits"])
        if report["digits"]["hardware"] not in machines:
            note += f" The digits: {report['digits']['hardware']}."
    return "\n".join([*table, "", *textwrap.wrap(note, 120)])


if __name__ == "__main__":
    main()
