"""Files of an MLP: its configuration and parameters in a :mod:`fastnn.io.tensor_file`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import checks
from ..errors import InvalidArgumentError, InvalidTypeError
from ..kernels.spec import FloatArray
from . import tensor_file
from .atomic import StrPath
from .tensor_file import Form, Tensor
from .tensor_file import unusable as unusable


class Saved(NamedTuple):
    """A model as its file has it."""

    sizes: list[int]
    activations: list[str]
    loss: str
    init: str
    bias: bool | list[bool]  # one for all layers, or one for each
    dtype: str
    classes: list[Any] | None  # None: training has told none
    weights: Sequence[FloatArray]  # (inputs, outputs) per layer
    biases: Sequence[FloatArray]  # (outputs,) per layer that has them


def write(path: StrPath, model: Saved) -> None:
    """Write a model to a safetensors file, replacing what was there only once the new file is safely on disk.

    Its tensors are "weights.0" (inputs, outputs), "biases.0" (outputs,) and so on, in the model's dtype; other
    programs may read them with the safetensors library. Raises FastnnError if the file cannot be written, and
    whatever happens leaves the old file or the new one, and nothing else.
    """
    config = model._asdict()
    weights, views = config.pop("weights"), iter(config.pop("biases"))
    biases = [next(views) if has else None for has in _by_layer(model.bias, len(weights))]
    if model.classes is None:
        del config["classes"]
    tensor_file.write(path, _FORM, config, tensor_file.layer_arrays(weights, biases))


def read(path: StrPath) -> Saved:
    """Read what :func:`write` wrote, every number bit for bit.

    Raises FileFormatError, naming file, offset, expected and found, for a file that is missing (it is a
    FileNotFoundError too), damaged in any bit, cut short or no fastnn model. Names of activations, losses and the like
    are those of the file: for any that an MLP does not know, raise :func:`unusable`.
    """
    config, arrays = tensor_file.read(path, _FORM)
    layers = range(len(config["sizes"]) - 1)
    weights = [arrays[f"weights.{i}"] for i in layers]
    biases = [arrays[f"biases.{i}"] for i in layers if f"biases.{i}" in arrays]
    return Saved(**{"classes": None, **config}, weights=weights, biases=biases)


def _by_layer(bias: bool | list[bool], layers: int) -> list[bool]:
    return [bias] * layers if isinstance(bias, bool) else bias


def _check(config: dict[str, Any]) -> None:
    """What the values mean beyond this, MLP checks."""
    sizes, activations = config["sizes"], config["activations"]
    checks.layer_sizes(sizes)
    if [type(name) for name in activations] != [str] * (len(sizes) - 1):
        raise InvalidArgumentError("activations", "one name per layer", activations)
    checks.biases(config["bias"], len(activations))
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
    {"sizes": list, "activations": list, "loss": str, "init": str, "bias": (bool, list), "dtype": str},
    _check,
    _tensors,
    {"classes": list},
)
