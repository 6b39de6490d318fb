"""A caller's own functions of arrays: compiled with Numba where it can, else run as they are; says once which."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import callers_depth
from ...kernels import get_backend
from ...kernels.spec import Data, FloatArray, IntArray, Net

Function = Callable[..., Any]
Four = tuple[Function, Function, Function, Function]

_said: set[str] = set()


def apply(function: Function, z: FloatArray, samples: int) -> Any:
    """function(z); compiled if z comes from several samples, as for a single one that takes longer than it saves."""
    if samples > 1 and not _is_ours(function):
        reason = _try([(function, (z,))])
        if not isinstance(reason, str):
            return reason[0](z)
    return function(z)


def compiled_for_training(
    activation: Function, derivative: Function, loss: Function, slopes: Function, outputs: int, dtype: np.dtype[Any]
) -> Four | None:
    """f(z), f'(y), L(y, t) and dL/dy for :func:`train_epoch`, or None if some function has to run as it is."""
    z = np.linspace(-4, 4, 3 * outputs, dtype=dtype).reshape(3, outputs)
    with np.errstate(all="ignore"):
        y = np.asarray(activation(z.copy()), dtype)
    if y.shape != z.shape:
        return None  # the layers' own forward pass will complain
    pair = y, np.eye(3, outputs, dtype=dtype)
    found = _try([(activation, (z,)), (derivative, (y,)), (loss, pair), (slopes, pair)])
    return None if isinstance(found, str) else (found[0], found[1], found[2], found[3])


def train_epoch(
    four: Four, net: Net, params: FloatArray, data: Data, order: IntArray, batch_size: int, rate: float
) -> tuple[float, int]:
    """See :func:`fastnn.kernels.numba.user_functions.train_epoch`."""
    from ...kernels.numba import user_functions as jit_functions

    return jit_functions.train_epoch(four, net, params, data, order, batch_size, rate)


def _is_ours(function: Function) -> bool:
    return (getattr(function, "__module__", None) or "").startswith("fastnn.")


def _try(calls: list[tuple[Function, tuple[NDArray[Any], ...]]]) -> list[Function] | str:
    """All functions compiled for such arguments, or why one is not."""
    names = tuple(_name(function) for function, _ in calls if not _is_ours(function))
    if get_backend().name == "numpy":
        return "the numpy backend was chosen"  # by the caller, who need not be told
    jit_functions = _compiler()
    if isinstance(jit_functions, str):
        return _warn(names, jit_functions)
    found = []
    for function, arguments in calls:
        try:
            found.append(jit_functions.compiled(function, *arguments))
        except jit_functions.NotCompiledError as error:
            return _warn((_name(function),), str(error))
    news = [name for name in dict.fromkeys(names) if name not in _said]
    if news:
        _said.update(news)
        print(f"fastnn: {', '.join(news)}: compiled with Numba, which takes some seconds once", file=sys.stderr)
    return found


@functools.cache  # as an import that fails takes milliseconds every time
def _compiler() -> Any:
    """The module that compiles functions, or why there is none."""
    try:
        from ...kernels.numba import user_functions as jit_functions
    except (ImportError, RuntimeError) as error:  # RuntimeError: it finds no folder for its cache
        return f"Numba cannot be used ({error})"
    return jit_functions


def _name(function: Function) -> str:
    name = getattr(function, "__qualname__", type(function).__name__)
    code = getattr(function, "__code__", None)
    return f"the lambda in line {code.co_firstlineno}" if code and name.endswith("<lambda>") else name


def _warn(names: tuple[str, ...], reason: str) -> str:
    what = ", ".join(dict.fromkeys(names))
    if f"{what}: {reason}" not in _said:
        _said.add(f"{what}: {reason}")
        warnings.warn(f"{what}: runs as it is, layer by layer, which is slower: {reason}", stacklevel=callers_depth())
    return reason
