"""Winograd's filtering on NumPy for many channels, whose transformed kernels leave the caches.

Tiles are transformed first. Then each task has a block of the output channels: it transforms their
kernels, and uses them for all tiles while they are in its cache.
"""

from __future__ import annotations

import numpy as np

from .._problem import Problem
from .._winograd import Filtering, tiles
from ._finish import finish
from ._tiles import Piece, read, region_size, squared, tile_pieces, write
from ._winograd_products import block_width, products, taps_of, transform
from ._work import buffers, memory, piece_bytes, side_by_side

_BYTES = 16 * 2**20  # of transformed tiles at a time


def convolve(
    problem: Problem,
    filtering: Filtering,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None,
    turned: bool,
) -> np.ndarray | None:
    """Return y (N, OH, OW, O), or None where what is not finite has spread over a tile.

    ``problem`` is that of the gradient if ``turned``, as ``x`` is dy.
    """
    down, across = tiles(filtering, problem.out_size)
    channels, outs, side, m = problem.in_channels, problem.out_channels, filtering.side, filtering.m
    y = memory((problem.batch, *problem.out_size, outs), x.dtype)
    taps, width = taps_of(weight, turned), block_width(outs)
    wanted = piece_bytes(_BYTES) // (side**2 * channels * x.itemsize)
    back = squared(filtering.outputs, x.dtype)
    finite = [True] * (outs // width)

    def multiply(number: int) -> None:
        own = slice(number * width, (number + 1) * width)
        count = len(inputs)
        kernels, multiplied, results = buffers(
            x.dtype, (side**2, channels, width), (count, side**2, width), (count, m * m, width)
        )
        transform(filtering, taps[..., own], turned, kernels)
        products(inputs, kernels, multiplied)
        np.matmul(back, multiplied, out=results)
        finite[number] &= bool(np.isfinite(results[:, 0]).all())
        finish(results, None if bias is None else bias[own], activation)
        write(results, piece, across, y[..., own])

    for piece in tile_pieces(problem.batch, down, across, max(1, wanted)):
        inputs = _inputs(problem, filtering, x, piece, across)
        side_by_side(multiply, len(finite), 0)
    return y if all(finite) else None


def _inputs(
    problem: Problem, filtering: Filtering, x: np.ndarray, piece: Piece, across: int
) -> np.ndarray:
    """Return the transformed tiles (P, 36, C) of a piece."""
    side, m, channels = filtering.side, filtering.m, problem.in_channels
    forth = squared(filtering.inputs, x.dtype)
    corner = (-problem.padding[0][0], -problem.padding[1][0])
    images, rows = piece.last - piece.first, piece.bottom - piece.top
    inputs = memory((images * rows * across, side**2, channels), x.dtype)
    parts = [
        Piece(piece.first + some.first, piece.first + some.last, *some[2:])
        for some in tile_pieces(images, rows, across, -(-images // 4) * rows * across)
    ]

    def work(number: int) -> None:
        first, last, top, bottom = parts[number]
        own = inputs[(first - piece.first) * rows * across : (last - piece.first) * rows * across]
        size = region_size(across, rows, last - first, m, side) * channels
        region, seen = buffers(x.dtype, (size,), own.shape)
        some = Piece(first, last, piece.top + top, piece.top + bottom)
        read(x, some, across, m, corner, region, seen)
        np.matmul(forth, seen, out=own)

    side_by_side(work, len(parts), 0)
    return inputs
