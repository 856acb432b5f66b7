"""Products channel by channel: every lane of a vector is an output channel of its own.

In a depthwise convolution a lane meets the same lane of the input. In one of groups of g channels
it meets the g lanes of its group, one after the other: the input's vector is read once, and a lane
of each group is spread over the group by a shuffle. ``g`` divides a vector's lanes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from ._code import I64, Code, Loop, Value, written

PLACES = 8  # of the output at a time: sums enough to keep both multipliers busy
SUMS = 12  # of a weight gradient at a time


def _spread(code: Code, vector: Value, g: int) -> list[Value]:
    """The i-th channel of each group, in all lanes of the group; for each i."""
    if g == 1:
        return [vector]
    return [code.pick(vector, [k // g * g + i for k in range(code.lanes)]) for i in range(g)]


def places(code: Code, v: dict[str, Value], kind: Any) -> None:
    """Write what computes up to `PLACES` places of the output, all channels.

    ``y[y0 + r*ym + c] = start[c] + sum over t, j < across and i < g of x[x0 + xo[t] + r*xm + j*xc +
    (c's group, i)] * w[((t*across + j)*g + i)*wm + c]``, and between two bounds in the end. Places
    that step by ``step`` columns share what they read: ``xm = step * xc``.
    """
    b, g, across, step = code.b, kind.g, kind.across, kind.step
    low, high = code.splat(v["the_low"]), code.splat(v["the_high"])

    def rows(count: int) -> None:
        columns = (count - 1) * step + across
        if across == 1:
            columns, x_step = count, v["xm"]
        else:
            x_step = v["xc"]
        x, y = code.at(v["x"], v["x0"]), code.at(v["y"], v["y0"])
        xs = [code.at(x, code.times(x_step, k)) for k in range(columns)]
        ys = [code.at(y, code.times(v["ym"], r)) for r in range(count)]

        def block(c: Value, mask: Value | None) -> None:
            begin = code.read(code.at(v["start"], c), mask)
            for place in xs:
                for back in range(step):
                    code.announce(code.at(place, v["xa"], code.times(v["xr"], -back), c))
            for place in ys:
                code.announce(code.at(place, v["ya"], c), written=True)
            with Loop(code, v["taps"], [begin] * count) as taps:
                offset = b.add(b.load(code.at(v["xo"], taps.index)), c)
                here = code.at(v["w"], b.mul(code.times(taps.index, g * across), v["wm"]), c)
                factors = [
                    code.read(code.at(here, code.times(v["wm"], k)), mask)
                    for k in range(g * across)
                ]
                for column, place in enumerate(xs):
                    vector = None
                    for j in range(across):
                        r, rest = divmod(column - j, step if across > 1 else 1)
                        if rest or not 0 <= r < count:
                            continue
                        if vector is None:
                            vector = _spread(code, code.read(code.at(place, offset), mask), g)
                        for one, factor in zip(vector, factors[j * g :], strict=False):
                            taps.carried[r] = code.fma(one, factor, taps.carried[r])
            for r in range(count):
                value = code.clipped(taps.carried[r], low, high)
                code.write(value, code.at(ys[r], c), mask)

        code.vectors(v["channels"], block)

    code.switch(v["rows"], PLACES, rows)


def sums(code: Code, v: dict[str, Value], kind: Any) -> None:
    """Write what adds up to ``SUMS // g`` taps of a weight gradient, all channels.

    ``sums[(t*g + i)*wm + c] += sum over k < count of x[x0 + xo[t] + k*xk + (c's group, i)] *
    dy[d0 + k*dk + c]``, for t from ``first`` on.
    """
    b, g = code.b, kind.g

    def taps(count: int) -> None:
        x = code.at(v["x"], v["x0"])
        xs = [
            code.at(x, b.load(code.at(v["xo"], b.add(v["first"], ir.Constant(I64, t)))))
            for t in range(count)
        ]
        at = code.at(v["sums"], b.mul(code.times(v["first"], g), v["wm"]))
        lines = [code.at(at, code.times(v["wm"], k)) for k in range(count * g)]

        def block(c: Value, mask: Value | None) -> None:
            begin = [code.read(code.at(line, c), mask) for line in lines]
            with Loop(code, v["count"], begin) as steps:
                there = b.add(b.mul(steps.index, v["dk"]), b.add(v["d0"], c))
                factor = code.read(code.at(v["dy"], there), mask)
                offset = b.add(b.mul(steps.index, v["xk"]), c)
                code.announce(code.at(x, v["xa"], offset))
                code.announce(code.at(v["dy"], v["da"], there))
                for t in range(count):
                    vector = code.read(code.at(xs[t], offset), mask)
                    for i, one in enumerate(_spread(code, vector, g), t * g):
                        steps.carried[i] = code.fma(one, factor, steps.carried[i])
            for line, value in zip(lines, steps.carried, strict=True):
                code.write(value, code.at(line, c), mask)

        code.vectors(v["channels"], block)

    code.switch(v["taps"], max(1, SUMS // g), taps)


compute_places = written(
    "kind rows start x x0 xm xc w wm y y0 ym xa xr ya xo taps channels the_low the_high",
    "x start w y xo",
    places,
    "kind",
)
add_sums = written(
    "kind taps first x x0 xk dy d0 dk count xa da sums wm xo channels", "x dy sums xo", sums, "kind"
)
