from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from fastnn.datasets import load_mnist
from fastnn.errors import FastnnError, FileFormatError, InvalidTypeError

IDX_NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
# MD5 of the four published files, uncompressed.
PUBLISHED = [
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
]


@pytest.fixture(scope="module")
def embedded():
    return load_mnist()


def idx_bytes(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_embedded_arrays(embedded):
    (x_train, y_train), (x_test, y_test) = embedded
    assert x_train.shape == (60_000, 784)
    assert x_test.shape == (10_000, 784)
    assert y_train.shape == (60_000,)
    assert y_test.shape == (10_000,)
    for array in (x_train, y_train, x_test, y_test):
        assert array.dtype == np.uint8
        assert array.flags.c_contiguous
        assert array.flags.writeable
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_embedded_bytes_are_the_published_ones(embedded):
    (x_train, y_train), (x_test, y_test) = embedded
    images = [x_train.reshape(-1, 28, 28), x_test.reshape(-1, 28, 28)]
    arrays = [images[0], y_train, images[1], y_test]
    assert [hashlib.md5(idx_bytes(array)).hexdigest() for array in arrays] == PUBLISHED


def test_each_load_is_a_copy_of_its_own(embedded):
    again = load_mnist()
    again[1][0][:] = 1
    assert embedded[1][0].max() == 255


def test_the_notice_stands_beside_the_data():
    import fastnn.datasets

    notice = (Path(fastnn.datasets.__file__).parent / "data" / "NOTICE").read_text()
    for part in ("LeCun", "Cortes", "Burges", "NIST", "CC BY-SA 3.0", "Gradient-based learning"):
        assert part in notice


# Writers of every format; each writes the sets into a folder.


def write_idx(folder: Path, sets, rename=lambda name: name, compress=bytes) -> None:
    (x_train, y_train), (x_test, y_test) = sets
    arrays = [x_train.reshape(-1, 28, 28), y_train, x_test.reshape(-1, 28, 28), y_test]
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        (folder / rename(name)).write_bytes(compress(idx_bytes(array)))


def write_csv(folder: Path, sets, header="", suffix="", compress=bytes) -> None:
    for name, (images, labels) in zip(("train", "test"), sets, strict=True):
        lines = [",".join(map(str, [label, *row])) for label, row in zip(labels.tolist(), images.tolist(), strict=True)]
        text = header + "\n".join(lines) + "\n"
        (folder / f"mnist_{name}.csv{suffix}").write_bytes(compress(text.encode()))


def write_npz(folder: Path, sets, shape=(-1, 28, 28)) -> None:
    (x_train, y_train), (x_test, y_test) = sets
    arrays = {"x_train": x_train.reshape(shape), "y_train": y_train, "x_test": x_test.reshape(shape), "y_test": y_test}
    np.savez_compressed(folder / "mnist.npz", **arrays)


def write_pickle(folder: Path, sets, divisor=256, name="mnist.pkl.gz", compress=gzip.compress) -> None:
    (x_train, y_train), test = sets
    splits = (x_train[:9], y_train[:9]), (x_train[9:], y_train[9:]), test
    scaled = tuple((X.astype(np.float32) / np.float32(divisor), y.astype(np.int64)) for X, y in splits)
    (folder / name).write_bytes(compress(pickle.dumps(scaled, 2)))


HEADER = "label" + "".join(f",{i}x{j}" for i in range(1, 29) for j in range(1, 29)) + "\n"
WRITERS = {
    "idx": write_idx,
    "idx.gz": lambda folder, sets: write_idx(folder, sets, "{}.gz".format, gzip.compress),
    "dotted idx": lambda folder, sets: write_idx(folder, sets, lambda name: name.replace("-idx", ".idx")),
    "dotted idx.gz": lambda folder, sets: write_idx(
        folder, sets, lambda name: name.replace("-idx", ".idx") + ".gz", gzip.compress
    ),
    "csv": write_csv,
    "csv with header": lambda folder, sets: write_csv(folder, sets, HEADER),
    "csv.gz": lambda folder, sets: write_csv(folder, sets, "", ".gz", gzip.compress),
    "npz": write_npz,
    "flat npz": lambda folder, sets: write_npz(folder, sets, (-1, 784)),
    "pkl.gz": write_pickle,
    "pkl.gz of pixel/255": lambda folder, sets: write_pickle(folder, sets, 255),
    "pkl": lambda folder, sets: write_pickle(folder, sets, 256, "mnist.pkl", bytes),
}


@pytest.mark.quick("writer")
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("path_type", [str, Path])
def test_every_format_in_a_folder(tmp_path, tiny, assert_same_sets, writer, path_type):
    WRITERS[writer](tmp_path, tiny)
    assert_same_sets(load_mnist(path_type(tmp_path)), tiny)


@pytest.mark.parametrize(("writer", "name"), [("npz", "mnist.npz"), ("pkl.gz", "mnist.pkl.gz"), ("pkl", "mnist.pkl")])
def test_a_file_itself(tmp_path, tiny, assert_same_sets, writer, name):
    WRITERS[writer](tmp_path, tiny)
    assert_same_sets(load_mnist(tmp_path / name), tiny)
    renamed = tmp_path / f"My copy of {name}"
    os.rename(tmp_path / name, renamed)
    assert_same_sets(load_mnist(renamed), tiny)


def test_missing_folder_and_file(tmp_path, refused):
    for name in ("missing", "missing.npz", "missing.pkl.gz", "nul\0byte", "nul\0byte.npz"):
        refused(load_mnist, os.path.join(tmp_path, name), offset=0)


def test_an_empty_folder_and_a_file_of_another_kind(tmp_path, refused):
    refused(load_mnist, tmp_path, "mnist_train.csv", "mnist.npz", "mnist.pkl.gz", "none of them", offset=0)
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    refused(load_mnist, tmp_path / "image.png", "a file of another name", offset=0)


@pytest.mark.parametrize("missing", IDX_NAMES)
def test_a_missing_idx_file(tmp_path, tiny, refused, missing):
    write_idx(tmp_path, tiny)
    (tmp_path / missing).unlink()
    error = refused(load_mnist, tmp_path, f"one of {missing}", "no such file")
    assert error.path == str(tmp_path / missing)


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_missing_csv_file(tmp_path, tiny, refused, missing):
    write_csv(tmp_path, tiny)
    (tmp_path / f"mnist_{missing}.csv").unlink()
    error = refused(load_mnist, tmp_path, "no such file")
    assert error.path == str(tmp_path / f"mnist_{missing}.csv")


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "mnist_train.csv", "mnist.npz", "mnist.pkl.gz"])
def test_a_folder_or_a_dangling_link_in_place_of_a_file(tmp_path, refused, name):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for other in (*IDX_NAMES, "mnist_test.csv"):
        (tmp_path / "a" / other).mkdir()
    (tmp_path / "a" / name).mkdir(exist_ok=True)
    (tmp_path / "b" / name).symlink_to("nowhere")
    refused(load_mnist, tmp_path / "a", "found a folder")
    refused(load_mnist, tmp_path / "b", "there is no such file")


@pytest.mark.parametrize("writer", ["idx", "npz", "csv", "pkl"])
def test_images_of_another_size(tmp_path, tiny, refused, writer):
    (x_train, y_train), (x_test, y_test) = tiny
    if writer == "idx":
        write_idx(tmp_path, tiny)
        (tmp_path / IDX_NAMES[2]).write_bytes(idx_bytes(x_test.reshape(-1, 14, 56)))
    elif writer == "npz":
        write_npz(tmp_path, tiny, (-1, 56, 14))
    else:
        WRITERS[writer](tmp_path, ((x_train[:, :783], y_train), (x_test[:, :783], y_test)))
    refused(load_mnist, tmp_path, "images of 28 x 28 = 784 pixels")


def test_labels_of_another_number(tmp_path, tiny, refused):
    write_idx(tmp_path, tiny)
    (tmp_path / IDX_NAMES[1]).write_bytes(idx_bytes(np.zeros(11, np.uint8)))
    error = refused(load_mnist, tmp_path, "12 labels, one per image, found 11")
    assert error.path == str(tmp_path / IDX_NAMES[1])


@pytest.mark.parametrize(
    ("writer", "half", "file", "offset", "row"),
    [
        ("idx", 0, "train-labels-idx1-ubyte", 8 + 3, "in row 3"),
        ("idx", 1, "t10k-labels-idx1-ubyte", 8 + 3, "in row 3"),
        ("csv", 0, "mnist_train.csv", 4, ""),
        ("csv with header", 1, "mnist_test.csv", 5, ""),
        ("npz", 0, "mnist.npz/y_train.npy", 0, "in row 3"),
        ("npz", 1, "mnist.npz/y_test.npy", 0, "in row 3"),
        ("pkl", 0, "mnist.pkl", None, "in row 3"),
    ],
)
@pytest.mark.parametrize("label", [10, 255])
def test_labels_that_are_no_digits(tmp_path, tiny, refused, writer, half, file, offset, row, label):
    sets = [(images, labels.copy()) for images, labels in tiny]
    sets[half][1][3] = label
    WRITERS[writer](tmp_path, sets)
    error = refused(load_mnist, tmp_path, "from 0 to 9, found", str(label), row, offset=offset)
    assert error.path == str(tmp_path / file)


def test_formats_that_are_mistaken_for_each_other(tmp_path, tiny, refused):
    write_npz(tmp_path, tiny)
    write_pickle(tmp_path, tiny)
    contents = {name: (tmp_path / name).read_bytes() for name in ("mnist.npz", "mnist.pkl.gz")}
    (tmp_path / "mnist.npz").write_bytes(contents["mnist.pkl.gz"])
    (tmp_path / "mnist.pkl.gz").write_bytes(contents["mnist.npz"])
    refused(load_mnist, tmp_path / "mnist.npz")
    refused(load_mnist, tmp_path / "mnist.pkl.gz")


@pytest.mark.parametrize("path", [1, b"bytes", 2.5, [], ("a", "b")])
def test_paths_of_another_type(path):
    with pytest.raises(InvalidTypeError, match=r"path: expected a str or os\.PathLike") as caught:
        load_mnist(path)
    assert isinstance(caught.value, TypeError)


def test_the_error_is_also_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="none of them") as caught:
        load_mnist(tmp_path)
    assert isinstance(caught.value, FileFormatError)
    assert isinstance(caught.value, FastnnError)
