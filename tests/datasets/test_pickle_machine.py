"""The interpreter alone: what it refuses, and that a file can neither run code nor exhaust memory."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import pickletools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn.datasets.pickle_machine import MAX_OPCODES, PickledArray, PickleMachine
from fastnn.datasets.stream import ByteStream
from fastnn.errors import FileFormatError

KNOWN = {
    "PROTO",
    "FRAME",
    "MARK",
    "STOP",
    "NONE",
    "NEWTRUE",
    "NEWFALSE",
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BYTEARRAY8",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "EMPTY_TUPLE",
    "TUPLE",
    "TUPLE1",
    "TUPLE2",
    "TUPLE3",
    "PUT",
    "BINPUT",
    "LONG_BINPUT",
    "MEMOIZE",
    "GET",
    "BINGET",
    "LONG_BINGET",
    "GLOBAL",
    "STACK_GLOBAL",
    "REDUCE",
    "BUILD",
}


def run(content: bytes) -> object:
    with ByteStream(io.BytesIO(content), "file.pkl", len(content)) as stream:
        return PickleMachine(stream).run()


def run_file(path) -> object:
    with ByteStream.open(path) as stream:
        return PickleMachine(stream).run()


def refuse(content: bytes, *parts: str) -> FileFormatError:
    with pytest.raises(FileFormatError) as caught:
        run(content)
    for part in parts:
        assert part in str(caught.value)
    return caught.value


@pytest.mark.parametrize("protocol", range(1, 6))
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "u1", "i1", "<i8", ">u2"])
def test_arrays_of_python_3(protocol, order, dtype):
    array = np.arange(0, 240, 2).reshape(8, 15).astype(dtype, order=order)
    found = run(pickle.dumps((array, (1, None, True, -3, 70_000), array), protocol))
    assert found[0] is found[2]
    assert found[1] == (1, None, True, -3, 70_000)
    assert isinstance(found[0], PickledArray)
    np.testing.assert_array_equal(found[0].values, array, strict=True)
    assert found[0].values.flags.writeable


def test_read_only_arrays_and_old_module_names():
    array = np.arange(6.0)
    array.flags.writeable = False  # protocol 5 then stores bytes, not a bytearray
    for protocol in (2, 3, 4, 5):
        content = pickle.dumps(array, protocol)
        for module in (b"numpy._core", b"numpy.core"):
            named = content.replace(b"\x16numpy._core.multiarray", bytes([len(module) + 11]) + module + b".multiarray")
            named = named.replace(b"\x13numpy._core.numeric", bytes([len(module) + 8]) + module + b".numeric")
            named = named.replace(b"cnumpy._core", b"c" + module)
            assert module + b"." in named
            np.testing.assert_array_equal(run(named).values, array)


def test_long_latin1_text_is_decoded_across_chunks():
    array = np.frombuffer(np.random.default_rng(0).bytes(2_000_000), np.uint8)
    np.testing.assert_array_equal(run(pickle.dumps(array, 2)).values, array)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb"'ab'", b"ab"),
        (rb'"it\'s"', b"it's"),
        (rb"'\x00\xff\t\n\r\\\\x41\''", b"\x00\xff\t\n\r\\\\x41'"),
        (rb"''", b""),
    ],
)
def test_python_2_strings(text, value):
    assert run(b"S" + text + b"\n.") == value
    assert pickle.loads(b"S" + text + b"\n.", encoding="bytes") == value  # these bytes are the test's own


@pytest.mark.parametrize(
    "text", [b"", b"ab", b"'ab", b"'", rb"'\q'", rb"'\x4'", rb"'\xg0'", rb"'\101'", b"'a\\'", b"'a' "]
)
def test_damaged_python_2_strings(text):
    refuse(b"NS" + text + b"\n.", "byte 1", "a quoted string")


def test_an_unfinished_string_line():
    refuse(b"S'abc'", "no end of line")


class Runs:
    """What an attacker pickles."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.system, eval, exec, open, np.load, pickle.loads, np.frombuffer])
def test_a_name_that_arrays_do_not_use_is_refused_at_its_offset(tmp_path, protocol, function):
    ran = tmp_path / "ran"
    content = pickle.dumps((1, Runs(function, f"touch {ran}")), protocol)
    names = [offset for opcode, _, offset in pickletools.genops(content) if opcode.name in ("GLOBAL", "STACK_GLOBAL")]
    error = refuse(content, function.__name__, "a name that pickled arrays use")
    assert error.offset == names[0]
    assert not ran.exists()


def test_the_allowed_names_do_nothing_but_make_arrays():
    encode = b"c_codecs\nencode\n"
    refuse(
        encode + b"U\x01aU\x03hex\x86R.", "byte 25", "a call that makes an array", "encode of (bytearray, bytearray)"
    )
    refuse(b"cnumpy\ndtype\nU\x01O\x89\x88\x87R.", "a call")
    refuse(b"cnumpy\ndtype\nU\x04V999\x89\x88\x87R.", "a call")
    refuse(b"cnumpy\nndarray\nK\x09\x85\x85R.", "a call")
    refuse(encode + b"N\x85R.", "a call")
    refuse(encode + b"NR.", "a call")
    refuse(b"K\x01)R.", "a call", "int of ()")
    refuse(b"cnumpy.core.multiarray\n_reconstruct\nc_codecs\nencode\nK\x00\x85U\x01b\x87R.", "a call")
    refuse(encode + b"Nb.", "the state of a dtype or an array", "NoneType for encode")
    refuse(b"NNb.", "the state")


@pytest.mark.parametrize("opcode", [op for op in pickletools.opcodes if op.name not in KNOWN], ids=lambda op: op.name)
def test_every_other_opcode_is_refused(opcode):
    error = refuse(b"((N)N" + opcode.code.encode("latin-1") + bytes(20), "an opcode of pickled tuples", opcode.name)
    assert error.offset == 5


def test_unknown_bytes_are_refused():
    known = {ord(opcode.code) for opcode in pickletools.opcodes}
    for code in set(range(256)) - known:
        refuse(bytes([code]), f"found 0x{code:02x}", "byte 0")


DTYPE = b"cnumpy\ndtype\nU\x02%sK\x00K\x01\x87R(K\x03U\x01%sNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"


def array_content(state: bytes) -> bytes:
    return ARRAY + b"(" + state + b"tb."


F4 = DTYPE % (b"f4", b"<")


def test_array_states():
    good = b"K\x01" + b"K\x02\x85" + F4 + b"\x89" + b"U\x08" + np.array([1, 2], "<f4").tobytes()
    np.testing.assert_array_equal(run(array_content(good)).values, np.array([1, 2], np.float32))
    for old, new, message in [
        (b"K\x01K\x02\x85", b"K\x02K\x02\x85", "the state"),  # version
        (b"K\x02\x85", b"K\x02", "the state"),
        (b"K\x02\x85", b"N\x85", "one or two sizes of at least 1"),
        (b"K\x02\x85", b"K\x00\x85", "one or two sizes of at least 1"),
        (b"K\x02\x85", b"J\xfe\xff\xff\xff\x85", "one or two sizes of at least 1"),
        (b"K\x02\x85", b")", "one or two sizes of at least 1"),
        (b"K\x02\x85", b"K\x01K\x01K\x02\x87", "one or two sizes of at least 1"),
        (b"K\x02\x85", b"K\x03\x85", "float32 elements for shape (3,), found 8 bytes"),
        (b"K\x02\x85", b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85", "elements for shape"),
        (b"\x89U\x08", b"NU\x08", "the state"),
        (F4, DTYPE % (b"f4", b"|"), "the state"),
        (F4, DTYPE % (b"f4", b"?"), "the state"),
        (F4, b"U\x02f4", "the state"),
        (F4, DTYPE % (b"f8", b"<"), "float64 elements"),
    ]:
        assert good.count(old) == 1
        refuse(array_content(good.replace(old, new)), message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "1 bytes of a pickle"),
        (b".", "an item on the stack"),
        (b"N", "1 bytes of a pickle"),
        (b"N.N", "the end of the file"),
        (b"(.", "an item on the stack"),
        (b"N(\x85.", "an item on the stack"),
        (b"Nt.", "a MARK before TUPLE"),
        (b"h\x00.", "a memo key"),
        (b"j\xff\xff\xff\xff.", "a memo key"),
        (b"q\x00.", "an item on the stack"),
        (b"\x94.", "an item on the stack"),
        (b"\x80\x06N.", "pickle protocol at most 5, found 6"),
        (b"I12x\n.", "a decimal integer"),
        (b"I" + b"9" * 5000 + b"\n.", "a line of at most 100 bytes"),
        (b"I" + b"9" * 90 + b"\n.", "a decimal integer"),
        (b"I\xd9\xa3\n.", "a decimal integer"),
        (b"Np\n.", "a decimal integer"),
        (b"cos", "no end of line"),
        (b"c" + b"a" * 200 + b"\nb\n.", "a line of at most 100 bytes"),
        (b"NN\x93.", "a module and a name, found NoneType and NoneType"),
        (b"X\x02\x00\x00\x00\xc3.", "UTF-8 text of latin-1 characters"),
        (b"X\x01\x00\x00\x00\xc3.", "UTF-8 text of latin-1 characters"),
        (b"X\x04\x00\x00\x00\xf0\x9f\x98\x80.", "UTF-8 text of latin-1 characters"),
        (b"X\x02\x00\x00\x00\xc4\x80.", "UTF-8 text of latin-1 characters"),
    ],
)
def test_damaged_programs(content, message):
    refuse(content, message)


def test_too_many_opcodes_and_deep_nesting():
    assert run(b")" + b"\x85" * 2000 + b".")
    refuse(b"N" * (MAX_OPCODES + 1), f"at most {MAX_OPCODES} opcodes")
    refuse(b")" + b"\x85" * (MAX_OPCODES * 2) + b".", "opcodes")
    nested = b")" + b"\x85" * 9000
    refuse(nested + nested[:900] + b"R.", "a call")
    refuse(b"c_codecs\nencode\n" + nested + b"R.", "a call")


@pytest.mark.parametrize(
    "size", [b"B\xff\xff\xff\xff", b"T\xff\xff\xff\xff", b"X\xff\xff\xff\xff", b"\x96" + b"\xff" * 8]
)
@pytest.mark.parametrize("zeros", [100, 2 << 20])
def test_claims_of_huge_strings_use_little_memory(tmp_path, refused, size, zeros):
    (tmp_path / "f").write_bytes(size + bytes(zeros))
    (tmp_path / "f.gz").write_bytes(gzip.compress(size + bytes(zeros)))
    tracemalloc.start()
    try:
        refused(run_file, tmp_path / "f")
        refused(run_file, tmp_path / "f.gz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_one_string_is_not_copied_for_every_use():
    size = 1 << 20
    text = b"X" + size.to_bytes(4, "little") + bytes(size) + b"q\x00c_codecs\nencode\nq\x01X\x06\x00\x00\x00latin1q\x02"
    content = b"(" + text + b"h\x01h\x00h\x02\x86R" * 1000 + b"t."
    tracemalloc.start()
    try:
        assert len(run(content)) == 1003
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def run_or_refuse(content: bytes) -> bool:
    try:
        run(content)
    except FileFormatError:
        return False
    return True


OPCODES = st.sampled_from([opcode.code.encode("latin-1") for opcode in pickletools.opcodes if opcode.name in KNOWN])
PIECES = st.sampled_from(
    [ARRAY, F4, b"cnumpy\nndarray\n", b"c_codecs\nencode\n", b"latin1\n", b"\x01", b"\x00", b"1\n", b"'b'\n"]
)


@settings(deadline=None)
@given(st.lists(OPCODES | PIECES | st.binary(max_size=3), max_size=30).map(b"".join))
def test_fuzz_programs(content):
    run_or_refuse(content + b".")


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_fuzz_random_bytes(content):
    run_or_refuse(content)


@settings(deadline=None)
@given(st.data(), st.integers(1, 5))
def test_fuzz_mutated_pickles(data, protocol):
    content = bytearray(pickle.dumps((np.arange(4, dtype=np.float32), np.arange(3)), protocol))
    assert run_or_refuse(bytes(content))
    end = data.draw(st.integers(0, len(content) - 1))
    assert not run_or_refuse(bytes(content[:end]))
    assert not run_or_refuse(bytes(content) + data.draw(st.binary(min_size=1, max_size=4)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    run_or_refuse(bytes(content))
