"""What every format's reader asks of a split: small integers for labels, one per image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from .stream import StrPath


def check_labels(
    path: StrPath, offset: int, labels: NDArray[Any], n_images: int, item_bytes: int = 0, largest: int = 255
) -> None:
    """Raise FileFormatError unless labels is (n_images,), of an integer dtype and within 0..largest.

    offset is where the first label is in the file, item_bytes how far it is from there to the next (0: not known).
    """
    if labels.dtype.kind not in "ui" or labels.ndim != 1:
        raise FileFormatError(path, offset, "one row of integer labels", f"{labels.dtype} of shape {labels.shape}")
    if len(labels) != n_images:
        raise FileFormatError(path, offset, f"{n_images} labels, one per image", len(labels))
    outside = (labels < 0) | (labels > largest)
    if outside.any():
        row = int(np.argmax(outside))
        raise FileFormatError(
            path, offset + row * item_bytes, f"a label from 0 to {largest}", f"{labels[row]} in row {row}"
        )
