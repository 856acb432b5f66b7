"""The one kernel that all dense convolutions are made of: a small product that stays in registers.

A tile is ``rows`` x ``n`` sums. For every step ``(t, k)`` of two nested loops it adds

    sums[i, :] += x[x0 + xo[t] + k * xk + i * xm] * w[w0 + wo[t] + k * wk : ... + n]

The sums start as ``start`` and end in ``y``, between two bounds. All arrays are flat. LLVM's
intermediate code is written here directly, because no compiler keeps such a block of sums in
registers when it is written as loops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from ._code import I64, Code, Loop, Value, written
from ._vectors import abreast, tile_rows

_NAMES = "rows start s0 sm x x0 xm xk w w0 wk y y0 ym xo wo taps inner n the_low the_high"
_FOUR = 4


def _tile(vectors_of: Callable[[int], int], most: Callable[[Code], int]) -> Any:
    """Make the intrinsic for tiles of so many registers a row, and for so many rows."""

    def write(code: Code, v: dict[str, Value]) -> None:
        b, largest = code.b, most(code)
        ahead = [
            ir.Constant(I64, j * code.lanes)
            for j in range(max(vectors_of(rows) for rows in range(1, largest + 1)))
        ]
        masks = [code.first(b.sub(v["n"], first)) for first in ahead]

        def tile(rows: int) -> None:
            vectors = vectors_of(rows)
            full = b.icmp_signed("==", v["n"], ir.Constant(I64, vectors * code.lanes))

            def line(row: Value) -> list[Value]:
                return [code.read(code.at(row, ahead[j]), masks[j]) for j in range(vectors)]

            begin = code.at(v["start"], v["s0"])
            starts = [code.at(begin, code.times(v["sm"], i)) for i in range(rows)]
            # Four rows at a time have a pointer of their own: left alone the compiler adds up one
            # distance after the other, and each addition waits for the one before.
            steps = [code.opaque(code.times(v["xm"], i)) for i in range(1, min(rows, _FOUR))]
            far = [code.times(v["xm"], i) for i in range(_FOUR, rows, _FOUR)]
            with Loop(code, v["taps"], [s for row in starts for s in line(row)]) as outer:
                x = code.at(v["x"], v["x0"], b.load(code.at(v["xo"], outer.index)))
                w = code.at(v["w"], v["w0"], b.load(code.at(v["wo"], outer.index)))
                places = [x, *(code.opaque(code.at(x, distance)) for distance in far)]
                first = 1 + len(places)
                with Loop(code, v["inner"], [w, *places, *outer.carried]) as loop:
                    code.stay()
                    factors, places = line(loop.carried[0]), loop.carried[1:first]
                    for i in range(rows):
                        place = places[i // _FOUR]
                        if i % _FOUR:
                            place = code.at(place, steps[i % _FOUR - 1])
                        mine = code.splat(b.load(place))
                        for j, factor in enumerate(factors, first + i * vectors):
                            loop.carried[j] = code.fma(mine, factor, loop.carried[j])
                    loop.carried[0] = code.at(loop.carried[0], v["wk"])
                    loop.carried[1:first] = [code.at(place, v["xk"]) for place in places]
                outer.carried = loop.carried[first:]
            end = code.at(v["y"], v["y0"])
            low, high = code.splat(v["the_low"]), code.splat(v["the_high"])
            results = [code.clipped(value, low, high) for value in outer.carried]

            def store(whole: bool) -> None:
                for k, value in enumerate(results):
                    i, j = divmod(k, vectors)
                    place = code.at(end, code.times(v["ym"], i), ahead[j])
                    code.write(value, place, None if whole else masks[j])

            with b.if_else(full) as (yes, no):
                with yes:
                    store(True)
                with no:
                    store(False)

        code.switch(v["rows"], largest, tile)

    return written(_NAMES, "x start w y xo wo", write)


dense = _tile(lambda rows: 2, lambda code: tile_rows())
dense_narrow = _tile(lambda rows: 1, lambda code: tile_rows())
dense_wide = _tile(abreast, lambda code: code.lanes // 2)
