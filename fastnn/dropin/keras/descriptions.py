"""Models as Keras describes them in JSON: written as Keras 3 does, read as Keras 1, 2 or 3 do.

A description is a dict of "class_name" and "config", of a model, a layer or whatever else; Keras 3 adds "module" and
"registered_name". Everything that is read is checked by the classes that it names, which are those of this package and
no others; nothing of a file is ever executed.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import checks
from ...errors import FastnnError, InvalidArgumentError, callers_depth
from . import losses, metrics, optimizers
from .figures import Compiled
from .layer import Layer, Shape, batch_shape, snake_case
from .layers import CLASSES, InputLayer
from .losses import Loss
from .optimizers import Optimizer
from .schedules import LearningRateSchedule
from .stack import Stack
from .subset import unsupported

Description = dict[str, Any]

# Where Keras has what is described within a layer or an optimizer, by the end of the argument's name.
_MODULES = {
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "learning_rate": "keras.optimizers.schedules",
    "activation": "keras.layers",
}
MODELS = ("Sequential", "Functional", "Model")  # the last is what Keras 1 and 2 call the second


class Chain(NamedTuple):
    """A model without its weights.

    Attributes
    ----------
    kind : "Sequential" or "Functional".
    input : what says the shape of the inputs, or None.
    layers : of the chain, without that; models among them.
    """

    kind: str
    name: str | None
    input: InputLayer | None
    shape: Shape | None
    layers: list[Layer | Chain]

    def leaves(self) -> list[Layer]:
        """The layers with, in the place of each model among them, those that it consists of."""
        return [leaf for layer in self.layers for leaf in (layer.leaves() if isinstance(layer, Chain) else [layer])]


class Entry(NamedTuple):
    """A layer of a chain, as Keras' files of weights place it."""

    path: str  # "layers/sequential/layers/dense_1"
    name: str
    layer: Layer | None  # None: a model


def entries(chain: Chain, path: str = "layers") -> Iterator[Entry]:
    """Every layer, each before those that it consists of; Keras numbers those of a class within their model."""
    seen: dict[str, int] = {}
    with_input = [chain.input] if chain.kind == "Functional" and chain.input is not None else []
    for layer in [*with_input, *chain.layers]:
        kind = snake_case(layer.kind)
        count = seen[kind] = seen.get(kind, -1) + 1
        here = f"{path}/{kind}_{count}" if count else f"{path}/{kind}"
        yield Entry(here, layer.name or kind, None if isinstance(layer, Chain) else layer)
        if isinstance(layer, Chain):
            yield from entries(layer, f"{here}/layers")


def float_type(description: object) -> str | None:
    """The one float type of all layers of a model, or None where they name none."""
    found: set[str] = set()

    def search(value: object) -> None:
        if isinstance(value, Mapping):
            dtype = value.get("dtype")
            if isinstance(dtype, Mapping) and isinstance(dtype.get("config"), Mapping):
                dtype = dtype["config"].get("name")
            if isinstance(dtype, str):
                found.add(dtype)
            for each in value.values():
                search(each)
        elif isinstance(value, list):
            for each in value:
                search(each)

    search(description)
    if len(found) > 1 or not found <= {"float32", "float64"}:
        raise InvalidArgumentError("dtype", "float32 or float64, the same of all layers", ", ".join(sorted(found)))
    return found.pop() if found else None


def of_layer(layer: Layer, shape: Shape | None, dtype: str) -> Description:
    """A layer, or a model among layers, for inputs of a shape."""
    if isinstance(layer, Stack):
        return of_model(layer, dtype)
    name = checks.choice("class to be saved", type(layer).__name__, (*CLASSES, "InputLayer"))
    own = layer.get_config()
    if isinstance(layer, InputLayer):
        return _input(layer.shape, layer.name, dtype)
    found = _described("keras.layers", name, {"name": layer.name, "trainable": True, "dtype": dtype} | own)
    if shape is not None and layer.weights:
        found["build_config"] = {"input_shape": [None, *shape]}
    return found


def _input(shape: Shape, name: str, dtype: str) -> Description:
    config = {"batch_shape": [None, *shape], "dtype": dtype, "sparse": False, "ragged": False, "name": name}
    return _described("keras.layers", "InputLayer", config)


def of_model(model: Stack, dtype: str) -> Description:
    """A Sequential or a functional model, whose layers are to compute in ``dtype``."""
    shape = model.sample_shape
    layers = [layer for layer in model.layers if not isinstance(layer, InputLayer)]
    described = []
    if shape is not None:
        name = "input_layer" if model.input_layer is None else model.input_layer.name
        described.append(_input(shape, name, dtype))
    after = shape
    for layer in layers:
        described.append(of_layer(layer, after, dtype))
        after = None if after is None else layer.shape_after(after)
    if model.kind == "Functional":
        assert shape is not None
        return _functional(model.name, described, shape, layers, dtype)
    if model.kind != "Sequential":
        raise InvalidArgumentError("class to be saved", "a Sequential or a Model", repr(model.kind))
    config = {"name": model.name, "trainable": True, "dtype": dtype, "layers": described}
    built = {} if shape is None else {"build_input_shape": [None, *shape]}
    found = _described("keras", "Sequential", config | built)
    if shape is not None:
        found["build_config"] = {"input_shape": [None, *shape]}
    return found


def _functional(name: str, described: list[Description], shape: Shape, layers: list[Layer], dtype: str) -> Description:
    before = None
    for each, layer in zip(described, [None, *layers], strict=True):
        own = each["config"]["name"]
        nodes: list[Description] = []
        if before is not None:
            history = {"shape": [None, *shape], "dtype": dtype, "keras_history": [before, 0, 0]}
            nodes = [{"args": [{"class_name": "__keras_tensor__", "config": history}], "kwargs": {}}]
        each |= {"name": own, "inbound_nodes": nodes}
        before = own
        shape = shape if layer is None else layer.shape_after(shape)
    ends = {"input_layers": [described[0]["name"], 0, 0], "output_layers": [described[-1]["name"], 0, 0]}
    config = {"name": name, "trainable": True, "layers": described, **ends}
    return _described("keras.src.models.functional", "Functional", config) | {"registered_name": "Functional"}


def _described(module: str, class_name: str, config: Description) -> Description:
    for name, value in config.items():
        if isinstance(value, dict) and value.keys() == {"class_name", "config"}:
            inner = next((_MODULES[end] for end in _MODULES if name.endswith(end)), module)
            config[name] = _described(inner, value["class_name"], value["config"])
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def parsed(description: object) -> Chain:
    """The model of a description; raises FastnnError for what this package does not have."""
    class_name, config = _opened(description)
    if class_name not in MODELS:
        raise InvalidArgumentError("class_name", "Sequential or Functional", repr(class_name))
    if class_name == "Sequential":
        return _sequential(config)
    return _chain(config)


def _opened(description: object) -> tuple[str, Any]:
    match description:
        case {"class_name": str(name), "config": dict(config)}:
            return name, config
        case {"class_name": "Sequential", "config": list(layers)}:  # of Keras 1, and of 2 at first
            return "Sequential", {"layers": layers}
    raise InvalidArgumentError("description", "a class_name and its config", _shorten(description))


def _sequential(config: Description) -> Chain:
    layers = [_layer(each) for each in _list("layers", config.get("layers"))]
    first = layers[0] if layers and isinstance(layers[0], InputLayer) else None
    chained = layers[1:] if first is not None else layers
    shape = first.shape if first is not None else None
    if shape is None and chained:
        shape = chained[0].shape if isinstance(chained[0], Chain) else chained[0].given_shape
    if shape is None and config.get("build_input_shape") is not None:
        shape = batch_shape("build_input_shape", config["build_input_shape"])
    return Chain("Sequential", _name(config), first, shape, chained)


def _chain(config: Description) -> Chain:
    """The layers from the output back to the input, each of which is called once with what one other returns."""
    layers: dict[str, Description] = {}
    for each in _list("layers", config.get("layers")):
        _, inner = _opened(each)
        layers[str(each.get("name", inner.get("name")))] = each
    start, end = (_only_name(config.get(name)) for name in ("input_layers", "output_layers"))
    order = [end]
    while order[-1] != start:
        if order[-1] not in layers or len(order) > len(layers):
            raise InvalidArgumentError("inbound_nodes", f"a chain from {start!r} to {end!r}", repr(order[-1]))
        order.append(_only_source(layers[order[-1]].get("inbound_nodes")))
    if len(order) != len(layers):
        raise unsupported("a model that is no single chain of layers")
    source, *chained = (_layer(layers[name]) for name in reversed(order))
    if not isinstance(source, InputLayer):
        raise InvalidArgumentError("input_layers", "an InputLayer", repr(source))
    return Chain("Functional", _name(config), source, source.shape, chained)


def _only_name(ends: object) -> str:
    match ends:
        case [[str(name), *_]] | [str(name), *_]:
            return name
    raise unsupported("a model of several inputs or outputs")


def _only_source(nodes: object) -> str:
    """The layer whose outputs a layer is called with, as Keras 3 or 2 has it."""
    match nodes:
        case [{"args": [{"config": {"keras_history": [str(name), *_]}}]}] | [[[str(name), *_]]]:
            return name
    raise unsupported("a layer that is called more than once, or with several inputs")


def _layer(description: object) -> Layer | Chain:
    class_name, config = _opened(description)
    if class_name in MODELS:
        return parsed(description)
    if class_name == "InputLayer":
        shape = config.get("batch_shape", config.get("batch_input_shape"))
        return InputLayer(batch_shape("batch_shape", shape), name=_name(config))
    options = {key: value for key, value in config.items() if value is not None and key not in _LEFT_OUT}
    return _made(CLASSES, class_name, options)


# What does not matter to a layer whose weights are given: which seed its masks had, and what has been read already.
_LEFT_OUT = ("dtype", "seed", "input_dtype", "build_config")


def _made(kinds: Mapping[str, Any], class_name: str, options: Description) -> Any:
    """An instance of one of the classes."""
    kind = kinds[checks.choice("class_name", class_name, tuple(kinds))]
    options = {key: _inner(value) for key, value in options.items()}
    try:
        return kind(**options)
    except TypeError as error:
        if isinstance(error, FastnnError):
            raise
        raise InvalidArgumentError(class_name, "the arguments of its kind", error) from None


def _inner(value: Any) -> Any:
    """An argument that is described, without what Keras adds to those that are not set."""
    match value:
        case {"class_name": str(name), "config": dict(options)}:
            return {"class_name": name, "config": {key: each for key, each in options.items() if each is not None}}
    return value


def of_training(optimizer: Optimizer, loss: Loss, compiled: Compiled) -> Description:
    """How a model is compiled, as Keras 3 has it."""
    own = optimizer.get_config()
    if decay := own.pop("decay", None):  # which Keras 3 has as a schedule alone
        first = {"initial_learning_rate": float(own["learning_rate"]), "decay_steps": 1, "decay_rate": decay}
        own["learning_rate"] = {"class_name": "InverseTimeDecay", "config": first}
    kind = checks.choice("class to be saved", type(optimizer).__name__, tuple(optimizers.CLASSES))
    name = checks.choice("class to be saved", type(loss).__name__, tuple(losses.CLASSES))
    return {
        "optimizer": _described("keras.optimizers", kind, own),
        "loss": _described("keras.losses", name, loss.get_config()),
        "loss_weights": None,
        "metrics": _metrics(compiled.plain),
        "weighted_metrics": _metrics(compiled.weighted),
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": False,
    }


def _metrics(given: Sequence[Any]) -> list[Any]:
    """Names as they are, and objects of Keras' kinds described; a program's own cannot be loaded again."""
    kept: list[Any] = []
    lost: list[str] = []
    for each in given:
        if isinstance(each, str):
            kept.append(each)
        elif type(each) in metrics.CLASSES.values():
            kept.append(_described("keras.metrics", type(each).__name__, each.get_config()))
        elif metrics.is_own_function(each):
            kept.append(each.__name__)
        else:
            lost.append(metrics.name_of(each))
    if lost:
        message = f"the file goes without the metrics {', '.join(lost)}, which are the program's own: compile again"
        warnings.warn(message, stacklevel=callers_depth())
    return kept


class Training(NamedTuple):
    """How a model is compiled."""

    optimizer: Optimizer
    loss: Loss
    metrics: Compiled


def parsed_training(description: Description, custom_objects: Mapping[str, Any]) -> Training:
    """What :func:`of_training` or Keras 2 or 3 described; a program's own metrics by their names."""
    described = description.get("optimizer", description.get("optimizer_config"))
    if isinstance(described, str):
        described = {"class_name": described, "config": {}}
    kind, options = _opened(described)
    options = {key: value for key, value in options.items() if value is not None and key not in _OF_KERAS_2}
    if isinstance(options.get("decay"), int | float) and not options["decay"]:
        del options["decay"]
    kinds = optimizers.CLASSES | {name.lower(): each for name, each in optimizers.CLASSES.items()}
    optimizer: Optimizer = _made(kinds, kind.removeprefix("Custom>"), options)
    plain, weighted = (
        [_metric(each, custom_objects) for each in metrics.flattened(name, description.get(name))]
        for name in ("metrics", "weighted_metrics")
    )
    return Training(optimizer, _loss(description.get("loss")), Compiled(plain, weighted))


_OF_KERAS_2 = ("is_legacy_optimizer", "jit_compile")


def _loss(described: object) -> Loss:
    while isinstance(described, list | tuple) and len(described) == 1:
        described = described[0]
    match described:
        case {"class_name": "function", "config": str(name)}:
            return losses.get(name)
        case {"class_name": str(kind), "config": dict(options)}:
            neutral = {"fn", "dtype", "axis", *(["reduction"] if options.get("reduction") == "auto" else [])}
            kept = {key: value for key, value in options.items() if value is not None and key not in neutral}
            loss: Loss = _made(losses.CLASSES, kind, kept)
            return loss
        case {**outputs} if len(outputs) == 1 and "class_name" not in outputs:
            return _loss(next(iter(outputs.values())))
    return losses.get(described)


def _metric(described: object, custom_objects: Mapping[str, Any]) -> Any:
    match described:
        case {"class_name": "function", "config": str(name)}:
            return custom_objects.get(name, name)
        case {"class_name": "MeanMetricWrapper", "config": {"fn": str(function), **others}}:  # of Keras 2
            metric = metrics.get(custom_objects.get(function, function))
            return metrics.MeanMetricWrapper(metric, str(others.get("name", function)))
        case {"class_name": str(kind), "config": dict(options)}:
            return metrics.deserialize({"class_name": kind, "config": options}, dict(custom_objects))
        case str(name) if name in custom_objects:
            return custom_objects[name]
    return described


def from_json(text: object) -> Description:
    """The dict of a JSON text."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        checks.unsupported("json_string", "JSON text, as to_json returns it", text)
    try:
        found = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise InvalidArgumentError("json_string", "JSON text, as to_json returns it", error) from None
    if not isinstance(found, dict):
        raise InvalidArgumentError("json_string", "the description of a model", _shorten(found))
    return found


def to_json(description: Description, **options: Any) -> str:
    """The JSON text of a description; ``options`` are for json.dumps."""
    return json.dumps(description, default=_plain, **options)


def _plain(value: object) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, LearningRateSchedule):
        return value.get_config()
    raise InvalidArgumentError("description", "what JSON has", repr(value))


def _list(argument: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidArgumentError(argument, "a list of layers", _shorten(value))
    return value


def _name(config: Description) -> str | None:
    name = config.get("name")
    if name is not None and not isinstance(name, str):
        raise InvalidArgumentError("name", "a string", repr(name))
    return name


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."
