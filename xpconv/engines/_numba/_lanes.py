"""Products channel by channel: every lane of a vector is an output channel of its own.

In a depthwise convolution a lane meets the same lane of the input. In one of groups of g channels
it meets the g lanes of its group, one after the other: the input's vector is read once, and a lane
of each group is spread over the group by a shuffle. ``g`` divides a vector's lanes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from ._code import I64, Code, Loop, Value, written
from ._vectors import tile_rows

PLACES = 8  # of the output at a time: sums enough to keep both multipliers busy
_SUMS = 12  # of a weight gradient at a time, if a row of taps does not have more


def _spread(code: Code, vector: Value, g: int) -> list[Value]:
    """The i-th channel of each group, in all lanes of the group; for each i."""
    if g == 1:
        return [vector]
    return [code.pick(vector, [k // g * g + i for k in range(code.lanes)]) for i in range(g)]


class _Columns:
    """The columns that so many places read; those side by side share some.

    ``left`` of them and ``right``, fewer than there are taps in a row, lie outside of the input.
    """

    def __init__(self, code: Code, v: dict[str, Value], count: int, kind: Any) -> None:
        self._code, self._nothing = code, v["nothing"]
        x = code.at(v["x"], v["x0"])
        self._edges: dict[int, Value] = {}
        if kind.across == 1:
            self._places = [code.at(x, code.times(v["xm"], k)) for k in range(count)]
            return
        columns = (count - 1) * kind.step + kind.across
        self._places = [code.at(x, code.times(v["xc"], k)) for k in range(columns)]
        for k in range(kind.across - 1):
            self._outside(k, code.b.icmp_signed("<", ir.Constant(I64, k), v["left"]))
            self._outside(columns - 1 - k, code.b.icmp_signed("<", ir.Constant(I64, k), v["right"]))

    def _outside(self, column: int, outside: Value) -> None:
        known = self._edges.get(column)
        self._edges[column] = outside if known is None else self._code.b.or_(known, outside)

    def __len__(self) -> int:
        return len(self._places)

    def read(self, column: int, offset: Value, mask: Value | None) -> Value:
        """The vector of a column, or zeros."""
        place = self._code.at(self._places[column], offset)
        if column in self._edges:
            place = self._code.b.select(self._edges[column], self._nothing, place)
        return self._code.read(place, mask)


def _meeting(column: int, count: int, kind: Any) -> list[tuple[int, int]]:
    """Pairs of a place and a tap of the row, the ones that meet in a column."""
    if kind.across == 1:
        return [(column, 0)]
    pairs = [(*divmod(column - j, kind.step), j) for j in range(kind.across)]
    return [(r, j) for r, rest, j in pairs if not rest and 0 <= r < count]


def _announce(
    code: Code, v: dict[str, Value], count: int, step: int, c: Value, others: list[Value], to: Any
) -> None:
    """Say that places of the row to come are read, and others written or read, where all is far.

    Between the products of the row before: memory takes its time for every line.
    """
    with code.b.if_then(code.b.icmp_signed("!=", v["far"], ir.Constant(I64, 0))):
        for row in range(step):
            place = code.at(v["x"], v["x0"], v["xa"], code.times(v["xr"], -row), c)
            for column in range(count * step):
                code.announce(code.at(place, code.times(v["xc"], column)))
        for place in others:
            code.announce(code.at(place, v[to], c), written=to == "ya")


def places(code: Code, v: dict[str, Value], kind: Any) -> None:
    """Write what computes up to `PLACES` places of the output, all channels.

    ``y[y0 + r*ym + c] = start[c] + sum over t, j < across and i < g of x[x0 + xo[t] + r*xm + j*xc +
    (c's group, i)] * w[((t*across + j)*g + i)*wm + c]``, and between two bounds in the end. Places
    that step by ``step`` columns share what they read: ``xm = step * xc``. Where columns may lie
    outside of x, ``nothing`` is read: a vector of zeros.
    """
    b, g, across = code.b, kind.g, kind.across
    low, high = code.splat(v["the_low"]), code.splat(v["the_high"])

    def rows(count: int) -> None:
        xs = _Columns(code, v, count, kind)
        y = code.at(v["y"], v["y0"])
        ys = [code.at(y, code.times(v["ym"], r)) for r in range(count)]

        def block(c: Value, mask: Value | None) -> None:
            def add_row(tap: Value, carried: list[Value]) -> list[Value]:
                offset = b.add(b.load(code.at(v["xo"], tap)), c)
                here = code.at(v["w"], b.mul(code.times(tap, g * across), v["wm"]), c)
                factors = [
                    code.read(code.at(here, code.times(v["wm"], k)), mask)
                    for k in range(g * across)
                ]
                for column in range(len(xs)):
                    met = _meeting(column, count, kind)
                    if not met:
                        continue
                    vector = _spread(code, xs.read(column, offset, mask), g)
                    for r, j in met:
                        for one, factor in zip(vector, factors[j * g :], strict=False):
                            carried[r] = code.fma(one, factor, carried[r])
                return carried

            begin = code.read(code.at(v["start"], c), mask)
            _announce(code, v, count, kind.step, c, ys, "ya")
            with Loop(code, v["taps"], [begin] * count) as taps:
                taps.carried = add_row(taps.index, taps.carried)
            for value, place in zip(taps.carried, ys, strict=True):
                code.write(code.clipped(value, low, high), code.at(place, c), mask)

        code.vectors(v["channels"], block)

    code.switch(v["rows"], PLACES, rows)


def rows_at_once(kind: Any) -> int:
    """How many rows of taps a weight gradient adds up together."""
    return int(max(1, _SUMS // (kind.g * kind.across)))


def places_at_once(kind: Any) -> int:
    """How many places of dy it holds in registers for them."""
    free = (28 if tile_rows() > 6 else 14) - rows_at_once(kind) * kind.g * kind.across
    return int(max(1, min(PLACES, free)))


def sums(code: Code, v: dict[str, Value], kind: Any) -> None:
    """Write what adds some places to some rows of taps of a weight gradient, all channels.

    ``sums[((t*across + j)*g + i)*wm + c] += sum over places r of x[x0 + xo[t] + r*xm + j*xc + (c's
    group, i)] * dy[d0 + r*dm + c]``, for t from ``first`` on: all `rows_at_once`, or one.
    """
    b, g, across = code.b, kind.g, kind.across

    def rows(count: int) -> None:
        xs = _Columns(code, v, count, kind)
        dy = code.at(v["dy"], v["d0"])
        ds = [code.at(dy, code.times(v["dm"], r)) for r in range(count)]

        def taps(together: int) -> None:
            numbers = [b.add(v["first"], ir.Constant(I64, t)) for t in range(together)]
            offsets = [b.load(code.at(v["xo"], t)) for t in numbers]
            each = g * across
            at = code.at(v["sums"], b.mul(code.times(v["first"], each), v["wm"]))
            lines = [code.at(at, code.times(v["wm"], k)) for k in range(together * each)]

            def block(c: Value, mask: Value | None) -> None:
                _announce(code, v, count, kind.step, c, ds, "da")
                found = [code.read(code.at(line, c), mask) for line in lines]
                slopes = [code.read(code.at(place, c), mask) for place in ds]
                for t, offset in enumerate(offsets):
                    for column in range(len(xs)):
                        met = _meeting(column, count, kind)
                        if not met:
                            continue
                        vector = xs.read(column, b.add(offset, c), mask)
                        for i, one in enumerate(_spread(code, vector, g)):
                            for r, j in met:
                                k = (t * across + j) * g + i
                                found[k] = code.fma(one, slopes[r], found[k])
                for line, value in zip(lines, found, strict=True):
                    code.write(value, code.at(line, c), mask)

            code.vectors(v["channels"], block)

        most = rows_at_once(kind)
        all_of_them = b.icmp_signed(">=", v["taps"], ir.Constant(I64, most))
        with b.if_else(all_of_them) as (then, otherwise):
            with then:
                taps(most)
            with otherwise:
                taps(1)

    code.switch(v["rows"], places_at_once(kind), rows)


compute_places = written(
    "kind rows start x x0 xm xc left right nothing w wm y y0 ym far xa xr ya xo taps channels "
    "the_low the_high",
    "x start nothing w y xo",
    places,
    "kind",
)
add_sums = written(
    "kind rows taps first x x0 xm xc left right nothing dy d0 dm far xa xr da sums wm xo channels",
    "x nothing dy sums xo",
    sums,
    "kind",
)
