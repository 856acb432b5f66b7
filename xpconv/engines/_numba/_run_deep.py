"""Winograd's filtering of many channels: what is transformed when, and by which thread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..._workspace import workspace_budget
from .._scratch import aligned, scratch
from ._deep import correlate_blocks, gather_pieces, multiply_blocks
from ._memory import BOUNDS, memory, turns_of, whole_lines
from ._pack import LINE, add_up
from ._team import share
from ._tiles import apart

if TYPE_CHECKING:
    from ._run_winograd import Work

_TILES = 2**24  # bytes of transformed tiles at a time: they stay in the cache that cores share
_CHANNELS = 256  # whose transformed kernels stay in a core's cache


def convolve(
    work: Work,
    x: np.ndarray,
    weight: np.ndarray,
    start: np.ndarray,
    turned: bool,
    activation: str | None,
    threads: int,
) -> np.ndarray | None:
    """Return y (N, OH, OW, O), or None where something is not finite."""
    tiling, lane = work.tiling, 2 * work.lanes
    channels, outs = tiling.size[3], tiling.out[2]
    y = aligned(work.batch * math.prod(tiling.out), x.dtype)
    some, bounds = _even(channels), BOUNDS[activation]
    pieces = work.pieces(_budget(), 1)
    tiles = aligned(work.points * apart(_count(work, pieces) * channels), x.dtype)
    blocks, room = math.ceil(outs / lane), work.points * apart(some * lane)
    finite = np.empty(blocks, dtype=np.bool_)
    for piece in pieces:
        count = _count(work, piece[None])
        step = apart(count * channels)
        if not _gather(work, tiling, False, x, piece, tiles, step, threads):
            return None
        buffers = _buffers(room + work.points * apart(count * lane), x.dtype, threads)
        share(
            multiply_blocks, blocks, threads, tiling, piece, turned, tiles, step, weight,
            buffers, room, some, start, bounds, y, finite,
        )  # fmt: skip
        if not finite.all():
            return None
    return y.reshape(work.batch, *tiling.out)


def weight_gradient(work: Work, x: np.ndarray, dy: np.ndarray, threads: int) -> np.ndarray | None:
    """Return dweight (O, C, 9), or None where something is not finite."""
    tiling, lane = work.tiling, 2 * work.lanes
    channels, outs = tiling.size[3], tiling.out[2]
    given = tiling._replace(size=(1, *tiling.out), above=0, left=0)
    some = _even(channels)
    blocks, size = math.ceil(outs / lane), outs * channels * 9
    pieces = work.pieces(_budget() * channels // (channels + outs), 1)
    most = _count(work, pieces)
    tiles = aligned(work.points * apart(most * channels), x.dtype)
    dtiles = aligned(work.points * apart(most * outs), x.dtype)
    dweight = aligned(min(2, len(pieces)) * size, x.dtype).reshape(-1, size)
    turns = math.ceil(channels / some) * blocks
    finite = np.empty(turns, dtype=np.bool_)
    buffers = _buffers(work.points * some * lane, x.dtype, threads)
    for number, piece in enumerate(pieces):
        count = _count(work, piece[None])
        step, dstep = apart(count * channels), apart(count * outs)
        if not (
            _gather(work, tiling, False, x, piece, tiles, step, threads)
            and _gather(work, given, True, dy, piece, dtiles, dstep, threads)
        ):
            return None
        share(
            correlate_blocks, turns, threads, tiling, count, tiles, step, dtiles, dstep,
            some, buffers, dweight[min(number, 1)], finite,
        )  # fmt: skip
        if not finite.all():
            return None
        if number:
            share(add_up, math.ceil(size / LINE), threads, dweight)
    found: np.ndarray = dweight[0]
    return found.reshape(outs, channels, 9)


def _buffers(room: int, dtype: np.dtype, threads: int) -> np.ndarray:
    room = whole_lines(room)
    return scratch(threads * room, dtype).reshape(threads, room)


def _even(channels: int) -> int:
    """So many channels at a time that the last ones are about as many."""
    return math.ceil(channels / math.ceil(channels / _CHANNELS))


def _budget() -> int:
    return min(_TILES, workspace_budget(_TILES))


def _count(work: Work, pieces: np.ndarray) -> int:
    """Tiles of the largest piece."""
    tiles = (pieces[:, 1] - pieces[:, 0]) * (pieces[:, 3] - pieces[:, 2])
    return int(tiles.max()) * work.tiling.across


def _gather(
    work: Work,
    tiling: object,
    gradient: bool,
    x: np.ndarray,
    piece: np.ndarray,
    tiles: np.ndarray,
    step: int,
    threads: int,
) -> bool:
    """Transform all tiles of a piece; say whether all that they saw is finite."""
    rows = [(n, row) for n in range(piece[0], piece[1]) for row in range(piece[2], piece[3])]
    across = work.tiling.across
    each_row = np.array([(n, n + 1, r, r + 1, k * across) for k, (n, r) in enumerate(rows)])
    buffers = _buffers(work.across_numbers(x.shape[-1]), x.dtype, threads)
    turns = turns_of(len(each_row), threads)
    finite = np.empty(turns, dtype=np.bool_)
    share(
        gather_pieces, turns, threads, tiling, gradient, each_row, *memory(x),
        buffers, tiles, step, finite,
    )  # fmt: skip
    return bool(finite.all())
