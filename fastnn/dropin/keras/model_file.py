"""The form of a Sequential's files, a :mod:`fastnn.io.tensor_file`: layers, weights and how the model is compiled."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from ... import checks
from ...errors import FastnnError, InvalidArgumentError, callers_depth
from ...io import tensor_file
from ...io.atomic import StrPath
from ...io.tensor_file import Config, Form, Tensor, layer_arrays, layer_tensors
from ...kernels.params import bias_views, weight_views
from ...kernels.spec import FloatArray
from . import losses, metrics, optimizers
from .figures import Compiled
from .layer import Layer, checked_shape
from .layers import CLASSES
from .network import Network, Plan, plan
from .trainer import Trainer

Made = TypeVar("Made")


class Saved(NamedTuple):
    """A built model as its file has it."""

    name: str
    layers: list[Layer]
    network: Network
    trainer: Trainer | None  # None: not compiled


def write(filepath: StrPath, model: Saved) -> None:
    """Write a model; with an optimizer that has a state go that and the number of updates.

    Raises FastnnError if the file cannot be written, and leaves the old file or the new one.
    """
    network, trainer = model.network, model.trainer
    compiled: dict[str, object] = {}
    slots: list[FloatArray] = []
    if trainer is not None:
        optimizer = trainer.optimizer
        slots = list(optimizer.state_for(network)) if optimizer.built else []
        compiled = {
            "optimizer": _described(optimizer, _OPTIMIZERS),
            "iterations": optimizer.iterations,
            "has_state": optimizer.built,
            "loss": _described(trainer.loss, _LOSSES),
            "metrics": _metrics(trainer.metrics.plain),
            "weighted_metrics": _metrics(trainer.metrics.weighted),
        }
    config = {
        "name": model.name,
        "input_shape": list(network.input_shape),
        "layers": [_described(layer, CLASSES) for layer in model.layers],
        "compiled": compiled,
        "dtype": network.dtype.name,
    }
    arrays = _views(network, network.params, "")
    for i, slot in enumerate(slots):
        arrays |= _views(network, slot, _slot(i))
    tensor_file.write(filepath, _FORM, config, arrays)


def read(filepath: StrPath, compile: bool) -> Saved:
    """Read what :func:`write` wrote; without ``compile``, as if it were not compiled.

    Raises FileFormatError, naming file, offset, expected and found, for a file that is missing, damaged in any bit, or
    not of this kind, such as Keras' own.
    """
    config, arrays = tensor_file.read(filepath, _FORM)
    try:
        layers = _stack(config)
        network = Network(layers, tuple(config["input_shape"]), config["dtype"], None)
        trainer = _trainer(network, config["compiled"], arrays) if compile and config["compiled"] else None
    except FastnnError as error:
        raise tensor_file.unusable(filepath, error) from error
    _fill(network, network.params, arrays, "")
    return Saved(config["name"], layers, network, trainer)


def _trainer(network: Network, compiled: dict[str, Any], arrays: dict[str, FloatArray]) -> Trainer:
    optimizer = _made(compiled["optimizer"], _OPTIMIZERS)
    compiled_metrics = Compiled(compiled["metrics"], compiled["weighted_metrics"])
    trainer = Trainer(network, optimizer, _made(compiled["loss"], _LOSSES), compiled_metrics)
    optimizer.iterations = compiled["iterations"]
    if compiled["has_state"]:
        for i, slot in enumerate(optimizer.state_for(network)):
            _fill(network, slot, arrays, _slot(i))
    return trainer


def _metrics(given: list[Any]) -> list[Any]:
    """Names as they are, and objects of Keras' kinds by their descriptions; a program's own cannot be loaded again."""
    own = [each for each in given if not isinstance(each, str) and type(each) not in metrics.CLASSES.values()]
    if own:
        names = ", ".join(metrics.name_of(each) for each in own)
        warnings.warn(f"the file goes without the metrics {names}, which are no strings", stacklevel=callers_depth())
    kept = [each for each in given if each not in own]
    return [each if isinstance(each, str) else metrics.serialize(each) for each in kept]


def _views(network: Network, vector: FloatArray, prefix: str) -> dict[str, FloatArray]:
    return layer_arrays(weight_views(network.net, vector), bias_views(network.net, vector), prefix)


def _fill(network: Network, vector: FloatArray, arrays: dict[str, FloatArray], prefix: str) -> None:
    for name, view in _views(network, vector, prefix).items():
        view[:] = arrays[name]


def _slot(index: int) -> str:
    return f"optimizer.{index}."


def _described(thing: Layer | optimizers.Optimizer | losses.Loss, classes: Mapping[str, type]) -> dict[str, Any]:
    """The class, one of ``classes`` and none derived from them, and the arguments of an equal instance."""
    name = checks.choice("class to be saved", type(thing).__name__, tuple(classes))
    return {"class": name, "config": thing.get_config()}


def _made(description: object, classes: Mapping[str, type[Made]]) -> Made:
    """What :func:`_described` has described."""
    match description:
        case {"class": str(name), "config": dict(options)}:
            kind = classes[checks.choice("class", name, tuple(classes))]
            try:
                return kind(**options)
            except TypeError as error:
                raise InvalidArgumentError(name, "the arguments of its kind", error) from None
    raise InvalidArgumentError("configuration", "a class and its config", description)


def _stack(config: Config) -> list[Layer]:
    return [_made(description, CLASSES) for description in config["layers"]]


def _plan(config: Config) -> Plan:
    return plan(_stack(config), checked_shape("input_shape", config["input_shape"]))


def _check(config: Config) -> None:
    if len(_plan(config).sizes) < 2:
        raise InvalidArgumentError("layers", "at least one Dense layer", config["layers"])
    if compiled := config["compiled"]:
        types = {"optimizer": dict, "iterations": int, "has_state": bool, "loss": dict}
        types |= {"metrics": list, "weighted_metrics": list}
        if {key: type(value) for key, value in compiled.items()} != types:
            raise InvalidArgumentError("compiled", f"values {types}", compiled)
        checks.integer("iterations", compiled["iterations"], low=0)
        _made(compiled["optimizer"], _OPTIMIZERS)


def _tensors(config: Config) -> list[Tensor]:
    sizes, _, bias = _plan(config)[:3]
    compiled, slots = config["compiled"], 0
    if compiled and compiled["has_state"]:
        slots = _made(compiled["optimizer"], _OPTIMIZERS).slots
    return [t for prefix in ["", *map(_slot, range(slots))] for t in layer_tensors(sizes, bias, prefix)]


_OPTIMIZERS = optimizers.CLASSES
_LOSSES = losses.CLASSES
_FORM = Form(
    "a model of fastnn.dropin.keras",
    {"name": str, "input_shape": list, "layers": list, "compiled": dict, "dtype": str},
    _check,
    _tensors,
)
