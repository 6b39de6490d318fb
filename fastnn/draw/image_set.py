"""The images that networks on the page learn from and are tested with, and the drawings that join them."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import datasets
from ..errors import FastnnError
from ..io.digit_image import centre_digit
from ..neighbors import Neighbors

# Pixels a side of the paper that the page draws on, each of which is ink or not: thrice what MNIST's networks see.
RASTER = 96
# Drawings that may join the images, for which room is kept from the start.
MOST_DRAWINGS = 1000
# Neighbours that are shown, which fill a row.
NEAREST = 5

Image = NDArray[np.uint8]  # (pixels,)


class Neighbor(NamedTuple):
    """An image near a drawing."""

    label: int
    distance: float
    image: Image


class ImageSet:
    """Images to train and to test with, and an index of those to train with.

    Attributes
    ----------
    name : for people.
    side : of an image, in pixels.
    labels : that there are, ascending.
    """

    def __init__(self, path: str | None = None) -> None:
        (X, y), self.test = datasets.load_images(path)
        self.name = "MNIST" if path is None else os.path.basename(os.path.abspath(path))
        self.side = round(X.shape[1] ** 0.5)
        self.labels: list[int] = np.unique(y).tolist()
        if len(self.labels) < 2:
            raise FastnnError(f"{path}: expected images of at least two classes, found one")
        self._given, self._count = len(X), len(X)
        # Room for drawings at the end, lest each of them copy all the rows.
        self._X = np.empty((len(X) + MOST_DRAWINGS, X.shape[1]), np.uint8)
        self._y = np.empty(len(self._X), np.uint8)
        self._X[: len(X)], self._y[: len(X)] = X, y
        self._index: Neighbors | None = None

    @property
    def train(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """(n, pixels) and (n,): what was read, and then what was drawn."""
        return self._X[: self._count], self._y[: self._count]

    def add(self, image: Image, label: int) -> None:
        """Let a drawing (pixels,) join the images to train with. FastnnError when there are too many."""
        if self._count == len(self._X):
            raise FastnnError(f"expected at most {MOST_DRAWINGS} drawings, found one more")
        self._X[self._count], self._y[self._count] = image, label
        self._count += 1

    def make_index(self) -> None:
        """Make what ``nearest`` searches; it takes about a second."""
        index = Neighbors().fit(self._X[: self._given])
        index.search(self._X[:1], 1)  # makes the codes of single searches
        self._index = index

    def nearest(self, image: Image) -> list[Neighbor] | None:
        """The images to train with that are nearest to one (pixels,), nearest first and of equal distances the first.

        At most NEAREST; None while the index is being made.
        """
        index, count = self._index, self._count
        if index is None:
            return None
        found = [index.search(image[np.newaxis], min(NEAREST, self._given))]
        if count > self._given:
            drawn = Neighbors(pruning="never").fit(self._X[self._given : count])
            distances, indices = drawn.search(image[np.newaxis], min(NEAREST, count - self._given))
            found.append((distances, indices + self._given))
        distances, indices = (np.concatenate(parts, axis=1)[0] for parts in zip(*found, strict=True))
        best = np.argsort(distances, kind="stable")[:NEAREST]
        return [Neighbor(int(self._y[indices[i]]), float(distances[i]), self._X[indices[i]]) for i in best]

    def image_of(self, ink: NDArray[Any]) -> Image | None:
        """What networks see of a drawing (RASTER, RASTER), 1 where there is ink; None where there is none."""
        return centre_digit(ink, self.side) if ink.any() else None
