"""The errors fastnn raises. Each message names what was expected and what was found."""

from __future__ import annotations

import difflib
import errno
import os
import sys
from collections.abc import Iterable
from typing import Any


class FastnnError(Exception):
    """Base class of every error that fastnn raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle message and attributes: ``type(self)(*self.args)``, the default, needs a constructor of these."""
        return _restore, (type(self), self.args), self.__dict__


def _restore(kind: type[FastnnError], args: tuple[Any, ...]) -> FastnnError:
    error = kind.__new__(kind)
    error.args = args
    return error


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
    """A file is missing (:class:`MissingFileError`), cut short, damaged or of another format.

    ``offset`` is the byte (or, for text, the line) at which the fault was seen; ``unit`` says which.
    """

    def __init__(
        self, path: str | os.PathLike[str], offset: int, expected: str, found: object, *, unit: str = "byte"
    ) -> None:
        super().__init__(f"{os.fspath(path)}, {unit} {offset}: expected {expected}, found {found}")
        self.path, self.offset, self.expected, self.found = os.fspath(path), offset, expected, found


class FileAccessError(FileFormatError, OSError):
    """The system does not let a file be opened; also an OSError, with its ``errno``, ``strerror`` and ``filename``."""

    __new__ = OSError.__new__  # type: ignore[assignment]  # ValueError's, which comes first, makes no OSError
    # Class attributes, which hide OSError's own: with those set, str() is "[Errno 2] ..." in place of the message.
    errno = errno.EIO
    strerror = ""
    filename = ""

    def __init__(self, path: str | os.PathLike[str], reason: str, number: int) -> None:
        super().__init__(path, 0, "a file that can be opened", reason)
        self.args = (f"{self.path or 'the empty path'}: {reason}",)
        self.errno, self.strerror, self.filename = number, os.strerror(number), self.path


class MissingFileError(FileAccessError, FileNotFoundError):
    """A file to read, or the folder of a file to write, does not exist; also a FileNotFoundError."""

    def __init__(self, path: str | os.PathLike[str], reason: str = "there is no such file") -> None:
        super().__init__(path, reason, errno.ENOENT)


class ForbiddenFileError(FileAccessError, PermissionError):
    """The permissions of a file or folder do not allow to read or write it; also a PermissionError."""

    def __init__(self, path: str | os.PathLike[str], reason: str = "there is no permission to read it") -> None:
        super().__init__(path, reason, errno.EACCES)


def access_error(path: str | os.PathLike[str], error: OSError) -> FileAccessError:
    """The FileAccessError to raise for the OSError with which opening a file to read it failed."""
    if isinstance(error, FileNotFoundError):
        return MissingFileError(path)
    if isinstance(error, PermissionError):
        return ForbiddenFileError(path)
    return FileAccessError(path, (error.strerror or str(error)).lower(), error.errno or errno.EIO)


class BackendError(FastnnError, RuntimeError):
    """A kernel backend was asked for that cannot run here."""


class DivergenceError(FastnnError, ArithmeticError):
    """The training loss became NaN or infinite; the model keeps its last finite weights.

    Where there is no model, as for fastnn.dropin.scratch.fit, these are ``weights``. ``updates``, where it is known, is
    how many updates of the epoch left them so.
    """

    def __init__(self, message: str, weights: tuple[Any, ...] | None = None, updates: int | None = None) -> None:
        super().__init__(message)
        self.weights, self.updates = weights, updates


def callers_depth() -> int:
    """How far up the stack the first caller outside this package is: the ``stacklevel`` of a warning to the user."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back and (frame.f_globals.get("__package__") or "").startswith("fastnn"):
        depth, frame = depth + 1, frame.f_back
    return depth


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """What to end a message with: which of the names was probably meant, if any is near."""
    found = difflib.get_close_matches(name.lower(), list(names), n=1)
    return f"; did you mean {found[0]}?" if found else ""
