"""Input gradients of few channels on NumPy: what several places send back to a row of the input.

The gradient of a row of columns, as `_bands` makes them, is a product with the same banded matrix
turned. It is added to the rows that the columns were copied from.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._offsets import offsets
from .._problem import Problem
from ._band_matrices import banded, inner, run, width
from ._cuts import cuts, of_images
from ._small import few_rows, multiply
from ._work import buffers, memory, piece_bytes, side_by_side

_BYTES = 8 * 2**20  # of a piece


def input_grad(problem: Problem, dy: np.ndarray, kernels: np.ndarray) -> np.ndarray | None:
    """Return dx (N, H, W, C) for kernels (1, KH, KW, C, O), or None where dy is not finite.

    The windows of an image are added in a fixed order by one thread.
    """
    places = width(problem)
    dx = memory((problem.batch, *problem.in_size, problem.in_channels), dy.dtype)
    matrix = np.ascontiguousarray(banded(problem, kernels, None, places).transpose(0, 2, 1))
    length = inner(problem, places)
    row = (length // places + problem.in_channels + problem.out_channels) * dy.itemsize
    operations = 2 * length * problem.out_channels
    pieces = cuts(problem, row, piece_bytes(_BYTES), operations=operations)
    tasks = of_images(pieces)
    step = few_rows(matrix)
    finite = [True] * len(tasks)
    pads = problem.padding
    size = [s + sum(p) for s, p in zip(problem.in_size, pads, strict=True)]
    inside = tuple(slice(a, a + s) for s, (a, _) in zip(problem.in_size, pads, strict=True))

    def work(number: int) -> None:
        first, last = tasks[number][0][:2]
        most = max(p.bottom - p.top for p in tasks[number])
        rest = (*problem.out_size[1:-1], problem.out_size[-1] // places)
        rows = (last - first) * most * math.prod(rest)
        target, space = buffers(
            dy.dtype, (last - first, *size, problem.in_channels), (1, rows, length)
        )
        target[...] = 0
        for piece in tasks[number]:
            part = dy[piece.output]
            finite[number] &= bool(np.isfinite(part).all())
            given = part.reshape(1, -1, matrix.shape[1])
            dcols = space[:, : given.shape[1]]
            multiply(given, matrix, dcols, step)
            _add_back(problem, dcols, target, piece.top, (piece.bottom - piece.top, *rest), places)
        np.copyto(dx[first:last], target[(slice(None), *inside)])

    side_by_side(work, len(tasks), _BYTES)
    return dx if all(finite) else None


def _add_back(
    problem: Problem,
    dcols: np.ndarray,
    target: np.ndarray,
    top: int,
    outer: tuple[int, ...],
    places: int,
) -> None:
    """Add columns (1, rows, KH * run) to where they come from in padded images (N, H, W, C)."""
    taps, length = problem.kernel_size[:-1], run(problem, places)
    every = dcols.reshape(len(target), *outer, *taps, length)
    block = places * problem.stride[-1] * problem.in_channels  # numbers from a block to the next
    apart = -(-length // block)  # blocks that do not reach one another
    lead = (slice(None),) * problem.ndim
    rows = target.reshape(*target.shape[:-2], -1)[:, top * problem.stride[0] :]
    keys = list(offsets(taps, problem.stride[:-1], problem.dilation[:-1], outer[:-1]))
    for first in range(min(apart, outer[-1])):
        count = -(-(outer[-1] - first) // apart)
        start = first * block
        seen = rows[..., start : start + (count - 1) * apart * block + length]
        shape = (*seen.shape[:-1], count, length)
        strides = (*seen.strides[:-1], apart * block * seen.itemsize, seen.itemsize)
        view = as_strided(seen, shape, strides)
        for tap, key in enumerate(keys):
            own = view[(slice(None), *key)]
            part = every[(*lead, slice(first, None, apart))]
            some = part.reshape(*part.shape[: problem.ndim + 1], -1, length)[..., tap, :]
            np.add(own, some, out=own)
