"""Run a script of tests/scripts as it is but for its imports, and compare what two runs of it print and compute."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).parents[1] / "scripts"
NUMBER = re.compile(r"\d+(?:\.(\d+))?(?:e[-+]?\d+)?")
FULL = 14  # a number of so many digits is printed in full, with as many as its last bits ask for
KERAS = re.compile(r"^(?P<verb>from|import) (?P<module>(?:keras|tensorflow)[\w.]*)(?P<alias> as \w+)?")
TIME = re.compile(NUMBER.pattern + r"(?= s\b| seconds\b)")


class Run(NamedTuple):
    """What a script printed, and its global names at the end."""

    lines: list[str]
    names: dict[str, Any]


def run(script: str, imports: Mapping[str, str]) -> Run:
    """Run ``script`` with some of its lines, which must be there, in exchange for others."""
    path = FOLDER / script
    lines = path.read_text().splitlines()
    for original, other in imports.items():
        lines[lines.index(original)] = other
    printed, names = io.StringIO(), {"__name__": "__main__"}
    with contextlib.redirect_stdout(printed):
        exec(compile("\n".join(lines), path, "exec"), names)
    return Run(printed.getvalue().splitlines(), names)


def fastnn_imports(script: str) -> dict[str, str]:
    """The lines of ``script`` that import Keras or TensorFlow, and what they become for fastnn."""
    lines = (FOLDER / script).read_text().splitlines()
    return {line: KERAS.sub(_of_fastnn, line) for line in lines if KERAS.match(line)}


def _of_fastnn(found: re.Match[str]) -> str:
    module = f"fastnn.dropin.{found['module']}"
    if found["verb"] == "import" and not found["alias"]:
        return f"import {module} as {found['module']}"
    return f"{found['verb']} {module}{found['alias'] or ''}"


def assert_same_lines(found: list[str], expected: list[str], *, places: int = 1, counts: int = 0) -> None:
    """The same text, but for times in seconds, and the same form of every number, digits after the point included.

    The numbers themselves may differ by ``places`` units of their last decimal place or, whole ones, by ``counts``, and
    those that are printed in full by 1e-12 of their value.
    """
    found, expected = ([TIME.sub("#", line) for line in lines] for lines in (found, expected))
    assert [NUMBER.sub(_form, line) for line in found] == [NUMBER.sub(_form, line) for line in expected]
    for ours, theirs in zip(found, expected, strict=True):
        for one, other in zip(NUMBER.finditer(ours), NUMBER.finditer(theirs), strict=True):
            value, decimals = float(other[0]), len(other[1] or "")
            allowed = 1e-12 * value if _is_full(other) else places * 10.0**-decimals if decimals else counts
            difference = abs(float(one[0]) - value)
            assert difference <= allowed * (1 + 1e-6), f"printed {ours!r}, the original {theirs!r}"


def _form(number: re.Match[str]) -> str:
    if _is_full(number):
        return "#.full"
    return f"#.{len(number[1])}" if number[1] else "#"


def _is_full(number: re.Match[str]) -> bool:
    return bool(number[1]) and len(number[0].split("e")[0]) > FULL


def disagreement(found: Iterable[Any], expected: Iterable[Any]) -> float:
    """The largest difference of any array, relative to that array's largest value."""
    pairs = zip(found, expected, strict=True)
    return max(float(np.abs(np.subtract(ours, theirs)).max() / np.abs(theirs).max()) for ours, theirs in pairs)
