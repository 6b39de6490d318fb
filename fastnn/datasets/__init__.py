"""MNIST, embedded, and readers of the file formats it is passed around in."""

from __future__ import annotations

from .csv_file import read_csv
from .idx import read_idx
from .mnist import load_images, load_mnist
from .npz import read_npz
from .pickled import read_mnist_pickle

__all__ = ["load_images", "load_mnist", "read_csv", "read_idx", "read_mnist_pickle", "read_npz"]
