"""SIMD registers for Numba: load, store and calculate with 4, 8 or 16 float32 at once.

Numba's own vectoriser gives up wherever two arrays might overlap, which is everywhere in a lattice. These functions
emit the vector instructions themselves; LLVM maps them to what the processor has (AVX-512, AVX2, SSE, NEON). They can
be called only in functions that Numba compiles; `lanes` is a constant there.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
# 2^f = sum of (f ln 2)^k / k!: up to k = 6 the error for |f| <= 1/2 is 1.2e-7, float32's own rounding.
_EXP2 = [math.log(2) ** k / math.factorial(k) for k in range(7)]


class Lanes(types.Type):
    """Numba's type of a register that holds `count` float32."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Lanes({count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, _vector(lanes.count))


@intrinsic(prefer_literal=True)
def load(_: Any, array: Any, index: Any, lanes: Any) -> Any:
    """``array[index : index + lanes]`` of a flat float32 array."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        vector = _vector(signature.return_type.count)
        return builder.load(_pointer(context, builder, signature, values, vector), align=4)

    return Lanes(lanes.literal_value)(array, types.intp, lanes), generate


@intrinsic
def store(_: Any, array: Any, index: Any, register: Any) -> Any:
    """``array[index : index + lanes] = register``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _pointer(context, builder, signature, values, values[2].type), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, register), generate


@intrinsic(prefer_literal=True)
def broadcast(_: Any, value: Any, lanes: Any) -> Any:
    """`value` in every lane."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _broadcast(builder, values[0], signature.return_type.count)

    return Lanes(lanes.literal_value)(types.float32, lanes), generate


@intrinsic
def add(_: Any, left: Any, right: Any) -> Any:
    """``left + right``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fadd(*values)

    return left(left, right), generate


@intrinsic
def add_scaled(_: Any, register: Any, factor: Any, other: Any) -> Any:
    """``register + factor * other``, with a scalar factor."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        factor = _broadcast(builder, values[1], signature.return_type.count)
        return _fma(builder, factor, values[2], values[0])

    return register(register, types.float32, other), generate


@intrinsic
def subtract(_: Any, left: Any, right: Any) -> Any:
    """``left - right``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fsub(*values)

    return left(left, right), generate


@intrinsic
def floor(_: Any, register: Any) -> Any:
    """The largest whole number that is not above each lane."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _call(builder, "llvm.floor", values[0].type, values)

    return register(register), generate


@intrinsic
def less(_: Any, left: Any, right: Any) -> Any:
    """1 where ``left < right``, else 0."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        count = signature.return_type.count
        return builder.select(builder.fcmp_ordered("<", *values), _constant(1.0, count), _constant(0.0, count))

    return left(left, right), generate


@intrinsic
def flush(_: Any, register: Any, least: Any) -> Any:
    """0 in the lanes whose magnitude is below a scalar."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        count = signature.return_type.count
        magnitude = _call(builder, "llvm.fabs", values[0].type, values[:1])
        small = builder.fcmp_ordered("<", magnitude, _broadcast(builder, values[1], count))
        return builder.select(small, _constant(0.0, count), values[0])

    return register(register, types.float32), generate


@intrinsic
def largest(_: Any, register: Any) -> Any:
    """The largest lane."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _call(builder, "llvm.vector.reduce.fmax", _FLOAT, values, fastmath=("nnan",))

    return types.float32(register), generate


@intrinsic
def total(_: Any, register: Any) -> Any:
    """The sum of all lanes."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        zero = ir.Constant(_FLOAT, 0.0)
        return _call(builder, "llvm.vector.reduce.fadd", _FLOAT, [zero, *values], fastmath=("reassoc",))

    return types.float32(register), generate


@intrinsic
def exp2(_: Any, register: Any) -> Any:
    """Two to the power of each lane, 0 for anything below -100; for lanes that are at most 0.

    So no lane, and least of all one without a class, is subnormal, also when it is divided by a sum.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        count = signature.return_type.count
        vector = values[0].type
        lowest = _constant(-100.0, count)
        above = builder.fcmp_ordered(">=", values[0], lowest)
        x = builder.select(above, values[0], lowest)
        whole = _call(builder, "llvm.rint", vector, [x])
        fraction = builder.fsub(x, whole)
        result = _constant(_EXP2[-1], count)
        for coefficient in reversed(_EXP2[:-1]):
            result = _fma(builder, result, fraction, _constant(coefficient, count))
        # The exponent is a float's bits from 23 on: adding there multiplies by a power of two.
        integers = ir.VectorType(_INT, count)
        shift = builder.shl(builder.fptosi(whole, integers), ir.Constant(integers, [23] * count))
        power = builder.bitcast(builder.add(builder.bitcast(result, integers), shift), vector)
        return builder.select(above, power, _constant(0.0, count))

    return register(register), generate


def _vector(count: int) -> Any:
    return ir.VectorType(_FLOAT, count)


def _constant(value: float, count: int) -> Any:
    return ir.Constant(_vector(count), [value] * count)


def _pointer(context: Any, builder: Any, signature: Any, values: Any, vector: Any) -> Any:
    """Address of `array[index]` (the first two arguments) as that of a vector."""
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return builder.bitcast(builder.gep(array.data, [values[1]], inbounds=True), vector.as_pointer())


def _broadcast(builder: Any, value: Any, count: int) -> Any:
    undefined = ir.Constant(_vector(count), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT, count), [0] * count))


def _fma(builder: Any, left: Any, right: Any, addend: Any) -> Any:
    return _call(builder, "llvm.fmuladd", left.type, [left, right, addend])


def _call(builder: Any, name: str, result: Any, values: Any, fastmath: tuple[str, ...] = ()) -> Any:
    """Call an LLVM intrinsic that is overloaded on the vector type of its last argument."""
    kind = ir.FunctionType(result, [value.type for value in values])
    function = cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{values[-1].type.count}f32")
    return builder.call(function, values, fastmath=fastmath)
