"""Tiles over all rows and output channels of a piece."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ._jit import jit
from ._tile import dense, dense_narrow


class Values(NamedTuple):
    """Constants as values: Numba compiles a function anew for every literal that it is given."""

    no: bool = False
    yes: bool = True
    zero: int = 0
    one: int = 1
    low: float = -math.inf
    high: float = math.inf


@jit
def sweep(
    tall: int,
    lanes: int,
    start: Any,
    s0: int,
    add: bool,
    low: Any,
    high: Any,
    x: Any,
    xs: Any,
    xm: int,
    xk: int,
    w: Any,
    w0: int,
    wk: int,
    wn: int,
    y: Any,
    ys: Any,
    ym: int,
    xo: Any,
    wo: Any,
    inner: int,
    rows: int,
    outs: int,
) -> None:
    """Compute ``y[ys[p] + m*ym + o]`` for all places p, ``m < rows`` and ``o < outs``.

    Each is the sum over t and ``k < inner`` of ``x[xs[p] + m*xm + xo[t] + k*xk]`` times
    ``w[w0 + block*wn + wo[t] + k*wk + o]``, and begins as ``start[s0 + o]``; with ``add`` as what
    stands in y. Output channels come in blocks of ``2 * lanes``. They end between two bounds.
    """
    width = 2 * lanes
    tiles = (rows + tall - 1) // tall
    for block in range((outs + width - 1) // width):
        o = block * width
        n = min(width, outs - o)
        wb = w0 + block * wn
        for p in range(xs.size):
            for tile in range(tiles):
                m = tile * rows // tiles
                tile_rows = (tile + 1) * rows // tiles - m
                xp, yp = xs[p] + m * xm, ys[p] + m * ym + o
                sp, sm = (yp, ym) if add else (s0 + o, 0)
                if n > lanes:
                    dense(
                        tile_rows, start, sp, sm, x, xp, xm, xk, w, wb, wk, y, yp, ym, xo, wo,
                        xo.size, inner, n, low, high,
                    )  # fmt: skip
                else:
                    dense_narrow(
                        tile_rows, start, sp, sm, x, xp, xm, xk, w, wb, wk, y, yp, ym, xo, wo,
                        xo.size, inner, n, low, high,
                    )  # fmt: skip
