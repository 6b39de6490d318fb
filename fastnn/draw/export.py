"""The page with a network inside, which needs no server and no Python."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io.atomic import StrPath, write_atomically
from ..nn.mlp import MLP
from .image_set import RASTER, ImageSet
from .page import page
from .side import in_base64

# Images that the page searches, as many of each class as of any other, and the rounds of k-means that choose them.
NEIGHBORS, ROUNDS = 500, 3


def export(path: StrPath, model: MLP, images: ImageSet) -> int:
    """Write the page with a classifier of these images, and some of them to compare drawings with.

    Returns its size in bytes. Raises FastnnError if the file cannot be written.
    """
    found = page()
    policy = f'<meta http-equiv="Content-Security-Policy" content="{found.policy}">'
    # Nothing in JSON ends a script: "<" stands in strings alone, where it may be written by its number.
    inside = json.dumps(_contents(model, images), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    text = _replaced(found.text, '<meta charset="utf-8">', '<meta charset="utf-8">\n' + policy)
    start = '<script type="application/json" id="inside">'
    data = _replaced(text, f"{start}</script>", f"{start}{inside}</script>").encode()
    write_atomically(path, [data])
    return len(data)


def _replaced(text: str, old: str, new: str) -> str:
    before, after = text.split(old)  # it is there once
    return before + new + after


def _contents(model: MLP, images: ImageSet) -> dict[str, Any]:
    X, y = images.train
    rows = _prototypes(X, y, NEIGHBORS)
    biases = iter(model.biases)
    has_bias = (model.net.biases >= 0).tolist()
    dtype = model.dtype.newbyteorder("<")
    return {
        "name": images.name,
        "side": images.side,
        "raster": RASTER,
        "labels": [str(label) for label in images.labels],
        "dtype": model.dtype.name,
        "sizes": list(model.sizes),
        "activations": list(model.activations),
        "weights": [in_base64(weights.astype(dtype)) for weights in model.weights],
        "biases": [in_base64(next(biases).astype(dtype)) if has else None for has in has_bias],
        "neighbors": {"labels": [str(y[row]) for row in rows], "images": in_base64(X[rows])},
    }


def _prototypes(X: NDArray[np.uint8], y: NDArray[np.uint8], count: int) -> list[int]:
    """About ``count`` rows, ascending: of each class those that are nearest to the means of its clusters.

    Of MNIST's test images 91% have the label of the nearest of 500 such, 84% that of the nearest of the first ones.
    """
    classes = np.unique(y)
    rows = []
    for label in classes:
        members = np.flatnonzero(y == label)
        rows.append(members[_medoids(X[members].astype(np.float32), min(count // len(classes), len(members)))])
    found: list[int] = np.sort(np.concatenate(rows)).tolist()
    return found


def _medoids(rows: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """The indices of rows (n, pixels) nearest to the means of ``count`` clusters, by k-means from the first."""
    means = rows[:count].copy()
    for _ in range(ROUNDS):
        cluster = _nearest(rows, means)
        for i in np.unique(cluster):
            means[i] = rows[cluster == i].mean(axis=0)
    return np.unique(_nearest(means, rows))


def _nearest(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.intp]:
    """Of each row (n, pixels) the index of the nearest of others (m, pixels)."""
    return (np.square(others).sum(axis=1) - 2 * rows @ others.T).argmin(axis=1)
