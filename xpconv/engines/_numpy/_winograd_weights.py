"""Winograd's weight gradients on NumPy, summed over the pieces in a fixed order."""

from __future__ import annotations

import numpy as np

from .._problem import Problem
from .._winograd import filtering_for, tiles, transposed
from . import _weights
from ._tiles import read, region_size, squared, tile_pieces
from ._winograd import piece_tiles
from ._work import buffers, memory, side_by_side

_SUM = 5 * 2**20  # bytes of the sums of one task: they are read and written for each piece
_SUMS = 16 * 2**20  # bytes of all tasks' sums together
_BYTES = 2 * 2**20  # of a piece's transformed tiles
_CHANNELS = 32
_TASKS = 8


def weight_gradient(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C, 3, 3)."""
    filtering = filtering_for(problem)
    points, m = filtering.side**2, filtering.m
    down, across = tiles(filtering, problem.out_size)
    outs, channels = problem.out_channels, problem.in_channels
    whole = points * channels * outs * x.dtype.itemsize
    parts = max(1, min(-(-whole // _SUM), channels // _CHANNELS))
    parts = next(k for k in range(parts, 0, -1) if channels % k == 0)
    width = channels // parts
    count = piece_tiles(problem, filtering, width + outs, _BYTES)
    pieces = tile_pieces(problem.batch, down, across, count)
    lanes = max(1, min(-(-_TASKS // parts), len(pieces), _SUMS // whole))
    sums = memory((lanes, points, channels, outs), x.dtype)
    forth = squared(filtering.inputs, x.dtype)
    back = squared(transposed(filtering.outputs), x.dtype)
    corner = (-problem.padding[0][0], -problem.padding[1][0])

    def work(number: int) -> None:
        part, lane = divmod(number, lanes)
        ins = slice(part * width, (part + 1) * width)
        total = sums[lane, :, ins]
        for k, piece in enumerate(pieces[lane::lanes]):
            images, rows = piece.last - piece.first, piece.bottom - piece.top
            p = images * rows * across
            size = region_size(across, rows, images, m, filtering.side) * max(width, outs)
            region, plain, inputs, outputs, more = buffers(
                x.dtype,
                (size,),
                (p * points * max(width, outs),),
                (p, points, width),
                (p, points, outs),
                (points, width, outs) if k else (0,),
            )
            seen = plain[: inputs.size].reshape(p, points, width)
            read(x[..., ins], piece, across, m, corner, region, seen)
            np.matmul(forth, seen, out=inputs)
            met = plain[: p * m * m * outs].reshape(p, m * m, outs)
            read(dy, piece, across, m, (0, 0), region, met)
            np.matmul(back, met, out=outputs)
            # (36, C, P) @ (36, P, O) -> (36, C, O)
            left, right = inputs.transpose(1, 2, 0), outputs.transpose(1, 0, 2)
            if k == 0:
                np.matmul(left, right, out=total)
            else:
                np.add(total, np.matmul(left, right, out=more), out=total)

    side_by_side(work, parts * lanes, 4 * 2**20)
    dweight = _finished(problem, sums, squared(filtering.kernels, x.dtype))
    return dweight if np.isfinite(dweight).all() else _weights.weight_grad(problem, x, dy)


def _finished(problem: Problem, sums: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Add up the lanes and transform them: (L, 36, C, O) -> (O, C, 3, 3)."""
    outs, channels = problem.out_channels, problem.in_channels
    dweight = memory((outs, channels, 3, 3), sums.dtype)
    taps = dweight.reshape(outs, channels, 9).transpose(1, 0, 2)
    count = min(4, channels)

    def work(number: int) -> None:
        part = slice(number * channels // count, (number + 1) * channels // count)
        total = sums[0, :, part]
        for lane in sums[1:]:
            np.add(total, lane[:, part], out=total)
        # (O, 36) @ (36, 9) -> (O, 9), for each input channel
        np.matmul(total.transpose(1, 2, 0), matrix, out=taps[part])

    side_by_side(work, count, 0)
    return dweight
