"""Times the examples for scikit-learn as they are and under accel, in turn, and keeps their text and their pictures.

    python benchmarks/examples.py            # print the times
    python benchmarks/examples.py --write    # also write results_examples.json, docs/pictures and docs/examples.md

What counts is the whole process, with its imports and its picture. Stops where the two print other text.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import reports
import roofline

import fastnn

ROOT = reports.HERE.parent
RESULTS = reports.HERE / "results_examples.json"
RUNS = [
    ("sklearn_iris.py", []),
    ("sklearn_best_k.py", []),
    ("sklearn_best_k.py", ["--mnist", "mnist.npz", "--rows", "5000", "--folds", "5"]),
    ("sklearn_sizes_and_rates.py", ["mnist.npz"]),
]
ACCEL = ["-m", "fastnn.accel"]


def write_mnist(folder: str) -> None:
    (X, y), (X_test, y_test) = fastnn.datasets.load_mnist()
    np.savez(Path(folder, "mnist.npz"), x_train=X, y_train=y, x_test=X_test, y_test=y_test)


def run(folder: str, options: list[str], script: str, arguments: list[str]) -> tuple[float, str]:
    """Seconds and text of one run; the picture is picture.png in the folder."""
    command = [sys.executable, *options, str(ROOT / "examples" / script), *arguments, "--out", "picture.png"]
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "MPLBACKEND": "agg"}, stdout=subprocess.PIPE, text=True, check=True
    )
    return time.perf_counter() - start, done.stdout


def measure(folder: str, script: str, arguments: list[str], rounds: int) -> reports.Report:
    """Medians of both sides, which take turns, and of their ratios."""
    plain, accel = [], []
    for _ in range(rounds):
        seconds, expected = run(folder, [], script, arguments)
        plain.append(seconds)
        seconds, text = run(folder, ACCEL, script, arguments)
        accel.append(seconds)
        if text != expected:
            sys.exit(f"{script} prints under accel\n{text}\nbut without\n{expected}")
    return {
        "script": script,
        "arguments": arguments,
        "hardware": roofline.hardware(),
        "rounds": rounds,
        "plain": statistics.median(plain),
        "accel": statistics.median(accel),
        "ratio": reports.ratio(plain, accel)[0],
        "text": text,
    }


def main() -> None:
    roofline.without_forced_kernels()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[], metavar="SCRIPT")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    runs = []
    print(roofline.hardware())
    with tempfile.TemporaryDirectory() as folder:
        write_mnist(folder)
        for script, arguments in RUNS:
            if options.only and script not in options.only:
                continue
            found = measure(folder, script, arguments, options.rounds)
            runs.append(found)
            print(
                f"{' '.join([script, *arguments])}: {found['plain']:.2f} s, "
                f"{found['accel']:.2f} s under accel, {found['ratio']:.2f}x",
                flush=True,
            )
            if options.write:
                picture = ROOT / "docs" / "pictures" / Path(script).with_suffix(".png")
                shutil.copyfile(Path(folder, "picture.png"), picture)
    if options.write:
        kept = json.loads(RESULTS.read_text())["runs"] if RESULTS.exists() and options.only else []
        runs += [run for run in kept if run["script"] not in options.only]
        reports.write_json(RESULTS, {"runs": runs})
        subprocess.run([sys.executable, str(ROOT / "docs" / "make_examples.py")], check=True)


if __name__ == "__main__":
    main()
