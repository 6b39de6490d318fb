"""fastnn.dropin.mnist against the embedded files and what the package of that name does."""

import gzip
import io
import zipfile

import mnist_oracle
import numpy as np
import pytest
from bars import idx

import fastnn
from fastnn.dropin import mnist

NAMES = {"train": ("train_images", "train_labels"), "t10k": ("test_images", "test_labels")}


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A folder with other training images, where the caller's ``temporary_dir`` says that files are."""
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    monkeypatch.setattr(mnist, "temporary_dir", lambda: str(tmp_path))
    return images


@pytest.mark.parametrize("part", NAMES)
def test_new_writable_arrays_of_bytes(part):
    pixels, digits = mnist_oracle.load(part)
    for name, expected in zip(NAMES[part], (pixels.reshape(-1, 28, 28), digits), strict=True):
        first, second = getattr(mnist, name)(), getattr(mnist, name)()
        np.testing.assert_array_equal(first, expected, strict=True)
        first[:] = 7
        np.testing.assert_array_equal(second, expected)


def test_by_the_files_names():
    for name, function in (
        ("train-images-idx3-ubyte.gz", mnist.train_images),
        ("train-labels-idx1-ubyte.gz", mnist.train_labels),
        ("t10k-images-idx3-ubyte.gz", mnist.test_images),
        ("t10k-labels-idx1-ubyte.gz", mnist.test_labels),
    ):
        np.testing.assert_array_equal(mnist.download_and_parse_mnist_file(name), function(), strict=True)


@pytest.mark.quick
def test_files_of_the_callers_own_come_first(other, tmp_path):
    np.testing.assert_array_equal(mnist.train_images(), other)
    assert len(mnist.train_labels()) == 60_000
    parse = mnist.download_and_parse_mnist_file
    np.testing.assert_array_equal(parse("train-images-idx3-ubyte.gz", target_dir=tmp_path), other)
    np.testing.assert_array_equal(parse(str(tmp_path / "train-images-idx3-ubyte.gz"), "elsewhere"), other)
    assert len(parse("train-images-idx3-ubyte.gz", force=True)) == 60_000
    assert len(parse("train-images-idx3-ubyte.gz", "elsewhere")) == 60_000


@pytest.mark.parametrize(
    "url",
    [
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://github.com/golbin/TensorFlow-MNIST/raw/master/mnist/data/",
        "https://raw.githubusercontent.com/fgnt/mnist/master",
    ],
)
def test_every_mirror_has_the_embedded_files(url, monkeypatch):
    monkeypatch.setattr(mnist, "datasets_url", url)
    assert len(mnist.test_labels()) == 10_000


@pytest.mark.parametrize(
    "url",
    [
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://example.org/mnist/fashion/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "https://example.org/EMNIST/",
        "https://example.org/data/",
    ],
)
def test_no_digits_for_another_data_set(url, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "datasets_url", url)

    def refuses(call, *arguments, **options):
        with pytest.raises(fastnn.FastnnError, match=r"^datasets_url: expected a mirror of MNIST, .*, found 'http"):
            call(*arguments, **options)

    refuses(mnist.train_labels)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(3, dtype=np.uint8)))
    monkeypatch.setattr(mnist, "temporary_dir", lambda: str(tmp_path))
    assert mnist.train_labels().tolist() == [0, 1, 2]
    refuses(mnist.test_labels)
    refuses(mnist.download_and_parse_mnist_file, "train-labels-idx1-ubyte.gz", force=True)


def test_what_would_be_downloaded():
    with pytest.raises(
        fastnn.FastnnError, match=r"fname: expected one of train-images-idx3-ubyte\.gz, .*found .*/letters"
    ):
        mnist.download_and_parse_mnist_file("letters")
    with pytest.raises(fastnn.FastnnError, match="expected a str"):
        mnist.download_and_parse_mnist_file(5)
    with pytest.raises(fastnn.FastnnError, match="download_file: nothing is downloaded"):
        mnist.download_file("train-images-idx3-ubyte.gz")


def test_parse_idx_of_open_files(tmp_path):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    path = tmp_path / "raw"
    for opened, data in ((open, idx(array)), (gzip.open, gzip.compress(idx(array)))):
        path.write_bytes(data)
        with opened(path, "rb") as file:
            np.testing.assert_array_equal(mnist.parse_idx(file), array, strict=True)
    path.write_bytes(b"\xff\xff\x08\x00")
    with open(path, "rb") as file, pytest.raises(mnist.IdxDecodeError, match="raw, byte 0: expected an IDX file"):
        mnist.parse_idx(file)


def test_parse_idx_of_other_file_objects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = idx(np.zeros(3, np.uint8))
    for name in ("raw", "other"):
        (tmp_path / name).write_bytes(gzip.compress(data))
    with zipfile.ZipFile("archive.zip", "w") as archive:
        archive.writestr("raw", data)
    with open("other", "rb") as file, zipfile.ZipFile("archive.zip") as archive, archive.open("raw") as member:
        others = [io.BytesIO(data), member, gzip.GzipFile("raw", fileobj=file), gzip.GzipFile(fileobj=io.BytesIO(data))]
        for other in others:
            with pytest.raises(fastnn.FastnnError, match=r"^fd: expected a file opened by its path, .* found <"):
                mnist.parse_idx(other)
        with gzip.open("raw") as opened:
            opened.read(1)
            with pytest.raises(fastnn.FastnnError, match=r"^fd: expected .*, at its beginning, found <gzip"):
                mnist.parse_idx(opened)
        with open(file.fileno(), "rb", closefd=False) as nameless, pytest.raises(fastnn.FastnnError, match="found int"):
            mnist.parse_idx(nameless)
    with pytest.raises(fastnn.FastnnError, match="fd: expected"):
        mnist.parse_idx("raw")
