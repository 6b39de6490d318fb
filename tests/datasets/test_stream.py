from __future__ import annotations

import gzip
import io
import os
import tracemalloc
import zlib

import pytest

from fastnn.datasets import stream as stream_module
from fastnn.datasets.stream import ByteStream
from fastnn.errors import FileFormatError, InvalidTypeError


def read_all(path) -> bytes:
    with ByteStream.open(path) as stream:
        data = stream.read(1 << 40)
        stream.expect_end()
        assert stream.offset == len(data)
        return bytes(data)


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 9000])  # the last one is longer than a chunk
def test_raw_and_gzip_files_read_the_same(tmp_path, content):
    (tmp_path / "raw").write_bytes(content)
    (tmp_path / "gz").write_bytes(gzip.compress(content))
    members = gzip.compress(content[:5]) + gzip.compress(content[5:])
    (tmp_path / "members").write_bytes(members)
    assert [read_all(tmp_path / name) for name in ("raw", "gz", "members")] == [content] * 3


def test_read_exactly_and_lines(tmp_path):
    (tmp_path / "f").write_bytes(b"ab\ncdef")
    with ByteStream.open(tmp_path / "f") as stream:
        assert stream.read_line(2, "a line") == b"ab"
        assert stream.read_exactly(3, "letters") == b"cde"
        with pytest.raises(FileFormatError, match=r"byte 6: expected the end of the file, found more bytes"):
            stream.expect_end()


def test_a_line_too_long_and_a_line_without_end(tmp_path, refused):
    (tmp_path / "f").write_bytes(b"abc\nd")

    def read_lines(path):
        with ByteStream.open(path) as stream:
            stream.read_line(3, "a line")
            stream.read_line(3, "a line")

    def read_short_line(path):
        with ByteStream.open(path) as stream:
            stream.read_line(2, "a line")

    refused(read_lines, tmp_path / "f", "no end of line in 1", offset=4)
    refused(read_short_line, tmp_path / "f", "at most 2 bytes", offset=0)


@pytest.mark.parametrize("cut", [1, 5, 12, 20])
def test_truncated_gzip(tmp_path, refused, cut):
    (tmp_path / "f.gz").write_bytes(gzip.compress(os.urandom(1000))[:-cut])
    refused(read_all, tmp_path / "f.gz", "EOFError")


def test_wrong_checksum_and_wrong_length(tmp_path, refused):
    good = gzip.compress(b"x" * 1000)
    for position in (-8, -4):
        bad = bytearray(good)
        bad[position] ^= 1
        (tmp_path / "f.gz").write_bytes(bad)
        refused(read_all, tmp_path / "f.gz", "BadGzipFile", offset=1000)


def test_damaged_deflate_stream_and_garbage_after_gzip(tmp_path, refused):
    (tmp_path / "f.gz").write_bytes(gzip.compress(b"")[:10] + b"\xff" * 50)
    refused(read_all, tmp_path / "f.gz", "error")
    (tmp_path / "g.gz").write_bytes(gzip.compress(b"x" * 10) + b"garbage")
    refused(read_all, tmp_path / "g.gz", "Not a gzipped file", offset=10)


@pytest.mark.parametrize("name", ["missing", "", "nul\0byte", "x" * 5000, "folder", "pipe", "loop"])
def test_what_is_not_a_readable_file(tmp_path, refused, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    refused(read_all, os.path.join(tmp_path, name), offset=0)


@pytest.mark.parametrize("path", [None, 0, b"bytes", ["list"], 1.5])
def test_what_is_not_a_path(path):
    with pytest.raises(InvalidTypeError, match=r"path: expected a str or os\.PathLike, found"):
        ByteStream.open(path)


@pytest.mark.parametrize("fault", [OSError("disk"), EOFError("end"), MemoryError("full"), zlib.error("damage")])
def test_faults_while_reading_become_format_errors_with_the_offset(fault):
    class FailsAfterTwo(io.BytesIO):
        def read1(self, size=-1):
            if self.tell() == 2:
                raise fault
            return super().read1(min(size, 2))

    def read(path):
        with ByteStream(FailsAfterTwo(b"abcd"), path, 4) as stream:
            stream.read_exactly(4, "letters")

    with pytest.raises(FileFormatError, match=f"{type(fault).__name__}: {fault}") as caught:
        read("some file")
    assert caught.value.offset == 2
    assert caught.value.__cause__ is fault


def test_other_errors_are_not_hidden(tmp_path):
    (tmp_path / "f").write_bytes(b"ab")
    with pytest.raises(ZeroDivisionError), ByteStream.open(tmp_path / "f"):
        _ = 1 // 0


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_claim_that_the_file_cannot_hold_allocates_nothing(tmp_path, compress):
    (tmp_path / "f").write_bytes(compress(b"x" * 1000))
    tracemalloc.start()
    try:
        for claim in (1 << 20, 1 << 29, 1 << 31, 1 << 62, 1 << 200):
            with ByteStream.open(tmp_path / "f") as stream, pytest.raises(FileFormatError, match="at most"):
                stream.read_exactly(claim, "elements")
        assert tracemalloc.get_traced_memory()[1] < 1 << 18
    finally:
        tracemalloc.stop()


def test_a_decompression_bomb_is_cut_off(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(stream_module, "MAX_BYTES", 3 << 20)
    (tmp_path / "allowed").write_bytes(gzip.compress(bytes(3 << 20)))
    assert len(read_all(tmp_path / "allowed")) == 3 << 20
    (tmp_path / "bomb").write_bytes(gzip.compress(bytes(100 << 20), 1))
    tracemalloc.start()
    try:
        refused(read_all, tmp_path / "bomb", "at most 3145728 bytes")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_files_are_closed_also_after_a_fault(tmp_path):
    (tmp_path / "f.gz").write_bytes(gzip.compress(b"abc") + b"garbage")
    stream = ByteStream.open(tmp_path / "f.gz")
    raw = stream._file.fileobj
    with pytest.raises(FileFormatError), stream:
        stream.read(10)
    assert raw.closed
