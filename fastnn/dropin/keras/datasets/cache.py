"""Where Keras keeps the files that it downloads, and what to put there: fastnn downloads nothing."""

from __future__ import annotations

import json
import os
from typing import Any

from ....datasets.stream import check_path
from ....errors import FileFormatError, MissingFileError, access_error

DATASETS = "datasets"
TENSORFLOW = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def home() -> str:
    """Keras' folder: ``KERAS_HOME``, or ".keras" in the user's own."""
    return os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")


def cached(name: str, origin: str, *folders: str, cache_dir: str | None = None) -> str:
    """The path of a file in the first of some folders of Keras' (or ``cache_dir``) that has it.

    Raises MissingFileError, which says what to put where, if there is none.
    """
    root = home() if cache_dir is None else os.path.expanduser(cache_dir)
    paths = [os.path.join(root, folder, check_path(name)) for folder in folders or (DATASETS,)]
    for path in paths:
        if os.path.exists(path):
            return path
    raise MissingFileError(paths[0], f"there is no such file, and nothing is downloaded: put it there from {origin}")


def read_json(path: str) -> Any:
    """What a JSON file says."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise access_error(path, error) from None
    except ValueError as error:
        raise FileFormatError(path, 0, "a JSON file", error) from None
