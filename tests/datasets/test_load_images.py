"""Sets of square images of any size and labels: CSV and IDX files, alone or in halves."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from fastnn.datasets import load_images, load_mnist
from fastnn.errors import FileFormatError, MissingFileError


def csv(path, X, y):
    np.savetxt(path, np.column_stack([y, X]), "%d", ",")
    return path


def idx(path, array):
    data = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def images():
    rng = np.random.default_rng(2)
    return rng.integers(0, 256, (60, 100), np.uint8), np.repeat(np.array([3, 77, 200], np.uint8), 20)


def test_a_file_without_another_half_gives_every_seventh_row_of_each_class(images, tmp_path):
    X, y = images
    order = np.random.default_rng(1).permutation(60)
    X, y = X[order], y[order]
    (X_train, y_train), (X_test, y_test) = load_images(csv(tmp_path / "all.csv", X, y))
    for label in (3, 77, 200):
        of_class = X[y == label]
        chosen = np.arange(20) % 7 == 3
        np.testing.assert_array_equal(X_test[y_test == label], of_class[chosen])
        np.testing.assert_array_equal(X_train[y_train == label], of_class[~chosen])
    assert X_train.dtype == y_train.dtype == np.uint8


@pytest.mark.parametrize("other", ["my_test.csv", "my_t10k.csv"])
def test_csv_files_in_halves(images, tmp_path, other):
    X, y = images
    csv(tmp_path / other, X[::3], y[::3])
    (X_train, y_train), (X_test, y_test) = load_images(csv(tmp_path / "my_train.csv", X, y))
    for found, expected in ((X_train, X), (y_train, y), (X_test, X[::3]), (y_test, y[::3])):
        np.testing.assert_array_equal(found, expected)


def test_idx_files_in_halves(images, tmp_path):
    X, y = images
    for half, rows in (("train", slice(None)), ("test", slice(0, 60, 2))):
        idx(tmp_path / f"emnist-{half}-images-idx3-ubyte.gz", X[rows].reshape(-1, 10, 10))
        idx(tmp_path / f"emnist-{half}-labels-idx1-ubyte", y[rows])
    (X_train, y_train), (X_test, y_test) = load_images(tmp_path / "emnist-train-images-idx3-ubyte.gz")
    for found, expected in ((X_train, X), (y_train, y), (X_test, X[::2]), (y_test, y[::2])):
        np.testing.assert_array_equal(found, expected)


def test_a_folder_of_mnists_form(images, tmp_path):
    X, y = images
    csv(tmp_path / "mnist_train.csv", X, y)
    csv(tmp_path / "mnist_test.csv", X[5:], y[5:])
    (X_train, _), (_, y_test) = load_images(tmp_path)
    np.testing.assert_array_equal(X_train, X)
    np.testing.assert_array_equal(y_test, y[5:])
    with pytest.raises(FileFormatError, match="a label, an integer from 0 to 9"):
        load_mnist(tmp_path)


def test_errors(images, tmp_path):
    X, y = images
    with pytest.raises(MissingFileError):
        load_images(tmp_path / "none.csv")
    with pytest.raises(FileFormatError, match=r"square images of at least 8 x 8.*\(60, 90\)"):
        load_images(csv(tmp_path / "wide.csv", X[:, :90], y))
    idx(tmp_path / "flat-images-idx3-ubyte", X.reshape(60, 4, 25))
    idx(tmp_path / "flat-labels-idx1-ubyte", y)
    with pytest.raises(FileFormatError, match=r"square images.*\(60, 4, 25\)"):
        load_images(tmp_path / "flat-images-idx3-ubyte")
    idx(tmp_path / "lone-images-idx3-ubyte", X.reshape(60, 10, 10))
    with pytest.raises(FileFormatError, match="a file of labels beside it"):
        load_images(tmp_path / "lone-images-idx3-ubyte")
    csv(tmp_path / "a_train.csv", X, y)
    csv(tmp_path / "a_test.csv", X[:, :64], y)
    with pytest.raises(FileFormatError, match="images to test with of 100 pixels"):
        load_images(tmp_path / "a_train.csv")
    csv(tmp_path / "a_test.csv", X, y + 1)
    with pytest.raises(FileFormatError, match=r"among those to train with, found \[4, 78, 201\]"):
        load_images(tmp_path / "a_train.csv")
    with pytest.raises(FileFormatError, match="a class of at least 4 images"):
        load_images(csv(tmp_path / "few.csv", X[::10], y[::10]))
