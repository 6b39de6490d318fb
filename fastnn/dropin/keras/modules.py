"""The modules of Keras that are no files here: those of older versions, and those of nothing but stand-ins."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType

from .names import KERAS_1_AND_2, KERAS_3
from .subset import PACKAGE, known_names, label, outside

KERAS = PACKAGE + "keras"

# Modules whose names are in another module here: those of older versions, mostly.
ALIASES = {
    "backend.common": "backend",
    "backend.tensorflow_backend": "backend",
    "callbacks.callbacks": "callbacks",
    "engine": "layers",
    "engine.base_layer": "layers",
    "engine.functional": "models",
    "engine.input_layer": "layers",
    "engine.network": "models",
    "engine.sequential": "models",
    "engine.topology": "layers",
    "engine.training": "models",
    "initializations": "initializers",
    "layers.activation": "layers",
    "layers.advanced_activations": "layers",
    "layers.containers": "models",
    "layers.convolutional": "layers",
    "layers.convolutional_recurrent": "layers",
    "layers.core": "layers",
    "layers.cudnn_recurrent": "layers",
    "layers.embeddings": "layers",
    "layers.local": "layers",
    "layers.merge": "layers",
    "layers.noise": "layers",
    "layers.normalization": "layers",
    "layers.pooling": "layers",
    "layers.recurrent": "layers",
    "layers.wrappers": "layers",
    "legacy.layers": "layers",
    "legacy.models": "models",
    "objectives": "losses",
    "optimizer_v2.adam": "optimizers",
    "optimizer_v2.gradient_descent": "optimizers",
    "optimizer_v2.rmsprop": "optimizers",
    "optimizers.adam_v2": "optimizers",
    "optimizers.experimental": "optimizers",
    "optimizers.gradient_descent_v2": "optimizers",
    "optimizers.legacy": "optimizers",
    "optimizers.learning_rate_schedule": "schedules",
    "optimizers.rmsprop_v2": "optimizers",
    "optimizers.schedules": "schedules",
    "utils.all_utils": "utils",
    "utils.conv_utils": "utils",
    "utils.data_utils": "utils",
    "utils.generic_utils": "utils",
    "utils.io_utils": "utils",
    "utils.layer_utils": "utils",
    "utils.multi_gpu_utils": "utils",
    "utils.np_utils": "utils",
    "utils.test_utils": "utils",
    "utils.training_utils": "utils",
    "utils.vis_utils": "utils",
    "utils.visualize_util": "utils",
}

# What older versions called otherwise.
OLDER_NAMES = {
    "layers.Model": "models.Model",
    "layers.Sequential": "models.Sequential",
    "models.Layer": "layers.Layer",
    "optimizers.adadelta": "optimizers.Adadelta",
    "optimizers.adagrad": "optimizers.Adagrad",
    "optimizers.adam": "optimizers.Adam",
    "optimizers.adamax": "optimizers.Adamax",
    "optimizers.nadam": "optimizers.Nadam",
    "optimizers.rmsprop": "optimizers.RMSprop",
    "optimizers.sgd": "optimizers.SGD",
}


def complete_keras() -> None:
    """Let every module that Keras has or had be imported, once those that are files here have been."""
    complete(KERAS, sorted({*KERAS_3, *KERAS_1_AND_2} - {"", *ALIASES}))
    for older, now in ALIASES.items():
        alias(f"{KERAS}.{older}", sys.modules[f"{KERAS}.{now}"])
    for older, now in OLDER_NAMES.items():
        module, _, name = older.partition(".")
        home, _, there = now.partition(".")
        vars(sys.modules[f"{KERAS}.{module}"])[name] = getattr(sys.modules[f"{KERAS}.{home}"], there)


def complete(package: str, names: Iterable[str], known: Mapping[str, frozenset[str]] | None = None) -> None:
    """Make a module of stand-ins for each of the names, in order, below a package, that is no file there.

    ``from module import *`` gives the stand-ins too, but for those of the names of built-in functions.
    """
    for name in names:
        full = f"{package}.{name}"
        there = known_names(label(full)) if known is None else known[name]
        if full not in sys.modules:
            module = ModuleType(full, f"{label(full)}, of which nothing is in fastnn's part of Keras.")
            module.__dict__.update(__getattr__=outside(full, (), there), __all__=[])
            alias(full, module)
        public = getattr(sys.modules[full], "__all__", [])
        vars(sys.modules[full])["__all__"] = [*public, *sorted(there - {*public, *dir(builtins)})]


def alias(full: str, module: ModuleType) -> None:
    """Let ``import full`` and ``from parent import name`` give a module, unless the parent has a name like this."""
    sys.modules[full] = module
    parent, _, name = full.rpartition(".")
    if name not in known_names(label(parent)):
        vars(sys.modules[parent]).setdefault(name, module)
