"""Winograd's transforms ``M X M^T`` for a vector of channels at a time, written in LLVM's code."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .._winograd import Matrix
from ._vectors import vector_bytes

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)


def transform(matrix: Matrix, extra: str = "") -> Any:
    """Make the intrinsic that maps an n x n tile of vectors to an r x r one, by an (r, n) matrix.

    Its arguments: x, where the tile begins, the steps of its rows and columns; y likewise; how many
    channels; and a vector of as many numbers with its place. With ``extra="shifted"`` that vector
    is added to every result; with ``"checked"`` what is not finite in the tile leaves NaN in it.
    """

    @intrinsic
    def mapped(typing, x, x0, xr, xc, y, y0, yr, yc, channels, shift, s0):  # type: ignore[no-untyped-def]
        size = types.int64
        signature = types.void(x, size, size, size, y, size, size, size, size, shift, size)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            values = list(arguments)
            for place, kind in ((0, x), (4, y), (9, shift)):
                values[place] = context.make_array(kind)(context, builder, values[place]).data
            scalar, width = context.get_value_type(x.dtype), x.dtype.bitwidth // 8
            _Writer(builder, values, scalar, width, matrix, extra).write()
            return context.get_dummy_value()

        return signature, generate

    return mapped


class _Writer:
    def __init__(
        self,
        builder: ir.IRBuilder,
        values: list[ir.Value],
        scalar: ir.Type,
        width: int,
        matrix: Matrix,
        extra: str,
    ) -> None:
        self.b, self.values, self.matrix, self.extra = builder, values, matrix, extra
        self.lanes = vector_bytes() // width
        self.scalar, self.vector = scalar, ir.VectorType(scalar, self.lanes)
        self.align = ir.Constant(_I32, width)
        masks, suffix = ir.VectorType(_I1, self.lanes), f"v{self.lanes}f{8 * width}"
        pointer = self.vector.as_pointer()

        def declare(name: str, result: ir.Type, given: list[ir.Type]) -> Any:
            kind = ir.FunctionType(result, given)
            return cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{suffix}")

        load, store = "masked.load", "masked.store"
        self.fma = declare("fma", self.vector, [self.vector] * 3)
        suffix += ".p0"
        self.load = declare(load, self.vector, [pointer, _I32, masks, self.vector])
        self.store = declare(store, ir.VoidType(), [self.vector, pointer, _I32, masks])

    def write(self) -> None:
        """Write a loop over the channels."""
        b = self.b
        x, x0, xr, xc, y, y0, yr, yc, channels, shift, s0 = self.values
        kind = ir.VectorType(_I64, self.lanes)
        count = ir.Constant(kind, list(range(self.lanes)))
        with cgutils.for_range_slice(
            b, ir.Constant(_I64, 0), channels, ir.Constant(_I64, self.lanes)
        ) as (first, _):
            left = self._splat(b.sub(channels, first), kind)
            self.mask = b.icmp_signed("<", count, left)
            begin, end = b.gep(x, [b.add(x0, first)]), b.gep(y, [b.add(y0, first)])
            n = len(self.matrix[0])
            tile = [[self._read(begin, xr, xc, i, j) for j in range(n)] for i in range(n)]
            columns = [self._apply(column) for column in zip(*tile, strict=True)]
            rows = [self._apply(row) for row in zip(*columns, strict=True)]
            vector = b.gep(shift, [b.add(s0, first)])
            if self.extra == "checked":
                self._check(vector, rows)
            added = self._vector_at(vector) if self.extra == "shifted" else None
            for i, row in enumerate(rows):
                for j, value in enumerate(row):
                    value = value if added is None else b.fadd(value, added)
                    self._store(b.gep(end, [self._place(yr, yc, i, j)]), value)

    def _check(self, doubt: ir.Value, rows: list[list[ir.Value]]) -> None:
        """Add nothing, or NaN: every number of a tile of inputs has a part in some corner."""
        total, zero = self._vector_at(doubt), ir.Constant(self.vector, None)
        for row in (rows[0], rows[-1]):
            for value in (row[0], row[-1]):
                total = self.b.call(self.fma, [value, zero, total])
        self._store(doubt, total)

    def _store(self, place: ir.Value, value: ir.Value) -> None:
        pointer = self.b.bitcast(place, self.vector.as_pointer())
        self.b.call(self.store, [value, pointer, self.align, self.mask])

    def _splat(self, value: ir.Value, kind: ir.VectorType) -> ir.Value:
        undefined = ir.Constant(kind, ir.Undefined)
        one = self.b.insert_element(undefined, value, ir.Constant(_I32, 0))
        picks = ir.Constant(ir.VectorType(_I32, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(one, undefined, picks)

    def _place(self, row: ir.Value, column: ir.Value, i: int, j: int) -> ir.Value:
        b = self.b
        return b.add(b.mul(row, ir.Constant(_I64, i)), b.mul(column, ir.Constant(_I64, j)))

    def _vector_at(self, place: ir.Value) -> ir.Value:
        zero = ir.Constant(self.vector, None)
        pointer = self.b.bitcast(place, self.vector.as_pointer())
        return self.b.call(self.load, [pointer, self.align, self.mask, zero])

    def _read(self, begin: ir.Value, row: ir.Value, column: ir.Value, i: int, j: int) -> ir.Value:
        return self._vector_at(self.b.gep(begin, [self._place(row, column, i, j)]))

    def _apply(self, values: Any) -> list[ir.Value]:
        """Multiply the matrix by a column of vectors.

        Two rows that differ only by signs share the sum of what is equal and of what is opposite.
        """
        results: list[ir.Value] = []
        matrix = list(self.matrix)
        while matrix:
            row = matrix.pop(0)
            if matrix and [abs(a) for a in row] == [abs(a) for a in matrix[0]]:
                other = matrix.pop(0)
                pairs = list(zip(row, other, strict=True))
                same = self._sum([a if a == b else 0 for a, b in pairs], values)
                opposite = self._sum([a if a != b else 0 for a, b in pairs], values)
                if same is not None and opposite is not None:
                    results += [self.b.fadd(same, opposite), self.b.fsub(same, opposite)]
                    continue
                matrix.insert(0, other)
            results.append(self._sum(row, values))
        return results

    def _sum(self, factors: Any, values: Any) -> ir.Value | None:
        total: ir.Value | None = None
        for factor, value in sorted(
            zip(factors, values, strict=True), key=lambda p: abs(p[0]) != 1
        ):
            if factor == 0:
                continue
            constant = ir.Constant(self.vector, [float(factor)] * self.lanes)
            if total is None:
                total = value if factor == 1 else self.b.fmul(value, constant)
            elif factor in (1, -1):
                total = self.b.fadd(total, value) if factor == 1 else self.b.fsub(total, value)
            else:
                total = self.b.call(self.fma, [value, constant, total])
        return total
