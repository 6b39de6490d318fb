"""TensorFlow's functions of arrays that programs use around a model. NumPy computes them; results have ``.numpy()``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..keras.tensor import Tensor
from ..keras.tensor import tensor as as_tensor

__all__ = [
    "abs",
    "add",
    "argmax",
    "argmin",
    "cast",
    "ceil",
    "clip_by_value",
    "concat",
    "constant",
    "convert_to_tensor",
    "cos",
    "cumsum",
    "divide",
    "equal",
    "exp",
    "expand_dims",
    "eye",
    "fill",
    "floor",
    "gather",
    "greater",
    "greater_equal",
    "identity",
    "is_finite",
    "is_nan",
    "is_tensor",
    "less",
    "less_equal",
    "linspace",
    "log",
    "logical_and",
    "logical_or",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "pow",
    "range",
    "rank",
    "reduce_all",
    "reduce_any",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_std",
    "reduce_sum",
    "reduce_variance",
    "reshape",
    "round",
    "shape",
    "sign",
    "sin",
    "size",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "subtract",
    "tile",
    "transpose",
    "where",
    "zeros",
    "zeros_like",
]

# Python's numbers become these; arrays keep their type.
_PYTHON_TYPES = {np.dtype(np.float64): np.float32, np.dtype(np.int64): np.int32}


def convert_to_tensor(value: Any, dtype: DTypeLike | None = None, dtype_hint: object = None, name: str = "") -> Tensor:
    """A copy of the value; without ``dtype``, Python's numbers become float32 and int32, as in TensorFlow."""
    array = np.array(value, dtype)
    if dtype is None and isinstance(value, int | float | list | tuple) and not isinstance(value, bool):
        array = array.astype(_PYTHON_TYPES.get(array.dtype, array.dtype))
    return as_tensor(array)


def constant(value: Any, dtype: DTypeLike | None = None, shape: Sequence[int] | None = None, name: str = "") -> Tensor:
    """The same, of a shape that the value is spread over or put into."""
    result = convert_to_tensor(value, dtype)
    if shape is None:
        return result
    return as_tensor(np.full(shape, result.numpy()) if result.size == 1 else result.numpy().reshape(shape))


def cast(x: ArrayLike, dtype: DTypeLike, name: str = "") -> Tensor:
    """The array with its numbers in another type."""
    return as_tensor(np.asarray(x).astype(dtype))


def is_tensor(x: object) -> bool:
    return isinstance(x, Tensor)


def zeros(shape: Sequence[int], dtype: DTypeLike = np.float32, name: str = "") -> Tensor:
    return as_tensor(np.zeros(shape, dtype))


def ones(shape: Sequence[int], dtype: DTypeLike = np.float32, name: str = "") -> Tensor:
    return as_tensor(np.ones(shape, dtype))


def fill(dims: Sequence[int], value: Any, name: str = "") -> Tensor:
    return as_tensor(np.full(dims, convert_to_tensor(value).numpy()))


def eye(num_rows: int, num_columns: int | None = None, dtype: DTypeLike = np.float32) -> Tensor:
    return as_tensor(np.eye(num_rows, num_columns, dtype=dtype))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: DTypeLike | None = None, name: str = "") -> Tensor:
    """``start``, ``start + delta`` and so on below ``limit``, or 0, 1, ... below ``start`` where no limit is given."""
    first, last = (0, start) if limit is None else (start, limit)
    return convert_to_tensor(np.arange(first, last, delta).tolist(), dtype)


def linspace(start: float, stop: float, num: int, name: str = "", axis: int = 0) -> Tensor:
    return as_tensor(np.linspace(start, stop, num, axis=axis, dtype=np.asarray(convert_to_tensor(start)).dtype))


def one_hot(
    indices: ArrayLike, depth: int, on_value: float = 1.0, off_value: float = 0.0, dtype: DTypeLike = np.float32
) -> Tensor:
    """Rows (..., depth) with ``on_value`` at the index; indices that are not below ``depth`` have none."""
    at = np.asarray(indices)[..., None] == np.arange(depth)
    return as_tensor(np.where(at, on_value, off_value).astype(dtype))


def argmax(input: ArrayLike, axis: int | None = None, output_type: DTypeLike = np.int64, name: str = "") -> Tensor:
    """The index of the largest along an axis: the first where none is given, not NumPy's of the whole array."""
    return as_tensor(np.argmax(np.asarray(input), axis or 0).astype(output_type))


def argmin(input: ArrayLike, axis: int | None = None, output_type: DTypeLike = np.int64, name: str = "") -> Tensor:
    """The index of the smallest along an axis, as :func:`argmax`."""
    return as_tensor(np.argmin(np.asarray(input), axis or 0).astype(output_type))


def cumsum(x: ArrayLike, axis: int = 0, name: str = "") -> Tensor:
    array = _array(x)
    return as_tensor(np.cumsum(array, axis, array.dtype))


def shape(input: ArrayLike, out_type: DTypeLike = np.int32, name: str = "") -> Tensor:
    return as_tensor(np.array(np.shape(np.asarray(input)), out_type))


def size(input: ArrayLike, out_type: DTypeLike = np.int32, name: str = "") -> Tensor:
    return as_tensor(np.array(np.size(np.asarray(input)), out_type))


def rank(input: ArrayLike, name: str = "") -> Tensor:
    return as_tensor(np.array(np.ndim(input), np.int32))


def reshape(tensor: ArrayLike, shape: Sequence[int], name: str = "") -> Tensor:
    return as_tensor(_array(tensor).reshape(tuple(np.asarray(shape).tolist())))


def transpose(a: ArrayLike, perm: Sequence[int] | None = None, name: str = "") -> Tensor:
    return as_tensor(_array(a).transpose(perm))


def expand_dims(input: ArrayLike, axis: int, name: str = "") -> Tensor:
    return as_tensor(np.expand_dims(_array(input), axis))


def squeeze(input: ArrayLike, axis: Any = None, name: str = "") -> Tensor:
    return as_tensor(np.squeeze(_array(input), axis if axis is None else tuple(np.atleast_1d(axis))))


def concat(values: Sequence[ArrayLike], axis: int, name: str = "") -> Tensor:
    return as_tensor(np.concatenate([_array(value) for value in values], axis))


def stack(values: Sequence[ArrayLike], axis: int = 0, name: str = "") -> Tensor:
    return as_tensor(np.stack([_array(value) for value in values], axis))


def tile(input: ArrayLike, multiples: Sequence[int], name: str = "") -> Tensor:
    return as_tensor(np.tile(_array(input), multiples))


def where(condition: ArrayLike, x: Any = None, y: Any = None, name: str = "") -> Tensor:
    """x where the condition holds and else y; without them the indices (count, axes) where it holds."""
    if x is None or y is None:
        return as_tensor(np.argwhere(np.asarray(condition)))
    return as_tensor(np.where(np.asarray(condition), _array(x), _array(y)))


def gather(params: ArrayLike, indices: ArrayLike, axis: int = 0, name: str = "") -> Tensor:
    return as_tensor(np.take(_array(params), np.asarray(indices), axis))


def clip_by_value(t: ArrayLike, clip_value_min: Any, clip_value_max: Any, name: str = "") -> Tensor:
    return as_tensor(np.clip(_array(t), clip_value_min, clip_value_max))


def matmul(a: ArrayLike, b: ArrayLike, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    left, right = _array(a), _array(b)
    return as_tensor(
        (left.swapaxes(-1, -2) if transpose_a else left) @ (right.swapaxes(-1, -2) if transpose_b else right)
    )


def _array(value: Any) -> Any:
    return convert_to_tensor(value).numpy() if isinstance(value, int | float | list | tuple) else np.asarray(value)


def _of_one(compute: Callable[..., Any]) -> Callable[..., Tensor]:
    def function(x: ArrayLike, name: str = "") -> Tensor:
        return as_tensor(compute(_array(x)))

    return function


def _of_two(compute: Callable[..., Any]) -> Callable[..., Tensor]:
    def function(x: ArrayLike, y: ArrayLike, name: str = "") -> Tensor:
        return as_tensor(compute(_array(x), _array(y)))

    return function


def _reduction(compute: Callable[..., Any]) -> Callable[..., Tensor]:
    def function(input_tensor: ArrayLike, axis: Any = None, keepdims: bool = False, name: str = "") -> Tensor:
        array = _array(input_tensor)
        axes = axis if axis is None or isinstance(axis, int) else tuple(axis)
        return as_tensor(np.asarray(compute(array, axis=axes, keepdims=keepdims)).astype(_kept(compute, array)))

    return function


def _kept(compute: Callable[..., Any], array: Any) -> Any:
    """Sums and means of TensorFlow's have the type of what they sum."""
    return bool if compute in (np.all, np.any) else array.dtype


abs = _of_one(np.abs)
ceil = _of_one(np.ceil)
cos = _of_one(np.cos)
exp = _of_one(np.exp)
floor = _of_one(np.floor)
identity = _of_one(np.array)
is_finite = _of_one(np.isfinite)
is_nan = _of_one(np.isnan)
log = _of_one(np.log)
negative = _of_one(np.negative)
ones_like = _of_one(np.ones_like)
round = _of_one(np.round)
sign = _of_one(np.sign)
sin = _of_one(np.sin)
sqrt = _of_one(np.sqrt)
square = _of_one(np.square)
zeros_like = _of_one(np.zeros_like)

add = _of_two(np.add)
divide = _of_two(np.divide)
equal = _of_two(np.equal)
greater = _of_two(np.greater)
greater_equal = _of_two(np.greater_equal)
less = _of_two(np.less)
less_equal = _of_two(np.less_equal)
logical_and = _of_two(np.logical_and)
logical_or = _of_two(np.logical_or)
maximum = _of_two(np.maximum)
minimum = _of_two(np.minimum)
multiply = _of_two(np.multiply)
not_equal = _of_two(np.not_equal)
pow = _of_two(np.power)
subtract = _of_two(np.subtract)

reduce_all = _reduction(np.all)
reduce_any = _reduction(np.any)
reduce_max = _reduction(np.max)
reduce_mean = _reduction(np.mean)
reduce_min = _reduction(np.min)
reduce_prod = _reduction(np.prod)
reduce_std = _reduction(np.std)
reduce_sum = _reduction(np.sum)
reduce_variance = _reduction(np.var)
