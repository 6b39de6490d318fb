"""Files of a Sequential, as ``keras.saving`` has them, but in a form of fastnn's: a :mod:`fastnn.tensor_file`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ... import checks
from ...errors import FastnnError, InvalidArgumentError
from ...io import tensor_file
from ...io.atomic import StrPath
from ...io.tensor_file import Config, Form, Tensor, layer_arrays, layer_tensors
from ...kernels.spec import FloatArray, bias_views, weight_views
from . import losses, optimizers
from .layers import Dense, Dropout, Flatten, Layer, checked_shape
from .network import Network, Plan, plan
from .subset import outside, refuse
from .trainer import Trainer

if TYPE_CHECKING:
    from .models import Sequential

__all__ = ["load_model", "save_model"]

__getattr__ = outside(__name__, __all__)

Made = TypeVar("Made")


def save_model(model: Sequential, filepath: StrPath, overwrite: bool = True) -> None:
    """Write a built model with all that it needs to go on: layers, weights, and how it is compiled.

    With an optimizer that has a state go that and the number of updates. The file is a safetensors file, whatever its
    name ends in (".keras" will do): Keras cannot read it, nor does :func:`load_model` read Keras' own. Raises
    FastnnError if it cannot be written, and leaves the old file or the new one.
    """
    refuse("save", {"overwrite": overwrite}, overwrite=True)
    network, optimizer = model.network, model.optimizer
    if network is None:
        raise InvalidArgumentError("model", "one that is built", "one whose input shape is not known")
    compiled: dict[str, object] = {}
    slots: list[FloatArray] = []
    if optimizer is not None and model.loss is not None:
        Trainer(network, optimizer, model.loss, model.metrics)  # raises for what could not be loaded again
        slots = list(optimizer.state_for(network)) if optimizer.built else []
        compiled = {
            "optimizer": _described(optimizer, _OPTIMIZERS),
            "iterations": optimizer.iterations,
            "has_state": optimizer.built,
            "loss": _described(model.loss, _LOSSES),
            "metrics": list(model.metrics),
        }
    config = {
        "name": model.name,
        "input_shape": list(network.input_shape),
        "layers": [_described(layer, _LAYERS) for layer in model.layers],
        "compiled": compiled,
        "dtype": network.dtype.name,
    }
    arrays = _views(network, network.params, "")
    for i, slot in enumerate(slots):
        arrays |= _views(network, slot, _slot(i))
    tensor_file.write(filepath, _FORM, config, arrays)


def load_model(filepath: StrPath, custom_objects: object = None, compile: bool = True, **options: Any) -> Sequential:
    """Read a model that :meth:`Sequential.save` wrote; with ``compile``, training goes on as if it had not stopped.

    Only the random stream is that of the present. Raises FileFormatError, naming file, offset, expected and found, for
    a file that is missing, damaged in any bit, or not of this kind, such as Keras' own.
    """
    from .models import Sequential

    refuse("load_model", options | {"custom_objects": custom_objects}, safe_mode=True)
    compile = checks.boolean("compile", compile)
    config, arrays = tensor_file.read(filepath, _FORM)
    try:
        stack = _stack(config)
        network = Network(stack, tuple(config["input_shape"]), config["dtype"], None)
        model = Sequential.of(stack, network, config["name"])
        if compile and config["compiled"]:
            _compile(model, network, config["compiled"], arrays)
    except FastnnError as error:
        raise tensor_file.unusable(filepath, error) from error
    _fill(network, network.params, arrays, "")
    return model


def _compile(model: Sequential, network: Network, compiled: dict[str, Any], arrays: dict[str, FloatArray]) -> None:
    optimizer = _made(compiled["optimizer"], _OPTIMIZERS)
    model.compile(optimizer, _made(compiled["loss"], _LOSSES), compiled["metrics"])
    optimizer.iterations = compiled["iterations"]
    if compiled["has_state"]:
        for i, slot in enumerate(optimizer.state_for(network)):
            _fill(network, slot, arrays, _slot(i))


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
    return [_made(description, _LAYERS) for description in config["layers"]]


def _plan(config: Config) -> Plan:
    return plan(_stack(config), checked_shape("input_shape", config["input_shape"]))


def _check(config: Config) -> None:
    if len(_plan(config).sizes) < 2:
        raise InvalidArgumentError("layers", "at least one Dense layer", config["layers"])
    if compiled := config["compiled"]:
        types = {"optimizer": dict, "iterations": int, "has_state": bool, "loss": dict, "metrics": list}
        if {key: type(value) for key, value in compiled.items()} != types:
            raise InvalidArgumentError("compiled", f"values {types}", compiled)
        checks.integer("iterations", compiled["iterations"], low=0)
        _made(compiled["optimizer"], _OPTIMIZERS)


def _tensors(config: Config) -> list[Tensor]:
    sizes, _, bias, _ = _plan(config)
    compiled, slots = config["compiled"], 0
    if compiled and compiled["has_state"]:
        slots = _made(compiled["optimizer"], _OPTIMIZERS).slots
    return [t for prefix in ["", *map(_slot, range(slots))] for t in layer_tensors(sizes, bias, prefix)]


_LAYERS: dict[str, type[Layer]] = {"Dense": Dense, "Flatten": Flatten, "Dropout": Dropout}
_OPTIMIZERS: dict[str, type[optimizers.Optimizer]] = {"SGD": optimizers.SGD, "Adam": optimizers.Adam}
_LOSSES: dict[str, type[losses.Loss]] = {
    kind.__name__: kind
    for kind in (
        losses.SparseCategoricalCrossentropy,
        losses.CategoricalCrossentropy,
        losses.BinaryCrossentropy,
        losses.MeanSquaredError,
    )
}
_FORM = Form(
    "a model of fastnn.dropin.keras",
    {"name": str, "input_shape": list, "layers": list, "compiled": dict, "dtype": str},
    _check,
    _tensors,
)
