"""Object arrays of lists, and dicts: what is read of their pickles, and what is refused."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np
import pytest

from fastnn.datasets import pickled_objects
from fastnn.datasets.npz import read_npz_arrays
from fastnn.datasets.pickled_objects import read_object_array, read_pickled_dict
from fastnn.datasets.stream import ByteStream
from fastnn.errors import FileFormatError

RNG = np.random.default_rng(0)


def lists(*items):
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def stream_of(data):
    return ByteStream(io.BufferedReader(io.BytesIO(data)), "file", len(data))


ARRAYS = [
    lists(),
    lists([]),
    lists([1]),
    lists([1, 2], [255, 256, 65535, 65536, 2**31 - 1, -1, -(2**31)], []),
    lists(*(RNG.integers(0, 10**5, i % 50).tolist() for i in range(2500))),
    lists([7] * 5000),
]


@pytest.mark.quick
@pytest.mark.parametrize("array", ARRAYS, ids=range(len(ARRAYS)))
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_of_lists_are_read(array, protocol):
    read = read_object_array(stream_of(pickle.dumps(array, protocol)))
    assert (read.shape, read.dtype) == (array.shape, object)
    assert read.tolist() == array.tolist()


def test_members_of_an_npz_file(tmp_path):
    path = tmp_path / "a.npz"
    given = {"x": ARRAYS[4], "y": np.arange(5), "z": np.ones((2, 3), "f4"), "t": np.asfortranarray(np.eye(3)[:2])}
    np.savez_compressed(path, **given)
    for name, array in zip(given, read_npz_arrays(path, list(given)), strict=True):
        assert (array.dtype, array.tolist()) == (given[name].dtype, given[name].tolist())


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(3.0), "expected numbers or lists.*found float64 of shape"),
        (np.array(["a"]), "expected numbers or lists"),
        (np.zeros((0, 3)), "expected numbers or lists"),
        (np.array([[1, None]], object), "expected numbers or lists.*found object of shape"),
        (lists([1], None), "expected lists of integers in an object array, found NoneType at index 1"),
        (lists([1], [[2]]), "expected lists of integers in an object array, found list at index 1"),
        (lists([1.5]), "FLOAT|BINFLOAT"),
        (lists(os.getcwd), "expected a name that pickled arrays use"),
    ],
)
def test_other_members_are_refused(array, message, tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=array)
    with pytest.raises(FileFormatError, match=message):
        read_npz_arrays(path, ["x"])
    with pytest.raises(FileFormatError, match=r"expected a member y\.npy"):
        read_npz_arrays(path, ["y"])


@pytest.mark.parametrize("cut", range(0, 300, 7))
def test_a_file_that_is_cut_short_is_refused(cut):
    data = pickle.dumps(ARRAYS[3], 4)
    with pytest.raises(FileFormatError):
        read_object_array(stream_of(data[: cut % len(data)]))


@pytest.mark.parametrize(
    "data",
    [
        b"]K\x01\x85R.",  # a list is called
        b"K\x01K\x02a.",  # an item for what is no list
        b"(K\x01e.",  # items, and nothing to put them into
        b"}K\x01K\x02s.",  # a number for a key
        b"}(U\x01ae.",  # items, and a dict to put them into
        b"}(U\x01au.",  # a key alone
        b"]q\x00h\x00a.",  # a list in itself
        b"K\x01.",
        b").",
    ],
)
def test_other_pickles_are_refused(data, tmp_path):
    with pytest.raises(FileFormatError):
        read_object_array(stream_of(data))


def test_the_number_of_integers_is_bounded(monkeypatch):
    monkeypatch.setattr(pickled_objects, "MAX_INTEGERS", 1000)
    with pytest.raises(FileFormatError, match="expected at most 1000 integers, found more"):
        read_object_array(stream_of(pickle.dumps(lists([1] * 600, [2] * 600), 4)))


def test_dicts(tmp_path):
    path = tmp_path / "batch"
    content = {b"data": np.ones((2, 3), np.uint8), b"labels": [1, 2], b"names": [b"a", b"b"], b"label": b"x", b"n": 300}
    path.write_bytes(pickle.dumps(content, 2))
    read = read_pickled_dict(path)
    assert read.keys() == content.keys()
    assert (read[b"data"] == 1).all()
    assert (read[b"labels"], read[b"n"], read[b"label"]) == ([1, 2], 300, b"x")
    path.write_bytes(pickle.dumps([1], 2))
    with pytest.raises(FileFormatError, match="expected a pickled dict, found list"):
        read_pickled_dict(path)
