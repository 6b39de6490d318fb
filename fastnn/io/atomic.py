"""Writing files so that a crash leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable

from ..errors import FastnnError, ForbiddenFileError, InvalidTypeError, MissingFileError

if sys.platform != "win32":
    import fcntl

StrPath = str | os.PathLike[str]

TEMPORARY = re.compile(r"\.fastnn-[0-9a-f]{16}\.tmp")


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
    the file. Raises FastnnError, and leaves nothing behind, if that fails. A process that is killed while it writes
    leaves its temporary file, which the next call for that folder removes.
    """
    try:
        check_destination(path)
        target = os.path.realpath(path)  # os.replace would replace the link itself
        _remove_leftovers(os.path.dirname(target))
        temporary, descriptor = _create_temporary(os.path.dirname(target))
        try:
            with os.fdopen(descriptor, "wb") as file:
                if os.path.exists(target):
                    os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
                if sys.platform == "win32":
                    file.close()  # an open file cannot be renamed there
                os.replace(temporary, target)  # while it is locked
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(os.path.dirname(target))
    except (OSError, ValueError) as error:
        if isinstance(error, FastnnError):
            raise
        raise FastnnError(f"{os.fspath(path)!r}: cannot be written: {error}") from error


def _create_temporary(folder: str) -> tuple[str, int]:
    """A new file in the folder, open for writing and locked until it is closed, so that no other process removes it."""
    while True:
        path = os.path.join(folder, f".fastnn-{secrets.token_hex(8)}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o666)  # the kernel applies the umask
        try:
            if _lock(descriptor) and os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return path, descriptor
        except FileNotFoundError:
            pass
        except OSError:  # a file system without locks, where nobody removes leftovers
            return path, descriptor
        os.close(descriptor)  # it was taken for a leftover, and is being removed, before it was locked


def _remove_leftovers(folder: str) -> None:
    """Remove the temporary files of processes that were killed: those whose lock is free. Looks at every name once.

    A lock of ``flock`` ends with its process. What is not ours to open, lock or remove stays, without a word.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for path in [entry.path for entry in entries if TEMPORARY.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):
                # Only to read: NFS then refuses the lock, under which a writer on another machine might be alive.
                descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
                try:
                    if stat.S_ISREG(os.fstat(descriptor).st_mode) and _lock(descriptor):
                        os.unlink(path)
                finally:
                    os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; False if it is locked. Raises OSError where files have no such locks."""
    if sys.platform == "win32":
        raise OSError("no locks that end with a process")
    else:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _sync_folder(folder: str) -> None:
    """Make the renaming last; not every file system can, and the file itself is safe by now."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
