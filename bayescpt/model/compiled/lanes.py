"""SIMD vectors of sixteen doubles for numba kernels.

LLVM vectorises a loop only if it can prove that this is safe, which fails beyond a handful of
arrays. A value of type ``lanes`` is a vector from the start: arithmetic on it takes a few
instructions for sixteen rows, and intermediate values stay in registers from the law to the sums of
the gradient. No processor has vectors this wide; they are split into independent parts. Addition,
subtraction, multiplication, division and negation use Python's operators; the functions below are
for numba kernels only.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

WIDTH = 16
_DOUBLES = ir.VectorType(ir.DoubleType(), WIDTH)
_INTEGERS = ir.VectorType(ir.IntType(64), WIDTH)
_BITS = ir.VectorType(ir.IntType(1), WIDTH)
# Allow fused multiply-add, but no reordering.
_FLAGS = ("contract",)

# Adding this rounds a double to an integer, held in its lowest bits.
ROUND = 6755399441055744.0
_ROUND_BITS = 0x4338000000000000
# Bits of sqrt(1/2): mantissas below it belong to the lower binade.
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD


class _Lanes(types.Type):
    """Type of sixteen doubles."""

    def __init__(self) -> None:
        super().__init__(name="lanes")


lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _DOUBLES)


def _constant(kind: ir.VectorType, value: float) -> Any:
    return ir.Constant(kind, [value] * WIDTH)


def _index(place: int) -> Any:
    return ir.Constant(ir.IntType(32), place)


def _spread(builder: Any, value: Any, kind: ir.VectorType = _DOUBLES) -> Any:
    """Broadcast a number to all lanes."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _index(0))
    return builder.shuffle_vector(
        one,
        ir.Constant(kind, ir.Undefined),
        ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), None),
    )


def _operation(symbol: Any, emit: str) -> None:
    """Define an operator for lanes with lanes and with numbers."""
    kinds = ((lanes, lanes), (lanes, types.float64), (types.float64, lanes))
    infer_global(symbol)(
        type(
            f"_{emit}",
            (ConcreteTemplate,),
            {"cases": [signature(lanes, *operands) for operands in kinds]},
        )
    )

    def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        both = [
            value if kind == lanes else _spread(builder, value)
            for kind, value in zip(sig.args, args, strict=True)
        ]
        return getattr(builder, emit)(*both, flags=_FLAGS)

    for operands in kinds:
        lower_builtin(symbol, *operands)(_lower)


for _symbol, _emit in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
    (operator.iadd, "fadd"),
    (operator.isub, "fsub"),
    (operator.imul, "fmul"),
):
    _operation(_symbol, _emit)


@infer_global(operator.neg)
class _Negation(ConcreteTemplate):
    cases = (signature(lanes, lanes),)


@lower_builtin(operator.neg, lanes)
def _negate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.fneg(args[0], flags=_FLAGS)


def _emit_spread(context: Any, value: Any) -> Any:
    """Broadcast a number to all lanes."""

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _spread(builder, args[0])

    return lanes(types.float64), _emit


def _mask(builder: Any, count: Any) -> Any:
    places = ir.Constant(_INTEGERS, list(range(WIDTH)))
    return builder.icmp_signed("<", places, _spread(builder, count, _INTEGERS))


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Pointer to an entry of a contiguous array."""
    struct = context.make_array(kind)(context, builder, array)
    return builder.gep(struct.data, [index])


def _contiguous(kind: Any) -> bool:
    return isinstance(kind, types.Array) and kind.layout == "C" and kind.dtype == types.float64


def _emit_load(context: Any, array: Any, index: Any, count: Any) -> Any:
    """Entries of a contiguous array from a flat index on, with zeros after `count`."""
    if not _contiguous(array):
        return None

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _place(context, builder, sig.args[0], args[0], args[1])
        pointer = builder.bitcast(pointer, _DOUBLES.as_pointer())
        kinds = (pointer.type, ir.IntType(32), _BITS, _DOUBLES)
        name = f"llvm.masked.load.v{WIDTH}f64.p0"
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(_DOUBLES, kinds), name
        )
        zero = _constant(_DOUBLES, 0.0)
        return builder.call(function, [pointer, _index(8), _mask(builder, args[2]), zero])

    return lanes(array, types.int64, types.int64), _emit


def _emit_store(context: Any, array: Any, index: Any, value: Any, count: Any) -> Any:
    """Write the first `count` lanes to a contiguous array, from a flat index on."""
    if not _contiguous(array):
        return None

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _place(context, builder, sig.args[0], args[0], args[1])
        pointer = builder.bitcast(pointer, _DOUBLES.as_pointer())
        kinds = (_DOUBLES, pointer.type, ir.IntType(32), _BITS)
        name = f"llvm.masked.store.v{WIDTH}f64.p0"
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(ir.VoidType(), kinds), name
        )
        builder.call(function, [args[2], pointer, _index(8), _mask(builder, args[3])])
        return context.get_dummy_value()

    return types.none(array, types.int64, lanes, types.int64), _emit


def _emit_first_lanes(context: Any, count: Any, value: Any, rest: Any) -> Any:
    """The first `count` lanes of one value, the rest of another."""

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(_mask(builder, args[0]), args[1], args[2])

    return lanes(types.int64, lanes, lanes), _emit


def _emit_total(context: Any, value: Any) -> Any:
    """Sum over the lanes."""

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        part, size = args[0], WIDTH
        while size > 1:
            size //= 2
            halves = [
                builder.shuffle_vector(
                    part,
                    ir.Constant(part.type, ir.Undefined),
                    ir.Constant(ir.VectorType(ir.IntType(32), size), list(range(at, at + size))),
                )
                for at in (0, size)
            ]
            part = builder.fadd(*halves)
        return builder.extract_element(part, _index(0))

    return types.float64(lanes), _emit


def _emit_below(context: Any, x: Any, limit: Any, yes: Any, no: Any) -> Any:
    """`yes` where `x` is below `limit`, else `no`, including where either is NaN."""

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return lanes(lanes, lanes, lanes, lanes), _emit


def _emit_power_of_two(context: Any, rounded: Any) -> Any:
    """2^k, given k + `ROUND`."""

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], _INTEGERS)
        shifted = builder.shl(
            builder.add(bits, _constant(_INTEGERS, 1023)), _constant(_INTEGERS, 52)
        )
        return builder.bitcast(shifted, _DOUBLES)

    return lanes(lanes), _emit


def _binade(builder: Any, x: Any) -> tuple[Any, Any]:
    """Bits of x, and the integer k in x = m 2^k with m from sqrt(1/2) to sqrt(2)."""
    bits = builder.bitcast(x, _INTEGERS)
    above = builder.sub(bits, _constant(_INTEGERS, _SQRT_HALF_BITS))
    return bits, builder.ashr(above, _constant(_INTEGERS, 52))


def _emit_exponent(context: Any, x: Any) -> Any:
    """Integer k in x = m 2^k, with m from sqrt(1/2) to sqrt(2), plus `ROUND`."""

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        _, k = _binade(builder, args[0])
        return builder.bitcast(builder.add(k, _constant(_INTEGERS, _ROUND_BITS)), _DOUBLES)

    return lanes(lanes), _emit


def _emit_mantissa(context: Any, x: Any) -> Any:
    """Number m in x = m 2^k, with m from sqrt(1/2) to sqrt(2)."""

    def _emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits, k = _binade(builder, args[0])
        whole = builder.shl(k, _constant(_INTEGERS, 52))
        return builder.bitcast(builder.sub(bits, whole), _DOUBLES)

    return lanes(lanes), _emit


# Kernels call these without the context argument.
spread: Any = intrinsic(_emit_spread)
load: Any = intrinsic(_emit_load)
store: Any = intrinsic(_emit_store)
first_lanes: Any = intrinsic(_emit_first_lanes)
total: Any = intrinsic(_emit_total)
below: Any = intrinsic(_emit_below)
power_of_two: Any = intrinsic(_emit_power_of_two)
exponent: Any = intrinsic(_emit_exponent)
mantissa: Any = intrinsic(_emit_mantissa)
