"""Depthwise convolutions on NumPy: sums of moved rows, each times one number per channel.

`einsum` forms such sums in one pass, as fast as its innermost run is long; so that it is long, the
kernel's numbers are repeated for every place of a row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._pieces import Piece, input_region
from .._problem import Problem
from ._columns import pad_into
from ._cuts import cuts
from ._finish import finish
from ._work import buffers, memory, piece_bytes, side_by_side

_RUN = 8192  # numbers of a row at a time: with the kernel's they stay in a core's caches
_BYTES = 8 * 2**20  # of a piece
_LANES = 8
_OPERATIONS = 25  # of a product that take as long as a multiplication and an addition here


def forward(
    problem: Problem,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None = None,
) -> np.ndarray:
    """Return y (N, OH, OW, C*M)."""
    if problem.ndim == 1:
        return forward(_raised(problem), x[:, None], weight[:, :, None], bias, activation)[:, 0]
    y = memory((problem.batch, *problem.out_size, problem.out_channels), x.dtype)
    taps = _taps(problem, weight)
    pieces = _pieces(problem, x.dtype)
    places, kernel, run = _axes(problem)

    def work(number: int) -> None:
        piece = pieces[number]
        part = y[piece.output]
        (windows,) = _windows(problem, x, piece)
        rows = part.reshape(windows.shape[: problem.ndim] + windows.shape[-1:])
        for some in _runs(problem):
            own = taps[..., : some.stop - some.start]
            np.einsum(
                windows[..., some], places + kernel + run, own, kernel + run, places + run,
                out=rows[..., some],
            )  # fmt: skip
        finish(part, bias, activation)

    side_by_side(work, len(pieces), _BYTES)
    return y


def weight_grad(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (C*M, 1, KH, KW): lanes of pieces, each with its sums in a fixed order."""
    if problem.ndim == 1:
        return weight_grad(_raised(problem), x[:, None], dy[:, None])[:, :, 0]
    pieces = _pieces(problem, x.dtype)
    lanes = min(_LANES, len(pieces))
    places, kernel, run = _axes(problem)
    length = _width(problem) * problem.out_channels
    sums = np.zeros((lanes, *problem.kernel_size, length), x.dtype)

    def work(lane: int) -> None:
        for piece in pieces[lane::lanes]:
            part = dy[piece.output]
            windows, more = _windows(problem, x, piece, (*problem.kernel_size, length))
            rows = part.reshape(windows.shape[: problem.ndim] + windows.shape[-1:])
            for some in _runs(problem):
                width = some.stop - some.start
                np.einsum(
                    windows[..., some], places + kernel + run, rows[..., some], places + run,
                    kernel + run, out=more[..., :width],
                )  # fmt: skip
                sums[lane, ..., :width] += more[..., :width]

    side_by_side(work, lanes, _BYTES)
    every = sums.reshape(lanes, *problem.kernel_size, -1, problem.out_channels)
    dtaps = np.add.reduce(every, axis=(0, -2))  # (KH, KW, C*M)
    return np.ascontiguousarray(np.moveaxis(dtaps, -1, 0))[:, None]


def input_grad(problem: Problem, dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return dx (N, H, W, C): a convolution where the stride is 1, else sums sent back."""
    if problem.ndim == 1:
        return input_grad(_raised(problem), dy[:, None], weight[:, :, None])[:, 0]
    turned, several = problem.input_problem(), problem.group_out
    if turned is None:
        return _sent_back(problem, dy, weight)
    # Each of the M outputs of a channel is turned on its own; their sum is the gradient.
    apart = replace(turned, out_channels=problem.out_channels, groups=problem.out_channels)
    every = forward(apart, dy, np.flip(weight, axis=tuple(range(2, weight.ndim))), None)
    if several == 1:
        return every
    summed: np.ndarray = np.add.reduce(every.reshape(*every.shape[:-1], -1, several), axis=-1)
    return summed


def _sent_back(problem: Problem, dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return dx where windows step by more than one: every so-manieth place by itself.

    Places with equal remainder modulo the stride meet the same elements of the kernel, so that
    their gradient is a convolution of dy without a stride.
    """
    dx = memory((problem.batch, *problem.in_size, problem.in_channels), dy.dtype)
    rows = zip(
        problem.in_size, problem.out_size, problem.kernel_size, problem.stride, problem.padding,
        problem.dilation, strict=True,
    )  # fmt: skip
    for every in itertools.product(*(_remainders(*row) for row in rows)):
        target = dx[(slice(None), *(one.places for one in every))]
        if any(one.taps.stop <= one.taps.start for one in every):  # between the elements
            target[...] = 0
            continue
        kernels = weight[(slice(None), slice(None), *(one.taps for one in every))]
        some = Problem(
            problem.batch,
            problem.out_channels,
            problem.out_channels,
            problem.out_size,
            kernels.shape[2:],
            (1,) * problem.ndim,
            tuple(one.padding for one in every),
            tuple(one.dilation for one in every),
            problem.out_channels,
        )
        found = forward(some, dy, np.flip(kernels, axis=tuple(range(2, kernels.ndim))), None)
        if problem.group_out == 1:
            np.copyto(target, found)
        else:
            split = found.reshape(*found.shape[:-1], problem.in_channels, problem.group_out)
            np.add.reduce(split, axis=-1, out=target)
    return dx


class _Remainder(NamedTuple):
    """Places of one dimension with equal remainder, and the convolution of dy that they are."""

    places: slice
    taps: slice
    padding: tuple[int, int]
    dilation: int


def _remainders(
    size: int, out: int, kernel: int, stride: int, pads: tuple[int, int], dilation: int
) -> Iterator[_Remainder]:
    """Sort the places of one dimension; place ``stride * y + dilation * k - pad`` meets k in y."""
    common = math.gcd(stride, dilation)
    every, spread = stride // common, dilation // common
    for first in range(min(stride, size)):
        taps = [
            k for k in range(min(every, kernel)) if (first + pads[0] - dilation * k) % stride == 0
        ]
        if not taps:
            yield _Remainder(slice(first, None, stride), slice(0, 0), (0, 0), 1)
            continue
        elements = range(taps[0], kernel, every)
        count = -(-(size - first) // stride)
        # The first place meets its first element in this place of dy, later elements before it.
        start = (first + pads[0] - dilation * taps[0]) // stride
        before = spread * (len(elements) - 1) - start
        after = count + spread * (len(elements) - 1) - out - before
        yield _Remainder(
            slice(first, None, stride), slice(taps[0], kernel, every), (before, after), spread
        )


def _windows(
    problem: Problem, x: np.ndarray, piece: Piece, *more: tuple[int, ...]
) -> list[np.ndarray]:
    """Return what each row of a piece meets, (n, OH, KH, KW, OW * C*M), and ``more`` buffers."""
    start, stop = input_region(problem, piece)
    images, several = x[piece.first : piece.last, ..., None], problem.group_out
    (*_, width), (*spreads, spread) = problem.kernel_size, problem.dilation
    (*down, across), (*steps, step) = problem.out_size, problem.stride
    corner = (start, *(-before for before, _ in problem.padding[1:]))
    size = [s + sum(p) for s, p in zip(problem.in_size, problem.padding, strict=True)]
    size = [stop - start, *size[1:-1], (across - 1) * step + spread * (width - 1) + 1]
    numbers = (problem.in_channels, several)
    if step == 1:
        shape = (len(images), *size, *numbers)
        rows, *rest = buffers(x.dtype, shape, *more)
        pad_into(rows, images, corner)
        n, *spatial, w, _, c = rows.strides
        along = spread * w
    else:  # laid out so that a row's places lie side by side
        shape = (len(images), *size[:-1], width, across, *numbers)
        rows, *rest = buffers(x.dtype, shape, *more)
        for k in range(width):
            part = rows[(..., k, *(slice(None),) * 3)]
            first = corner[-1] + k * spread
            pad_into(part, images, (*corner[:-1], first), step)
        n, *spatial, along, _, _, c = rows.strides
    down[0] = piece.bottom - piece.top
    shape = (len(images), *down, *problem.kernel_size, across * problem.out_channels)
    moved = [b * s for b, s in zip(spatial, steps, strict=True)]
    taps = [b * d for b, d in zip(spatial, spreads, strict=True)]
    return [as_strided(rows, shape, (n, *moved, *taps, along, c), writeable=False), *rest]


def _axes(problem: Problem) -> tuple[list[int], list[int], list[int]]:
    """Name the axes of `_windows` for `einsum`: rows of the output, the kernel, and the run."""
    n = problem.ndim
    return list(range(n)), list(range(n, 2 * n)), [2 * n]


def _taps(problem: Problem, weight: np.ndarray) -> np.ndarray:
    """(C*M, 1, KH, KW) -> (KH, KW, width * C*M)."""
    kernels = np.moveaxis(weight[:, 0], 0, -1)
    return np.tile(kernels, _width(problem))


def _width(problem: Problem) -> int:
    """Return how many places of a row are summed at a time."""
    return max(1, min(problem.out_size[-1], _RUN // problem.out_channels))


def _runs(problem: Problem) -> Iterator[slice]:
    """Cut a row's numbers into runs."""
    step, total = _width(problem), problem.out_size[-1]
    for begin in range(0, total, step):
        end = min(begin + step, total)
        yield slice(begin * problem.out_channels, end * problem.out_channels)


def _pieces(problem: Problem, dtype: np.dtype) -> tuple[Piece, ...]:
    copies = problem.kernel_size[-1] if problem.stride[-1] > 1 else 1
    place = (copies + 2) * problem.stride[0] * problem.out_channels * dtype.itemsize
    operations = _OPERATIONS * problem.window * problem.out_channels
    return cuts(problem, place, piece_bytes(_BYTES), operations=operations)


def _raised(problem: Problem) -> Problem:
    """Return a problem of signals as one of images of one row."""
    return replace(
        problem,
        in_size=(1, *problem.in_size),
        kernel_size=(1, *problem.kernel_size),
        stride=(1, *problem.stride),
        padding=((0, 0), *problem.padding),
        dilation=(1, *problem.dilation),
    )
