from __future__ import annotations

import gzip
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.datasets import read_mnist_pickle
from fastnn.datasets.pickled import read_mnist_pickle_pixels
from fastnn.errors import FileFormatError

RNG = np.random.default_rng(0)
PIXELS = tuple((RNG.integers(0, 256, (n, 6)).astype(np.uint8), np.arange(n) % 10) for n in (5, 3, 12))


def scaled(divisor: int, dtype: type = np.float32) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return tuple((images.astype(dtype) / dtype(divisor), labels) for images, labels in PIXELS)


# What Python 2 wrote, opcode by opcode as its cPickle and NumPy 1.x did: str is a STRING or BINSTRING, and every
# GLOBAL is named once and then fetched from the memo.


def python_2_repr(data: bytes) -> bytes:
    quote = b'"' if b"'" in data and b'"' not in data else b"'"
    named = {0x5C: rb"\\", 0x09: rb"\t", 0x0A: rb"\n", 0x0D: rb"\r", quote[0]: b"\\" + quote}
    escaped = (named.get(c) or (bytes([c]) if 0x20 <= c < 0x7F else rb"\x%02x" % c) for c in data)
    return quote + b"".join(escaped) + quote


def python_2_array(array: np.ndarray, protocol: int, first: bool) -> bytes:
    code = array.dtype.str[1:].encode()
    sizes = array.shape
    if protocol == 0:
        reconstruct = b"cnumpy.core.multiarray\n_reconstruct\np1\n(cnumpy\nndarray\np2\n(I0\ntp3\nS'b'\np4\ntp5\nRp6\n"
        again = b"g1\n(g2\n(I0\ntp7\ng4\ntp8\nRp9\n"
        shape = b"(" + b"".join(b"I%d\n" % size for size in sizes) + b"tp10\n"
        name = b"cnumpy\ndtype\np11\n" if first else b"g11\n"
        dtype = name + b"(S'%s'\np12\nI0\nI1\ntp13\nRp14\n(I3\nS'<'\np15\nNNNI-1\nI-1\nI0\ntp16\nb" % code
        data = b"S" + python_2_repr(array.tobytes()) + b"\np17\n"
        return (reconstruct if first else again) + b"(I1\n" + shape + dtype + b"I00\n" + data + b"tp18\nb"
    reconstruct = b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
    again = b"h\x01h\x02K\x00\x85U\x01b\x87Rq\x04"
    shape = b"".join(b"M" + size.to_bytes(2, "little") for size in sizes) + (b"\x85" if len(sizes) == 1 else b"\x86")
    name = b"cnumpy\ndtype\nq\x05" if first else b"h\x05"
    end = b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    dtype = name + b"U\x02" + code + b"K\x00K\x01\x87Rq\x06" + end
    data = array.tobytes()
    string = b"T" + len(data).to_bytes(4, "little") + data + b"q\x07"
    return (reconstruct if first else again) + b"(K\x01" + shape + dtype + b"\x89" + string + b"tb"


def python_2_pickle(splits, protocol: int) -> bytes:
    arrays = [python_2_array(array, protocol, i == 0) for i, array in enumerate(a for split in splits for a in split)]
    if protocol == 0:
        pairs = [b"(" + arrays[i] + arrays[i + 1] + b"tp%d\n" % (20 + i) for i in (0, 2, 4)]
        return b"(" + b"".join(pairs) + b"tp30\n."
    pairs = [arrays[i] + arrays[i + 1] + b"\x86r\x00\x01\x00\x00" for i in (0, 2, 4)]
    return b"\x80\x02" + b"".join(pairs) + b"\x87."


WRITERS = {f"python 2, protocol {p}": lambda splits, p=p: python_2_pickle(splits, p) for p in (0, 2)}
WRITERS |= {f"python 3, protocol {p}": lambda splits, p=p: pickle.dumps(splits, p) for p in range(1, 6)}


@pytest.mark.parametrize("protocol", [0, 2])
def test_the_tests_own_python_2_files_are_pickles(protocol):
    found = pickle.loads(python_2_pickle(scaled(256), protocol), encoding="latin1")
    for (images, labels), (expected_images, expected_labels) in zip(found, scaled(256), strict=True):
        np.testing.assert_array_equal(images, expected_images, strict=True)
        np.testing.assert_array_equal(labels, expected_labels, strict=True)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_round_trip(tmp_path, assert_same_sets, writer, compress, monkeypatch):
    splits = scaled(256)
    (tmp_path / "mnist.pkl.gz").write_bytes(compress(WRITERS[writer](splits)))

    def fail(*arguments, **keywords):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.setattr(pickle, name, fail)
    assert_same_sets(read_mnist_pickle(tmp_path / "mnist.pkl.gz"), splits)


@pytest.mark.parametrize("divisor", [256, 255])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels(tmp_path, assert_same_sets, divisor, dtype):
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    splits = [(every.astype(dtype) / dtype(divisor), np.zeros(16, int))] * 3
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(tuple(splits)))
    assert_same_sets(read_mnist_pickle_pixels(tmp_path / "f.pkl"), [(every, np.zeros(16, np.uint8))] * 3)


def test_pixels_over_several_blocks(tmp_path, assert_same_sets, monkeypatch):
    monkeypatch.setattr("fastnn.datasets.pickled.BLOCK_ROWS", 2)
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(scaled(255)))
    expected = [(images, labels.astype(np.uint8)) for images, labels in PIXELS]
    assert_same_sets(read_mnist_pickle_pixels(tmp_path / "f.pkl"), expected)


@pytest.mark.parametrize("value", [0.5 + 2**-20, 1 / 254, 1e-30, 0.999])
@pytest.mark.parametrize("divisor", [256, 255])
def test_values_that_are_not_pixels(tmp_path, refused, value, divisor):
    splits = scaled(divisor)
    splits[2][0][11, 5] = value
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(splits))
    read_mnist_pickle(tmp_path / "f.pkl")
    refused(read_mnist_pickle_pixels, tmp_path / "f.pkl", "images of pixel/256 or pixel/255")


def test_one_divisor_for_all_splits(tmp_path, refused):
    splits = (*scaled(256)[:2], scaled(255)[2])
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(splits))
    refused(read_mnist_pickle_pixels, tmp_path / "f.pkl", "images of pixel/256 or pixel/255")


IMAGES, LABELS = scaled(256)[0]
FAULTY_SPLITS = {
    "nan": ((IMAGES * np.nan, LABELS), "image values from 0 to 1, found nan"),
    "infinite": ((IMAGES + np.inf, LABELS), "image values from 0 to 1"),
    "0..255": ((IMAGES * 256, LABELS), "image values from 0 to 1"),
    "negative": ((-IMAGES, LABELS), "image values from 0 to 1"),
    "integers": (((IMAGES * 256).astype(int), LABELS), "images as floats"),
    "one row": ((IMAGES[0], LABELS), "images as floats in two dimensions"),
    "label 10": ((IMAGES, LABELS + 6), "a label from 0 to 9, found 10 in row 4"),
    "label -1": ((IMAGES, LABELS - 1), "a label from 0 to 9, found -1 in row 0"),
    "label floats": ((IMAGES, LABELS * 1.0), "one row of integer labels"),
    "one-hot labels": ((IMAGES, np.eye(10, dtype=int)[LABELS]), "one row of integer labels"),
    "labels missing": ((IMAGES, LABELS[1:]), "5 labels, one per image, found 4"),
    "no images": ((IMAGES[:0], LABELS[:0]), "sizes of at least 1"),
    "a triple": ((IMAGES, LABELS, LABELS), "three (images, labels) pairs"),
    "only images": (IMAGES, "three (images, labels) pairs"),
    "no arrays": ((1, 2), "three (images, labels) pairs"),
    "objects": ((IMAGES, np.array([None] * 5)), "a call that makes an array"),
    "complex": ((IMAGES.astype(complex), LABELS), "a call that makes an array"),
    "a list": ([IMAGES, LABELS], "EMPTY_LIST"),
}


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("fault", FAULTY_SPLITS)
def test_faulty_splits(tmp_path, refused, fault, position):
    split, message = FAULTY_SPLITS[fault]
    splits = list(scaled(256))
    splits[position] = split
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(tuple(splits), 4))
    refused(read_mnist_pickle, tmp_path / "f.pkl", message)


@pytest.mark.parametrize("pickled", [scaled(256)[:2], scaled(256) * 2, None, 5, IMAGES, {"x": 1}, "text", ()])
def test_other_pickles(tmp_path, refused, pickled):
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(pickled))
    refused(read_mnist_pickle, tmp_path / "f.pkl")


def test_an_array_without_its_state(tmp_path, refused):
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    (tmp_path / "f.pkl").write_bytes((array + array + b"\x86") * 3 + b"\x87.")
    refused(read_mnist_pickle, tmp_path / "f.pkl", "no BUILD", offset=len(array) - 1)


def test_not_a_file_not_a_pickle_cut_short(tmp_path, refused):
    refused(read_mnist_pickle, tmp_path, "a folder")
    refused(read_mnist_pickle, tmp_path / "missing.pkl.gz", "there is no such file")
    (tmp_path / "f.pkl.gz").write_bytes(b"")
    refused(read_mnist_pickle, tmp_path / "f.pkl.gz", offset=0)
    good = gzip.compress(python_2_pickle(scaled(256), 2))
    for content in (good[:-1], good[:-8], good[: len(good) // 2], good + b"x", gzip.compress(b"")):
        (tmp_path / "f.pkl.gz").write_bytes(content)
        refused(read_mnist_pickle, tmp_path / "f.pkl.gz")


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(WRITERS)))
def test_fuzz_mutated_files(fuzz_path, data, writer):
    content = bytearray(WRITERS[writer](scaled(256)))
    end = data.draw(st.integers(0, len(content) - 1))
    fuzz_path.write_bytes(content[:end])
    with pytest.raises(FileFormatError):
        read_mnist_pickle(fuzz_path)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    fuzz_path.write_bytes(content)
    try:
        splits = read_mnist_pickle(fuzz_path)
    except FileFormatError:
        return
    assert len(splits) == 3
    for images, labels in splits:
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        assert images.shape[:1] == labels.shape
        assert ((images >= 0) & (images <= 1)).all()
        assert ((labels >= 0) & (labels <= 9)).all()


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(WRITERS)))
def test_fuzz_mutated_gzip_files(fuzz_path, assert_same_sets, data, writer):
    content = bytearray(gzip.compress(WRITERS[writer](scaled(256)), mtime=0))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    fuzz_path.write_bytes(content)
    try:
        splits = read_mnist_pickle(fuzz_path)
    except FileFormatError:
        return
    assert_same_sets(splits, scaled(256))  # thanks to the checksum
