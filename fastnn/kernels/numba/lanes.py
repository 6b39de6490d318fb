"""Vectors for the Numba kernels: one, two or four times 64 bytes, the unit to which rows of parameters are padded.

LLVM's loop vectoriser, which cannot know that arrays do not overlap and that rows have no remainder, needs three times
as long for rows this short.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

from ..spec import ALIGNMENT

_intrinsic: Any = extending.intrinsic  # Any: its annotation does not know that a call leaves out the first parameter


class _Lanes(types.Type):
    def __init__(self, dtype: Any, count: int) -> None:
        self.dtype, self.count = dtype, count
        super().__init__(name=f"Lanes({dtype}, {count})")


@extending.register_model(_Lanes)
class _LanesModel(extending.models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Any) -> None:
        element = ir.FloatType() if lanes.dtype == types.float32 else ir.DoubleType()
        super().__init__(manager, lanes, ir.VectorType(element, lanes.count))  # type: ignore[no-untyped-call]  # llvmlite's


@_intrinsic(prefer_literal=True)
def zeros(typing_context: Any, array: Any, units: Any) -> Any:
    """Zeros of the array's dtype, ``units`` times 64 bytes of them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(context.get_value_type(signature.return_type), None)

    lanes = _Lanes(array.dtype, units.literal_value * ALIGNMENT * 8 // array.dtype.bitwidth)
    return lanes(array, units), generate


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, start: Any, vector: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), vector.as_pointer())


@_intrinsic
def load(typing_context: Any, array: Any, start: Any, like: Any) -> Any:
    """The lanes array[start], array[start + 1], ..., as many as ``like`` has."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[0], arguments[1], arguments[2].type)
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return like(array, types.int64, like), generate


@_intrinsic
def store(typing_context: Any, array: Any, start: Any, lanes: Any) -> Any:
    """Write lanes to array[start], array[start + 1], ..."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[0], arguments[1], arguments[2].type)
        builder.store(arguments[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, lanes), generate


@_intrinsic
def add_multiple(typing_context: Any, lanes: Any, x: Any, other: Any) -> Any:
    """The lanes lanes + x * other; x is a number or lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, x, other = arguments
        if not isinstance(x.type, ir.VectorType):
            first = builder.insert_element(ir.Constant(other.type, ir.Undefined), x, ir.IntType(32)(0))
            x = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), other.type.count), None))
        return builder.fadd(lanes, builder.fmul(x, other, flags=["contract"]), flags=["contract"])

    return lanes(lanes, x, other), generate


@_intrinsic
def prefetch(typing_context: Any, array: Any, row: Any) -> Any:
    """Start to bring array[row] into the cache: rows in shuffled order are never there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, int32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        matrix = context.make_array(array)(context, builder, arguments[0])
        size = builder.extract_value(matrix.strides, 0)
        start = builder.gep(builder.bitcast(matrix.data, byte), [builder.mul(size, arguments[1])])
        hint = ir.FunctionType(ir.VoidType(), [byte, int32, int32, int32])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (byte,), hint)
        with cgutils.for_range_slice(builder, size.type(0), size, size.type(ALIGNMENT), size.type) as (k, _):
            builder.call(prefetch, [builder.gep(start, [k]), int32(0), int32(3), int32(1)])  # read, keep, data
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@_intrinsic
def total(typing_context: Any, lanes: Any) -> Any:
    """The sum of the lanes, halves first."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        width = value.type.count
        while width > 1:
            width //= 2
            low, high = (ir.VectorType(ir.IntType(32), width)(list(range(k, k + width))) for k in (0, width))
            value = builder.fadd(builder.shuffle_vector(value, value, low), builder.shuffle_vector(value, value, high))
        return builder.extract_element(value, ir.IntType(32)(0))

    return lanes.dtype(lanes), generate
