"""Does the rate that lr_find suggests do as well as the best of twelve? On the workloads of workloads.py, on MNIST.

    python benchmarks/lr_find.py                   # workloads A to F, three seeds, print
    python benchmarks/lr_find.py --only A D        # some workloads
    python benchmarks/lr_find.py --write           # and rewrite results_lr_find.json and its table

For each seed a network is trained for a fixed number of epochs at each rate of a grid of twelve, two to a decade, and
at the suggestion, always from the same initial weights in the same batches. The share is the test accuracy at the
suggestion by the best of the grid's, which the test images tell themselves: the comparison favours the grid. Shares of
other rules for the same losses are interpolated between the grid's accuracies.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass

import numpy as np
import roofline
from reports import HERE, TABLES, Report, arguments, write_between, write_json
from workloads import WORKLOADS, Data, FloatArray, Workload, chosen, load

import fastnn

RESULTS = HERE / "results_lr_find.json"
START, END = "<!-- lr_find table: written by benchmarks/lr_find.py -->", "<!-- end of the lr_find table -->"
EPOCHS = {"A-f32": 5, "A-gaussian": 5, "B-f32": 2, "C": 5, "D": 3, "E": 3, "F-f32": 60}
# Twelve rates, two to a decade: around the usual ones of each optimizer.
GRIDS = {"sgd": 10 ** np.arange(-4, 1.6, 0.5), "adam": 10 ** np.arange(-5.5, 0.1, 0.5)}


def steepest(rates: FloatArray, losses: FloatArray) -> float:
    """Where the loss falls most from one rate to the next: PyTorch Lightning's suggestion."""
    return float(rates[np.argmin(np.gradient(losses))])


def valley(rates: FloatArray, losses: FloatArray) -> float:
    """Two thirds along the longest falling subsequence of losses, less a sixth: fastai's default."""
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
    result = Result(EPOCHS[work.name], [], [], [], [], {name: [] for name in OTHERS})
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


def main() -> None:
    parser = arguments(__doc__, "workloads, such as A or A-f32", "results_lr_find.json and its table")
    parser.set_defaults(rounds=3)
    options = parser.parse_args()
    works = [work for work in chosen(options.only) if work.name in EPOCHS]
    results = {}
    for work in works:
        results[work.name] = measure(work, range(1, options.rounds + 1))
        print(f"{work.name}: worst share {min(results[work.name].shares):.1%}", flush=True)
    report: Report = {
        "hardware": roofline.hardware(),
        "workloads": {name: vars(each) for name, each in results.items()},
    }
    if options.json:
        write_json(options.json, report)
    if options.write:
        write(report)


def write(report: Report) -> None:
    """Put these workloads among those that were measured before, and the table of all of them into the page."""
    if RESULTS.exists():
        before = json.loads(RESULTS.read_text())["workloads"]
        report["workloads"] = before | report["workloads"]
    write_json(RESULTS, report)
    head = ["", "epochs", "best of 12 rates", "its accuracy", "suggestion", "its accuracy", "worst share"]
    head += [*(f"{name}'s" for name in OTHERS)]
    table = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for work in WORKLOADS:
        if work.name in report["workloads"]:
            table.append(Result(**report["workloads"][work.name]).cells(work))
    write_between(TABLES, START, END, "\n".join([*table, "", f"{report['hardware']}."]))


if __name__ == "__main__":
    main()
