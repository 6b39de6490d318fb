"""Callers' own activation and loss functions, compiled by Numba, and whole epochs that call them.

Numba freezes whatever else a function refers to, and has a random stream of its own, so a function is compiled only
where that cannot show: it refers to nothing but numbers, NumPy, math and other such functions, of which the numbers are
looked at again whenever it is asked for; it draws nothing; and its results on the arguments at hand are those that
Python gets.
"""

from __future__ import annotations

import builtins
import dis
import math
import numbers
import types
from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

from ..spec import Data, FloatArray, IntArray, Net
from . import network as jit
from .compiling import compiled as cached
from .compiling import read_only
from .formulas import target_row

Function = Callable[..., Any]

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}  # of a compiled result: another order of summation


class NotCompiledError(Exception):
    """Why a function is not compiled, in a few words."""


# By function: what it referred to and, by its arguments' types, the compiled function or why there is none.
_known: WeakKeyDictionary[Function, tuple[Hashable, dict[Hashable, Any]]] = WeakKeyDictionary()


def compiled(function: Function, *arguments: FloatArray) -> Function:
    """The function compiled for arrays such as these, which it is tried on; raises NotCompiledError."""
    plain = _plain(function)
    captured = _captured(plain)
    if plain not in _known or _known[plain][0] != captured:
        _known[plain] = captured, {}
    found = _known[plain][1]
    types_of = tuple((argument.dtype, argument.ndim) for argument in arguments)
    if types_of not in found:
        try:
            found[types_of] = _compile(plain, arguments)
        except NotCompiledError as error:
            found[types_of] = error
    if isinstance(found[types_of], NotCompiledError):
        raise found[types_of]
    return found[types_of]


def _plain(function: Function) -> types.FunctionType:
    if isinstance(function, Dispatcher):
        function = function.py_func
    if isinstance(function, np.ufunc):
        return _of_ufunc(function)
    if not isinstance(function, types.FunctionType):
        raise NotCompiledError(f"it is no Python function, but of type {type(function).__name__}")
    return function


@cache
def _of_ufunc(ufunc: np.ufunc) -> types.FunctionType:
    return lambda x: ufunc(x)  # type: ignore[return-value]  # it is a FunctionType


def _compile(function: types.FunctionType, arguments: tuple[FloatArray, ...]) -> Function:
    result = _with_helpers(function)
    with np.errstate(all="ignore"):
        expected = np.asarray(function(*map(np.copy, arguments)))
        try:
            found = np.asarray(result(*map(np.copy, arguments)))
        except Exception as error:  # Numba's own, of many kinds; the function itself has just run
            raise NotCompiledError(f"Numba cannot compile it: {_first_line(error)}") from None
    tolerance = TOLERANCE[str(arguments[0].dtype)]
    same = (found.shape, found.dtype.kind) == (expected.shape, expected.dtype.kind)
    if not same or not np.allclose(found, expected, rtol=tolerance, atol=0, equal_nan=True):
        raise NotCompiledError("compiled by Numba, it has other results")
    return result


def _with_helpers(function: types.FunctionType) -> Function:
    """The function for Numba, and those of the same module or closure that it calls, which Numba wants compiled too."""
    helpers = {
        name: _with_helpers(value)
        for name, value in _references(function)
        if isinstance(value, types.FunctionType) and name in function.__globals__ and not _is_fixed(name, value)
    }
    copy = types.FunctionType(
        function.__code__,
        {**function.__globals__, **helpers},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    result: Function = numba.njit(copy, nogil=True, error_model="numpy")
    return result


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    details = [line for line in lines if not line.startswith("Failed in nopython mode")]
    return (details or lines or [type(error).__name__])[0]


def _captured(function: types.FunctionType, seen: tuple[types.FunctionType, ...] = ()) -> Hashable:
    """All values that Numba would freeze, in a form that can be compared."""
    if function in seen:
        raise NotCompiledError("it calls itself")
    found: list[Hashable] = [function.__code__]
    for name, value in _references(function):
        if name == "random":
            raise NotCompiledError("it draws random numbers")
        if value is None or isinstance(value, numbers.Number | str | np.generic):
            found.append((name, type(value), value))
        elif _is_fixed(name, value):
            found.append((name, id(value)))
        elif isinstance(value, types.FunctionType):
            found.append((name, _captured(value, (*seen, function))))
        elif isinstance(value, Dispatcher):
            found.append((name, _captured(value.py_func, (*seen, function))))
        else:
            raise NotCompiledError(f"it refers to {name!r}, of type {type(value).__name__}")
    return tuple(found)


def _is_fixed(name: str, value: object) -> bool:
    """Whether this is NumPy, math, something of theirs, or a built-in function."""
    if value is np or value is math or isinstance(value, np.ufunc) or getattr(builtins, name, None) is value:
        return True
    return callable(value) and (getattr(value, "__module__", None) or "").split(".")[0] in ("numpy", "math")


def _references(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    """Defaults, closure and globals, by name; and "random" where an attribute has that name."""
    yield from ((f"default {i}", value) for i, value in enumerate(function.__defaults__ or ()))
    yield from (function.__kwdefaults__ or {}).items()
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents
    codes = [function.__code__]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        for instruction in dis.get_instructions(code):
            name = instruction.argval
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and name in function.__globals__:
                yield name, function.__globals__[name]
            elif instruction.opname == "LOAD_GLOBAL" and hasattr(builtins, name):
                yield name, getattr(builtins, name)
            elif name == "random":
                yield "random", None


# Loops in place of slices and array expressions, which take Numba seconds to compile.


@cached
def _part(a: Any, m: int, units: int) -> Any:
    """A copy (m, units) of a block's values, without padding."""
    part = np.empty((m, units), a.dtype)
    for s in range(m):
        for j in range(units):
            part[s, j] = a[s, j]
    return part


@cached
def _put(a: Any, values: Any) -> None:
    """a = values (m, units), of any type."""
    for s in range(values.shape[0]):
        for j in range(values.shape[1]):
            a[s, j] = values[s, j]


@cached
def _multiply(a: Any, values: Any) -> None:
    for s in range(values.shape[0]):
        for j in range(values.shape[1]):
            a[s, j] *= values[s, j]


# Not cached on disk: what it calls is the caller's.
@numba.njit(nogil=True, error_model="numpy")
def _train(
    activation: Any,
    derivative: Any,
    loss: Any,
    loss_derivative: Any,
    net: Any,
    params: Any,
    data: Any,
    order: Any,
    batch_size: int,
    rate: float,
    first: int,
    last: int,
    work: Any,
) -> Any:
    """Do the batches first to last - 1; return the sum of their losses and how many were done."""
    T, layers, outputs, total = params.dtype.type, len(net.strides), data.y.shape[1], 0.0
    for batch in range(first, last):
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        m = len(rows)
        jit.take_rows(data.X.dense, rows, work.X)
        for layer in range(layers):
            W, b = jit.weight_view(net, params, layer), jit.bias_view(net, params, layer)
            for s in range(m):
                indices, values, z = (
                    work.indices[layer, s],
                    work.values[layer, s],
                    work.z[layer, s, : net.strides[layer]],
                )
                if layer == 0:
                    count = jit.affine(work.X[s], T(data.scale), indices, values, W, b, z)
                else:
                    count = jit.affine(work.a[layer - 1, s, : net.sizes[layer]], T(1), indices, values, W, b, z)
                work.counts[layer, s] = count
            _put(work.a[layer], activation(_part(work.z[layer], m, net.sizes[layer + 1])))
        for s in range(m):
            target_row(data.y, rows[s], work.y[s])
        batch_loss = loss(_part(work.a[-1], m, outputs), _part(work.y, m, outputs))
        if not math.isfinite(batch_loss):
            return total, batch - first
        total += batch_loss
        # dL/da, which the derivatives then turn into dL/dz
        _put(work.delta[-1], loss_derivative(_part(work.a[-1], m, outputs), _part(work.y, m, outputs)))
        for layer in range(layers - 1, -1, -1):
            W, size, units = jit.weight_view(net, params, layer), net.sizes[layer], net.sizes[layer + 1]
            _multiply(work.delta[layer], derivative(_part(work.a[layer], m, units)))
            if layer > 0:
                for s in range(m):
                    jit.back_product(work.delta[layer, s, :units], W, work.delta[layer - 1, s, :size])
            jit.add_gradient(net, params, layer, T(-rate), m, work)
    return total, last - first


def train_epoch(
    functions: tuple[Function, Function, Function, Function],
    net: Net,
    params: FloatArray,
    data: Data,
    order: IntArray,
    batch_size: int,
    rate: float,
) -> tuple[float, int]:
    """Visit the rows ``order``, a multiple of ``batch_size``, with every layer's activation f and the loss L.

    ``functions`` are compiled: f(z), f'(y) of the outputs y = f(z), L(y, t) of a batch and dL/dy (m, outputs). The
    parameters move by -rate times the gradient that follows. Returns the sum of the batches' losses and the number of
    batches done: all, or those before the first whose loss is not finite.
    """
    net, samples = jit.plain(net, data, params.dtype)
    order, work = read_only(order), jit.new_work(net, params.dtype, samples.X, batch_size)
    total, batches = 0.0, 0
    for first, last in jit.portions(len(order) // batch_size):
        loss, done = _train(*functions, net, params, samples, order, batch_size, rate, first, last, work)
        total, batches = total + loss, batches + done
        if done < last - first:
            break
    return total, batches
