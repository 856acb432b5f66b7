"""Winograd's transforms of tiles, for both sizes of tile."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._winograd import F2, F4, transposed
from ._jit import jit
from ._transform import transform

# One intrinsic each: Numba's cache needs them under names of the module.
_INPUTS_2, _INPUTS_4 = (transform(f.inputs, "corners") for f in (F2, F4))
_OUTPUTS_2, _OUTPUTS_4 = (transform(f.outputs, "shifted") for f in (F2, F4))
_FROM_OUTPUTS_2, _FROM_OUTPUTS_4 = (transform(transposed(f.outputs)) for f in (F2, F4))


@jit
def apart(size: int) -> int:
    """Return a distance of matrices at which the same place of each has a cache set of its own.

    A transform writes to one place of each of them; at distances that are multiples of 4 KiB they
    would throw each other out of the nearest cache.
    """
    return size + 16


@jit
def gather_tiles(
    m: int,
    gradient: bool,
    source: Any,
    images: int,
    rows: int,
    across: int,
    channels: int,
    tiles: Any,
    at: int,
    step: int,
    doubt: Any,
) -> None:
    """Transform the tiles of a channels-last buffer to (side^2, P, C), from ``tiles[at]`` on.

    ``step`` is the distance of the matrices.

    Inputs are tiles of m + 2 numbers a side that overlap by 2, and leave NaN in ``doubt`` where a
    channel is not finite; gradients of outputs are tiles of m.
    """
    overlap = 0 if gradient else 2
    height, width = rows * m + overlap, across * m + overlap
    row = (m + 2) * step
    for n in range(images):
        for i in range(rows):
            for j in range(across):
                x0 = ((n * height + i * m) * width + j * m) * channels
                line = width * channels
                if gradient:
                    if m == 4:
                        _FROM_OUTPUTS_4(
                            source, x0, line, channels, tiles, at, row, step, channels, doubt, 0
                        )
                    else:
                        _FROM_OUTPUTS_2(
                            source, x0, line, channels, tiles, at, row, step, channels, doubt, 0
                        )
                elif m == 4:
                    _INPUTS_4(source, x0, line, channels, tiles, at, row, step, channels, doubt, 0)
                else:
                    _INPUTS_2(source, x0, line, channels, tiles, at, row, step, channels, doubt, 0)
                at += channels


@jit
def scatter_tiles(
    m: int,
    products: Any,
    at: int,
    step: int,
    piece: Any,
    across: int,
    lane: int,
    n: int,
    start: Any,
    o: int,
    bounds: Any,
    y: Any,
    out: Any,
) -> None:
    """Transform products (side^2, P, lane) back to n output channels of y, from channel o on.

    They stand from ``products[at]`` on, and ``step`` is the distance of the matrices.
    """
    height, width, outs = out
    low, high = bounds
    row = (m + 2) * step
    edge = np.empty(m * m * lane, dtype=y.dtype)
    for image in range(piece[0], piece[1]):
        for i in range(piece[2] * m, piece[3] * m, m):
            for j in range(0, across * m, m):
                y0 = ((image * height + i) * width + j) * outs + o
                whole = i + m <= height and j + m <= width
                target, to, line, column = edge, 0, m * lane, lane
                if whole:
                    target, to, line, column = y, y0, width * outs, outs
                if m == 4:
                    _OUTPUTS_4(
                        products, at, row, step, target, to, line, column, n, start, o, low, high
                    )
                else:
                    _OUTPUTS_2(
                        products, at, row, step, target, to, line, column, n, start, o, low, high
                    )
                if not whole:
                    for a in range(min(m, height - i)):
                        for b in range(min(m, width - j)):
                            place, e = y0 + (a * width + b) * outs, (a * m + b) * lane
                            y[place : place + n] = edge[e : e + n]
                at += lane
