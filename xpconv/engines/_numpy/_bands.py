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

from .._pieces import Piece
from .._problem import Problem
from ._columns import padded_images, short_runs
from ._cuts import cuts, few_places, is_matrix
from ._finish import finish
from ._small import few_rows, multiply, summed
from ._work import PIECE, memory, piece_bytes, side_by_side

# Nanoseconds of one core for a run of numbers that is copied, for each of its numbers, for each
# number that is copied by itself, and for each result that a bias is added to; multiply-adds a
# nanosecond, and those of products of one vector.
_RUN, _NUMBER, _ALONE, _FINISH, _SPEED, _SLIM_SPEED = 5, 0.16, 0.47, 0.15, 105, 85
_VECTOR = 16
_WIDEST = 512  # results of a row
_LANES = 8


@lru_cache(maxsize=4096)
def width(problem: Problem) -> int:
    """Return how many places of a row are computed at a time; 1 where bands do not pay."""
    if problem.dtype not in ("float32", "float64") or problem.groups > 1:
        return 1
    if is_matrix(problem) or few_places(problem) or problem.ndim == 1:  # whose rows are cut
        return 1
    row, outs = problem.out_size[-1], problem.out_channels
    some = [b for b in range(2, row + 1) if row % b == 0 and b * outs <= _WIDEST]
    best = min(some, key=lambda b: _cost(problem, b), default=1)
    return best if best > 1 and 1.1 * _cost(problem, best) < _cost(problem, 1) else 1


def _cost(problem: Problem, places: int) -> float:
    """Estimate the nanoseconds for each place of the output."""
    *lead, last = problem.kernel_size
    runs, run = math.prod(lead), _run(problem, places)
    if places == 1:
        runs = runs if problem.dilation[-1] == 1 else runs * last
        run = problem.window // runs
    copied = runs * (_RUN + _NUMBER * run)
    if places == 1 and short_runs(problem):
        copied = _ALONE * problem.window
    outs = places * problem.out_channels
    vectors = -(-outs // _VECTOR)
    product = runs * run * vectors * _VECTOR / (_SPEED if vectors > 1 else _SLIM_SPEED)
    finished = 0 if places > 1 else _FINISH * outs
    return (copied + product + finished) / places


def _run(problem: Problem, places: int) -> int:
    """Return how many numbers of one row of the input some places see."""
    reach = (problem.kernel_size[-1] - 1) * problem.dilation[-1]
    return ((places - 1) * problem.stride[-1] + reach + 1) * problem.in_channels


def _inner(problem: Problem, places: int) -> int:
    return math.prod(problem.kernel_size[:-1]) * _run(problem, places)


def forward(
    problem: Problem,
    x: np.ndarray,
    kernels: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None,
) -> np.ndarray | None:
    """Return y (N, OH, OW, O) for kernels (KH, KW, C, O), or None where x is not finite.

    Then the zeros beside a band would make NaN of what a place does not see.
    """
    places, x = width(problem), _in_rows(x)
    y = memory((problem.batch, *problem.out_size, problem.out_channels), x.dtype)
    matrix = _banded(problem, kernels, bias, places)
    pieces = _pieces(problem, x.dtype, places)
    step = few_rows(matrix[None])
    finite = [True] * len(pieces)

    def work(number: int) -> None:
        piece = pieces[number]
        part = y[piece.output]
        finite[number] = bool(np.isfinite(x[piece.first : piece.last]).all())
        (cols,) = _columns(problem, x, piece, places, bias is not None)
        multiply(cols[None], matrix[None], part.reshape(1, len(cols), -1), step)
        finish(part, None, activation)

    side_by_side(work, len(pieces), PIECE)
    return y if all(finite) else None


def weight_grad(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C, KH, KW): the sums along the band of ``columns^T @ dy``."""
    places, channels, outs = width(problem), problem.in_channels, problem.out_channels
    x, dy = _in_rows(x), np.require(dy, requirements="C")
    pieces = _pieces(problem, x.dtype, places)
    lanes = min(_LANES, len(pieces))
    sums = memory((lanes, _inner(problem, places), places * outs), x.dtype)

    def work(lane: int) -> None:
        total = sums[lane]
        for k, piece in enumerate(pieces[lane::lanes]):
            cols, more = _columns(problem, x, piece, places, False, total.shape if k else (0,))
            rows = dy[piece.output].reshape(len(cols), -1)
            summed(cols.T[None], rows[None], (more if k else total)[None])
            if k:
                np.add(total, more, out=total)

    side_by_side(work, lanes, PIECE)
    band = _band(problem, np.add.reduce(sums, axis=0), places)
    dkernels = np.add.reduce(band, axis=0)  # (KH, KW, C, O)
    dweight = memory((outs, channels, *problem.kernel_size), x.dtype)
    np.copyto(dweight, np.moveaxis(dkernels, (-1, -2), (0, 1)))
    return dweight


def _in_rows(x: np.ndarray) -> np.ndarray:
    """Return images (N, H, W, C) whose places and channels lie side by side along a row."""
    along = x.strides[-2] == x.shape[-1] * x.itemsize
    across = x.strides[-1] == x.itemsize or x.shape[-1] == 1
    return x if along and across else np.ascontiguousarray(x)


def _pieces(problem: Problem, dtype: np.dtype, places: int) -> tuple[Piece, ...]:
    inner = _inner(problem, places)
    read = problem.in_channels * math.prod(problem.stride)
    row = (inner // places + read + problem.out_channels) * dtype.itemsize
    operations = 2 * inner * problem.out_channels
    return cuts(problem, row, piece_bytes(PIECE), operations=operations)


def _columns(
    problem: Problem, x: np.ndarray, piece: Piece, places: int, ones: bool, *more: tuple[int, ...]
) -> list[np.ndarray]:
    """Return what places see together (rows, KH * run), and ``more`` buffers of these shapes.

    There may be another column, of ones.
    """
    length = _inner(problem, places) + ones
    rows, shape, pitch = _layout(problem, piece, places, length, x.itemsize)
    padded, cols, *rest = padded_images(problem, x, piece, (rows, length), *more)
    n, *spatial, _ = padded.strides
    steps = [b * s for b, s in zip(spatial, problem.stride, strict=True)]
    steps[-1] *= places
    spread = [b * d for b, d in zip(spatial[:-1], problem.dilation[:-1], strict=True)]
    view = as_strided(padded, shape, (n, *steps, *spread, x.itemsize), writeable=False)
    np.copyto(np.ndarray(shape, cols.dtype, cols, 0, pitch), view)
    if ones:
        cols[:, -1] = 1
    return [cols, *rest]


@lru_cache(maxsize=4096)
def _layout(
    problem: Problem, piece: Piece, places: int, length: int, item: int
) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return how many rows of columns there are, and the shape and strides of what is copied."""
    taps, run = problem.kernel_size[:-1], _run(problem, places)
    outer = (piece.last - piece.first, piece.bottom - piece.top, *problem.out_size[1:])
    outer = (*outer[:-1], outer[-1] // places)
    inner = (*taps, run)
    along = [item * length * math.prod(outer[k + 1 :]) for k in range(len(outer))]
    across = [item * math.prod(inner[k + 1 :]) for k in range(len(inner))]
    return math.prod(outer), outer + inner, (*along, *across)


def _banded(
    problem: Problem, kernels: np.ndarray, bias: np.ndarray | None, places: int
) -> np.ndarray:
    """Return kernels (KH, KW, C, O) and a bias as a matrix (KH * run [+ 1], places * O)."""
    inner = _inner(problem, places)
    matrix = np.zeros((inner + (bias is not None), places * problem.out_channels), kernels.dtype)
    _band(problem, matrix, places)[...] = kernels
    if bias is not None:
        matrix[-1].reshape(places, -1)[...] = bias
    return matrix


def _band(problem: Problem, matrix: np.ndarray, places: int) -> np.ndarray:
    """Return a view (places, KH, KW, C, O) of the numbers that are kernels."""
    row, item = matrix.strides
    taps, channels, outs = problem.kernel_size, problem.in_channels, problem.out_channels
    run = _run(problem, places)
    step = [row * run * math.prod(taps[k + 1 : -1]) for k in range(len(taps) - 1)]
    step.append(row * channels * problem.dilation[-1])
    along = row * channels * problem.stride[-1] + outs * item
    return as_strided(matrix, (places, *taps, channels, outs), (along, *step, row, item))
