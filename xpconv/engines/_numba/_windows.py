"""Windows of pools, a vector of channels at a time: largest element, mean, ways back."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from ._code import I32, Code, Loop, Value, written


def _largest(code: Code, v: dict[str, Value]) -> None:
    """Write the largest of ``count`` elements, and its number, for all channels of a window.

    Elements stand at ``x[x0 + offsets[k]]`` and are called ``numbers[k]``. The first of equal ones
    wins, and the last NaN.
    """
    b, x = code.b, code.at(v["x"], v["x0"])
    y, which = code.at(v["y"], v["i"]), code.at(v["which"], v["i"])
    lowest = code.splat(ir.Constant(code.scalar, -math.inf))
    begin = code.splat(b.load(v["numbers"]))

    def some(first: Value, mask: Value | None) -> None:
        with Loop(code, v["count"], [lowest, begin]) as loop:
            best, number = loop.carried
            offset = b.load(code.at(v["offsets"], loop.index))
            met = code.read(code.at(x, offset, first), mask)
            wins = b.or_(b.fcmp_ordered(">", met, best), b.fcmp_unordered("uno", met, met))
            its = code.splat(b.load(code.at(v["numbers"], loop.index)))
            loop.carried = [b.select(wins, met, best), b.select(wins, its, number)]
        best, number = loop.carried
        code.write(best, code.at(y, first), mask)
        _write_numbers(code, number, code.at(which, first), mask)

    code.vectors(v["channels"], some)


def _route(add: bool, code: Code, v: dict[str, Value]) -> None:
    """Write, or add, a window's gradient to its largest element, and zero to the others."""
    b, dx = code.b, code.at(v["dx"], v["x0"])
    dy, which = code.at(v["dy"], v["i"]), code.at(v["which"], v["i"])

    def some(first: Value, mask: Value | None) -> None:
        given = code.read(code.at(dy, first), mask)
        number = _read_numbers(code, code.at(which, first), mask)
        with Loop(code, v["count"], []) as loop:
            place = code.at(dx, b.load(code.at(v["offsets"], loop.index)), first)
            its = code.splat(b.load(code.at(v["numbers"], loop.index)))
            mine = b.select(b.icmp_signed("==", number, its), given, code.zero)
            if add:
                mine = b.fadd(code.read(place, mask), mine)
            code.write(mine, place, mask)

    code.vectors(v["channels"], some)


def _mean(code: Code, v: dict[str, Value]) -> None:
    """Write the sum of ``rows`` of elements over a divisor, for all channels of a window.

    Each row of ``width`` is added up by itself, so that large windows lose fewer digits.
    """
    b, x, y = code.b, code.at(v["x"], v["x0"]), code.at(v["y"], v["i"])
    divisor = code.splat(v["the_divisor"])

    def some(first: Value, mask: Value | None) -> None:
        with Loop(code, v["rows"], [code.zero]) as rows:
            offsets = code.at(v["offsets"], b.mul(rows.index, v["width"]))
            with Loop(code, v["width"], [code.zero]) as row:
                met = code.read(code.at(x, b.load(code.at(offsets, row.index)), first), mask)
                row.carried = [b.fadd(row.carried[0], met)]
            rows.carried = [b.fadd(rows.carried[0], row.carried[0])]
        code.write(b.fdiv(rows.carried[0], divisor), code.at(y, first), mask)

    code.vectors(v["channels"], some)


def _spread(add: bool, code: Code, v: dict[str, Value]) -> None:
    """Write, or add, a window's gradient over a divisor to each of its elements."""
    b, dx, dy = code.b, code.at(v["dx"], v["x0"]), code.at(v["dy"], v["i"])
    divisor = code.splat(v["the_divisor"])

    def some(first: Value, mask: Value | None) -> None:
        share = b.fdiv(code.read(code.at(dy, first), mask), divisor)
        with Loop(code, v["count"], []) as loop:
            place = code.at(dx, b.load(code.at(v["offsets"], loop.index)), first)
            code.write(b.fadd(code.read(place, mask), share) if add else share, place, mask)

    code.vectors(v["channels"], some)


def _write_numbers(code: Code, numbers: Value, place: Value, mask: Value | None) -> None:
    b, kind = code.b, ir.VectorType(place.type.pointee, code.lanes)
    if kind != numbers.type:
        numbers = b.trunc(numbers, kind)
    pointer, align = b.bitcast(place, kind.as_pointer()), kind.element.width // 8
    if mask is None:
        b.store(numbers, pointer, align=align)
        return
    b.call(_masked(code, "store", kind), [numbers, pointer, ir.Constant(I32, align), mask])


def _read_numbers(code: Code, place: Value, mask: Value | None) -> Value:
    b, kind = code.b, ir.VectorType(place.type.pointee, code.lanes)
    pointer, align = b.bitcast(place, kind.as_pointer()), kind.element.width // 8
    if mask is None:
        numbers = b.load(pointer, align=align)
    else:
        none = ir.Constant(kind, None)
        numbers = b.call(
            _masked(code, "load", kind), [pointer, ir.Constant(I32, align), mask, none]
        )
    wide = ir.VectorType(I32, code.lanes)
    return numbers if kind == wide else b.zext(numbers, wide)


def _masked(code: Code, what: str, kind: ir.VectorType) -> Any:
    masks, pointer = ir.VectorType(ir.IntType(1), code.lanes), kind.as_pointer()
    given = [pointer, I32, masks, kind] if what == "load" else [kind, pointer, I32, masks]
    result = kind if what == "load" else ir.VoidType()
    name = f"llvm.masked.{what}.v{code.lanes}i{kind.element.width}.p0"
    return cgutils.get_or_insert_function(code.b.module, ir.FunctionType(result, given), name)


largest_of_window = written(
    "x x0 offsets numbers count y which i channels", "x offsets numbers y which", _largest
)
write_window, add_window = (
    written(
        "dx x0 offsets numbers count dy which i channels",
        "dx offsets numbers dy which",
        partial(_route, add),
    )
    for add in (False, True)
)
mean_of_window = written("x x0 offsets rows width the_divisor y i channels", "x offsets y", _mean)
write_shares, add_shares = (
    written("dx x0 offsets count the_divisor dy i channels", "dx offsets dy", partial(_spread, add))
    for add in (False, True)
)
