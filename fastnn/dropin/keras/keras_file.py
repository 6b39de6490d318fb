"""Keras' own files: ".keras" archives, whole models in ".h5", and weights in ".weights.h5" or ".h5", through h5py.

    .keras            a zip of metadata.json, config.json (descriptions.py) and model.weights.h5
    .weights.h5       layers/dense/vars/0 (kernel), 1 (bias); optimizer/vars/0 (updates made), 1 (rate), then the state
    .h5, .hdf5        attributes model_config and training_config in JSON; model_weights/<layer>/... in the order of the
                      attributes layer_names and weight_names; optimizer_weights/... likewise
    .h5 of weights    what is in model_weights, at the root

Nothing is read before its size is known to be what the model asks for, and no link or external storage is followed.
"""

from __future__ import annotations

import datetime
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...errors import FastnnError, FileFormatError, access_error
from ...io.atomic import StrPath, check_path, write_atomically
from ...kernels.spec import FloatArray
from .descriptions import Chain, Description, entries, from_json, to_json
from .layers import Dense

if TYPE_CHECKING:
    import h5py

KERAS_VERSION = "3.15.1"  # whose formats these are
MOST_JSON = 1 << 24  # bytes of a description
MOST_EXPANSION = 100  # of a member of an archive; Keras stores them as they are
WEIGHTS = "model.weights.h5"
Shape = tuple[int, ...]


class Contents(NamedTuple):
    """A model as a file has it.

    Attributes
    ----------
    model, training : descriptions; the second is None of a model that is not compiled.
    weights : kernel, bias, kernel, bias ... of all Dense layers.
    state : of the optimizer, as Keras keeps it: the number of updates, the rate unless it is a schedule's, arrays.
    """

    model: Description
    training: Description | None
    weights: Sequence[FloatArray]
    state: Sequence[np.ndarray[Any, Any]] | None


def is_keras(path: StrPath) -> bool:
    """Whether a path ends as Keras' archives do."""
    return os.fspath(path).endswith(".keras")


def is_hdf5(path: StrPath) -> bool:
    """Whether a path ends as HDF5 files do."""
    return os.fspath(path).endswith((".h5", ".hdf5"))


def is_newer_weights(path: StrPath) -> bool:
    """Whether a path ends as Keras 3's files of weights do."""
    return os.fspath(path).endswith(".weights.h5")


def write_archive(path: StrPath, chain: Chain, contents: Contents) -> None:
    """Write a ".keras" file. Raises FastnnError if it cannot be written, and leaves the old file or the new one."""
    model = contents.model | ({} if contents.training is None else {"compile_config": contents.training})
    date = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": KERAS_VERSION, "date_saved": date}))
        archive.writestr("config.json", to_json(model))
        archive.writestr(WEIGHTS, _in_memory(path, lambda file: _write_newer(file, chain, contents)))
    write_atomically(path, [buffer.getbuffer()])


def write_model(path: StrPath, chain: Chain, contents: Contents) -> None:
    """Write a whole model as ".h5"; as :func:`write_archive` otherwise."""

    def fill(file: h5py.File) -> None:
        file.attrs["keras_version"], file.attrs["backend"] = KERAS_VERSION, "jax"
        file.attrs["model_config"] = to_json(contents.model)
        if contents.training is not None:
            training = dict(contents.training)
            optimizer = training.pop("optimizer")
            training["optimizer_config"] = {key: optimizer[key] for key in ("class_name", "config")}
            file.attrs["training_config"] = to_json(training)
        _write_older(file.create_group("model_weights"), chain, contents.weights)
        if contents.state is not None:
            group = file.create_group("optimizer_weights")
            _write_named(group, [f"optimizer/{i}" for i in range(len(contents.state))], contents.state)

    write_atomically(path, [_in_memory(path, fill)])


def write_weights(path: StrPath, chain: Chain, contents: Contents) -> None:
    """Write weights alone: as Keras 3 to ".weights.h5", else as Keras 2; as :func:`write_archive` otherwise."""
    if is_newer_weights(path):
        data = _in_memory(path, lambda file: _write_newer(file, chain, contents))
    else:
        data = _in_memory(path, lambda file: _write_older(file, chain, contents.weights))
    write_atomically(path, [data])


def _in_memory(path: StrPath, fill: Callable[[h5py.File], None]) -> memoryview:
    check_path(path)
    buffer = io.BytesIO()
    with _h5py(path).File(buffer, "w") as file:
        fill(file)
    return buffer.getbuffer()


def _write_newer(file: h5py.File, chain: Chain, contents: Contents) -> None:
    arrays = iter(contents.weights)
    for entry in entries(chain):
        group = file.create_group(f"{entry.path}/vars")
        group.attrs["name"] = entry.name
        if isinstance(entry.layer, Dense):
            for i in range(1 + entry.layer.use_bias):
                group[str(i)] = next(arrays)
    file.create_group("vars").attrs["name"] = chain.name or ""
    if contents.training is not None and contents.state is not None:
        group = file.create_group("optimizer/vars")
        group.attrs["name"] = contents.training["optimizer"]["config"].get("name", "")
        for i, array in enumerate(contents.state):
            group[str(i)] = array


def _write_older(group: h5py.Group, chain: Chain, weights: Sequence[FloatArray]) -> None:
    group.attrs["keras_version"], group.attrs["backend"] = KERAS_VERSION, "jax"
    arrays = iter(weights)
    layers = [*([chain.input] if chain.kind == "Functional" and chain.input else []), *chain.layers]
    names = [str(layer.name) for layer in layers]
    group.attrs["layer_names"] = np.array([name.encode() for name in names])
    for name, layer in zip(names, layers, strict=True):
        leaves = layer.leaves() if isinstance(layer, Chain) else [layer]
        own = [
            (f"{leaf.name}/{what}", next(arrays))
            for leaf in leaves
            if isinstance(leaf, Dense)
            for what in ("kernel", "bias")[: 1 + leaf.use_bias]
        ]
        _write_named(group.create_group(name), [each for each, _ in own], [array for _, array in own])
    _write_named(group.create_group("top_level_model_weights"), [], [])


def _write_named(group: h5py.Group, names: Sequence[str], arrays: Sequence[np.ndarray[Any, Any]]) -> None:
    group.attrs["weight_names"] = np.array([name.encode() for name in names]) if names else np.zeros(0)
    for name, array in zip(names, arrays, strict=True):
        group[name] = array


class Reader:
    """An open file of Keras', from which to take what a model asks for.

    Attributes
    ----------
    model, training : the descriptions in it, or None.
    """

    def __init__(self, path: StrPath, file: h5py.File, model: Description | None, training: Description | None) -> None:
        self.path, self.file, self.model, self.training = path, file, model, training

    def fault(self, expected: str, found: object) -> FileFormatError:
        """The error for what is in the file."""
        return FileFormatError(self.path, 0, expected, found)

    def weights(self, chain: Chain, shapes: Sequence[Shape]) -> list[FloatArray]:
        """Kernel, bias, kernel, bias ... of all Dense layers, of these shapes."""
        root = self._group(self.file, "model_weights", False)
        if root is None and not any(name.startswith("layer_names") for name in self.file.attrs):
            return self._newer(chain, shapes)
        return self._older(self.file if root is None else root, shapes)

    def _newer(self, chain: Chain, shapes: Sequence[Shape]) -> list[FloatArray]:
        former = "_layer_checkpoint_dependencies"  # what TensorFlow 2.13 calls "layers"
        is_former = self._group(self.file, former, False) is not None
        wanted = iter(shapes)
        arrays = []
        for entry in entries(chain):
            if isinstance(entry.layer, Dense):
                path, count = f"{entry.path}/vars", 1 + entry.layer.use_bias
                group = self._group(self.file, path.replace("layers/", f"{former}/") if is_former else path)
                if len(group) != count:
                    raise self.fault(f"{count} arrays in {path}", len(group))
                arrays += [self._array(group, str(i), next(wanted)) for i in range(count)]
        if self._count(self.file) > len(arrays):
            raise self.fault(f"{len(arrays)} arrays of weights, as the model has", self._count(self.file))
        return arrays

    def _count(self, group: h5py.Group) -> int:
        """The arrays below a group, but for those of the optimizer."""
        kinds = self._kinds()
        found = 0
        for name in group:
            if isinstance(group.get(name, getlink=True), kinds.HardLink) and name != "optimizer":
                each = group[name]
                found += self._count(each) if isinstance(each, kinds.Group) else 1
        return found

    def _older(self, root: h5py.Group, shapes: Sequence[Shape]) -> list[FloatArray]:
        """By their order, which is that of the layers: their names are of the model that was saved."""
        found = []
        for layer in self._names(root, "layer_names"):
            group = self._group(root, layer)
            found += [(group, name) for name in self._names(group, "weight_names")]
        if len(found) != len(shapes):
            raise self.fault(f"{len(shapes)} arrays of weights, as the model has", len(found))
        return [self._array(group, name, shape) for (group, name), shape in zip(found, shapes, strict=True)]

    def state(self, shapes: Sequence[Shape]) -> list[np.ndarray[Any, Any]]:
        """The arrays of the optimizer's state in the file's order, or none where there is one of another shape."""
        group = self._group(self.file, "optimizer_weights", False)
        if group is not None:
            names = self._names(group, "weight_names")
        elif (group := self._group(self.file, "optimizer/vars", False)) is not None:
            names = [str(i) for i in range(len(group))]
        else:
            return []
        found = [self._dataset(group, name) for name in names]
        if not {dataset.shape for dataset in found} <= {*shapes, (), (1,)}:
            return []
        return [np.asarray(dataset[()]) for dataset in found]

    def _names(self, group: h5py.Group, name: str) -> list[str]:
        """A list of names, which Keras shares out where it is too long for one attribute."""
        if name in group.attrs:
            parts = [group.attrs[name]]
        else:
            parts = []
            while (key := f"{name}{len(parts)}") in group.attrs:
                parts.append(group.attrs[key])
        found = [each for part in parts for each in np.asarray(part).ravel().tolist()]
        return [each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each) for each in found]

    def _group(self, parent: h5py.Group, path: str, needed: bool = True) -> Any:
        found = self._object(parent, path)
        if isinstance(found, self._kinds().Group):
            return found
        if needed:
            raise self.fault(f"a group {path!r}", "none")
        return None

    def _dataset(self, group: h5py.Group, path: str) -> h5py.Dataset:
        found = self._object(group, path)
        if not isinstance(found, self._kinds().Dataset):
            raise self.fault(f"an array {path!r} in {group.name!r}", "none")
        if found.external or found.is_virtual:
            raise self.fault(f"an array {path!r} in this file", "one that is kept in another")
        return found

    def _object(self, parent: h5py.Group, path: str) -> Any:
        """What is under a path of which each step is a real one, not a link to elsewhere."""
        for step in filter(None, path.split("/")):
            if not isinstance(parent, self._kinds().Group) or step not in parent:
                return None
            if not isinstance(parent.get(step, getlink=True), self._kinds().HardLink):
                raise self.fault(f"{path!r} in this file", "a link to elsewhere")
            parent = parent[step]
        return parent

    def _array(self, group: h5py.Group, name: str, shape: Shape) -> FloatArray:
        dataset = self._dataset(group, name)
        if dataset.shape != shape:
            raise self.fault(f"an array {shape} at {group.name}/{name}, as the model has", dataset.shape)
        return self._read(dataset)

    def _read(self, dataset: h5py.Dataset) -> FloatArray:
        if dataset.dtype.kind != "f":
            raise self.fault(f"an array of floats at {dataset.name}", dataset.dtype)
        return np.asarray(dataset[()])

    def _kinds(self) -> Any:
        return _h5py(self.path)


@contextmanager
def opened(path: StrPath) -> Iterator[Reader]:
    """Open any of Keras' files. Raises FileFormatError for one that is missing, damaged or of another kind.

    So does whatever is done with it, where the file asks for what this package does not have.
    """
    check_path(path)
    library = _h5py(path)
    is_open = False
    try:
        with open(path, "rb") as file:
            is_open = True
            with _parts(path, file, library) as reader:
                yield reader
    except FileFormatError:
        raise
    except FastnnError as error:
        raise FileFormatError(path, 0, "a model that fastnn's part of Keras has", error) from error
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, OSError) and not is_open:
            raise access_error(path, error) from error
        raise FileFormatError(path, 0, "an undamaged file of Keras'", error) from error


@contextmanager
def _parts(path: StrPath, file: io.BufferedReader, library: Any) -> Iterator[Reader]:
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    file.seek(0)
    source: Any = file
    model = None
    if start.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(file) as archive:
            model = from_json(_member(path, archive, "config.json", MOST_JSON))
            source = io.BytesIO(_member(path, archive, WEIGHTS, size * MOST_EXPANSION))
    elif start != b"\x89HDF\r\n\x1a\n":
        raise FileFormatError(path, 0, "a zip or HDF5 file, as Keras writes", repr(start) if start else "an empty file")
    with library.File(source, "r") as hdf5:
        training = model.get("compile_config") if model else None
        if model is None and "model_config" in hdf5.attrs:
            model = from_json(hdf5.attrs["model_config"])
            if "training_config" in hdf5.attrs:
                training = from_json(hdf5.attrs["training_config"])
        yield Reader(path, hdf5, model, training or None)


def _member(path: StrPath, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A member of an archive, unless it says that it is larger than ``limit``."""
    if name not in archive.namelist():
        raise FileFormatError(path, 0, f"an archive with {name}, as Keras writes", ", ".join(archive.namelist()[:9]))
    if (size := archive.getinfo(name).file_size) > limit:
        raise FileFormatError(path, 0, f"at most {limit} bytes of {name}", size)
    return archive.read(name)


def _h5py(path: StrPath) -> Any:
    try:
        import h5py
    except ImportError:
        ending = os.path.splitext(os.fspath(path))[1]
        raise FastnnError(
            f"{os.fspath(path)}: Keras' {ending} files need h5py: pip install fastnn-cpu[h5], or name a file otherwise "
            "for fastnn's own format"
        ) from None
    return h5py
