"""A program twice, as its original and with fastnn under it: both sides in turn, and the table of what was found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import roofline
import summary
from contenders import UnavailableError, seconds_alone
from reports import TABLES, Report, arguments, begin, ratio_words, timing, write_between, write_json


class NamedRow(Protocol):
    """One of a table's rows; ``asked`` is how many times faster fastnn is to be."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def asked(self) -> float: ...


Row = TypeVar("Row", bound=NamedRow)


@dataclass(frozen=True)
class Pair:
    """One program twice. ``disagreement`` says in words, after all rounds, how the results differ."""

    ours: Callable[[], object]
    theirs: Callable[[], object]
    disagreement: Callable[[], str]
    calls: int = 1  # of which a run consists


def without_result(run: Callable[[], object]) -> Callable[[], None]:
    def silent() -> None:
        run()

    return silent


def in_turn(pair: Pair, rounds: int) -> Report:
    """Seconds of a call of each side, round by round, and how the results differ."""
    sides = {"ours": pair.ours, "theirs": pair.theirs}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            taken[name].append(seconds_alone(without_result(run)) / pair.calls)
    return {
        "ours": asdict(timing(taken["ours"], None)),
        "theirs": asdict(timing(taken["theirs"], taken["ours"])),
        "disagreement": pair.disagreement(),
    }


def took(seconds: float) -> str:
    if seconds >= 0.01:
        return f"{seconds * 1e3:,.0f} ms"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} \u00b5s"


def line(row: Report, asked: float) -> str:
    """What is printed of a row while the others are measured."""
    faster = row["theirs"]["native_is_faster_by"]
    return f"  {took(row['ours']['seconds'])}, {faster:.2f} times as fast (asked: {asked:g}); {row['disagreement']}"


def table(report: Report, heads: Mapping[str, str], words: str) -> str:
    """Rows of ``report``, under ``heads``: what theirs and ours are called, and their differences."""
    titles = heads["theirs"], heads["ours"], "faster by", heads["disagreement"]
    lines = [f"| | {' | '.join(titles)} |", "|---|---|---|---|---|"]
    for row in report["rows"].values():
        theirs, ours = row["theirs"], row["ours"]
        cells = row["title"], took(theirs["seconds"]), f"**{took(ours['seconds'])}**", ratio_words(theirs)
        lines.append(f"| {' | '.join(cells)} | {row['disagreement']} |")
    return "\n".join([*lines, "", words, "", f"Hardware: {report['hardware']}."])


def kept_rows(results: Path, hardware: str) -> dict[str, Report]:
    """The rows of the results that there are; ends the program where they are of other hardware."""
    found = json.loads(results.read_text())
    if found["hardware"] != hardware:
        sys.exit(f"{results.name} is of {found['hardware']}: rows of another machine cannot stand beside its")
    return found["rows"]


def compare(
    description: str | None,
    rows: Iterable[Row],
    measure: Callable[[Row, int], Report],
    table: Callable[[Report], str],
    results: Path,
    marks: tuple[str, str],
) -> None:
    """The whole of a comparison: its options, each row by ``measure`` (row, rounds), what is written between marks.

    Of ``--only`` some rows the others stay in the results as they were, if they are of the same machine.
    """
    options = arguments(description, "rows by the beginning of their names", results.name).parse_args()
    report = begin() | {"rounds": options.rounds, "rows": {}}
    kept = kept_rows(results, report["hardware"]) if options.only and options.write else {}
    for row in rows:
        if options.only and not row.name.startswith(tuple(options.only)):
            if row.name in kept:
                report["rows"][row.name] = kept[row.name]
            continue
        print(row.title, flush=True)
        try:
            found = measure(row, options.rounds)
        except UnavailableError as reason:
            print(f"  left out: {reason}")
            continue
        report["rows"][row.name] = found
        print(line(found, row.asked), flush=True)
    print(roofline.hardware())
    if options.json:
        write_json(options.json, report)
    if options.write:
        write_json(results, report)
        write_between(TABLES, *marks, table(report))
        summary.write()
