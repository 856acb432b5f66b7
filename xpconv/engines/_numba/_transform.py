"""Winograd's transforms ``M X M^T`` for a vector of channels at a time, written in LLVM's code."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .._winograd import Matrix
from ._code import Code, Value, written

CHECKED = {
    "corners": [(0, 0), (0, -1), (-1, 0), (-1, -1)],
    "middle": [(1, 1)],
    "all": [(i, j) for i in range(3) for j in range(3)],
}


def transform(matrix: Matrix, extra: str = "") -> Any:
    """Make the intrinsic that maps an n x n tile of vectors to an r x r one, by an (r, n) matrix.

    Its arguments: x, where the tile begins, the steps of its rows and columns; y likewise; how many
    channels; and a vector of as many numbers with its place. With ``extra="shifted"`` that vector
    is added to every result, and there are two more arguments, bounds of the results. With one of
    `CHECKED` what is not finite in the tile leaves NaN in the vector: of inputs all have a part in
    some corner, of kernels in the middle, of gradients of kernels all are looked at.
    """
    names = "x x0 xr xc y y0 yr yc channels shift s0"
    names += " the_low the_high" if extra == "shifted" else ""
    return written(names, "x y shift", lambda code, v: _Writer(code, v, matrix, extra).write())


class _Writer:
    def __init__(self, code: Code, values: dict[str, Value], matrix: Matrix, extra: str) -> None:
        self.code, self.b, self.v, self.matrix, self.extra = code, code.b, values, matrix, extra

    def write(self) -> None:
        """Write a loop over the channels."""
        self.code.vectors(self.v["channels"], self._block)

    def _block(self, c: Value, mask: Value | None) -> None:
        code, v, n = self.code, self.v, len(self.matrix[0])
        begin, end = code.at(v["x"], v["x0"], c), code.at(v["y"], v["y0"], c)
        vector = code.at(v["shift"], v["s0"], c)
        tile = [
            [code.read(self._place(begin, v["xr"], v["xc"], i, j), mask) for j in range(n)]
            for i in range(n)
        ]
        columns = [self._apply(column) for column in zip(*tile, strict=True)]
        rows = [self._apply(row) for row in zip(*columns, strict=True)]
        if self.extra in CHECKED:
            self._check(vector, rows, mask)
        if self.extra == "shifted":
            rows = self._shifted(code.read(vector, mask), rows)
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                code.write(value, self._place(end, v["yr"], v["yc"], i, j), mask)

    def _shifted(self, by: Value, rows: list[list[Value]]) -> list[list[Value]]:
        low, high = (self.code.splat(self.v[name]) for name in ("the_low", "the_high"))
        return [[self.code.clipped(self.b.fadd(a, by), low, high) for a in row] for row in rows]

    def _check(self, doubt: Value, rows: list[list[Value]], mask: Value | None) -> None:
        """Add nothing, or NaN, for results that all numbers of a tile have a part in."""
        total = self.code.read(doubt, mask)
        for i, j in CHECKED[self.extra]:
            total = self.code.fma(rows[i][j], self.code.zero, total)
        self.code.write(total, doubt, mask)

    def _place(self, begin: Value, row: Value, column: Value, i: int, j: int) -> Value:
        return self.code.at(begin, self.code.times(row, i), self.code.times(column, j))

    def _apply(self, values: Any) -> list[Value]:
        """Multiply the matrix by a column of vectors.

        Two rows that differ only by signs share the sum of what is equal and of what is opposite.
        """
        results: list[Value] = []
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

    def _sum(self, factors: Any, values: Any) -> Value | None:
        total: Value | None = None
        for factor, value in sorted(
            zip(factors, values, strict=True), key=lambda p: abs(p[0]) != 1
        ):
            if factor == 0:
                continue
            constant = ir.Constant(self.code.vector, [float(factor)] * self.code.lanes)
            if total is None:
                total = value if factor == 1 else self.b.fmul(value, constant)
            elif factor in (1, -1):
                total = self.b.fadd(total, value) if factor == 1 else self.b.fsub(total, value)
            else:
                total = self.code.fma(value, constant, total)
        return total
