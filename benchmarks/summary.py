"""What README shows of the results files: a bar chart and a short table. Measures nothing.

python benchmarks/summary.py
"""

from __future__ import annotations

import json
from typing import NamedTuple

from chart import Bar, bar_chart, duration
from reports import HERE, Report, write_between

ROOT = HERE.parent
CHART = ROOT / "docs" / "speed.svg"
START, END = "<!-- written by benchmarks/summary.py -->", "<!-- end of what benchmarks/summary.py writes -->"
CHARTED = {  # contenders of workload A-f32, and what the chart calls them
    "native": "fastnn",
    "numba": "fastnn, Numba backend",
    "JAX": "JAX, jit and scan",
    "PyTorch compiled": "PyTorch, compiled step",
    "numpy": "NumPy, by batches",
    "scikit-learn": "scikit-learn",
    "PyTorch": "PyTorch",
    "NumPy program": "the book's program",
}


RESULTS = "results.json", "results_neighbors.json", "results_dropins.json", "results_sklearn.json"
SEARCHED = "FAISS", "PyTorch", "scikit-learn"


class Row(NamedTuple):
    what: str
    own: float  # seconds
    rivals: list[tuple[str, float]]  # name, and how many times as long it takes

    def cells(self) -> str:
        names = ", ".join(f"{name} {times:.{0 if times >= 10 else 1}f}x" for name, times in self.rivals)
        return f"| {self.what} | **{short(self.own)}** | {names} |"


def short(seconds: float) -> str:
    return duration(seconds) if seconds >= 0.01 else f"{seconds * 1e3:.2g} ms"


def read(name: str) -> Report:
    return json.loads((HERE / name).read_text())


def trained(report: Report, name: str, what: str, rivals: dict[str, str]) -> Row:
    """A row of results.json; ``rivals``: the contenders and what they are called here."""
    results = next(work for work in report["workloads"] if work["name"] == name)["results"]
    found = [(title, results[rival]["native_is_faster_by"]) for rival, title in rivals.items() if rival in results]
    return Row(what, results["native"]["seconds"], found)


def searched(report: Report, name: str, part: str, what: str) -> Row:
    results = next(case for case in report["cases"] if case["name"] == name)["results"]
    found = [(rival, results[rival]["timings"][part]["native_is_faster_by"]) for rival in SEARCHED if rival in results]
    return Row(what, results["native"]["timings"][part]["seconds"], found)


def replaced(report: Report, name: str, what: str, rival: str = "the original") -> Row:
    row = report["rows"][name]
    return Row(what, row["ours"]["seconds"], [(rival, row["theirs"]["native_is_faster_by"])])


def rows(training: Report, neighbors: Report, dropins: Report, estimators: Report) -> list[Row]:
    hand = {"NumPy program": "the NumPy program"}
    usual = {"JAX": "JAX", "PyTorch": "PyTorch", "scikit-learn": "scikit-learn"}
    return [
        trained(training, "A-f32", "784-30-10, batches of 10", hand | usual),
        trained(training, "B-f64", "784-88-10, sample by sample, float64", hand),
        trained(training, "D", "784-128-10, Adam, batches of 32", usual),
        trained(training, "E", "784-500-10, Adam, batches of 200", usual),
        searched(neighbors, "uint8-k5", "fit + search", "5 neighbours of 10,000 images"),
        searched(neighbors, "one-float32", "search", "5 neighbours of one image, float32"),
        replaced(dropins, "rashid-fit", "Rashid's class, 5,000 rows"),
        replaced(dropins, "layers-train", "layers from scratch, 5 epochs"),
        replaced(dropins, "keras-fit", "Keras' first program, an epoch", "Keras"),
        replaced(dropins, "keras-pima", "Keras' 8-12-8-1 of 768 rows, 150 epochs", "Keras"),
        replaced(estimators, "mnist-defaults", "`MLPClassifier()`, 5 epochs", "scikit-learn"),
        replaced(estimators, "grid-search", "`GridSearchCV` of 9 networks, load_digits", "scikit-learn"),
    ]


def write() -> None:
    training, *others = map(read, RESULTS)
    results = next(work for work in training["workloads"] if work["name"] == "A-f32")["results"]
    bars = [Bar(title, results[key]["seconds"], key == "native") for key, title in CHARTED.items() if key in results]
    hardware = training["hardware"]
    note = f"the same network, batches and numbers; {hardware.partition(', Python')[0]}"
    CHART.write_text(bar_chart("An epoch of MNIST, 784-30-10, mini-batches of 10", note, bars))
    table = ["| 60,000 images of MNIST, where no other data are named | fastnn | others take |", "|---|---|---|"]
    table += [row.cells() for row in rows(training, *others)]
    machines = dict.fromkeys(report["hardware"] for report in (training, *others))
    text = "\n".join([*table, "", f"Medians; {'; '.join(machines)}."])
    write_between(ROOT / "README.md", START, END, text)


if __name__ == "__main__":
    write()
