"""What a terminal shows: colours where somebody sees them, and text and tables no wider than it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from ..progress import columns, is_terminal

# Parameters of "select graphic rendition" in ECMA-48, which every terminal knows.
BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"
# The blanks between the columns of a table: one more than words have, unless that makes it too wide.
GAP = 2


def has_colours(stream: TextIO | None) -> bool:
    """Whether it is a terminal, unless NO_COLOR (https://no-color.org) or FORCE_COLOR has something in it.

    FORCE_COLOR (https://force-color.org) asks for colours in a pipe too, as in the logs of continuous integration.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """The same in a colour where the stream, by default stdout, shows colours."""
    return f"\033[{style}m{text}\033[0m" if has_colours(sys.stdout if stream is None else stream) else text


def width() -> int | None:
    """Columns of stdout; None where it is no terminal, so that programs that read it get whole lines."""
    return columns(sys.stdout) if is_terminal(sys.stdout) else None


def fitted(text: str) -> str:
    """The text in lines that stdout holds, if it is a terminal."""
    return hanging_indent("", text, width())


def hanging_indent(start: str, text: str, columns: int | None) -> str:
    """``start`` and ``text``, whose further lines begin below its first."""
    if columns is None:
        return start + text
    indent = " " * min(len(start), columns // 2)
    return textwrap.fill(start + text, max(columns, 20), subsequent_indent=indent, break_on_hyphens=False)


def table(
    cells: Sequence[Sequence[str]], columns: int | None, style: Callable[[int, int], str | None] = lambda *_: None
) -> Iterator[str]:
    """Lines of a table with cells at the right of their columns, of which the first names the rows.

    What is wider than so many columns comes in parts, each with the first column again. ``style`` tells the colour of a
    cell by row and column.
    """
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    gap = GAP if columns is None or GAP + sum(widths) + GAP * (len(widths) - 1) <= columns else 1
    for part in _parts(widths, gap, columns):
        for row, line in enumerate(cells):
            shown = ""
            for place, column in enumerate((0, *part)):
                padded = line[column].rjust(widths[column])
                colour = style(row, column)
                shown += " " * (gap if place else GAP) + (padded if colour is None else paint(padded, colour))
            yield shown


def _parts(widths: Sequence[int], gap: int, columns: int | None) -> Iterator[range]:
    """The columns after the first, as many at a time as fit beside it, at least one."""
    start = 1
    while start < len(widths):
        end, used = start + 1, GAP + widths[0] + gap + widths[start]
        while end < len(widths) and (columns is None or used + gap + widths[end] <= columns):
            used += gap + widths[end]
            end += 1
        yield range(start, end)
        start = end
