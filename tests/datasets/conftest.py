"""Small sets and a helper that the tests of every reader share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnn.errors import FileFormatError


@pytest.fixture(scope="session")
def tiny():
    """((X_train, y_train), (X_test, y_test)): 12 and 5 images of 784 pixels, with both extremes and every label."""
    rng = np.random.default_rng(1)
    splits = []
    for rows in (12, 5):
        images = rng.integers(0, 256, (rows, 784)).astype(np.uint8)
        images[rng.random(images.shape) < 0.8] = 0
        images[0, :2] = 255, 1
        splits.append((images, (np.arange(rows) % 10).astype(np.uint8)))
    return tuple(splits)


@pytest.fixture(scope="session")
def assert_same_sets():
    def check(found: Any, expected: Any) -> None:
        assert len(found) == len(expected)
        for (images, labels), (expected_images, expected_labels) in zip(found, expected, strict=True):
            for array, expected_array in ((images, expected_images), (labels, expected_labels)):
                assert array.dtype == expected_array.dtype
                assert array.flags.c_contiguous
                assert array.flags.writeable
                np.testing.assert_array_equal(array, expected_array)

    return check


@pytest.fixture(scope="session")
def refused():
    """Assert that a read fails with one FileFormatError that names the file and a plausible offset; return it."""

    def check(read: Callable[[Any], object], path: str | os.PathLike[str], *parts: str, offset: int | None = None):
        with pytest.raises(FileFormatError) as caught:
            read(path)
        error = caught.value
        assert os.fspath(path) in error.path
        assert isinstance(error.offset, int)
        assert error.offset >= 0
        assert error.expected
        for part in parts:
            assert part in str(error)
        if offset is not None:
            assert error.offset == offset
        return error

    return check


@pytest.fixture(scope="session")
def fuzz_path(tmp_path_factory) -> Path:
    """One path that hypothesis' examples overwrite; a function-scoped tmp_path is not reset between them."""
    return tmp_path_factory.mktemp("fuzz") / "file"
