"""Rows to columns, in registers: how kernels come into the order of the tiles, and back."""

from __future__ import annotations

from llvmlite import ir

from ._code import I64, Code, Value, written


def _count(number: int) -> Value:
    return ir.Constant(I64, number)


def _transpose(code: Code, v: dict[str, Value]) -> None:
    """Write ``y[y0 + yo[c] + r] = x[x0 + xo[r] + c]`` for up to a vector of rows and columns."""
    b, lanes = code.b, range(code.lanes)
    last = b.sub(v["rows"], _count(1))
    x, y = code.at(v["x"], v["x0"]), code.at(v["y"], v["y0"])

    def body(full: bool) -> None:
        vectors = []
        mask = None if full else code.first(v["columns"])
        for r in lanes:
            row = _count(r)
            if not full:  # rows that are not there are another's again, and never written
                row = b.select(b.icmp_signed("<", row, last), row, last)
            vectors.append(code.read(code.at(x, b.load(code.at(v["xo"], row))), mask))
        for c, vector in enumerate(_turned(code, vectors)):
            column = code.at(v["yo"], _count(c))
            if full:
                code.write(vector, code.at(y, b.load(column)), None)
                continue
            with b.if_then(b.icmp_signed("<", _count(c), v["columns"])):
                code.write(vector, code.at(y, b.load(column)), code.first(v["rows"]))

    both = [b.icmp_signed("==", v[name], _count(code.lanes)) for name in ("rows", "columns")]
    with b.if_else(b.and_(*both)) as (yes, no):
        with yes:
            body(True)
        with no:
            body(False)


def _turned(code: Code, rows: list[Value]) -> list[Value]:
    """Exchange ever larger squares beside the diagonal."""
    lanes, rows, size = range(code.lanes), list(rows), 1
    while size < code.lanes:
        for i in lanes:
            if i & size:
                continue
            a, b = rows[i], rows[i + size]
            low = [j + code.lanes - size if j & size else j for j in lanes]
            high = [j + code.lanes if j & size else j + size for j in lanes]
            rows[i], rows[i + size] = code.pick(a, low, b), code.pick(a, high, b)
        size *= 2
    return rows


transpose = written("x x0 xo rows columns y y0 yo", "x xo y yo", _transpose)
