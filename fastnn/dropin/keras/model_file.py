"""fastnn's own files of models and of weights alone: safetensors, each a :mod:`fastnn.io.tensor_file`.

Their configuration holds the model as Keras describes it (descriptions.py). The tensors are "weights.0" (inputs,
units), "biases.0" (units,) and so on and, of an optimizer with a state, "optimizer.0.weights.0" and so on.
"""

from __future__ import annotations

from typing import Any

from ... import checks
from ...errors import InvalidArgumentError
from ...io import tensor_file
from ...io.atomic import StrPath
from ...io.tensor_file import Config, Form, Tensor, layer_arrays, layer_tensors
from ...kernels.params import bias_views, weight_views
from ...kernels.spec import FloatArray
from .descriptions import Chain, Description, parsed, parsed_training
from .network import Network, Plan
from .network import plan as plan_of
from .optimizers import Optimizer

Arrays = dict[str, FloatArray]


def write(
    filepath: StrPath, model: Description, training: Description | None, network: Network, optimizer: Any
) -> None:
    """Write a model; with an optimizer that has a state go that and the number of updates.

    Raises FastnnError if the file cannot be written, and leaves the old file or the new one.
    """
    has_state = training is not None and optimizer.built
    config = {
        "model": model,
        "training": {} if training is None else training,
        "iterations": 0 if training is None else optimizer.iterations,
        "has_state": has_state,
        "dtype": network.dtype.name,
    }
    arrays = _views(network, network.params, "")
    for i, slot in enumerate(optimizer.state_for(network) if has_state else ()):
        arrays |= _views(network, slot, _slot(i))
    tensor_file.write(filepath, _MODEL, config, arrays)


def read(filepath: StrPath) -> tuple[Config, Arrays]:
    """Read what :func:`write` wrote: the configuration, of usable values, and the tensors it asks for.

    Raises FileFormatError, naming file, offset, expected and found, for a file that is missing, damaged in any bit, or
    not of this kind.
    """
    return tensor_file.read(filepath, _MODEL)


def write_weights(filepath: StrPath, network: Network) -> None:
    """Write weights alone; as :func:`write`."""
    sizes, bias = network.plan.sizes, network.plan.bias
    config = {"sizes": list(sizes), "bias": list(bias), "dtype": network.dtype.name}
    tensor_file.write(filepath, _WEIGHTS, config, _views(network, network.params, ""))


def read_weights(filepath: StrPath) -> tuple[Config, Arrays]:
    """Read what :func:`write_weights` wrote; as :func:`read`."""
    return tensor_file.read(filepath, _WEIGHTS)


def fill(network: Network, arrays: Arrays, optimizer: Optimizer | None = None) -> None:
    """Copy a file's tensors into the parameters and, of an optimizer, into its state."""
    vectors = {"": network.params}
    if optimizer is not None:
        vectors |= {_slot(i): slot for i, slot in enumerate(optimizer.state_for(network))}
    for prefix, vector in vectors.items():
        for name, view in _views(network, vector, prefix).items():
            view[:] = arrays[name]


def _views(network: Network, vector: FloatArray, prefix: str) -> Arrays:
    return layer_arrays(weight_views(network.net, vector), bias_views(network.net, vector), prefix)


def _slot(index: int) -> str:
    return f"optimizer.{index}."


def planned(chain: Chain) -> Plan:
    """What the kernels are to compute for a model that is not built."""
    if chain.shape is None:
        raise InvalidArgumentError("layers", "a model whose input shape is known", "none")
    found = plan_of(chain.leaves(), chain.shape)
    if len(found.sizes) < 2:
        raise InvalidArgumentError("layers", "at least one Dense layer", "none")
    return found


def _check(config: Config) -> None:
    planned(parsed(config["model"]))
    checks.integer("iterations", config["iterations"], low=0)
    if config["training"]:
        parsed_training(config["training"], {})
    elif config["has_state"]:
        raise InvalidArgumentError("has_state", "False of a model that is not compiled", "True")


def _tensors(config: Config) -> list[Tensor]:
    plan = planned(parsed(config["model"]))
    slots = parsed_training(config["training"], {}).optimizer.slots if config["has_state"] else 0
    return [t for prefix in ["", *map(_slot, range(slots))] for t in layer_tensors(plan.sizes, plan.bias, prefix)]


def _check_weights(config: Config) -> None:
    checks.layer_sizes(config["sizes"])
    if [type(each) for each in config["bias"]] != [bool] * (len(config["sizes"]) - 1):
        raise InvalidArgumentError("bias", "whether each layer has biases", config["bias"])


def _weight_tensors(config: Config) -> list[Tensor]:
    return layer_tensors(config["sizes"], config["bias"])


_MODEL = Form(
    "a model of fastnn.dropin.keras",
    {"model": dict, "training": dict, "iterations": int, "has_state": bool, "dtype": str},
    _check,
    _tensors,
)
_WEIGHTS = Form(
    "weights of a model of fastnn.dropin.keras",
    {"sizes": list, "bias": list, "dtype": str},
    _check_weights,
    _weight_tensors,
)
