"""Saving and loading: which of the formats a path is for, and what goes into a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ... import checks
from ...errors import FastnnError, FileFormatError, InvalidArgumentError, access_error
from ...io import tensor_file
from ...io.atomic import StrPath, check_path
from ...kernels.spec import FloatArray
from . import config, descriptions, keras_file, model_file, states
from .descriptions import Chain, Training
from .keras_file import Contents
from .network import Network
from .optimizers import Optimizer

FORMATS = ("keras", "h5", "hdf5")


class Loaded(NamedTuple):
    """A model as a file has it.

    Attributes
    ----------
    finish : copies the weights into a built model's network and, where there is an optimizer, its state into that.
    """

    chain: Chain
    dtype: str
    training: Training | None
    finish: Callable[[Network, Optimizer | None], None]


def save(model: Any, filepath: StrPath, overwrite: object, include_optimizer: object, save_format: object) -> None:
    """See :meth:`Model.save`."""
    network = _built(model)
    _check_overwrite(filepath, overwrite)
    described = descriptions.of_model(model, network.dtype.name)
    training, optimizer = None, model.optimizer
    if checks.boolean("include_optimizer", include_optimizer) and optimizer is not None and model.loss is not None:
        model.trainer()  # raises for what could not be loaded again
        training = descriptions.of_training(optimizer, model.loss, model.compiled_metrics)
    kind = None if save_format is None else checks.choice("save_format", save_format, FORMATS)
    is_archive = keras_file.is_keras(filepath) if kind is None else kind == "keras"
    is_hdf5 = keras_file.is_hdf5(filepath) if kind is None else kind in ("h5", "hdf5")
    if not (is_archive or is_hdf5):
        model_file.write(filepath, described, training, network, optimizer)
        return
    state = None if training is None else states.in_keras_order(optimizer, network)
    contents = Contents(described, training, states.variables(network, network.params), state)
    chain = descriptions.parsed(described)
    (keras_file.write_archive if is_archive else keras_file.write_model)(filepath, chain, contents)


def save_weights(model: Any, filepath: StrPath, overwrite: object, save_format: object) -> None:
    """See :meth:`Model.save_weights`."""
    network = _built(model)
    _check_overwrite(filepath, overwrite)
    kind = None if save_format is None else checks.choice("save_format", save_format, FORMATS[1:])
    if kind is None and not keras_file.is_hdf5(filepath):
        model_file.write_weights(filepath, network)
        return
    described = descriptions.of_model(model, network.dtype.name)
    training = state = None
    if model.optimizer is not None and model.loss is not None and model.optimizer.built:
        training = {"optimizer": {"config": model.optimizer.get_config()}}
        state = states.in_keras_order(model.optimizer, network)
    contents = Contents(described, training, states.variables(network, network.params), state)
    keras_file.write_weights(filepath, descriptions.parsed(described), contents)


def load_weights(model: Any, filepath: StrPath) -> None:
    """See :meth:`Model.load_weights`."""
    network = _built(model)
    chain = descriptions.parsed(descriptions.of_model(model, network.dtype.name))
    views = states.variables(network, network.params)
    if _is_keras(filepath):
        with keras_file.opened(filepath) as reader:
            arrays = reader.weights(chain, [view.shape for view in views])
    else:
        found, tensors = model_file.read_weights(filepath)
        sizes, bias = network.plan.sizes, network.plan.bias
        if (found["sizes"], found["bias"]) != (list(sizes), list(bias)):
            raise FileFormatError(filepath, 0, f"weights of layers of {list(sizes)} units", found["sizes"])
        names = [tensor.name for tensor in tensor_file.layer_tensors(sizes, bias)]
        arrays = [tensors[name] for name in names]
    _copy(arrays, views)


def load(filepath: StrPath, compile: bool, custom_objects: Mapping[str, Any]) -> Loaded:
    """Read a model; raises FileFormatError for a file that is missing, damaged or of another kind."""
    return _load_keras(filepath, compile, custom_objects) if _is_keras(filepath) else _load_own(filepath, compile)


def _load_own(filepath: StrPath, compile: bool) -> Loaded:
    found, arrays = model_file.read(filepath)
    chain = descriptions.parsed(found["model"])
    training = descriptions.parsed_training(found["training"], {}) if compile and found["training"] else None

    def finish(network: Network, optimizer: Optimizer | None) -> None:
        if optimizer is not None:
            optimizer.iterations = found["iterations"]
        try:
            model_file.fill(network, arrays, optimizer if found["has_state"] else None)
        except FastnnError as error:
            raise tensor_file.unusable(filepath, error) from error

    return Loaded(chain, found["dtype"], training, finish)


def _load_keras(filepath: StrPath, compile: bool, custom_objects: Mapping[str, Any]) -> Loaded:
    with keras_file.opened(filepath) as reader:
        if reader.model is None:
            raise reader.fault("a whole model, with its description", "weights alone: see load_weights")
        chain = descriptions.parsed(reader.model)
        dtype = descriptions.float_type(reader.model) or config.floatx()
        plan = model_file.planned(chain)
        shapes = [tensor.shape for tensor in tensor_file.layer_tensors(plan.sizes, plan.bias)]
        weights = reader.weights(chain, shapes)
        training = None
        if compile and reader.training and reader.training.get("loss") is not None:
            training = descriptions.parsed_training(reader.training, custom_objects)
        state = reader.state(shapes) if training is not None else []

    def finish(network: Network, optimizer: Optimizer | None) -> None:
        _copy(weights, states.variables(network, network.params))
        if optimizer is not None:
            states.restore(optimizer, network, state)

    return Loaded(chain, dtype, training, finish)


def _copy(arrays: list[FloatArray], views: list[FloatArray]) -> None:
    for array, view in zip(arrays, views, strict=True):
        view[:] = array


def _built(model: Any) -> Network:
    if model.network is None:
        raise InvalidArgumentError("model", "one that is built", "one whose input shape is not known")
    network: Network = model.network
    return network


def _check_overwrite(filepath: StrPath, overwrite: object) -> None:
    check_path(filepath)
    if not checks.boolean("overwrite", overwrite) and os.path.exists(filepath):
        raise InvalidArgumentError("overwrite", "True, or a path where there is no file", f"{os.fspath(filepath)!r}")


def _is_keras(filepath: StrPath) -> bool:
    """Whether a file begins as Keras' own do."""
    check_path(filepath)
    try:
        with open(filepath, "rb", opener=tensor_file.open_without_waiting) as file:
            return file.read(8).startswith((b"PK\x03\x04", b"\x89HDF"))
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            raise access_error(filepath, error) from error
        raise FileFormatError(filepath, 0, "a readable model file", error) from error
