"""The records of calls: each process appends lines to a file of its own in a folder, and whoever reports adds them up.

A worker may be killed at any time, so each line is written when its call is over, by one system call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

Line = tuple[str, ...]  # of a table


class Row(NamedTuple):
    """One or several calls of one method of one class, which went the same way.

    From ``sklearn_seconds`` on they are those of ``--check``: how long scikit-learn's own code took, and the largest
    differences of loss curves (relative), scores and predictions (labels: the share of them that differ; numbers:
    relative to the largest); None where there is nothing to compare.
    """

    estimator: str
    method: str
    accelerated: bool
    reason: str  # why not; empty if it was
    seconds: float
    calls: int
    sklearn_seconds: float | None = None
    loss_curve_difference: float | None = None
    score_difference: float | None = None
    prediction_difference: float | None = None
    problem: str = ""  # what kept scikit-learn's code from being compared, or what it did otherwise

    @property
    def speed_up(self) -> float | None:
        """How many times as fast as scikit-learn's own code the calls were, or None if that has not run."""
        return None if self.sklearn_seconds is None else self.sklearn_seconds / max(self.seconds, 1e-9)

    def differences(self) -> str:
        """What ``--check`` found, for a line of the log."""
        if self.problem:
            return f"; not compared: {self.problem}"
        if self.speed_up is None:
            return ""
        found = (
            ("loss curves", self.loss_curve_difference),
            ("scores", self.score_difference),
            ("predictions", self.prediction_difference),
        )
        text = "".join(f", {name} differ by {value:.2g}" for name, value in found if value is not None)
        return f"; {self.speed_up:.3g} times as fast as scikit-learn{text}"


def write(folder: str, row: Row) -> None:
    """Append a row to this process's file in the folder, unless that is gone, as whoever reports has ended."""
    path = os.path.join(folder, f"{os.getpid()}.jsonl")  # a process that was forked has a file of its own
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (json.dumps(row) + "\n").encode())
        finally:
            os.close(descriptor)
    except OSError:
        pass


def read(folder: str) -> Iterator[Row]:
    """The rows of all processes."""
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):  # the process was not killed as it wrote it
                    yield Row(*json.loads(line))


def total(rows: Iterable[Row]) -> list[Row]:
    """The rows added up by estimator, method, whether it was accelerated and why not; the longest first."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = (*row[:4], row.sklearn_seconds is None, row.problem)
        found[key] = _sum(found[key], row) if key in found else row
    return sorted(found.values(), key=lambda row: -row.seconds)


def _sum(one: Row, other: Row) -> Row:
    def both(combine: Callable[[list[float]], float], *values: float | None) -> float | None:
        there = [value for value in values if value is not None]
        return combine(there) if there else None

    return one._replace(
        seconds=one.seconds + other.seconds,
        calls=one.calls + other.calls,
        sklearn_seconds=both(sum, one.sklearn_seconds, other.sklearn_seconds),
        loss_curve_difference=both(max, one.loss_curve_difference, other.loss_curve_difference),
        score_difference=both(max, one.score_difference, other.score_difference),
        prediction_difference=both(max, one.prediction_difference, other.prediction_difference),
    )


def as_objects(rows: Iterable[Row], *, checked: bool) -> list[dict[str, Any]]:
    """The rows as they stand in a report; what ``--check`` found only where it ran."""
    found = []
    for row in rows:
        values = row._asdict()
        if not checked:
            values = {name: values[name] for name in Row._fields[:6]}
        found.append(values | ({"speed_up": row.speed_up} if checked else {}))
    return found


def profile(rows: Iterable[Row]) -> str:
    """A table of where the time went."""
    lines: list[Line] = [("estimator", "method", "calls", "seconds", "accelerated")]
    for row in rows:
        how = "yes" if row.accelerated else f"no: {row.reason}"
        lines.append((row.estimator, row.method, f"{row.calls:,}", f"{row.seconds:.4f}", how))
    return _table(lines) if len(lines) > 1 else "no call of an estimator that fastnn has"


def checked(rows: Iterable[Row]) -> str:
    """A table of how the accelerated calls compare with scikit-learn's own code."""
    lines: list[Line] = [("estimator", "method", "calls", "speed-up", "loss curves", "scores", "predictions", "")]
    for row in rows:
        if row.speed_up is None and not row.problem:
            continue
        speed_up = f"{row.speed_up:.2f}x" if row.speed_up is not None else "-"
        values = row.loss_curve_difference, row.score_difference, row.prediction_difference
        differences = ["-" if value is None else f"{value:.2g}" for value in values]
        lines.append((row.estimator, row.method, f"{row.calls:,}", speed_up, *differences, row.problem))
    return _table(lines) if len(lines) > 1 else "no call was accelerated, so there is nothing to compare"


def _table(lines: list[Line]) -> str:
    """Columns as wide as they need be; numbers, from the third column to the last but one, end at the same place."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    last = len(widths) - 1

    def cell(text: str, place: int) -> str:
        return text.rjust(widths[place]) if 2 <= place < last else text.ljust(widths[place])

    return "\n".join("  ".join(cell(text, place) for place, text in enumerate(line)).rstrip() for line in lines)
