"""Run scripts that use scikit-learn, as those of its gallery, as they are and under accel, and compare the two.

    python tests/helpers/gallery.py scikit-learn/examples         # those that name one of the five classes
    python tests/helpers/gallery.py scikit-learn/examples --all   # also those in which only scikit-learn may use them

Scripts that need a download, or a module that is not installed, are left out. The exit code and the text on stdout must
be the same; where a script's text differs from one run without accel to the next, as times do, these words may differ.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

CLASSES = re.compile(r"\b(MLPClassifier|MLPRegressor|KNeighborsClassifier|KNeighborsRegressor|NearestNeighbors)\b")
DOWNLOAD = re.compile(r"\b(fetch_\w+|urlopen|urlretrieve|pooch)\b|\bread_csv\(\s*\"http")
MISSING = re.compile(r"^(?:ModuleNotFoundError|ImportError): .*", re.MULTILINE)


class Run(NamedTuple):
    """What a script did; ``rows`` is accel's report."""

    code: int
    text: str
    errors: str
    seconds: float
    rows: list[dict[str, object]]


def run(script: Path, *options: str) -> Run:
    """Run a script in an empty folder; ``options`` go to Python before it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *options, str(script.resolve())]
        environment = {**os.environ, "MPLBACKEND": "agg"}
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        report = Path(folder, "report.json")
        rows = json.loads(report.read_text()) if report.exists() else []
    return Run(done.returncode, done.stdout, done.stderr, seconds, rows)


def words(text: str) -> list[list[str]]:
    """The words and the gaps of each line."""
    return [re.split(r"(\s+)", line) for line in text.splitlines()]


def is_same(found: str, expected: str, again: str) -> bool:
    """Whether ``found`` is ``expected`` but for words in which ``again`` is not, either."""
    if [len(line) for line in words(expected)] != [len(line) for line in words(again)]:
        return False
    if [len(line) for line in words(expected)] != [len(line) for line in words(found)]:
        return False
    triples = (zip(*lines, strict=True) for lines in zip(words(found), words(expected), words(again), strict=True))
    return all(one == two or two != three for line in triples for one, two, three in line)


def compare(script: Path) -> tuple[str, str]:
    """What came of a script: "same", "other" or "left out", and a line that says more."""
    plain = run(script)
    if plain.code and (missing := MISSING.search(plain.errors)):
        return "left out", missing[0]
    accel = run(script, "-m", "fastnn.accel", "--report", "report.json")
    done = sum(int(row["calls"]) for row in accel.rows if row["accelerated"])  # type: ignore[call-overload]  # of JSON
    calls = sum(int(row["calls"]) for row in accel.rows)  # type: ignore[call-overload]  # of JSON
    text = f"{done} of {calls} calls accelerated, {plain.seconds:.1f} s, {accel.seconds:.1f} s with accel"
    if accel.code != plain.code:
        return "other", f"exit code {accel.code}, not {plain.code}: {accel.errors[-2000:]}"
    if accel.text != plain.text:
        again = run(script)
        if not is_same(accel.text, plain.text, again.text):
            return "other", f"{text}\n--- plain\n{plain.text}\n--- plain again\n{again.text}\n--- accel\n{accel.text}"
    if plain.code:
        text += f"; both exit with {plain.code}"
    return "same", text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[str]] = {"same": [], "other": [], "left out": []}
    accelerated = 0
    for script in sorted(options.folder.rglob("*.py")):
        text = script.read_text()
        if not options.all and not CLASSES.search(text):
            continue
        download = DOWNLOAD.search(text)
        outcome, line = ("left out", f"it downloads: {download[0]}") if download else compare(script)
        found[outcome].append(script.name)
        accelerated += outcome == "same" and not line.startswith("0 ")
        print(f"{outcome}: {script.relative_to(options.folder)}: {line}", flush=True)
    compared = len(found["same"]) + len(found["other"])
    print(f"the same exit code and text: {len(found['same'])} of {compared}, fastnn took part in {accelerated} of them")
    print(f"left out: {len(found['left out'])}")
    return 1 if found["other"] else 0


if __name__ == "__main__":
    sys.exit(main())
