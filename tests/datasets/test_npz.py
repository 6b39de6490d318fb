from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.datasets import read_npz
from fastnn.errors import FileFormatError

RNG = np.random.default_rng(0)
ARRAYS = {
    "x_train": RNG.integers(0, 256, (6, 4, 3)).astype(np.uint8),
    "y_train": np.array([0, 1, 2, 9, 8, 7], np.uint8),
    "x_test": RNG.integers(0, 256, (2, 4, 3)).astype(np.uint8),
    "y_test": np.array([5, 5], np.uint8),
}
EXPECTED = ((ARRAYS["x_train"], ARRAYS["y_train"]), (ARRAYS["x_test"], ARRAYS["y_test"]))


def npz_bytes(compress: bool = False, **changes: object) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **{**ARRAYS, **changes})
    return file.getvalue()


def npy_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_with_header(header: bytes, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    length = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return b"\x93NUMPY" + version + length + header + data


def zip_bytes(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """The four members, some of them replaced by raw bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in ARRAYS.items():
            archive.writestr(f"{name}.npy", members.get(name, npy_bytes(array)))
    return file.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_round_trip(tmp_path, assert_same_sets, compress):
    (tmp_path / "mnist.npz").write_bytes(npz_bytes(compress))
    assert_same_sets(read_npz(tmp_path / "mnist.npz"), EXPECTED)


def test_other_members_orders_and_label_dtypes(tmp_path, assert_same_sets):
    content = npz_bytes(
        x_train=np.asfortranarray(ARRAYS["x_train"]),
        y_train=ARRAYS["y_train"].astype(">i8"),
        y_test=ARRAYS["y_test"].astype(np.int32),
        another=np.zeros(3),
    )
    (tmp_path / "mnist.npz").write_bytes(content)
    assert_same_sets(read_npz(tmp_path / "mnist.npz"), EXPECTED)


def test_npy_version_2(tmp_path, assert_same_sets):
    file = io.BytesIO()
    np.lib.format.write_array(file, ARRAYS["x_train"], version=(2, 0))
    (tmp_path / "mnist.npz").write_bytes(zip_bytes({"x_train": file.getvalue()}))
    assert_same_sets(read_npz(tmp_path / "mnist.npz"), EXPECTED)


HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }\n"
MEMBER_FAULTS = {
    "empty": (b"", "8 bytes of NPY magic"),
    "not npy": (b"P5 28 28 255 and so on", "an NPY file"),
    "version 3": (npy_with_header(HEADER % b"6, 4, 3", bytes(72), b"\3\0"), "version 1.0 or 2.0"),
    "no header length": (b"\x93NUMPY\1\0\1", "2 bytes of NPY header length"),
    "header cut": (npy_with_header(HEADER % b"6, 4, 3")[:-9], "bytes of NPY header"),
    "header of 4 GB": (b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(9), "of at most 10000 bytes, found 4294967295"),
    "header of NULs": (npy_with_header(bytes(80)), "an NPY header"),
    "header not a dict": (npy_with_header(b"[1, 2, 3]\n"), "an NPY header"),
    "deep header": (npy_with_header(b"(" * 9000), "an NPY header"),
    "deep unary header": (npy_with_header(b"-" * 9000 + b"1"), "an NPY header"),
    "odd tokens": (npy_with_header(b"'''\n\\ \x01\n  x\n y"), "an NPY header"),
    "latin-1 header": (npy_with_header(b"{'\xe9': 1}"), "an NPY header"),
    "object array": (npy_bytes(np.array([None, {}], object)), "integers in 1 to 3 dimensions"),
    "structured array": (npy_bytes(np.zeros(3, "u1,u1")), "integers"),
    "float images": (npy_bytes(ARRAYS["x_train"] / 255), "integers"),
    "wider images": (npy_bytes(ARRAYS["x_train"].astype(np.int64)), "pixels of dtype uint8, found int64"),
    "scalar": (npy_bytes(np.uint8(3)), "integers in 1 to 3 dimensions"),
    "4 dimensions": (npy_bytes(np.zeros((6, 4, 3, 1), np.uint8)), "integers in 1 to 3 dimensions"),
    "no rows": (npy_bytes(np.zeros((0, 4, 3), np.uint8)), "none of them empty"),
    "negative size": (npy_with_header(HEADER % b"-6, -4, 3", bytes(72)), "none of them empty"),
    "huge": (npy_with_header(HEADER % b"4294967295, 28, 28", bytes(72)), "3367254359280 bytes"),
    "astronomical": (npy_with_header(HEADER % (b"9" * 300 + b","), bytes(72)), "bytes of uint8 elements"),
    "too short": (npy_bytes(ARRAYS["x_train"])[:-1], "72 bytes of uint8 elements"),
    "too long": (npy_bytes(ARRAYS["x_train"]) + b"\0", "the end of the file"),
    "fewer images": (npy_bytes(ARRAYS["x_train"][:5]), "5 labels, one per image, found 6"),
}


@pytest.mark.parametrize("fault", MEMBER_FAULTS)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_faults_in_a_member(tmp_path, refused, fault, method):
    member, message = MEMBER_FAULTS[fault]
    (tmp_path / "mnist.npz").write_bytes(zip_bytes({"x_train": member}, method))
    error = refused(read_npz, tmp_path / "mnist.npz", message)
    assert error.path.endswith("_train.npy")


@pytest.mark.parametrize("labels", [[0, 1, 2, 9, 8, 256], [0, 1, 2, 9, 8, -1]])
def test_label_range(tmp_path, refused, labels):
    (tmp_path / "mnist.npz").write_bytes(npz_bytes(y_train=np.array(labels)))
    refused(read_npz, tmp_path / "mnist.npz", f"a label from 0 to 255, found {labels[-1]} in row 5")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, ">u2"])
def test_labels_beyond_9(tmp_path, dtype):
    labels = np.array([0, 1, 26, 46, 254, 255])
    (tmp_path / "mnist.npz").write_bytes(npz_bytes(y_train=labels.astype(dtype)))
    np.testing.assert_array_equal(read_npz(tmp_path / "mnist.npz")[0][1], labels.astype(np.uint8), strict=True)


def test_label_kind_and_shape(tmp_path, refused):
    for labels in (np.zeros((6, 1), np.uint8), np.zeros(6), np.zeros(6, bool), np.zeros(6, "M8[s]")):
        (tmp_path / "mnist.npz").write_bytes(npz_bytes(y_train=labels))
        refused(read_npz, tmp_path / "mnist.npz", "integer")


def test_missing_member(tmp_path, refused):
    np.savez(tmp_path / "mnist.npz", **{name: ARRAYS[name] for name in ("x_train", "y_train", "x_test")})
    refused(read_npz, tmp_path / "mnist.npz", "a member y_test.npy")


def test_not_a_zip_file(tmp_path, refused):
    for content in (b"", b"PK", b"not a zip file", npy_bytes(ARRAYS["x_train"])):
        (tmp_path / "mnist.npz").write_bytes(content)
        refused(read_npz, tmp_path / "mnist.npz", "an .npz (zip) file", offset=0)
    refused(read_npz, tmp_path, "a folder")
    refused(read_npz, tmp_path / "missing.npz", "there is no such file")


def test_bytes_around_the_zip(tmp_path, refused):
    content = npz_bytes()
    (tmp_path / "mnist.npz").write_bytes(b"PK\x03\x04" + content)
    refused(read_npz, tmp_path / "mnist.npz", "its start at 4")
    for around in (b"0" + content, content + b"\0", content[:-1], content[: len(content) // 2]):
        (tmp_path / "mnist.npz").write_bytes(around)
        refused(read_npz, tmp_path / "mnist.npz")


def test_wrong_crc(tmp_path, refused):
    content = bytearray(npz_bytes())
    content[content.index(ARRAYS["x_train"].tobytes())] ^= 1
    (tmp_path / "mnist.npz").write_bytes(content)
    error = refused(read_npz, tmp_path / "mnist.npz", "Bad CRC-32")
    assert error.path.endswith("x_train.npy")


def test_methods_without_bounded_memory_are_refused(tmp_path, refused):
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        (tmp_path / "mnist.npz").write_bytes(zip_bytes({}, method))
        refused(read_npz, tmp_path / "mnist.npz", "stored or deflated", f"method {method}")


def test_encrypted_member(tmp_path, refused):
    content = bytearray(npz_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    (tmp_path / "mnist.npz").write_bytes(content)
    refused(read_npz, tmp_path / "mnist.npz", "RuntimeError")


@pytest.mark.parametrize("shape", [b"10,", b"10, 28, 28", b"400000, 28, 28"])
def test_bombs_use_little_memory(tmp_path, refused, shape):
    bomb = npy_with_header(HEADER % shape, bytes(100 << 20))
    (tmp_path / "mnist.npz").write_bytes(zip_bytes({"x_train": bomb}, zipfile.ZIP_DEFLATED))
    tracemalloc.start()
    try:
        refused(read_npz, tmp_path / "mnist.npz")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_lie_about_the_decompressed_size(tmp_path, refused):
    content = bytearray(zip_bytes({"x_train": npy_with_header(HEADER % b"400000, 28, 28", bytes(72))}))
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 0xF0000000)
    (tmp_path / "mnist.npz").write_bytes(content)
    refused(read_npz, tmp_path / "mnist.npz", "313600000 bytes of uint8 elements", "at most")


def test_nothing_is_unpickled(tmp_path, refused, monkeypatch):
    def fail(*arguments, **keywords):
        raise AssertionError("unpickled")

    (tmp_path / "mnist.npz").write_bytes(npz_bytes(x_train=np.array([{}], object), y_train=np.array([{}], object)))
    monkeypatch.setattr("pickle.load", fail)
    monkeypatch.setattr("pickle.loads", fail)
    refused(read_npz, tmp_path / "mnist.npz", "found object")


def read_or_refuse(path, content: bytes, assert_same_sets) -> None:
    path.write_bytes(content)
    try:
        found = read_npz(path)
    except FileFormatError:
        return
    assert_same_sets(found, EXPECTED)  # every member has a checksum: what is read at all is right


@settings(deadline=None)
@given(st.data(), st.booleans())
def test_fuzz_mutated_files(fuzz_path, assert_same_sets, data, compress):
    content = bytearray(npz_bytes(compress))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(fuzz_path, bytes(content), assert_same_sets)


@settings(deadline=None)
@given(st.data())
def test_fuzz_mutated_directory(fuzz_path, assert_same_sets, data):
    content = bytearray(npz_bytes(True))
    start = content.index(b"PK\x01\x02")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(start, len(content) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(fuzz_path, bytes(content), assert_same_sets)


@settings(deadline=None)
@given(st.binary(max_size=150), st.booleans())
def test_fuzz_member_contents(fuzz_path, tail, header):
    """Members with a right checksum and arbitrary contents: here NumPy's header parser sees what is in them."""
    member = npy_with_header(tail) if header else b"\x93NUMPY" + tail
    fuzz_path.write_bytes(zip_bytes({"x_train": member}))
    with pytest.raises(FileFormatError):
        read_npz(fuzz_path)


@settings(deadline=None)
@given(st.text("{}()[]'\",:-+*# \n\\0123456789aLdescrfotnhpFTul|<>=V", max_size=80))
def test_fuzz_npy_headers(fuzz_path, text):
    fuzz_path.write_bytes(zip_bytes({"x_train": npy_with_header(text.encode())}))
    with pytest.raises(FileFormatError):
        read_npz(fuzz_path)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=30))
def test_fuzz_cut_and_extended_files(fuzz_path, end, tail):
    content = npz_bytes()
    for changed in (content[: end % len(content)], content + tail):
        fuzz_path.write_bytes(changed)
        with pytest.raises(FileFormatError):
            read_npz(fuzz_path)


@settings(deadline=None)
@given(st.binary(max_size=100) | st.binary(max_size=100).map(b"PK\x03\x04".__add__))
def test_fuzz_random_bytes(fuzz_path, content):
    fuzz_path.write_bytes(content)
    with pytest.raises(FileFormatError):
        read_npz(fuzz_path)
