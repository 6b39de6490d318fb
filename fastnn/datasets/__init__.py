"""MNIST, embedded, and readers of the file formats it is passed around in."""

from __future__ import annotations

from fastnn.datasets.csv_file import read_csv
from fastnn.datasets.idx import read_idx
from fastnn.datasets.mnist import load_mnist
from fastnn.datasets.npz import read_npz
from fastnn.datasets.pickled import read_mnist_pickle

__all__ = ["load_mnist", "read_csv", "read_idx", "read_mnist_pickle", "read_npz"]
