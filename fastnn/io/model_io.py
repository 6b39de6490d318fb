"""Files of an MLP: its configuration and parameters in a :mod:`fastnn.tensor_file`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import checks
from ..errors import FastnnError, InvalidArgumentError, InvalidTypeError
from ..nn.mlp import MLP
from . import tensor_file
from .atomic import StrPath
from .tensor_file import Form, Tensor


def save(model: MLP, path: StrPath) -> None:
    """Write ``model`` to a safetensors file, replacing what was there only once the new file is safely on disk.

    Its tensors are "weights.0" (inputs, outputs), "biases.0" (outputs,) and so on, in the model's dtype; other
    programs may read them with the safetensors library. Raises FastnnError if the file cannot be written, and
    whatever happens leaves the old file or the new one, and nothing else.
    """
    if not isinstance(model, MLP):
        raise InvalidTypeError("model", "an MLP", type(model).__name__)
    config: dict[str, Any] = {
        "sizes": list(model.sizes),
        "activations": list(model.activations),
        "loss": model.loss,
        "init": model.init,
        "bias": bool(model.biases),
        "dtype": model.dtype.name,
    }
    if model.has_classes:
        config["classes"] = model.classes_.tolist()
    tensor_file.write(path, _FORM, config, tensor_file.layer_arrays(model.weights, model.biases))


def load(path: StrPath) -> MLP:
    """Read a model that :func:`save` wrote; it predicts bit for bit what the saved one did.

    Its random generator is a fresh one, seeded by the system. Raises FileFormatError, naming file, offset, expected
    and found, for a file that is missing (it is a FileNotFoundError too), damaged in any bit, cut short or no fastnn
    model.
    """
    config, arrays = tensor_file.read(path, _FORM)
    *hidden, output = config["activations"]
    try:
        model = MLP(
            config["sizes"],
            activation=hidden,
            output=output,
            loss=config["loss"],
            init=config["init"],
            bias=config["bias"],
            dtype=config["dtype"],
        )
    except FastnnError as error:
        raise tensor_file.unusable(path, error) from error
    model.weights = [arrays[f"weights.{i}"] for i in range(len(model.weights))]
    model.biases = [arrays[f"biases.{i}"] for i in range(len(model.biases))]
    if "classes" in config:
        model.learn_classes(np.array(config["classes"]))
    return model


def _check(config: dict[str, Any]) -> None:
    """What the values mean beyond this, MLP checks."""
    sizes, activations = config["sizes"], config["activations"]
    checks.layer_sizes(sizes)
    if [type(name) for name in activations] != [str] * (len(sizes) - 1):
        raise InvalidArgumentError("activations", "one name per layer", activations)
    if "classes" in config:
        _check_classes(config["classes"])
        count = max(sizes[-1], 2)
        if len(config["classes"]) != count or sorted(set(config["classes"])) != config["classes"]:
            raise InvalidArgumentError("classes", f"{count} of them, ascending", config["classes"])


def _check_classes(classes: list[Any]) -> None:
    """Refuse what JSON does not give back as it was."""
    kinds = {type(label) for label in classes}
    if len(kinds) != 1 or not kinds <= {str, int, float, bool}:
        raise InvalidTypeError("classes", "names, numbers or truth values", ", ".join(k.__name__ for k in kinds))


def _tensors(config: dict[str, Any]) -> list[Tensor]:
    return tensor_file.layer_tensors(config["sizes"], config["bias"])


_FORM = Form(
    "a fastnn model",
    {"sizes": list, "activations": list, "loss": str, "init": str, "bias": bool, "dtype": str},
    _check,
    _tensors,
    {"classes": list},
)
