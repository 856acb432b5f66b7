"""Winograd's transforms of tiles, for both sizes of tile."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._winograd import F2, F4, transposed
from ._jit import jit
from ._transform import transform

# One intrinsic each: Numba's cache needs them under names of the module.
_INPUTS_2, _INPUTS_4 = (transform(f.inputs, "checked") for f in (F2, F4))
_KERNELS_2, _KERNELS_4 = transform(F2.kernels), transform(F4.kernels)
_OUTPUTS_2, _OUTPUTS_4 = (transform(f.outputs, "shifted") for f in (F2, F4))
_FROM_OUTPUTS_2, _FROM_OUTPUTS_4 = (transform(transposed(f.outputs)) for f in (F2, F4))
_FROM_KERNELS_2, _FROM_KERNELS_4 = (transform(transposed(f.kernels)) for f in (F2, F4))


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
    doubt: Any,
) -> None:
    """Transform the tiles of a channels-last buffer to (side^2, P, C).

    Inputs are tiles of m + 2 numbers a side that overlap by 2, and leave NaN in ``doubt`` where a
    channel is not finite; gradients of outputs are tiles of m.
    """
    overlap = 0 if gradient else 2
    height, width = rows * m + overlap, across * m + overlap
    step = apart(images * rows * across * channels)
    row = (m + 2) * step
    at = 0
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
    """Transform products (side^2, P, lane) back to n output channels of y, from channel o on."""
    height, width, outs = out
    low, high = bounds
    count = (piece[1] - piece[0]) * (piece[3] - piece[2]) * across
    step = apart(count * lane)
    row = (m + 2) * step
    edge = np.empty(m * m * lane, dtype=y.dtype)
    at = 0
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


@jit
def transform_kernels(
    m: int, weight: Any, turned: bool, packed: Any, width: int, first: int, last: int
) -> None:
    """Transform kernels (O, C, 9) to (blocks, side^2, C, width): blocks ``[first, last)``.

    ``turned``: kernels turned around, and input channels are output channels.
    """
    outs, inner = weight.shape[0], weight.shape[1]
    if turned:
        outs, inner = inner, outs
    plain = np.zeros(9 * width, dtype=weight.dtype)
    step = apart(inner * width)
    row = (m + 2) * step
    for block in range(first, last):
        o = block * width
        for c in range(inner):
            for lane in range(min(width, outs - o)):
                kernel = weight[c, o + lane] if turned else weight[o + lane, c]
                for k in range(9):
                    plain[k * width + lane] = kernel[8 - k if turned else k]
            at = block * (m + 2) * row + c * width
            if m == 4:
                _KERNELS_4(plain, 0, 3 * width, width, packed, at, row, step, width, plain, 0)
            else:
                _KERNELS_2(plain, 0, 3 * width, width, packed, at, row, step, width, plain, 0)


@jit
def kernel_gradients(m: int, sums: Any, dweight: Any, width: int, first: int, last: int) -> None:
    """Add up sums (S, side^2, C, O) in order and transform them back to (O, C, 9).

    Only input channels ``[first, last)``.
    """
    parts = sums.shape[0]
    outs = dweight.shape[0]
    side, plain = m + 2, np.zeros(9 * width, dtype=dweight.dtype)
    total = np.zeros((side * side, width), dtype=dweight.dtype)
    flat = total.reshape(-1)
    for c in range(first, last):
        for o in range(0, outs, width):
            n = min(width, outs - o)
            for point in range(side * side):
                line = total[point, :n]
                line[:] = sums[0, point, c, o : o + n]
                for part in range(1, parts):
                    line += sums[part, point, c, o : o + n]
            if m == 4:
                _FROM_KERNELS_4(
                    flat, 0, side * width, width, plain, 0, 3 * width, width, n, flat, 0
                )
            else:
                _FROM_KERNELS_2(
                    flat, 0, side * width, width, plain, 0, 3 * width, width, n, flat, 0
                )
            for lane in range(n):
                for k in range(9):
                    dweight[o + lane, c, k] = plain[k * width + lane]
