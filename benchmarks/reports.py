"""What the comparisons print and write alike: medians and ratios, the machine, JSON and the tables in docs/."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import roofline
from contenders import UnavailableError

Report = dict[str, Any]  # as JSON

HERE = Path(__file__).resolve().parent
TABLES = HERE.parent / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Timing:
    """What one contender took, round by round, beside native in the same rounds; no ratios where native had no part."""

    seconds: float  # the median, as native_is_faster_by
    fastest: float
    slowest: float
    native_is_faster_by: float | None
    ratios: tuple[float, float] | None  # least and greatest

    def text(self) -> str:
        took = f"{milliseconds(self.seconds):>8} ms ({milliseconds(self.fastest)} .. {milliseconds(self.slowest)})"
        if self.native_is_faster_by is None or self.ratios is None:
            return took
        low, high = self.ratios
        return f"{took}  native is {self.native_is_faster_by:6.2f} x as fast ({low:.2f} .. {high:.2f})"


def ratio(taken: Sequence[float], base: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """How many times ``base`` was taken: the median of the rounds' ratios, and the least and the greatest."""
    ratios = [other / own for other, own in zip(taken, base, strict=True)]
    return statistics.median(ratios), (min(ratios), max(ratios))


def timing(taken: Sequence[float], native: Sequence[float] | None) -> Timing:
    """Of seconds round by round."""
    times, spread = (None, None) if native is None else ratio(taken, native)
    return Timing(statistics.median(taken), min(taken), max(taken), times, spread)


def ratio_words(row: Report) -> str:
    """A Timing's ratio in a table."""
    low, high = row["ratios"]
    return f"{row['native_is_faster_by']:.1f}x ({low:.1f} .. {high:.1f})"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.{1 if seconds >= 1e-3 else 3}f}"


def cell(row: Report | None, *, bold: bool = False, ratio: bool = True) -> str:
    """A table's milliseconds and, of others than native, how much faster native is; ``row`` is a Timing."""
    if row is None:
        return ""
    took = f"{row['seconds'] * 1e3:.{0 if row['seconds'] >= 0.01 else 1 if row['seconds'] >= 0.001 else 2}f}"
    times = row["native_is_faster_by"]
    words = f" ({times:.1f}x{', faster than native' if times < 1 else ''})" if ratio else ""
    return f"**{took}**" if bold else took + words


def arguments(description: str | None, names: str, written: str) -> argparse.ArgumentParser:
    """The options that all comparisons have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=names)
    parser.add_argument("--json", type=Path, help="write the report to this file")
    parser.add_argument("--write", action="store_true", help=f"rewrite {written} and what is drawn from it")
    return parser


def begin() -> Report:
    """Say and keep what the machine is and can do."""
    report: Report = {"hardware": roofline.hardware()}
    print(report["hardware"])
    try:
        report["machine"] = vars(roofline.machine())
        print(roofline.describe(roofline.machine()))
    except UnavailableError as reason:
        print(reason)
    return report


def write_json(path: Path, report: Report) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n")


def write_between(path: Path, start: str, end: str, text: str) -> None:
    """Put ``text`` between two marks of a page."""
    before, rest = path.read_text().split(start)
    path.write_text(f"{before}{start}\n{text}\n{end}{rest.split(end)[1]}")
