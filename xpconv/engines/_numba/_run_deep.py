"""Winograd's filtering of many channels: what is transformed when, and by which thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..._workspace import workspace_budget
from .._scratch import aligned, scratch
from ._deep import correlate_block, gather_pieces, multiply_block
from ._memory import BOUNDS, memory, share
from ._pack import add_up
from ._run import LINE
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
    finite: list[bool] = []
    gather = _gatherer(work, tiling, False, x, finite, threads)
    for piece in pieces:
        count = _count(work, piece[None])
        step = apart(count * channels)
        gather(piece, tiles, step)
        if not all(finite):
            return None

        def block(
            k: int, piece: np.ndarray = piece, count: int = count, step: int = step,
        ) -> bool:  # fmt: skip
            room = work.points * apart(some * lane)
            buffer = scratch(room + work.points * apart(count * lane), x.dtype)
            done: bool = multiply_block(
                tiling, piece, turned, k, tiles, step, weight, buffer[:room], buffer[room:], some,
                start, bounds, y,
            )  # fmt: skip
            return done

        _share(block, math.ceil(outs / lane), threads, finite)
    return y.reshape(work.batch, *tiling.out) if all(finite) else None


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
    finite: list[bool] = []
    gather = _gatherer(work, tiling, False, x, finite, threads)
    gather_given = _gatherer(work, given, True, dy, finite, threads)
    for number, piece in enumerate(pieces):
        count = _count(work, piece[None])
        step, dstep = apart(count * channels), apart(count * outs)
        gather(piece, tiles, step)
        gather_given(piece, dtiles, dstep)
        target = dweight[min(number, 1)]

        def part(
            k: int, count: int = count, step: int = step, dstep: int = dstep,
            target: np.ndarray = target,
        ) -> bool:  # fmt: skip
            c, block = k // blocks * some, k % blocks
            sums = scratch(work.points * some * lane, x.dtype)
            done: bool = correlate_block(
                tiling, count, tiles, step, dtiles, dstep, c, min(c + some, channels), block, sums,
                target,
            )  # fmt: skip
            return done

        _share(part, math.ceil(channels / some) * blocks, threads, finite)
        if number:
            share(lambda a, b: add_up(dweight, LINE * a, LINE * b), -(-size // LINE), threads)
    return dweight[0].reshape(outs, channels, 9) if all(finite) else None


def _share(work: Callable[[int], bool], count: int, threads: int, finite: list[bool]) -> None:
    """Let threads take turns, and keep what each call returns."""
    share(lambda first, last: finite.extend(map(work, range(first, last))), count, threads)


def _even(channels: int) -> int:
    """So many channels at a time that the last ones are about as many."""
    return math.ceil(channels / math.ceil(channels / _CHANNELS))


def _budget() -> int:
    return min(_TILES, workspace_budget(_TILES))


def _count(work: Work, pieces: np.ndarray) -> int:
    """Tiles of the largest piece."""
    tiles = (pieces[:, 1] - pieces[:, 0]) * (pieces[:, 3] - pieces[:, 2])
    return int(tiles.max()) * work.tiling.across


def _gatherer(
    work: Work,
    tiling: object,
    gradient: bool,
    x: np.ndarray,
    finite: list[bool],
    threads: int,
) -> Callable[[np.ndarray, np.ndarray, int], None]:
    """Return what transforms all tiles of a piece."""
    source, steps = memory(x)
    wide = work.across_numbers(x.shape[-1])

    def gather(piece: np.ndarray, tiles: np.ndarray, step: int) -> None:
        rows = [(n, row) for n in range(piece[0], piece[1]) for row in range(piece[2], piece[3])]
        across = work.tiling.across
        each_row = np.array([(n, n + 1, r, r + 1, k * across) for k, (n, r) in enumerate(rows)])

        def some(first: int, last: int) -> None:
            done = gather_pieces(
                tiling, gradient, each_row[first:last], source, steps, scratch(wide, x.dtype),
                tiles, step,
            )  # fmt: skip
            finite.append(done)

        share(some, len(each_row), threads)

    return gather
