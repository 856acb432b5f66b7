"""The one kernel that all convolutions are made of: a small product that stays in registers.

A tile is ``rows`` x ``n`` sums. For every step ``(t, k)`` of two nested loops it adds

    sums[i, :] += x[x0 + xo[t] + k * xk + i * xm] * w[w0 + wo[t] + k * wk : ... + n]

where the factor of x is one number for the whole row (a matrix product), or, in a *diagonal* tile,
a vector like that of w (products channel by channel). The sums start as ``start`` and end in ``y``.
All arrays are flat. LLVM's intermediate code is written here directly, because no compiler keeps
such a block of sums in registers when it is written as loops.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._vectors import tile_rows, vector_bytes

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_NAMES: tuple[str, ...] = (
    *("rows", "start", "s0", "sm", "x", "x0", "xm", "xk", "w", "w0", "wk", "y", "y0", "ym"),
    *("xo", "wo", "taps", "inner", "n"),
)


def _tile(vectors: int, diagonal: bool) -> Any:
    """Make the intrinsic for tiles of up to ``vectors`` registers a row."""

    @intrinsic
    def tile(  # type: ignore[no-untyped-def]
        typing, rows, start, s0, sm, x, x0, xm, xk, w, w0, wk, y, y0, ym, xo, wo, taps, inner, n
    ):
        of = {"start": start, "x": x, "w": w, "y": y, "xo": xo, "wo": wo}
        signature = types.void(*(of.get(name, types.int64) for name in _NAMES))

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            values = dict(zip(_NAMES, arguments, strict=True))
            for name, kind in of.items():
                values[name] = context.make_array(kind)(context, builder, values[name]).data
            scalar, width = context.get_value_type(x.dtype), x.dtype.bitwidth // 8
            _Writer(builder, values, scalar, width, vectors, diagonal).switch()
            return context.get_dummy_value()

        return signature, generate

    return tile


class _Writer:
    """Writes the code of a tile for each number of rows that it may have."""

    def __init__(
        self,
        builder: ir.IRBuilder,
        values: dict[str, ir.Value],
        scalar: ir.Type,
        width: int,
        vectors: int,
        diagonal: bool,
    ) -> None:
        self.b, self.v, self.diagonal = builder, values, diagonal
        self.lanes = vector_bytes() // width
        self.vectors = range(vectors)
        self.scalar, self.vector = scalar, ir.VectorType(scalar, self.lanes)
        self.align = ir.Constant(_I32, width)
        self.zero = ir.Constant(self.vector, None)
        masks, suffix = ir.VectorType(_I1, self.lanes), f"v{self.lanes}f{8 * width}"
        pointer = self.vector.as_pointer()
        self.fma = self._declare("fma", suffix, self.vector, [self.vector] * 3)
        self.load = self._declare(
            "masked.load", f"{suffix}.p0", self.vector, [pointer, _I32, masks, self.vector]
        )
        self.store = self._declare(
            "masked.store", f"{suffix}.p0", ir.VoidType(), [self.vector, pointer, _I32, masks]
        )
        bound = self._splat(values["n"], ir.VectorType(_I64, self.lanes))
        self.masks = [
            builder.icmp_signed("<", self._counting(j * self.lanes), bound) for j in self.vectors
        ]

    def _declare(self, name: str, suffix: str, result: ir.Type, given: list[ir.Type]) -> Any:
        kind = ir.FunctionType(result, given)
        return cgutils.get_or_insert_function(self.b.module, kind, f"llvm.{name}.{suffix}")

    def _counting(self, first: int) -> ir.Constant:
        kind = ir.VectorType(_I64, self.lanes)
        return ir.Constant(kind, list(range(first, first + self.lanes)))

    def _splat(self, value: ir.Value, kind: ir.VectorType) -> ir.Value:
        """A vector of one value, everywhere."""
        undefined = ir.Constant(kind, ir.Undefined)
        one = self.b.insert_element(undefined, value, ir.Constant(_I32, 0))
        picks = ir.Constant(ir.VectorType(_I32, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(one, undefined, picks)

    def _at(self, array: ir.Value, *offsets: ir.Value) -> ir.Value:
        for offset in offsets:
            array = self.b.gep(array, [offset])
        return array

    def _times(self, value: ir.Value, factor: int) -> ir.Value:
        return self.b.mul(value, ir.Constant(_I64, factor))

    def _part(self, row: ir.Value, j: int) -> ir.Value:
        """Where the ``j``-th vector of a row begins."""
        place = self.b.gep(row, [ir.Constant(_I64, j * self.lanes)])
        return self.b.bitcast(place, self.vector.as_pointer())

    def _read(self, row: ir.Value, j: int) -> ir.Value:
        arguments = [self._part(row, j), self.align, self.masks[j], self.zero]
        return self.b.call(self.load, arguments)

    def switch(self) -> None:
        """Write one kernel for each number of rows, and the choice among them."""
        after = self.b.append_basic_block("after")
        choice = self.b.switch(self.v["rows"], after)
        for rows in range(1, tile_rows() + 1):
            block = self.b.append_basic_block(f"rows{rows}")
            choice.add_case(ir.Constant(_I64, rows), block)
            self.b.position_at_end(block)
            self._kernel(rows)
            self.b.branch(after)
        self.b.position_at_end(after)

    def _kernel(self, rows: int) -> None:
        b, v = self.b, self.v
        begin = self._at(v["start"], v["s0"])
        starts = [self._at(begin, self._times(v["sm"], i)) for i in range(rows)]
        sums = [[self._read(row, j) for j in self.vectors] for row in starts]
        with _Loop(b, v["taps"], sums) as outer:
            x = self._at(v["x"], v["x0"], b.load(self._at(v["xo"], outer.index)))
            w = self._at(v["w"], v["w0"], b.load(self._at(v["wo"], outer.index)))
            with _Loop(b, v["inner"], outer.sums) as loop:
                here = self._at(x, b.mul(loop.index, v["xk"]))
                there = self._at(w, b.mul(loop.index, v["wk"]))
                loop.sums = self._step(here, there, loop.sums)
            outer.sums = loop.sums
        end = self._at(v["y"], v["y0"])
        for i, row in enumerate(outer.sums):
            for j, value in enumerate(row):
                place = self._part(self._at(end, self._times(v["ym"], i)), j)
                b.call(self.store, [value, place, self.align, self.masks[j]])

    def _step(self, x: ir.Value, w: ir.Value, sums: list[list[ir.Value]]) -> list[list[ir.Value]]:
        """One multiply-add for every sum."""
        factors = [self._read(w, j) for j in self.vectors]
        result = []
        for i, row in enumerate(sums):
            place = self._at(x, self._times(self.v["xm"], i))
            if self.diagonal:
                mine = [self._read(place, j) for j in self.vectors]
            else:
                mine = [self._splat(self.b.load(place), self.vector)] * len(row)
            both = zip(mine, factors, row, strict=True)
            result.append([self.b.call(self.fma, list(three)) for three in both])
        return result


class _Loop:
    """A loop that runs at least once and carries a block of sums in registers.

    The body reads ``index`` and ``sums``, and sets ``sums``.
    """

    def __init__(self, builder: ir.IRBuilder, count: ir.Value, sums: list[list[ir.Value]]) -> None:
        self.b, self.count, self.sums = builder, count, sums

    def __enter__(self) -> _Loop:
        before, self.body = self.b.block, self.b.append_basic_block("loop")
        self.b.branch(self.body)
        self.b.position_at_end(self.body)
        self.index = self.b.phi(_I64)
        self.index.add_incoming(ir.Constant(_I64, 0), before)
        self.carried = [[self.b.phi(value.type) for value in row] for row in self.sums]
        for phis, row in zip(self.carried, self.sums, strict=True):
            for phi, value in zip(phis, row, strict=True):
                phi.add_incoming(value, before)
        self.sums = [list(row) for row in self.carried]
        return self

    def __exit__(self, *error: object) -> None:
        last = self.b.block
        index = self.b.add(self.index, ir.Constant(_I64, 1))
        self.index.add_incoming(index, last)
        for phis, row in zip(self.carried, self.sums, strict=True):
            for phi, value in zip(phis, row, strict=True):
                phi.add_incoming(value, last)
        after = self.b.append_basic_block("done")
        self.b.cbranch(self.b.icmp_signed("<", index, self.count), self.body, after)
        self.b.position_at_end(after)


dense = _tile(2, diagonal=False)
dense_narrow = _tile(1, diagonal=False)
diagonal = _tile(1, diagonal=True)
