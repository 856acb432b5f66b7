"""Winograd's minimal filtering on NumPy: forward and input gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._problem import Problem
from .._winograd import Filtering, filtering_for, tiles
from . import _convolve
from ._finish import finish
from ._tiles import read, region_size, squared, tile_pieces, write
from ._work import buffers, memory, piece_bytes, side_by_side

_BYTES = 2 * 2**20  # of a piece's transformed tiles
_TILES = 64  # of a piece, if they are that many: fewer make slow products
_KERNELS_ALONE = 2**13  # kernels that one thread transforms as fast as several


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
    kernels = _kernels(filtering, weight, turned)
    down, across = tiles(filtering, seen.out_size)
    channels, outs = seen.in_channels, seen.out_channels
    points, m = filtering.side**2, filtering.m
    y = memory((seen.batch, *seen.out_size, outs), x.dtype)
    count = piece_tiles(seen, filtering, channels + outs)
    pieces = tile_pieces(seen.batch, down, across, count)
    forth, back = squared(filtering.inputs, x.dtype), squared(filtering.outputs, x.dtype)
    corner = (-seen.padding[0][0], -seen.padding[1][0])
    finite = [True] * len(pieces)

    def work(number: int) -> None:
        piece = pieces[number]
        images, rows = piece.last - piece.first, piece.bottom - piece.top
        p = images * rows * across
        size = region_size(across, rows, images, m, filtering.side) * channels
        region, seen_tiles, inputs, products = buffers(
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
        # (36, P, C) @ (36, C, O) -> (36, P, O)
        np.matmul(inputs.transpose(1, 0, 2), kernels, out=products.transpose(1, 0, 2))
        results = seen_tiles[: p * m * m * outs].reshape(p, m * m, outs)
        np.matmul(back, products, out=results)
        # What is not finite has spread over its tile, so one number of each tile tells.
        finite[number] = bool(np.isfinite(results[:, 0]).all())
        finish(results, bias, activation)
        write(results, piece, across, y)

    side_by_side(work, len(pieces), 4 * _BYTES)
    if all(finite):
        return y
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


def piece_tiles(problem: Problem, filtering: Filtering, channels: int) -> int:
    """Return how many tiles of so many channels, of inputs and outputs, one piece has."""
    down, across = tiles(filtering, problem.out_size)
    size = filtering.side**2 * channels * np.dtype(problem.dtype).itemsize
    wanted = max(piece_bytes(_BYTES) // size, min(_TILES, piece_bytes(8 * _BYTES) // size), 1)
    total = problem.batch * down * across
    return min(wanted, -(-total // 4)) if total >= 2 * _TILES else wanted


def _kernels(filtering: Filtering, weight: np.ndarray, turned: bool) -> np.ndarray:
    """Return transformed kernels (36, C, O), with ``turned`` (36, O, C) of those turned around."""
    outs, ins = weight.shape[:2]
    matrix = squared(filtering.kernels, weight.dtype)
    taps = weight.reshape(outs, ins, 9)
    if turned:
        matrix, taps = np.ascontiguousarray(matrix[:, ::-1]), taps.transpose(0, 2, 1)
    else:
        taps = taps.transpose(1, 2, 0)
    length, _, width = taps.shape
    kernels = memory((len(matrix), length, width), weight.dtype)
    count = 1 if outs * ins <= _KERNELS_ALONE else 4

    def work(number: int) -> None:
        part = slice(number * length // count, (number + 1) * length // count)
        # (36, 9) @ (9, O) -> (36, O), for each input channel
        np.matmul(matrix, taps[part], out=kernels[:, part].transpose(1, 0, 2))

    side_by_side(work, count, 0)
    return kernels
