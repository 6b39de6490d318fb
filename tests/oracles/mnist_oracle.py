"""MNIST for scripts: the book's loader as it behaves, and files in the forms that the tutorials download.

It shares no code with fastnn but the embedded files, which are IDX.
"""

import gzip
from pathlib import Path

import numpy as np

import fastnn

EMBEDDED = Path(fastnn.__file__).parent / "datasets" / "data"
LABELS_OFFSET, IMAGES_OFFSET = 8, 16  # of the first element


def load(part):
    """Pixels (n, 784) and labels (n,), uint8, of "train" or "t10k"."""
    labels = gzip.decompress((EMBEDDED / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    images = gzip.decompress((EMBEDDED / f"{part}-images-idx3-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=IMAGES_OFFSET).reshape(-1, 784)
    return pixels, np.frombuffer(labels, np.uint8, offset=LABELS_OFFSET)


def load_data_wrapper():
    """What the book's mnist_loader.py makes of mnist.pkl.gz: training, validation and test data as lists of pairs."""
    (pixels, labels), test = load("train"), load("t10k")
    training = [(x, one_hot(y)) for x, y in zip(columns(pixels[:50_000]), labels, strict=False)]
    validation = list(zip(columns(pixels[50_000:]), labels[50_000:], strict=True))
    return training, validation, list(zip(columns(test[0]), test[1], strict=True))


class PortedLoader:
    """The mnist_loader.py of the book's Python 3 port: the same pairs, by iterators that can be read once."""

    @staticmethod
    def load_data_wrapper():
        return tuple(map(iter, load_data_wrapper()))


def train_images():
    """This and the next three are those of the ``mnist`` package: (n, 28, 28) and (n,), uint8."""
    return load("train")[0].reshape(-1, 28, 28)


def train_labels():
    return load("train")[1]


def test_images():
    return load("t10k")[0].reshape(-1, 28, 28)


def test_labels():
    return load("t10k")[1]


def columns(pixels):
    return [np.reshape(row, (784, 1)) for row in pixels.astype(np.float32) / 256]


def one_hot(digit):
    column = np.zeros((10, 1))
    column[digit] = 1.0
    return column


def write_csv(path, part, count):
    """The first images as lines "label,pixel,pixel,...", as mnist_train.csv has them."""
    pixels, labels = load(part)
    rows = np.column_stack([labels, pixels])[:count].tolist()
    path.write_text("".join(f"{','.join(map(str, row))}\n" for row in rows))


def write_idx(folder, part):
    """The two files of a part, unpacked, as they are named on the disc."""
    for name in (f"{part}-labels-idx1-ubyte", f"{part}-images-idx3-ubyte"):
        data = gzip.decompress((EMBEDDED / f"{name}.gz").read_bytes())
        (folder / name.replace("-idx", ".idx")).write_bytes(data)
