"""IDX, the format MNIST was published in: magic, big-endian sizes, then the elements; raw or gzip."""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

from .checks import check_labels
from .stream import ByteStream, StrPath

UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 3


def read_idx(path: StrPath) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes.

    Returns a C-contiguous, writable uint8 array of the header's shape, 1 to 3 dimensions: (n,) for labels,
    (n, 28, 28) for images. Raises FileFormatError, with an offset into the decompressed bytes, for anything else
    than one whole such file.
    """
    with ByteStream.open(path) as stream:
        magic = stream.read_exactly(4, "IDX magic")
        zeros, element_type, n_dimensions = magic[:2], magic[2], magic[3]
        if zeros != b"\0\0":
            raise stream.fault("an IDX file, which begins with two zero bytes", bytes(zeros), 0)
        if element_type != UNSIGNED_BYTE:
            raise stream.fault("element type 0x08, unsigned byte", f"0x{element_type:02x}", 2)
        if not 1 <= n_dimensions <= MAX_DIMENSIONS:
            raise stream.fault(f"1 to {MAX_DIMENSIONS} dimensions", n_dimensions, 3)
        shape = struct.unpack(f">{n_dimensions}I", stream.read_exactly(4 * n_dimensions, "IDX sizes"))
        if 0 in shape:
            raise stream.fault("sizes of at least 1", shape, 4)
        data = stream.read_exactly(math.prod(shape), f"elements of an array of shape {shape}")
        stream.expect_end()
    # copied, as NumPy asks the system for huge pages, in which shuffled rows are found faster
    return np.frombuffer(data, np.uint8).reshape(shape).copy()


def read_idx_split(images_path: StrPath, labels_path: StrPath) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the two files of one split: uint8 images (n, ...) and their uint8 labels (n,)."""
    images, labels = read_idx(images_path), read_idx(labels_path)
    check_labels(labels_path, 4 + 4 * labels.ndim, labels, len(images), item_bytes=1)
    return images, labels
