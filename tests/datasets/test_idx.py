from __future__ import annotations

import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.datasets import read_idx
from fastnn.datasets.idx import read_idx_split
from fastnn.dropin import scratch
from fastnn.errors import FileFormatError


def idx_bytes(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def naive_read(content: bytes) -> np.ndarray | None:
    """The format's definition, in a few lines that share nothing with the reader."""
    if len(content) < 4 or content[:3] != b"\0\0\x08" or content[3] not in (1, 2, 3):
        return None
    end = 4 + 4 * content[3]
    if len(content) < end:
        return None
    shape = np.frombuffer(content[4:end], ">u4").tolist()
    if math.prod(shape) != len(content) - end or 0 in shape:
        return None
    return np.array(list(content[end:]), np.uint8).reshape(shape)


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 4), (2, 3, 4), (300, 28, 28)])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_round_trip(tmp_path, shape, compress):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    (tmp_path / "f").write_bytes(compress(idx_bytes(array)))
    read = read_idx(tmp_path / "f")
    np.testing.assert_array_equal(read, array, strict=True)
    assert read.flags.c_contiguous
    assert read.flags.writeable


def replaced(position: int, new: bytes) -> bytes:
    content = idx_bytes(IMAGES)
    return content[:position] + new + content[position + len(new) :]


FAULTS = {
    "empty": (b"", 0, "4 bytes of IDX magic"),
    "magic cut": (b"\0\0\x08", 0, "4 bytes of IDX magic"),
    "not idx": (replaced(0, b"\x01"), 0, "two zero bytes"),
    "int8": (replaced(2, b"\x09"), 2, "found 0x09"),
    "float": (replaced(2, b"\x0d"), 2, "unsigned byte, found 0x0d"),
    "no dimensions": (replaced(3, b"\0"), 3, "1 to 3 dimensions, found 0"),
    "many dimensions": (replaced(3, b"\xff"), 3, "found 255"),
    "sizes cut": (idx_bytes(IMAGES)[:14], 4, "12 bytes of IDX sizes"),
    "no rows": (replaced(4, b"\0\0\0\0"), 4, "sizes of at least 1"),
    "too short": (idx_bytes(IMAGES)[:-1], 16, "24 bytes"),
    "too long": (idx_bytes(IMAGES) + b"\0", 40, "expected the end of the file, found more bytes"),
    "4 billion rows": (replaced(4, b"\xff\xff\xff\xff"), 16, "51539607540 bytes"),
    "2**96 elements": (replaced(4, b"\xff" * 12), 16, "elements"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(tmp_path, refused, fault):
    content, offset, message = FAULTS[fault]
    (tmp_path / "f").write_bytes(content)
    refused(read_idx, tmp_path / "f", message, offset=offset)
    (tmp_path / "f.gz").write_bytes(gzip.compress(content))
    refused(read_idx, tmp_path / "f.gz")


@pytest.mark.parametrize("cut", [1, 8, 9, 20])
def test_truncated_gzip(tmp_path, refused, cut):
    (tmp_path / "f.gz").write_bytes(gzip.compress(idx_bytes(IMAGES))[:-cut])
    refused(read_idx, tmp_path / "f.gz")


def test_gzip_with_a_wrong_checksum(tmp_path, refused):
    content = bytearray(gzip.compress(idx_bytes(IMAGES)))
    content[-6] ^= 0x40
    (tmp_path / "f.gz").write_bytes(content)
    refused(read_idx, tmp_path / "f.gz", "CRC", offset=40)


def test_folders_and_missing_files(tmp_path, refused):
    refused(read_idx, tmp_path, "a folder")
    refused(read_idx, tmp_path / "missing", "there is no such file")


@pytest.mark.parametrize(
    ("header", "zeros"),
    [
        (struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 28, 28), 100 << 20),  # more than any MNIST
        (struct.pack(">4B1I", 0, 0, 8, 1, 400 << 20), 100),  # more than this file could decompress to
        (struct.pack(">4B1I", 0, 0, 8, 1, 10), 100 << 20),  # much more follows than the header says
    ],
)
def test_bombs_use_little_memory(tmp_path, refused, header, zeros):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(header + bytes(zeros), 1))
    tracemalloc.start()
    try:
        refused(read_idx, tmp_path / "bomb.gz")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_split(tmp_path, refused):
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.write_bytes(idx_bytes(IMAGES))

    def read(path):
        return read_idx_split(images, path)

    labels.write_bytes(idx_bytes(np.array([9, 0], np.uint8)))
    np.testing.assert_array_equal(read(labels)[1], [9, 0])
    labels.write_bytes(idx_bytes(np.array([26, 255], np.uint8)))
    np.testing.assert_array_equal(read(labels)[1], [26, 255])
    labels.write_bytes(idx_bytes(np.array([9, 0, 1], np.uint8)))
    refused(read, labels, "2 labels, one per image, found 3")
    labels.write_bytes(idx_bytes(np.array([[9], [0]], np.uint8)))
    refused(read, labels, "one row of integer labels")


def test_letters_through_what_reads_a_pair_of_files(tmp_path):
    """EMNIST's 1..26."""
    images = np.random.default_rng(0).integers(0, 256, (26, 28, 28), dtype=np.uint8)
    (tmp_path / "images").write_bytes(idx_bytes(images))
    (tmp_path / "labels").write_bytes(idx_bytes(np.arange(1, 27, dtype=np.uint8)))
    drawn, labels = scratch.read_pic(26, tmp_path / "labels", tmp_path / "images")
    assert sorted(labels) == list(range(1, 27))
    assert drawn == [images[label - 1].ravel().tolist() for label in labels]
    assert [scratch.knn(1, drawn, labels, image) for image in drawn] == labels


def check_against_naive(path, content: bytes) -> None:
    path.write_bytes(content)
    expected = naive_read(content)
    if expected is None:
        with pytest.raises(FileFormatError):
            read_idx(path)
    else:
        np.testing.assert_array_equal(read_idx(path), expected, strict=True)


@settings(deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: b"\0\0\x08" + tail))
def test_fuzz_random_bytes(fuzz_path, content):
    if not content.startswith(b"\x1f\x8b"):
        check_against_naive(fuzz_path, content)


@settings(deadline=None)
@given(st.integers(0, 39), st.integers(0, 255), st.integers(0, 40), st.binary(max_size=3))
def test_fuzz_mutated_files(fuzz_path, position, byte, end, tail):
    content = bytearray(idx_bytes(IMAGES))
    check_against_naive(fuzz_path, bytes(content[:end] + tail))
    content[position] = byte
    check_against_naive(fuzz_path, bytes(content))


@settings(deadline=None)
@given(st.data())
def test_fuzz_mutated_gzip_files(fuzz_path, data):
    content = bytearray(gzip.compress(idx_bytes(IMAGES), mtime=0))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(0, 255))
    fuzz_path.write_bytes(content)
    try:
        read = read_idx(fuzz_path)
    except FileFormatError:
        return
    np.testing.assert_array_equal(read, IMAGES)  # the checksum lets only harmless changes of the gzip header pass
