"""How far a long work is: a bar on stderr, where somebody sees it. tqdm's where that is installed, else a plain one."""

from __future__ import annotations

import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

# The seconds between two states of a bar, and before its first: the eye sees no more, and shorter works show nothing.
INTERVAL = 0.1
# The characters between the brackets: at most as many as are read at a glance, and no bar where they would be fewer
# than these, which could not tell a tenth.
LONGEST, SHORTEST = 30, 5


# What a caller gives to be called with how much is done.
Progress = Callable[[int], object]


class Bar(Protocol):
    """What shows how much of a work is done."""

    def update(self, done: int, label: str = "") -> None:
        """Show that so much is done in all, if nothing has been shown for a while."""

    def clear(self) -> None:
        """Wipe the line out, so that something can be printed there."""

    def close(self) -> None:
        """The same for good."""


@contextmanager
def bar(total: int, unit: str, *, wanted: bool = True) -> Iterator[Bar | None]:
    """A bar as long as this lasts; None where it is not wanted or nobody sees it."""
    shown = new_bar(total, unit) if wanted else None
    try:
        yield shown
    finally:
        if shown is not None:
            shown.close()


def new_bar(total: int, unit: str) -> Bar | None:
    """A bar for so many units of work; None where nobody sees it: stderr is neither a terminal nor a notebook's."""
    if not (is_terminal(sys.stderr) or "ipykernel" in sys.modules):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a notebook without widgets, where tqdm writes text
            from tqdm.auto import tqdm
    except ImportError:
        return PlainBar(total, unit)
    settings = {"mininterval": INTERVAL, "delay": INTERVAL, "leave": False, "dynamic_ncols": True}
    return TqdmBar(tqdm(total=total, unit=f" {unit}", **settings))


def ticker(bar: Bar | None, first: int, label: str) -> Callable[[int], None] | None:
    """What shows on a bar that so much is done of a part of the work that begins with ``first``."""
    return None if bar is None else lambda done: bar.update(first + done, label)


class PlainBar:
    """A line such as "Epoch 2/10 [====......] 3,000/6,000 batches, 12 s left", as much of it as the terminal holds."""

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.unit = total, unit
        self.start = time.perf_counter()
        self.shown, self.width = 0.0, 0  # when, and how many characters are there

    def update(self, done: int, label: str = "") -> None:
        now = time.perf_counter()
        if now - max(self.shown, self.start) < INTERVAL:
            return
        self.shown = now
        left = (now - self.start) / done * (self.total - done) if done else None
        room = columns(sys.stderr) - 1
        line = bar_line(done, self.total, self.unit, label, left, room)
        print(f"\r{line.ljust(min(self.width, room))}", end="", file=sys.stderr, flush=True)
        self.width = len(line)

    def clear(self) -> None:
        if self.width:
            blanks = " " * min(self.width, columns(sys.stderr) - 1)
            print(f"\r{blanks}\r", end="", file=sys.stderr, flush=True)
            self.width = 0

    def close(self) -> None:
        self.clear()


class TqdmBar:
    """tqdm's bar, in a notebook its widget."""

    def __init__(self, tqdm: Any) -> None:
        self.tqdm = tqdm

    def update(self, done: int, label: str = "") -> None:
        if label != (self.tqdm.desc or "").removesuffix(": "):
            self.tqdm.set_description(label, refresh=False)
        self.tqdm.update(done - self.tqdm.n)

    def clear(self) -> None:
        self.tqdm.clear()

    def close(self) -> None:
        self.tqdm.close()


def bar_line(done: int, total: int, unit: str, label: str, left: float | None, columns: int) -> str:
    """The line of a bar with ``left`` seconds to go, in at most so many columns."""
    time_left = "" if left is None else f"{_clock(left)} left"
    count = f"{done:,}/{total:,} {unit}"
    for words in ((label, count, time_left), (label, f"{done / total:.0%}", time_left), (label, "", time_left)):
        name, *rest = words
        end = ", ".join(word for word in rest if word)
        room = columns - len(name) - len(end) - 2 - bool(name) - bool(end)
        if room >= SHORTEST:
            length = min(room, LONGEST)
            filled = length * done // total
            drawn = f"[{'=' * filled}{'.' * (length - filled)}]"
            return " ".join(part for part in (name, drawn, end) if part)
    return f"{label} {time_left}".strip()[: max(columns, 0)]


def _clock(seconds: float) -> str:
    """12 s, 3:05 or 1:02:03."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sees what is written there. Python has None for streams of a program without a console."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def columns(stream: TextIO) -> int:
    """Of the terminal that a stream is, as wide as it is now."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or shutil.get_terminal_size().columns
    except (AttributeError, OSError, ValueError):  # a terminal in a test, or a notebook
        return shutil.get_terminal_size().columns


@contextmanager
def reported(progress: object, total: int, unit: str) -> Iterator[Callable[[int], object] | None]:
    """What to call with how much is done: the caller's own function, for True what moves a bar, else None."""
    with bar(total, unit, wanted=progress is True) as shown:
        if shown is not None:
            yield shown.update
        else:
            yield progress if callable(progress) else None


def check_progress(progress: object) -> None:
    """Refuse before a work what could not be called after it."""
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        from . import checks  # here, as it imports NumPy, without which the command prints its help

        checks.unsupported("progress", "a function of how many are done, True or False", progress)
