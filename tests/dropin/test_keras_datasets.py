"""keras.datasets from the files that Keras keeps, as Keras reads them."""

from __future__ import annotations

import gzip
import json
import pickle
import struct

import numpy as np
import pytest

import fastnn
from fastnn.dropin import keras
from fastnn.dropin.keras import datasets

RNG = np.random.default_rng(0)
PARITY = {
    "boston_housing": [{}, {"test_split": 0.5, "seed": 3}],
    "california_housing": [{}, {"version": "small", "test_split": 0.1}],
    "cifar10": [{}],
    "cifar100": [{}, {"label_mode": "coarse"}],
    "fashion_mnist": [{}],
    "imdb": [
        {},
        {"num_words": 20},
        {"num_words": 20, "skip_top": 5, "oov_char": None},
        {"maxlen": 10, "seed": 5},
        {"start_char": None},
        {"start_char": None, "index_from": 0},
    ],
    "reuters": [{}, {"num_words": 20}, {"maxlen": 10, "test_split": 0.3}, {"start_char": None, "index_from": 0}],
}


def texts(count):
    """An object array of lists of words' numbers, some beyond a byte and beyond two."""
    array = np.empty(count, object)
    for i in range(count):
        array[i] = RNG.integers(1, [10, 300, 70000][i % 3], i % 20 + 1).tolist()
    return array


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Keras' folder with small files of its formats."""
    home = tmp_path_factory.mktemp("keras")
    folder = home / "datasets"
    folder.mkdir()
    np.savez(folder / "boston_housing.npz", x=RNG.random((50, 13)), y=RNG.random(50))
    np.savez(folder / "california_housing.npz", x=RNG.random((700, 8)).astype("f4"), y=RNG.random(700).astype("f4"))
    reviews = {f"x_{part}": texts(40) for part in ("train", "test")}
    np.savez(folder / "imdb.npz", **reviews, y_train=np.arange(40) % 2, y_test=np.arange(40) % 2)
    np.savez_compressed(folder / "reuters.npz", x=texts(60), y=np.arange(60) % 46)
    (folder / "imdb_word_index.json").write_text(json.dumps({"the": 1, "naïve": 2}))
    (folder / "reuters_word_index.json").write_text(json.dumps({"mdbl": 10996}))
    write_idx(folder / "fashion-mnist")
    write_cifar(folder)
    return home


def write_idx(folder):
    folder.mkdir()
    for part, count in (("train", 7), ("t10k", 3)):
        header = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
        images = RNG.integers(0, 256, (count, 28, 28), np.uint8).tobytes()
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images))
        labels = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(range(count))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))


def write_cifar(folder):
    """Strings for keys and lists of labels, as in the original, which Python 2 pickled."""
    ten = folder / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    hundred = folder / "cifar-100-python-target" / "cifar-100-python"
    for path, names, keys in (
        (ten, [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], {b"labels": 10}),
        (hundred, ["train", "test"], {b"fine_labels": 100, b"coarse_labels": 20}),
    ):
        path.mkdir(parents=True)
        for name in names:
            count = 10_000 if path == ten else 50
            labels = {key: (np.arange(count) % classes).tolist() for key, classes in keys.items()}
            pixels = np.full((count, 3072), len(name), np.uint8)
            pixels[:, ::7] = np.arange(count)[:, None] % 256
            content = {b"batch_label": b"batch", b"data": pixels, b"filenames": [b"a.png"] * count, **labels}
            (path / name).write_bytes(pickle.dumps(content, 3))


@pytest.fixture(autouse=True)
def _home(files, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(files))


CASES = [(name, options) for name, several in PARITY.items() for options in several]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_arrays_are_those_of_keras(name, options, files, monkeypatch):
    theirs = pytest.importorskip("keras")  # where it is installed

    def get_file(fname, origin, cache_subdir="datasets", **options):
        return str(files / cache_subdir / fname)

    monkeypatch.setattr(f"keras.src.datasets.{name}.get_file", get_file)
    expected = getattr(theirs.datasets, name).load_data(**options)
    for ours, part in zip(getattr(datasets, name).load_data(**options), expected, strict=True):
        for array, other in zip(ours, part, strict=True):
            assert (array.shape, array.dtype) == (other.shape, other.dtype)
            assert np.array_equal(array, other)


def test_housing(files):
    (x, y), (x_test, y_test) = datasets.boston_housing.load_data()
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((40, 13), (40,), (10, 13), (10,))
    with np.load(files / "datasets" / "boston_housing.npz") as file:
        order = np.arange(50)
        np.random.RandomState(113).shuffle(order)
        assert (np.concatenate([x, x_test]) == file["x"][order]).all()
        assert (np.concatenate([y, y_test]) == file["y"][order]).all()
    (small, _), _ = datasets.california_housing.load_data("small", test_split=0)
    assert small.shape == (600, 8)


def test_texts(files):
    (x, y), (x_test, y_test) = datasets.imdb.load_data(num_words=100)
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((40,),) * 4
    with np.load(files / "datasets" / "imdb.npz", allow_pickle=True) as file:
        order = np.arange(40)
        np.random.RandomState(113).shuffle(order)
        assert x[0] == [1, *(w + 3 if w + 3 < 100 else 2 for w in file["x_train"][order[0]])]
        assert y.tolist() == file["y_train"][order].tolist()
    assert datasets.imdb.load_data(nb_words=100)[0][0].tolist() == x.tolist()
    assert datasets.imdb.get_word_index() == {"the": 1, "naïve": 2}
    assert datasets.reuters.get_word_index() == {"mdbl": 10996}
    assert datasets.reuters.get_label_names()[:3] == ("cocoa", "grain", "veg-oil")
    assert len(datasets.reuters.get_label_names()) == 46
    with pytest.raises(fastnn.FastnnError, match="maxlen: expected more words than some text has, found 1"):
        datasets.reuters.load_data(maxlen=1)


def test_images():
    (x, y), (x_test, y_test) = datasets.fashion_mnist.load_data()
    assert (x.shape, y.tolist(), x_test.shape, y_test.tolist()) == ((7, 28, 28), [*range(7)], (3, 28, 28), [0, 1, 2])
    (x, y), (x_test, y_test) = datasets.cifar10.load_data()
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == (
        (50000, 32, 32, 3),
        (50000, 1),
        (10000, 32, 32, 3),
        (10000, 1),
    )
    assert x.dtype == y.dtype == np.uint8
    assert x[9, 0, :, 0].tolist() == [9 if i % 7 == 0 else 12 for i in range(32)]
    assert y[:11, 0].tolist() == [*range(10), 0]
    assert datasets.cifar100.load_data("coarse")[0][1].max() == 19


@pytest.mark.parametrize(
    ("load", "path", "origin"),
    [
        (datasets.fashion_mnist.load_data, "fashion-mnist/train-images-idx3-ubyte.gz", "train-images-idx3-ubyte.gz"),
        (datasets.imdb.load_data, "imdb.npz", "tf-keras-datasets/imdb.npz"),
        (datasets.imdb.get_word_index, "imdb_word_index.json", "tf-keras-datasets/imdb_word_index.json"),
        (datasets.reuters.load_data, "reuters.npz", "tf-keras-datasets/reuters.npz"),
        (datasets.boston_housing.load_data, "boston_housing.npz", "tf-keras-datasets/boston_housing.npz"),
        (datasets.cifar10.load_data, "cifar-10-batches-py-target/cifar-10-batches-py/data_batch_1", "tar.gz, unpacked"),
    ],
)
def test_a_missing_file_is_named_with_where_it_comes_from(load, path, origin, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="nothing is downloaded: put it there from https://") as caught:
        load()
    assert str(caught.value).startswith(str(tmp_path / "datasets" / path))
    assert str(caught.value).endswith(origin)
    assert isinstance(caught.value, fastnn.FastnnError)


def test_files_are_looked_for_in_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=str(tmp_path / ".keras" / "datasets" / "imdb.npz")):
        datasets.imdb.load_data()
    elsewhere = tmp_path / "mine.npz"
    np.savez(elsewhere, x=np.zeros((10, 2)), y=np.zeros(10))
    assert datasets.boston_housing.load_data(str(elsewhere))[0][0].shape == (8, 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("imdb_word_index.json", b"{"),
        ("reuters_word_index.json", b"\xff"),
    ],
)
def test_a_damaged_index_is_named(name, content, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / name).write_bytes(content)
    with pytest.raises(fastnn.errors.FileFormatError, match=f"{name}, byte 0: expected a JSON file"):
        getattr(keras.datasets, name.split("_")[0]).get_word_index()


def test_a_batch_of_other_contents_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "datasets" / "cifar-100-python"  # where Keras 2 had it
    folder.mkdir(parents=True)
    for content, message in [
        ({b"data": np.zeros((2, 3), np.uint8)}, "expected data, uint8"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [1]}, "expected fine_labels, a list of 2 labels"),
    ]:
        (folder / "train").write_bytes(pickle.dumps(content, 2))
        with pytest.raises(fastnn.errors.FileFormatError, match=message):
            datasets.cifar100.load_data()
