"""``tf.compat.v1``: what programs of TensorFlow 1 set up around Keras. It can be done, and has no effect."""

from __future__ import annotations

from types import SimpleNamespace

from ..keras.sessions import Graph as Graph
from ..keras.sessions import Session as Session
from ..keras.sessions import Settings, ignored, initializer
from ..keras.sessions import default_graph as get_default_graph
from ..keras.subset import outside
from . import random as random
from . import train as train
from .names import TENSORFLOW
from .random import set_random_seed as set_random_seed

__all__ = [
    "ConfigProto",
    "GPUOptions",
    "Graph",
    "InteractiveSession",
    "Session",
    "disable_eager_execution",
    "disable_v2_behavior",
    "enable_eager_execution",
    "enable_v2_behavior",
    "get_default_graph",
    "global_variables_initializer",
    "initialize_all_variables",
    "local_variables_initializer",
    "logging",
    "random",
    "reset_default_graph",
    "set_random_seed",
    "tables_initializer",
    "train",
]

__getattr__ = outside("fastnn.dropin.tensorflow.compat.v1", (), frozenset(TENSORFLOW[""].split()))

InteractiveSession = Session
ConfigProto = GPUOptions = Settings

disable_eager_execution = disable_v2_behavior = enable_eager_execution = enable_v2_behavior = ignored
reset_default_graph = ignored
global_variables_initializer = initialize_all_variables = local_variables_initializer = initializer
tables_initializer = initializer

logging = SimpleNamespace(
    DEBUG=10,
    INFO=20,
    WARN=30,
    WARNING=30,
    ERROR=40,
    FATAL=50,
    debug=ignored,
    error=ignored,
    get_verbosity=lambda: 30,
    info=ignored,
    set_verbosity=ignored,
    warn=ignored,
    warning=ignored,
)
