"""Writing files so that a crash leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable

from .errors import FastnnError, ForbiddenFileError, InvalidTypeError, MissingFileError

StrPath = str | os.PathLike[str]


def check_path(path: object) -> None:
    """Raise InvalidTypeError unless ``path`` names a file."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise InvalidTypeError("path", "a str or os.PathLike", type(path).__name__)


def check_destination(path: StrPath) -> None:
    """Raise FastnnError if ``path`` plainly cannot be written, so that long work is not done in vain."""
    check_path(path)
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise MissingFileError(folder, "there is no such folder")
    if os.path.exists(target) and not os.path.isfile(target):
        raise FastnnError(f"{os.fspath(path)}: expected a regular file to replace, found a folder, device or pipe")
    for what, name in (("folder", folder), ("file", target)):
        if os.path.exists(name) and not os.access(name, os.W_OK):
            raise ForbiddenFileError(name, f"there is no permission to write to this {what}")


def write_atomically(path: StrPath, parts: Iterable[bytes | memoryview]) -> None:
    """Write ``parts`` to a temporary file beside ``path``, sync it and rename it over ``path``.

    A file that was there keeps its permissions, a new one gets those of the umask; a symbolic link keeps pointing at
    the file. Raises FastnnError, and leaves nothing behind, if that fails.
    """
    try:
        check_destination(path)
        target = os.path.realpath(path)  # os.replace would replace the link itself
        temporary = os.path.join(os.path.dirname(target), f".fastnn-{secrets.token_hex(8)}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(temporary, flags, 0o666)  # the kernel applies the umask
        try:
            with os.fdopen(descriptor, "wb") as file:
                if os.path.exists(target):
                    os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(os.path.dirname(target))
    except (OSError, ValueError) as error:
        if isinstance(error, FastnnError):
            raise
        raise FastnnError(f"{os.fspath(path)!r}: cannot be written: {error}") from error


def _sync_folder(folder: str) -> None:
    """Make the renaming last; not every file system can, and the file itself is safe by now."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
