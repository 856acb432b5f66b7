"""Rows whose parts overlap, added up in registers."""

from __future__ import annotations

from llvmlite import ir

from ._code import I64, Code, Loop, Value, written


def _overlap(code: Code, v: dict[str, Value]) -> None:
    """Write ``y[y0 + i]``, ``i < count``: the sum of what parts have for place ``left + i``.

    Part p has ``size`` numbers, for the places from ``p * hop`` on. They stand at ``x[p * apart]``
    with a vector of zeros on either side.
    """
    b = code.b
    vector, none = ir.Constant(I64, code.lanes), ir.Constant(I64, 0)

    def least(one: Value, other: Value) -> Value:
        return b.select(b.icmp_signed("<", one, other), one, other)

    def some(index: Value, mask: Value | None) -> None:
        place = b.add(index, v["left"])
        before = b.sdiv(b.sub(place, v["size"]), v["hop"])  # its places end before these
        passed = b.icmp_signed(">=", place, v["size"])
        first = b.select(passed, b.add(before, ir.Constant(I64, 1)), none)
        last = b.sdiv(b.add(place, ir.Constant(I64, code.lanes - 1)), v["hop"])
        # Without a part there the zeros before the first one are read.
        count = b.sub(least(b.add(last, ir.Constant(I64, 1)), v["parts"]), first)
        met = b.icmp_signed(">", count, none)
        begin = b.add(b.mul(first, v["apart"]), b.sub(place, b.mul(first, v["hop"])))
        begin = b.select(met, begin, b.sub(none, vector))
        step = b.sub(v["apart"], v["hop"])
        count = b.select(met, count, ir.Constant(I64, 1))
        with Loop(code, count, [code.zero]) as loop:
            source = code.at(v["x"], v["x0"], begin, b.mul(loop.index, step))
            loop.carried = [b.fadd(loop.carried[0], code.read(source, None))]
        code.write(loop.carried[0], code.at(v["y"], v["y0"], index), mask)

    code.vectors(v["count"], some)


overlap = written("parts hop size apart x x0 y y0 left count", "x y", _overlap)
