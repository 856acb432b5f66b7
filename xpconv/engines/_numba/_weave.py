"""Channels to channels-last, in registers: a few rows become one, number by number in turn."""

from __future__ import annotations

from llvmlite import ir

from ._code import I64, Code, Value, written


def _weave(code: Code, v: dict[str, Value]) -> None:
    """Write ``y[y0 + c * rows + r] = x[x0 + r * xm + c]`` for ``c < count``.

    ``rows`` are at most half of a vector.
    """
    b = code.b

    def weave_rows(rows: int) -> None:
        def some(first: Value, mask: Value | None) -> None:
            source = code.at(v["x"], v["x0"], first)
            vectors = [
                code.read(code.at(source, code.times(v["xm"], r)), mask) for r in range(rows)
            ]
            target = code.at(v["y"], v["y0"], code.times(first, rows))
            left = code.times(b.sub(v["count"], first), rows)
            for j, vector in enumerate(_woven(code, vectors)):
                done = ir.Constant(I64, j * code.lanes)
                rest = None if mask is None else code.first(b.sub(left, done))
                code.write(vector, code.at(target, done), rest)

        code.vectors(v["count"], some)

    code.switch(v["rows"], max(1, code.lanes // 2), weave_rows)


def _woven(code: Code, rows: list[Value]) -> list[Value]:
    """As many vectors, of the first numbers of all rows, the second ones and so on."""
    results = []
    for j in range(len(rows)):
        places = [divmod(j * code.lanes + lane, len(rows)) for lane in range(code.lanes)]
        result = rows[0]
        for r, row in enumerate(rows):  # row by row, the numbers that are its own
            picks = [
                code.lanes + column if of == r else lane for lane, (column, of) in enumerate(places)
            ]
            result = code.pick(result, picks, row)
        results.append(result)
    return results


weave = written("rows count x x0 xm y y0", "x y", _weave)
