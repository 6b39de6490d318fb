"""Read a raw or gzip file front to back in bounded memory, turning every fault into a FileFormatError."""

from __future__ import annotations

import gzip
import os
import re
import stat
import zipfile
import zlib
from contextlib import ExitStack
from io import BufferedIOBase
from types import TracebackType
from typing import Self

from ..errors import FileFormatError, InvalidTypeError, access_error

StrPath = str | os.PathLike[str]

# All of MNIST as float64 is 440 MB, so nothing larger is MNIST; a decompression bomb stops here.
MAX_BYTES = 1 << 29
CHUNK_BYTES = 1 << 20
# One deflate bit can stand for at most 258 bytes, a match needs two: 1032 times, whatever a header claims.
MAX_DEFLATE_RATIO = 1032
GZIP_MAGIC = b"\x1f\x8b"

READ_FAULTS = (OSError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile)


def check_path(path: StrPath) -> str:
    """Return path as a str, or raise InvalidTypeError; an int in particular, which open() would take for a file."""
    if isinstance(path, str | os.PathLike) and isinstance(name := os.fspath(path), str):
        return name
    raise InvalidTypeError("path", "a str or os.PathLike", type(path).__name__)


class ByteStream:
    """A file's decompressed bytes, and `offset`, how many have been read.

    A context manager: whatever goes wrong with the file inside the `with` block leaves it as a FileFormatError.
    """

    def __init__(self, file: BufferedIOBase, path: StrPath, most_bytes: int) -> None:
        """Wrap an open file that cannot hold more than `most_bytes` decompressed bytes."""
        self.path = path
        self.offset = 0
        self._file = file
        self._most_bytes = most_bytes
        self._close = ExitStack()
        self._close.callback(file.close)

    @classmethod
    def open(cls, path: StrPath) -> Self:
        """Open a raw or gzip file; its first two bytes, not its name, say which it is."""
        check_path(path)
        try:
            # Looked at before it is opened: opening a pipe would wait for a writer.
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise FileFormatError(path, 0, "a file", "a folder" if os.path.isdir(path) else "a device or pipe")
            file = open(path, "rb")  # noqa: SIM115  # __exit__ closes it
            size = os.fstat(file.fileno()).st_size
            is_gzip = file.read(2) == GZIP_MAGIC
            file.seek(0)
        except FileFormatError:
            raise
        except OSError as error:
            raise access_error(path, error) from error
        except ValueError as error:  # a NUL character in the path
            raise FileFormatError(path, 0, "a readable file", _describe(error)) from error
        if not is_gzip:
            return cls(file, path, size)
        stream = cls(gzip.GzipFile(fileobj=file), path, MAX_DEFLATE_RATIO * size)
        stream._close.callback(file.close)  # GzipFile leaves a file object it was given open
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close.close()
        if isinstance(error, READ_FAULTS) and not isinstance(error, FileFormatError):
            raise self.fault("an undamaged file that fits in memory", _describe(error)) from error

    def fault(self, expected: str, found: object, offset: int | None = None) -> FileFormatError:
        """The error that says what was found at `offset`, by default at the next byte to be read."""
        return FileFormatError(self.path, self.offset if offset is None else offset, expected, found)

    def read(self, size: int) -> bytearray:
        """Read `size` bytes, fewer only at the end of the file. Memory grows with what is there, not with `size`."""
        data = bytearray()
        while len(data) < size and (chunk := self._file.read1(min(CHUNK_BYTES, size - len(data)))):
            data += chunk
            self._advance(len(chunk))
        return data

    def read_matching(self, pattern: re.Pattern[bytes]) -> bytes:
        """Read what a pattern matches of the next bytes, as far as they are buffered: perhaps none."""
        match = pattern.match(self._file.peek(1))  # type: ignore[attr-defined]  # which the files opened here have
        data: bytes = self._file.read(match.end() if match else 0)
        self._advance(len(data))
        return data

    def check_claim(self, size: int, what: str) -> None:
        """Raise FileFormatError if the file cannot hold the `size` bytes of `what` that it claims follow."""
        left = min(self._most_bytes, MAX_BYTES) - self.offset
        if size > left:
            raise self.fault(f"{size} bytes of {what}", f"at most {max(left, 0)}")

    def read_exactly(self, size: int, what: str) -> bytearray:
        """Read `size` bytes of `what`, or raise FileFormatError: before reading if the file cannot hold them."""
        self.check_claim(size, what)
        data = self.read(size)
        if len(data) < size:
            raise self.fault(f"{size} bytes of {what}", f"the end of the file after {len(data)}")
        return data

    def read_line(self, most_bytes: int, what: str) -> bytes:
        """Read one line of at most `most_bytes`, and return it without its newline."""
        start = self.offset
        line = self._file.readline(most_bytes + 1)
        self._advance(len(line))
        if not line.endswith(b"\n"):
            raise self.fault(f"a line of at most {most_bytes} bytes: {what}", f"no end of line in {len(line)}", start)
        return line[:-1]

    def expect_end(self) -> None:
        """Raise unless all has been read; for gzip this is also where the checksum is compared."""
        end = self.offset
        if self.read(1):
            raise self.fault("the end of the file", "more bytes", end)

    def _advance(self, size: int) -> None:
        self.offset += size
        if self.offset > MAX_BYTES:
            raise self.fault(f"at most {MAX_BYTES} bytes, decompressed", "more")


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
