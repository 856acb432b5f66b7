"""Winograd's filtering of many channels, whose transformed kernels do not fit into a core's cache.

First all tiles of the input are transformed. Then each block of output channels takes its kernels,
transforms some input channels of them, multiplies all tiles by those and goes on to the next: what
is transformed never leaves the cache. The gradient of the kernels is formed likewise, some channels
of either side at a time, and transformed back where it stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._copy import copy_region
from ._jit import jit
from ._kernels import kernel_gradients, transform_kernels
from ._sweep import sweep
from ._team import run, span
from ._tiles import apart, gather_tiles, scatter_tiles
from ._words import hand_over


@jit
def gather_pieces(
    turn: Any,
    tiling: Any,
    gradient: bool,
    pieces: Any,
    x: Any,
    steps: Any,
    buffers: Any,
    tiles: Any,
    step: int,
    finite: Any,
) -> Any:
    """Transform the tiles of pieces (images, rows of tiles, number of the first tile).

    Write whether what a turn saw is finite.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = span(turn, len(pieces))
    buffer = buffers[turn.worker]
    m, channels, overlap = tiling.m, tiling.size[3], 0 if gradient else 2
    doubt = np.zeros(channels, dtype=tiles.dtype)
    for piece in pieces[first:last]:
        low = (0, piece[2] * m - tiling.above, -tiling.left)
        high = (1, piece[3] * m + overlap - tiling.above, tiling.across * m + overlap - tiling.left)
        images, rows = piece[1] - piece[0], piece[3] - piece[2]
        copy_region(x, steps, tiling.size, buffer, piece[0], images, low, high)
        gather_tiles(
            m, gradient, buffer, images, rows, tiling.across, channels, tiles,
            piece[4] * channels, step, doubt,
        )  # fmt: skip
    finite[turn.number] = np.all(doubt == 0)
    return True


@jit
def multiply_blocks(
    turn: Any,
    tiling: Any,
    piece: Any,
    turned: bool,
    tiles: Any,
    step: int,
    weight: Any,
    buffers: Any,
    room: int,
    some: int,
    start: Any,
    bounds: Any,
    y: Any,
    finite: Any,
) -> Any:
    """Write blocks of output channels for all tiles of a piece, and whether they are finite."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    block, buffer = turn.number, buffers[turn.worker]
    kernels, products = buffer[:room], buffer[room:]
    outs, channels, values = tiling.out[2], tiling.size[3], tiling.values
    lane, points = 2 * tiling.lanes, (tiling.m + 2) ** 2
    count = (piece[1] - piece[0]) * (piece[3] - piece[2]) * tiling.across
    none, source, target = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    zeros = np.zeros(lane, dtype=y.dtype)
    o = block * lane
    n = min(lane, outs - o)
    apiece = apart(count * lane)
    finite[block] = True
    for c in range(0, channels, some):
        last = min(c + some, channels)
        far = apart((last - c) * lane)
        finite[block] &= transform_kernels(
            tiling.m, weight, (channels, outs), turned, o, c, last, kernels, 0, far, tiling.lanes
        )
        for point in range(points):
            source[0], target[0] = point * step + c, point * apiece
            sweep(
                tiling.tall, tiling.lanes, products if c else zeros, values.zero, c > 0,
                values.low, values.high, tiles, source, channels, values.one,
                kernels, point * far, lane, values.zero,
                products, target, lane, none, none, last - c, count, n,
            )  # fmt: skip
    scatter_tiles(
        tiling.m, products, 0, apiece, piece, tiling.across, lane, n, start, o, bounds, y,
        tiling.out,
    )  # fmt: skip
    return True


@jit
def correlate_blocks(
    turn: Any,
    tiling: Any,
    count: int,
    tiles: Any,
    step: int,
    dtiles: Any,
    dstep: int,
    some: int,
    buffers: Any,
    dweight: Any,
    finite: Any,
) -> Any:
    """Write a weight gradient, and whether it is finite.

    Each number is ``some`` input channels and a block of output channels.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    blocks = (tiling.out[2] + 2 * tiling.lanes - 1) // (2 * tiling.lanes)
    c, block = turn.number // blocks * some, turn.number % blocks
    last, sums = min(c + some, tiling.size[3]), buffers[turn.worker]
    outs, channels, values = tiling.out[2], tiling.size[3], tiling.values
    lane, points = 2 * tiling.lanes, (tiling.m + 2) ** 2
    none, source, target = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    zeros = np.zeros(lane, dtype=sums.dtype)
    o = block * lane
    n = min(lane, outs - o)
    for point in range(points):
        source[0], target[0] = point * step + c, point * (last - c) * lane
        sweep(
            tiling.tall, tiling.lanes, zeros, values.zero, values.no, values.low, values.high,
            tiles, source, values.one, channels, dtiles, point * dstep + o, outs, values.zero,
            sums, target, lane, none, none, count, last - c, n,
        )  # fmt: skip
    finite[turn.number] = kernel_gradients(
        tiling.m, sums, 0, lane, (last - c) * lane, (channels, outs), dweight, c, last, o,
        tiling.lanes,
    )  # fmt: skip
    return True
