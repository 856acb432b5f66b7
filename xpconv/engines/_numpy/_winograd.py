"""Winograd's minimal filtering on NumPy: forward and input gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._problem import Problem
from .._winograd import Filtering, filtering_for, kernels_fit, tiles
from . import _convolve, _winograd_deep
from ._cuts import shares
from ._finish import finish
from ._tiles import read, region_size, squared, tile_pieces, write
from ._winograd_products import kernels, products
from ._work import buffers, memory, piece_bytes, side_by_side

_BYTES, _MOST = 4 * 2**20, 16 * 2**20  # of a piece's transformed tiles, and where they are large
_TILES = 64  # of a piece, if they are that many: fewer make slow products
_NUMBER, _PRODUCT = 11, 2 / 220  # nanoseconds for each channel of a tile, and each multiplication


def convolve(
    problem: Problem,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None,
    turned: bool,
) -> np.ndarray:
    """Return y (N, OH, OW, O); with ``turned`` dx (N, H, W, C) for ``x = dy``."""
    seen = _input_problem(problem) if turned else problem
    filtering = filtering_for(seen)
    if not kernels_fit(seen):
        deep = _winograd_deep.convolve(seen, filtering, x, weight, bias, activation, turned)
        return deep if deep is not None else _defined(problem, x, weight, bias, activation, turned)
    blocks = kernels(filtering, weight, turned)
    down, across = tiles(filtering, seen.out_size)
    channels, outs = seen.in_channels, seen.out_channels
    points, m, width = filtering.side**2, filtering.m, blocks.shape[-1]
    y = memory((seen.batch, *seen.out_size, outs), x.dtype)
    count = piece_tiles(seen, filtering, channels + outs, _BYTES)
    pieces = tile_pieces(seen.batch, down, across, count)
    forth, back = squared(filtering.inputs, x.dtype), squared(filtering.outputs, x.dtype)
    corner = (-seen.padding[0][0], -seen.padding[1][0])
    finite = [True] * len(pieces)

    def work(number: int) -> None:
        piece = pieces[number]
        images, rows = piece.last - piece.first, piece.bottom - piece.top
        p = images * rows * across
        size = region_size(across, rows, images, m, filtering.side) * channels
        region, seen_tiles, inputs, multiplied = buffers(
            x.dtype,
            (size,),
            (p, points, max(channels, outs)),
            (p, points, channels),
            (p, points, outs),
        )
        seen_tiles = seen_tiles.reshape(-1)
        plain = seen_tiles[: p * points * channels].reshape(p, points, channels)
        read(x, piece, across, m, corner, region, plain)
        np.matmul(forth, plain, out=inputs)
        for k, block in enumerate(blocks):
            products(inputs, block, multiplied[..., k * width : (k + 1) * width])
        results = seen_tiles[: p * m * m * outs].reshape(p, m * m, outs)
        np.matmul(back, multiplied, out=results)
        # What is not finite has spread over its tile, so one number of each tile tells.
        finite[number] = bool(np.isfinite(results[:, 0]).all())
        finish(results, bias, activation)
        write(results, piece, across, y)

    side_by_side(work, len(pieces), 2 * _BYTES)
    return y if all(finite) else _defined(problem, x, weight, bias, activation, turned)


def _defined(
    problem: Problem,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None,
    turned: bool,
) -> np.ndarray:
    """Return the same by the sums of the definition."""
    if turned:
        return _convolve.input_grad(problem, x, weight)
    return _convolve.forward(problem, x, weight, bias, activation)


def _input_problem(problem: Problem) -> Problem:
    """Return the convolution of dy that is dx; its padding may be negative."""
    return replace(
        problem,
        in_channels=problem.out_channels,
        out_channels=problem.in_channels,
        in_size=problem.out_size,
        padding=tuple((2 - before, 2 - after) for before, after in problem.padding),
    )


def piece_tiles(problem: Problem, filtering: Filtering, channels: int, budget: int) -> int:
    """Return how many tiles of so many channels, of inputs and outputs, one piece has."""
    down, across = tiles(filtering, problem.out_size)
    points, total = filtering.side**2, problem.batch * down * across
    size = points * channels * np.dtype(problem.dtype).itemsize
    most = max(piece_bytes(budget) // size, min(_TILES, piece_bytes(_MOST) // size), 1)
    products = points * problem.in_channels * problem.out_channels
    share = -(-total // shares(total * (_NUMBER * channels + _PRODUCT * products)))
    if share < down * across:  # rows of tiles are not cut
        share = -(-share // across) * across
    return min(most, share)
