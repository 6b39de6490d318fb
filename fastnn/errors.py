"""The errors fastnn raises. Each message names what was expected and what was found."""

from __future__ import annotations

import os
import sys
from typing import Any


class FastnnError(Exception):
    """Base class of every error that fastnn raises on purpose."""


class InvalidArgumentError(FastnnError, ValueError):
    """An argument has the right type but an unusable value or shape."""

    def __init__(self, argument: str, expected: str, found: object) -> None:
        super().__init__(f"{argument}: expected {expected}, found {found}")
        self.argument, self.expected, self.found = argument, expected, found


class InvalidTypeError(FastnnError, TypeError):
    """An argument has an unusable type."""

    def __init__(self, argument: str, expected: str, found: object) -> None:
        super().__init__(f"{argument}: expected {expected}, found {found}")
        self.argument, self.expected, self.found = argument, expected, found


class FileFormatError(FastnnError, ValueError):
    """A file is missing, cut short, damaged or of another format.

    ``offset`` is the byte (or, for text, the line) at which the fault was seen; ``unit`` says which.
    """

    def __init__(
        self, path: str | os.PathLike[str], offset: int, expected: str, found: object, *, unit: str = "byte"
    ) -> None:
        super().__init__(f"{os.fspath(path)}, {unit} {offset}: expected {expected}, found {found}")
        self.path, self.offset, self.expected, self.found = os.fspath(path), offset, expected, found


class BackendError(FastnnError, RuntimeError):
    """A kernel backend was asked for that cannot run here."""


class DivergenceError(FastnnError, ArithmeticError):
    """The training loss became NaN or infinite; the model keeps its last finite weights.

    Where there is no model, as for fastnn.dropin.scratch.fit, these are ``weights``.
    """

    def __init__(self, message: str, weights: tuple[Any, ...] | None = None) -> None:
        super().__init__(message)
        self.weights = weights


def callers_depth() -> int:
    """How far up the stack the first caller outside this package is: the ``stacklevel`` of a warning to the user."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back and (frame.f_globals.get("__package__") or "").startswith("fastnn"):
        depth, frame = depth + 1, frame.f_back
    return depth
