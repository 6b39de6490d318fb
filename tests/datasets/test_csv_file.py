from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.datasets import csv_file, read_csv
from fastnn.datasets import stream as stream_module
from fastnn.datasets.csv_header import Columns
from fastnn.errors import FileFormatError
from fastnn.kernels import native


@pytest.fixture(autouse=True, scope="module", params=["native", "numpy"])
def parser(request):
    """Both ways to parse a block of lines."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "numpy":
            patch.setattr(csv_file, "_parser", lambda: csv_file._parse)
        else:
            assert csv_file._parser() is native.parse_fields
        yield


HEADERS = ["", "label,1x1,1x2,1x3\n", '"label","a","b","c"\n', "Class,0,1,2\n"]
ROWS = np.array([[5, 0, 255, 7], [9, 10, 99, 100], [0, 0, 0, 0]])


def csv_text(rows: np.ndarray, header: str = "") -> str:
    return header + "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())


def naive_read(text: bytes) -> list[list[int]] | None:
    """Headerless CSV by its definition: the rows, or None when it is not one."""
    if b"\n" not in text and b"," not in text:
        return None
    lines = text.replace(b"\r\n", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if lines and not lines[-1].strip():  # one empty line at the end
        lines.pop()
    elif lines and lines[-1].endswith(b"\r"):  # a last line's half of an end of line
        lines[-1] = lines[-1][:-1]
    rows = []
    for line in lines:
        fields = line.split(b",")
        if not all(1 <= len(field) <= 3 and set(field) <= set(b"0123456789") for field in fields):
            return None
        rows.append([int(field) for field in fields])
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return None
    if any(max(row) > 255 for row in rows):
        return None
    return rows


def assert_rows(read, rows) -> None:
    images, labels = read
    rows = np.asarray(rows)
    np.testing.assert_array_equal(images, rows[:, 1:].astype(np.uint8), strict=True)
    np.testing.assert_array_equal(labels, rows[:, 0].astype(np.uint8), strict=True)
    assert images.flags.c_contiguous
    assert labels.flags.c_contiguous


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n", "\n \t\n", "\n "])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_round_trip(tmp_path, header, end, last, bom, compress):
    text = (csv_text(ROWS, header).removesuffix("\n") + last).replace("\n", end)
    (tmp_path / "f").write_bytes(compress(bom + text.encode()))
    assert_rows(read_csv(tmp_path / "f"), ROWS)


@pytest.mark.parametrize("chunk_bytes", [5000, 5001, 70_000, 1 << 20])
def test_any_split_into_blocks_reads_the_same(tmp_path, monkeypatch, chunk_bytes):
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(0, 10, 300), rng.integers(0, 256, (300, 784))])
    (tmp_path / "f").write_text(csv_text(rows, "label" + ",x" * 784 + "\n"), newline="\r\n")
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", chunk_bytes)
    assert_rows(read_csv(tmp_path / "f"), rows)


@pytest.mark.parametrize("chunk_bytes", [8, 9, 10, 11, 12])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_one_empty_line_wherever_the_blocks_end(tmp_path, refused, monkeypatch, chunk_bytes, end):
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", chunk_bytes)
    text = csv_text(np.arange(1, 9).reshape(4, 2), "y,x\n").replace("\n", end)
    (tmp_path / "f").write_text(text + end, newline="")
    assert_rows(read_csv(tmp_path / "f"), [[1, 2], [3, 4], [5, 6], [7, 8]])
    for extra in (end + end, end + " ", end + text[-3 - len(end) :]):
        (tmp_path / "f").write_text(text + extra, newline="")
        refused(read_csv, tmp_path / "f", "2 fields, as in line 1, found 1", offset=6)


@pytest.mark.parametrize("labels_of", [lambda n: n, lambda n: 255 - n])
def test_every_value_and_leading_zeros(tmp_path, labels_of):
    rows = np.column_stack([labels_of(np.arange(256)), np.arange(256)])
    (tmp_path / "f").write_text(csv_text(rows) + "07,003\n")
    assert_rows(read_csv(tmp_path / "f"), [*rows.tolist(), [7, 3]])


FAULTS = {
    "empty": (b"", 1, "a label, a comma and pixels"),
    "header only": (b"label,a,b\n", 2, "at least one image"),
    "one column": (b"1\n2\n", 1, "a label, a comma and pixels"),
    "short row": (b"1,2,3\n1,2\n", 2, "3 fields, as in line 1, found 2"),
    "long row": (b"1,2,3\n1,2,3\n1,2,3,4\n", 3, "3 fields, as in line 1, found 4"),
    "rows that add up": (b"1,2,3\n1,2\n1,2,3,4\n", 2, "3 fields, as in line 1, found 2"),
    "ragged against header": (b"label,a\n1,2,3\n", 2, "2 fields"),
    "blank line": (b"1,2\n\n1,2\n", 2, "2 fields, as in line 1, found 1"),
    "256": (b"1,2\n1,256\n", 2, "a pixel, an integer from 0 to 255, in field 2, found '256'"),
    "999": (b"1,2\n1,999\n", 2, "'999'"),
    "1000": (b"1,2\n1,1000\n", 2, "'1000'"),
    "65536": (b"1,2\n1,65536\n", 2, "'65536'"),
    "negative": (b"1,2\n1,-1\n", 2, "'-1'"),
    "float": (b"1,2\n1,0.5\n", 2, "'0.5'"),
    "exponent": (b"1,2\n1,1e2\n", 2, "'1e2'"),
    "missing": (b"1,2,3\n1,,3\n", 2, "in field 2, found ''"),
    "space": (b"1,2\n1, 2\n", 2, "' 2'"),
    "text": (b"1,2\n1,two\n", 2, "'two'"),
    "label 256": (b"1,2\n256,2\n", 2, "a label, an integer from 0 to 255, in field 1, found '256'"),
    "label last 256": (b"a,label\n1,2\n1,256\n", 3, "a label, an integer from 0 to 255, in field 2, found '256'"),
    "one-hot of words": (
        b"pixel0,y_0,y_1\n1,0,True\n",
        2,
        "a label, an integer from 0 to 255, in field 3, found 'True'",
    ),
    "pixel after an index": (b"id,label,a\nx,1,2\nx,1,y\n", 3, "a pixel, an integer from 0 to 255, in field 3"),
    "quoted numbers": (b'"1","2"\n', 1, "a label, an integer from 0 to 255, in field 1, found '\"1\"'"),
    "semicolons": (b"label;a\n1;2\n", 1, "expected a label, a comma and pixels, found semicolons instead of commas"),
    "tabs": (b"1\t2\n", 1, "found tabs instead of commas"),
    "spaces": (b"1 2\n", 1, "found spaces instead of commas"),
    "empty lines at the end": (b"1,2\n\n\n", 2, "2 fields, as in line 1, found 1"),
    "a character cut in two": (("1,2\n1,x" + "é" * 20).encode(), 2, "found 'xééééééééé"),
    "label nan": (b"nan,2\n1,2\n", 1, "'nan'"),
    "negative first label": (b"-1,2\n1,2\n", 1, "'-1'"),
    "old Mac ends": (b"1,2\r1,2\r", 1, r"found '2\r1'"),
    "NUL": (b"1,2\n1,\0\n", 2, r"'\x00'"),
    "latin-1 data": (b"1,2\n1,\xe9\n", 2, "UTF-8 text, found byte 0xe9"),
    "latin-1 header": (b"\xe9tiquette,x\n1,2\n", 1, "UTF-8 text, found byte 0xe9"),
    "UTF-16": ("1,2\n".encode("utf-16"), 1, "UTF-8 text, found byte 0xff"),
    "Arabic digit": ("1,2\n1,٣\n".encode(), 2, "a pixel"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_faults_name_the_line(tmp_path, refused, fault, compress):
    content, line, message = FAULTS[fault]
    (tmp_path / "f").write_bytes(compress(content))
    refused(read_csv, tmp_path / "f", f", line {line}: ", message, offset=line)


def test_the_line_of_a_fault_deep_in_a_long_file(tmp_path, refused):
    lines = ["1" + ",0" * 784] * 2000
    lines[1776] += "x"
    (tmp_path / "f").write_text("\n".join(lines))
    refused(read_csv, tmp_path / "f", "line 1777", "in field 785, found '0x'", offset=1777)


def test_truncated_gzip_and_not_a_file(tmp_path, refused):
    (tmp_path / "f").write_bytes(gzip.compress(csv_text(ROWS).encode())[:-3])
    refused(read_csv, tmp_path / "f", "EOFError")
    refused(read_csv, tmp_path, "a folder")
    refused(read_csv, tmp_path / "missing", "there is no such file")


def test_bombs_use_little_memory(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(stream_module, "MAX_BYTES", 3 << 20)
    (tmp_path / "line").write_bytes(gzip.compress(b"0" * (50 << 20), 1))
    (tmp_path / "rows").write_bytes(gzip.compress(b"0,0\n" * (10 << 20), 1))
    tracemalloc.start()
    try:
        refused(read_csv, tmp_path / "line", "a line of at most 1048576 bytes", offset=1)
        refused(read_csv, tmp_path / "rows", "at most 3145728 bytes, decompressed")
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_the_fast_and_the_slow_parser_agree():
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(0, 10, 50), rng.integers(0, 256, (50, 20))])
    block = csv_text(rows).encode()
    fast = csv_file._parse(block, 21)
    assert fast is not None
    slow = csv_file._parse_line_by_line("f", 1, block, Columns(21, False))
    np.testing.assert_array_equal(fast, slow, strict=True)
    np.testing.assert_array_equal(fast, rows)


def check_against_naive(path, content: bytes) -> None:
    path.write_bytes(content)
    rows = naive_read(content)
    if rows is None:
        with pytest.raises(FileFormatError) as caught:
            read_csv(path)
        last = content.count(b"\n") + 1
        # Behind a header alone (as "5,y" is, for y names a label) the file ends where a first row should be.
        assert caught.value.offset <= last + ("found the end of the file" in str(caught.value))
    else:
        assert_rows(read_csv(path), rows)


VALID = csv_text(ROWS).encode()


@settings(deadline=None)
@given(
    st.text(alphabet="0123456789,\n\r -.", max_size=40).map(str.encode) | st.binary(max_size=30).map(b"1,2\n".__add__)
)
def test_fuzz_random_text(fuzz_path, content):
    check_against_naive(fuzz_path, content)


@settings(deadline=None)
@given(st.integers(0, len(VALID) - 1), st.sampled_from(b"0129,\n\r\0\xff-") | st.integers(0, 255))
def test_fuzz_mutated_files(fuzz_path, position, byte):
    content = bytearray(VALID)
    content[position] = byte
    if not chr(content[0]).isalpha():  # a header
        check_against_naive(fuzz_path, bytes(content))


@settings(deadline=None)
@given(st.integers(0, len(VALID)), st.binary(max_size=3))
def test_fuzz_cut_and_extended_files(fuzz_path, end, tail):
    content = VALID[:end] + tail
    if not content or content[0] < 0x41:
        check_against_naive(fuzz_path, content)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_fuzz_random_bytes(fuzz_path, content):
    fuzz_path.write_bytes(content)
    try:
        images, labels = read_csv(fuzz_path)
    except FileFormatError:
        return
    assert len(images) == len(labels) > 0
