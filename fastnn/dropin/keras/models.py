"""Models, as ``keras.models`` has them, trained by compiled kernels."""

from __future__ import annotations

import copy
from typing import Any

from ... import checks
from ...errors import FastnnError, FileFormatError
from ...io.atomic import StrPath
from . import descriptions, files, randomness
from .layers import Dense
from .model import Model, Sequential, from_chain, model_from_config
from .subset import outside, refuse

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_config",
    "model_from_json",
    "save_model",
]

__getattr__ = outside(__name__, __all__)


def load_model(filepath: StrPath, custom_objects: object = None, compile: bool = True, **options: Any) -> Model:
    """Read a model that :meth:`Model.save` or Keras wrote; with ``compile``, to go on as if training had not stopped.

    Only the random stream is that of the present. ``custom_objects`` may name metrics of the program's own. Raises
    FileFormatError, naming file, offset, expected and found, for a file that is missing, damaged, or that holds what
    is not in fastnn's part of Keras.
    """
    refuse("load_model", options, safe_mode=True)
    own = _custom_objects(custom_objects)
    loaded = files.load(filepath, checks.boolean("compile", compile), own)
    try:
        model = from_chain(loaded.chain, loaded.dtype, None)
        assert model.network is not None
        optimizer = None
        if loaded.training is not None:
            optimizer, model.loss, model.compiled_metrics = loaded.training
            model.optimizer = optimizer
            model.trainer()  # raises for what does not go together
        loaded.finish(model.network, optimizer)
    except FileFormatError:
        raise
    except FastnnError as error:
        raise FileFormatError(filepath, 0, "a model that fastnn's part of Keras has", error) from error
    return model


def save_model(model: Model, filepath: StrPath, overwrite: bool = True, **options: Any) -> None:
    """Write a built model to a file; see :meth:`Model.save`."""
    Model.save(model, filepath, overwrite, **options)


def model_from_json(json_string: str, custom_objects: object = None) -> Model:
    """A model of new weights from :meth:`Model.to_json`, or from the JSON of Keras 1, 2 or 3."""
    _custom_objects(custom_objects)
    return model_from_config(descriptions.from_json(json_string))


def clone_model(model: Model, input_tensors: object = None, clone_function: object = None, **options: Any) -> Model:
    """A model of equal layers with new weights and, if it is compiled, an equal optimizer that has made no update."""
    options |= {"input_tensors": input_tensors, "clone_function": clone_function}
    refuse("clone_model", options, recursive=False)
    if not isinstance(model, Model):
        checks.unsupported("model", "a Sequential or a Model", model)
    clone = copy.deepcopy(model)
    for layer in clone.parts():
        if isinstance(layer, Dense) and layer.built:
            layer.redraw(randomness.generator())
    if model.optimizer is not None:
        clone.optimizer = type(model.optimizer)(**model.optimizer.get_config())
    clone.history = None
    return clone


def _custom_objects(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        checks.unsupported("custom_objects", "a dict of names and what they are", given)
    return given
