"""Convolutions of few channels on NumPy: several places of a row at a time, by banded matrices.

Windows of neighbours overlap. What some places of a row see together is one row of columns, a
little longer than one window, and the kernels stand in a band of a matrix for all of these places.
That is more to multiply, and less to lay out, in products that are not too slim for BLAS.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._pieces import Piece, input_region
from .._problem import Problem
from ._band_matrices import band, banded, inner, run, width
from ._columns import images_in_rows
from ._cuts import cuts
from ._finish import finish
from ._groups import gathered, padded_groups, places_of, spread
from ._small import few_rows, multiply, summed
from ._work import memory, piece_bytes, side_by_side

_BYTES = 8 * 2**20  # of a piece
_LANES = 8


def forward(
    problem: Problem,
    x: np.ndarray,
    kernels: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None,
) -> np.ndarray | None:
    """Return y (N, OH, OW, O) for kernels (G, KH, KW, C/G, O/G), or None where x is not finite.

    Then the zeros beside a band would make NaN of what a place does not see.
    """
    places, groups = width(problem), problem.groups
    y = memory((problem.batch, *problem.out_size, problem.out_channels), x.dtype)
    matrices = banded(problem, kernels, bias, places)
    pieces = _pieces(problem, x.itemsize, places, piece_bytes(_BYTES))
    step = few_rows(matrices)
    finite = [True] * len(pieces)

    def work(number: int) -> None:
        piece = pieces[number]
        part = y[piece.output]
        start, stop = input_region(problem, piece)
        seen = x[piece.first : piece.last, max(start, 0) : max(stop, 0)]
        finite[number] = bool(np.isfinite(seen).all())
        size = part.size if groups > 1 else 0
        cols, results = _columns(problem, x, piece, places, bias is not None, (size,))
        out = results if groups > 1 else part
        multiply(cols, matrices, out.reshape(*cols.shape[:2], -1), step)
        if groups > 1:
            spread(results, part, groups)
        finish(part, None, activation)

    side_by_side(work, len(pieces), _BYTES)
    return y if all(finite) else None


def weight_grad(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C/G, KH, KW): the sums along the band of ``columns^T @ dy``."""
    places, groups = width(problem), problem.groups
    pieces = _pieces(problem, x.itemsize, places, piece_bytes(_BYTES))
    lanes = min(_LANES, len(pieces))
    shape = (groups, inner(problem, places), places * problem.group_out)
    sums = memory((lanes, *shape), x.dtype)

    def work(lane: int) -> None:
        total = sums[lane]
        for k, piece in enumerate(pieces[lane::lanes]):
            part = dy[piece.output]
            cols, apart, more = _columns(
                problem, x, piece, places, False,
                (part.size if groups > 1 else 0,), shape if k else (0,),
            )  # fmt: skip
            if groups > 1:
                gathered(part, apart, groups)
                part = apart
            rows = part.reshape(*cols.shape[:2], -1)
            summed(cols.transpose(0, 2, 1), rows, more if k else total)
            if k:
                np.add(total, more, out=total)

    side_by_side(work, lanes, _BYTES)
    along = band(problem, np.add.reduce(sums, axis=0), places)
    dkernels = np.add.reduce(along, axis=1)  # (G, KH, KW, C/G, O/G)
    dweight = memory((problem.out_channels, problem.group_in, *problem.kernel_size), x.dtype)
    own = dweight.reshape(groups, problem.group_out, *dweight.shape[1:])
    np.copyto(own, np.moveaxis(dkernels, (-1, -2), (1, 2)))
    return dweight


def _pieces(problem: Problem, itemsize: int, places: int, budget: int) -> tuple[Piece, ...]:
    length = inner(problem, places)
    read = problem.in_channels * math.prod(problem.stride)
    row = (problem.groups * length // places + read + 2 * problem.out_channels) * itemsize
    return cuts(problem, row, budget, operations=2 * length * problem.out_channels)


def _columns(
    problem: Problem, x: np.ndarray, piece: Piece, places: int, ones: bool, *more: tuple[int, ...]
) -> list[np.ndarray]:
    """Return what places see together (G, rows, KH * run), and ``more`` buffers of these shapes.

    There may be another column, of ones.
    """
    length, groups = inner(problem, places) + ones, problem.groups
    shape, pitch = _layout(problem, piece, places, length, x.itemsize)
    size = (groups, places_of(piece, problem) // places, length)
    seen = images_in_rows if groups == 1 else padded_groups
    padded, cols, *rest = seen(problem, x, piece, size, *more)
    n, *spatial, _ = padded.strides
    steps = [b * s for b, s in zip(spatial, problem.stride, strict=True)]
    steps[-1] *= places
    apart = [b * d for b, d in zip(spatial[:-1], problem.dilation[:-1], strict=True)]
    view = as_strided(padded, shape, (n, *steps, *apart, x.itemsize), writeable=False)
    np.copyto(np.ndarray(shape, cols.dtype, cols, 0, pitch), view)
    if ones:
        cols[..., -1] = 1
    return [cols, *rest]


@lru_cache(maxsize=4096)
def _layout(
    problem: Problem, piece: Piece, places: int, length: int, item: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape and the strides of what is copied into the columns."""
    across = (*problem.kernel_size[:-1], run(problem, places))
    images = problem.groups * (piece.last - piece.first)
    outer = (images, piece.bottom - piece.top, *problem.out_size[1:])
    outer = (*outer[:-1], outer[-1] // places)
    pitch = [item * length * math.prod(outer[k + 1 :]) for k in range(len(outer))]
    inside = [item * math.prod(across[k + 1 :]) for k in range(len(across))]
    return outer + across, (*pitch, *inside)
