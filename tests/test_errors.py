"""Errors: what a file that cannot be reached raises, wherever it is read or written; and that all can be pickled."""

from __future__ import annotations

import copy
import errno
import os
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import datasets, plots
from fastnn.datasets.pickled import read_mnist_pickle
from fastnn.digit_image import load_digit
from fastnn.dropin import nielsen2, rashid, scratch
from fastnn.dropin.keras import Sequential, callbacks, layers, models
from fastnn.errors import (
    BackendError,
    DivergenceError,
    FastnnError,
    FileAccessError,
    FileFormatError,
    ForbiddenFileError,
    InvalidArgumentError,
    InvalidTypeError,
    MissingFileError,
    access_error,
)

READERS = {
    "load": fastnn.load,
    "load_mnist": lambda path: datasets.load_mnist(f"{path}.npz"),
    "load_mnist, a pickle": lambda path: datasets.load_mnist(f"{path}.pkl.gz"),
    "read_csv": datasets.read_csv,
    "read_idx": datasets.read_idx,
    "read_npz": datasets.read_npz,
    "read_mnist_pickle": read_mnist_pickle,
    "load_digit": load_digit,
    "nielsen2.load": nielsen2.load,
    "rashid.load_csv": rashid.load_csv,
    "scratch.read_pic": lambda path: scratch.read_pic(1, path, path),
    "keras load_model": models.load_model,
}


def keras_model() -> Sequential:
    model = Sequential([layers.Input((2,)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def log(path: str) -> None:
    keras_model().fit(np.zeros((4, 2)), np.zeros(4, int), verbose=0, callbacks=[callbacks.CSVLogger(path)])


WRITERS = {
    "MLP.save": lambda path: fastnn.MLP([2, 2]).save(path),
    "nielsen2.save": lambda path: nielsen2.Network([2, 2]).save(path),
    "keras save": lambda path: keras_model().save(f"{path}.keras"),
    "keras CSVLogger": log,
    "plots.save": lambda path: plots.save(plots.panels()[0], f"{path}.png"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_python_s_own_error_too(tmp_path, name):
    with pytest.raises(FileNotFoundError) as caught:
        READERS[name](str(tmp_path / "missing"))
    error = caught.value
    assert isinstance(error, MissingFileError)
    assert isinstance(error, FileFormatError)
    assert isinstance(error, ValueError)
    assert error.errno == errno.ENOENT
    assert error.strerror == os.strerror(errno.ENOENT)
    assert error.filename == error.path
    assert error.path.startswith(str(tmp_path / "missing"))
    assert str(error).startswith(f"{error.path}: there is no such file")
    assert "Errno" not in str(error)


@pytest.mark.parametrize("name", WRITERS)
def test_a_missing_folder_is_python_s_own_error_too(tmp_path, name):
    with pytest.raises(FileNotFoundError) as caught:
        WRITERS[name](str(tmp_path / "nowhere" / "file"))
    error = caught.value
    assert isinstance(error, FastnnError)
    assert str(error) == f"{tmp_path / 'nowhere'}: there is no such folder"
    assert (error.errno, error.filename) == (errno.ENOENT, str(tmp_path / "nowhere"))


def test_a_folder_of_data_without_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="/none: there is no such file or folder"):
        datasets.load_mnist(tmp_path / "none")
    (tmp_path / "mnist_train.csv").touch()
    with pytest.raises(
        FileNotFoundError, match=r"mnist_test.csv: there is no such file; expected one of mnist_test.csv"
    ):
        datasets.load_mnist(tmp_path)


def test_the_empty_path():
    with pytest.raises(FileNotFoundError, match=r"^the empty path: there is no such file"):
        fastnn.load("")


@pytest.mark.parametrize("name", ["load", "read_csv", "nielsen2.load", "load_digit"])
def test_what_may_not_be_read(tmp_path, monkeypatch, name):
    path = tmp_path / "secret"
    path.touch()

    def refuse(function):  # the tests may run as root, who may read everything
        def refusing(file, *args, **kwargs):
            if str(file) == str(path):
                raise PermissionError(errno.EACCES, "Permission denied", str(file))
            return function(file, *args, **kwargs)

        return refusing

    for module, function in ((os, "open"), (os, "stat"), ("builtins", "open")):
        target = (module, function) if module is os else ("builtins.open",)
        original = getattr(os, function) if module is os else open
        monkeypatch.setattr(*target, refuse(original))
    with pytest.raises(PermissionError, match="secret: there is no permission to read it") as caught:
        READERS[name](str(path))
    assert isinstance(caught.value, ForbiddenFileError)
    assert isinstance(caught.value, FileFormatError)
    assert (caught.value.errno, caught.value.filename) == (errno.EACCES, str(path))


def test_other_reasons_of_the_system(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for name, number in (("loop", errno.ELOOP), ("n" * 300, errno.ENAMETOOLONG)):
        for read in (fastnn.load, datasets.read_csv):
            with pytest.raises(OSError, match=f": {os.strerror(number).lower()}$") as caught:
                read(tmp_path / name)
            assert isinstance(caught.value, FileAccessError)
            assert caught.value.errno == number
    assert type(access_error("x", OSError("no number"))) is FileAccessError
    assert str(access_error("x", OSError("no number"))) == "x: no number"


@pytest.mark.parametrize(
    "error",
    [
        FastnnError("message"),
        InvalidArgumentError("k", "1", 2),
        InvalidTypeError("k", "an integer", "str"),
        FileFormatError("file", 3, "a", "b", unit="line"),
        MissingFileError("file"),
        ForbiddenFileError("file"),
        FileAccessError("file", "it is a loop", errno.ELOOP),
        BackendError("message"),
        DivergenceError("message", (1.0, 2.0)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_the_way_between_processes(error):
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
