"""The page with a network inside, which needs no server and no Python."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..io.atomic import StrPath, write_atomically
from ..nn.mlp import MLP
from .image_set import RASTER, ImageSet
from .page import page
from .side import in_base64

NEIGHBORS = 500  # that the page searches: as many of each class as of any other, the first ones


def export(path: StrPath, model: MLP, images: ImageSet) -> int:
    """Write the page with the model, and images to compare drawings with; return its size in bytes."""
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
    rows = _first_of_each(y, NEIGHBORS)
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


def _first_of_each(labels: Any, count: int) -> list[int]:
    """The indices, ascending, of ``count`` rows, taken in turns from the classes."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    rank = np.empty(len(labels), np.int64)  # of each row among those of its class
    rank[order] = np.arange(len(labels)) - np.repeat(starts, np.diff(starts, append=len(labels)))
    rows: list[int] = np.sort(np.argsort(rank, kind="stable")[:count]).tolist()
    return rows
