"""Pieces of a convolution by Winograd's minimal filtering, and of its weight gradient.

A piece is some rows of tiles of one image, or some images. Its transformed tiles (side^2, P, C) are
multiplied by transformed kernels in side^2 products, one block of output channels after the other,
so that what is transformed back still stands in the cache.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._copy import copy_region
from ._jit import jit
from ._sweep import Values, sweep
from ._team import run, span
from ._tiles import apart, gather_tiles, scatter_tiles
from ._words import hand_over


class Tiling(NamedTuple):
    """What the pieces of one convolution have in common."""

    m: int
    """Outputs a side of a tile."""
    tall: int
    """Most rows of a register tile."""
    lanes: int
    """Numbers in a vector."""
    size: tuple[int, int, int, int]
    """1, H, W and C of x."""
    above: int
    """Padding above the first tile; negative where rows are left out."""
    left: int
    """Padding left of the first tile."""
    out: tuple[int, int, int]
    """OH, OW and O."""
    across: int
    """Tiles in a row."""
    values: Values = Values()


@jit
def _fetch(
    tiling: Any, piece: Any, x: Any, steps: Any, buffer: Any, tiles: Any, doubt: Any
) -> None:
    """Bring a piece's input to the buffer, and its transformed tiles to ``tiles``."""
    m, channels = tiling.m, tiling.size[3]
    low = (0, piece[2] * m - tiling.above, -tiling.left)
    high = (1, piece[3] * m + 2 - tiling.above, tiling.across * m + 2 - tiling.left)
    images, rows = piece[1] - piece[0], piece[3] - piece[2]
    copy_region(x, steps, tiling.size, buffer, piece[0], images, low, high)
    step = apart(images * rows * tiling.across * channels)
    gather_tiles(m, False, buffer, images, rows, tiling.across, channels, tiles, 0, step, doubt)


@jit
def cut(buffer: Any, rooms: Any) -> Any:
    """Cut a worker's memory into its three rooms."""
    a, b, _ = rooms
    return buffer[:a], buffer[a : a + b], buffer[a + b :]


@jit
def winograd_pieces(
    turn: Any,
    tiling: Any,
    pieces: Any,
    x: Any,
    steps: Any,
    buffers: Any,
    rooms: Any,
    kernels: Any,
    start: Any,
    bounds: Any,
    y: Any,
    finite: Any,
) -> Any:
    """Write y for pieces (images, rows of tiles), and whether what a turn saw is finite."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    buffer, tiles, products = cut(buffers[turn.worker], rooms)
    first, last = span(turn, len(pieces))

    outs, channels, values = tiling.out[2], tiling.size[3], tiling.values
    lane, points = 2 * tiling.lanes, (tiling.m + 2) ** 2
    none, source, target = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    zeros, doubt = np.zeros(lane, dtype=y.dtype), np.zeros(channels, dtype=y.dtype)
    for piece in pieces[first:last]:
        _fetch(tiling, piece, x, steps, buffer, tiles, doubt)
        count = (piece[1] - piece[0]) * (piece[3] - piece[2]) * tiling.across
        for block in range((outs + lane - 1) // lane):
            o = block * lane
            n = min(lane, outs - o)
            for point in range(points):
                source[0], target[0] = point * apart(count * channels), point * apart(count * lane)
                sweep(
                    tiling.tall, tiling.lanes, zeros, values.zero, values.no,
                    values.low, values.high,
                    tiles, source, channels, values.one,
                    kernels, (block * points + point) * apart(channels * lane), lane, values.zero,
                    products, target, lane, none, none, channels, count, n,
                )  # fmt: skip
            scatter_tiles(
                tiling.m, products, 0, apart(count * lane), piece, tiling.across, lane, n, start, o,
                bounds, y, tiling.out,
            )  # fmt: skip
    finite[turn.number] = np.all(doubt == 0)
    return True


@jit
def winograd_sums(
    turn: Any,
    tiling: Any,
    pieces: Any,
    edges: Any,
    splits: Any,
    x: Any,
    steps: Any,
    buffers: Any,
    rooms: Any,
    dy: Any,
    dsteps: Any,
    sums: Any,
) -> Any:
    """Add products of transformed x and dy to sums (parts, side^2, C, O).

    Each number is one part, pieces from one of the ``edges`` to the next, and output channels from
    one of the ``splits`` to the next.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    part, split = turn.number // (len(splits) - 1), turn.number % (len(splits) - 1)
    first, outs = splits[split], splits[split + 1] - splits[split]
    buffer, tiles, dtiles = cut(buffers[turn.worker], rooms)
    own = sums[part].reshape(-1)
    height, width, all_outs = tiling.out
    m, channels, values = tiling.m, tiling.size[3], tiling.values
    none, source, target = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    given, doubt = dy[first * dsteps[4] :], np.zeros(channels, dtype=sums.dtype)
    for piece in pieces[edges[part] : edges[part + 1]]:
        _fetch(tiling, piece, x, steps, buffer, tiles, doubt)
        images, rows = piece[1] - piece[0], piece[3] - piece[2]
        low, high = (0, piece[2] * m, 0), (1, piece[3] * m, tiling.across * m)
        copy_region(given, dsteps, (1, height, width, outs), buffer, piece[0], images, low, high)
        count = images * rows * tiling.across
        step = apart(count * outs)
        gather_tiles(m, True, buffer, images, rows, tiling.across, outs, dtiles, 0, step, doubt)
        for point in range((m + 2) ** 2):
            source[0] = point * apart(count * channels)
            target[0] = point * channels * all_outs + first
            sweep(
                tiling.tall, tiling.lanes, own, values.zero, values.yes, values.low, values.high,
                tiles, source, values.one, channels,
                dtiles, point * apart(count * outs), outs, 2 * tiling.lanes,
                own, target, all_outs, none, none, count, channels, outs,
            )  # fmt: skip
    return True
