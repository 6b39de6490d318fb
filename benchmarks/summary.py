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


def groups(training: Report, neighbors: Report, dropins: Report, estimators: Report) -> dict[str, list[Row]]:
    """The table's rows by what was measured together."""
    hand = {"NumPy program": "the NumPy program"}
    usual = {"JAX": "JAX", "PyTorch": "PyTorch", "scikit-learn": "scikit-learn"}
    learned = {
        "mnist-defaults": "`MLPClassifier()`, 5 epochs",
        "mnist-small": '`MLPClassifier((30,), solver="sgd", batch_size=10)`, 5 epochs',
        "digits": "`MLPClassifier()` of load_digits, to convergence",
        "grid-search": "`GridSearchCV` of 9 networks, load_digits",
        "csr": "`MLPClassifier` on CSR, 20,000 x 100,000, an epoch",
        "knn-float64": '`KNeighborsClassifier(5, algorithm="brute")`',
        "nearest": "`NearestNeighbors(5)`, 200,000 x 8, 20,000 queries",
        "iris": "iris: split, fit, score, predict",
    }
    return {
        "training": [
            trained(training, "A-f32", "784-30-10, batches of 10", hand | usual),
            trained(training, "B-f64", "784-88-10, sample by sample, float64", hand),
            trained(training, "D", "784-128-10, Adam, batches of 32", usual),
            trained(training, "E", "784-500-10, Adam, batches of 200", usual),
        ],
        "neighbours": [
            searched(neighbors, "uint8-k5", "fit + search", "5 neighbours of 10,000 images"),
            searched(neighbors, "one-float32", "search", "5 neighbours of one image, float32"),
        ],
        "drop-ins": [
            replaced(dropins, "rashid-fit", "Rashid's class, 5,000 rows"),
            replaced(dropins, "layers-train", "layers from scratch, 5 epochs"),
            replaced(dropins, "keras-fit", "Keras' first program, an epoch", "Keras"),
            replaced(dropins, "keras-pima", "Keras' 8-12-8-1 of 768 rows, 150 epochs", "Keras"),
        ],
        "scikit-learn's classes": [replaced(estimators, name, what, "scikit-learn") for name, what in learned.items()],
    }


def machines(named: dict[str, Report]) -> str:
    """Which rows were measured on which machine, in words."""
    rows: dict[str, list[str]] = {}
    for name, report in named.items():
        rows.setdefault(report["hardware"], []).append(name)
    return "; ".join(f"{' and '.join(names)} on {hardware}" for hardware, names in rows.items())


def write() -> None:
    reports = [read(name) for name in RESULTS]
    training = reports[0]
    results = next(work for work in training["workloads"] if work["name"] == "A-f32")["results"]
    bars = [Bar(title, results[key]["seconds"], key == "native") for key, title in CHARTED.items() if key in results]
    hardware = training["hardware"]
    note = f"the same network, batches and numbers; {hardware.partition(', Python')[0]}"
    CHART.write_text(bar_chart("An epoch of MNIST, 784-30-10, mini-batches of 10", note, bars))
    table = ["| 60,000 images of MNIST, where no other data are named | fastnn | others take |", "|---|---|---|"]
    grouped = groups(*reports)
    table += [row.cells() for rows in grouped.values() for row in rows]
    text = "\n".join([*table, "", f"Medians: {machines(dict(zip(grouped, reports, strict=True)))}."])
    write_between(ROOT / "README.md", START, END, text)


if __name__ == "__main__":
    write()
