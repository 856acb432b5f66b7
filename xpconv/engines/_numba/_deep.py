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
from ._tiles import apart, gather_tiles, scatter_tiles


@jit
def gather_pieces(
    tiling: Any,
    gradient: bool,
    pieces: Any,
    x: Any,
    steps: Any,
    buffer: Any,
    tiles: Any,
    step: int,
) -> bool:
    """Transform the tiles of some pieces (images, rows of tiles, number of the first tile).

    Return whether what they saw is finite.
    """
    m, channels, overlap = tiling.m, tiling.size[3], 0 if gradient else 2
    doubt = np.zeros(channels, dtype=tiles.dtype)
    for piece in pieces:
        low = (0, piece[2] * m - tiling.above, -tiling.left)
        high = (1, piece[3] * m + overlap - tiling.above, tiling.across * m + overlap - tiling.left)
        images, rows = piece[1] - piece[0], piece[3] - piece[2]
        copy_region(x, steps, tiling.size, buffer, piece[0], images, low, high)
        gather_tiles(
            m, gradient, buffer, images, rows, tiling.across, channels, tiles,
            piece[4] * channels, step, doubt,
        )  # fmt: skip
    return bool(np.all(doubt == 0))


@jit
def multiply_block(
    tiling: Any,
    piece: Any,
    turned: bool,
    block: int,
    tiles: Any,
    step: int,
    weight: Any,
    kernels: Any,
    products: Any,
    some: int,
    start: Any,
    bounds: Any,
    y: Any,
) -> bool:
    """Write a block of output channels for all tiles of a piece; return whether it is finite."""
    outs, channels, values = tiling.out[2], tiling.size[3], tiling.values
    lane, points, finite = 2 * tiling.lanes, (tiling.m + 2) ** 2, True
    count = (piece[1] - piece[0]) * (piece[3] - piece[2]) * tiling.across
    none, source, target = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    zeros = np.zeros(lane, dtype=y.dtype)
    o = block * lane
    n = min(lane, outs - o)
    apiece = apart(count * lane)
    for c in range(0, channels, some):
        last = min(c + some, channels)
        far = apart((last - c) * lane)
        finite &= transform_kernels(
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
    return finite


@jit
def correlate_block(
    tiling: Any,
    count: int,
    tiles: Any,
    step: int,
    dtiles: Any,
    dstep: int,
    c: int,
    last: int,
    block: int,
    sums: Any,
    dweight: Any,
) -> bool:
    """Write input channels ``[c, last)`` and a block of output channels of a weight gradient.

    Return whether they are finite.
    """
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
    finite: bool = kernel_gradients(
        tiling.m, sums, 0, lane, (last - c) * lane, (channels, outs), dweight, c, last, o,
        tiling.lanes,
    )  # fmt: skip
    return finite
