"""Columns on NumPy: a piece's windows as the rows of a matrix, by one copy of a strided view."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._offsets import offsets
from .._pieces import Piece, input_region
from .._problem import Problem
from ._cuts import few_places, is_matrix
from ._work import buffers

# Runs of fewer numbers than this are copied faster along the output's rows than along the window's.
_SHORT_RUN = 12
_WHOLE = 2**18  # bytes that are zeroed in less time than their edges are, one by one


def columns(
    problem: Problem, x: np.ndarray, piece: Piece, *more: tuple[int, ...]
) -> list[np.ndarray]:
    """Return the columns (G, rows, KH*KW*C/G) of a piece, and ``more`` buffers of these shapes.

    All of them belong to this thread, until it asks again. A window's row is KW*C numbers that lie
    side by side. With very few of them (a network's first layer) the columns are written the other
    way around in memory, which a product does not mind. With few places a row is (C, KH, KW).
    """
    out_size = (piece.bottom - piece.top, *problem.out_size[1:])
    images, groups, group = piece.last - piece.first, problem.groups, problem.group_in
    rows = images * math.prod(out_size)
    if is_matrix(problem):
        own = x[piece.output].reshape(rows, groups, group).transpose(1, 0, 2)
        return [own, *buffers(x.dtype, *more)]
    padded, cols, *rest = padded_images(problem, x, piece, (groups, rows, problem.window), *more)
    outer = (groups, images, *out_size)
    inner: tuple[int, ...] = (*problem.kernel_size, group)
    along, *spatial, across = padded.strides
    strides = (b * s for b, s in zip(spatial, problem.stride, strict=True))
    steps = (group * across, along, *strides)
    taps: tuple[int, ...] = (
        *(b * d for b, d in zip(spatial, problem.dilation, strict=True)),
        across,
    )
    if few_places(problem):
        _like_kernels(problem, padded, cols.reshape(images, *out_size, group, -1))
        return [cols, *rest]
    if short_runs(problem):
        view = as_strided(padded, inner + outer, taps + steps, writeable=False)
        np.copyto(cols.reshape(inner + outer), view)
        return [cols.reshape(problem.window, 1, rows).transpose(1, 2, 0), *rest]
    view = as_strided(padded, outer + inner, steps + taps, writeable=False)
    np.copyto(cols.reshape(outer + inner), view)
    return [cols, *rest]


def short_runs(problem: Problem) -> bool:
    """Whether so few numbers of a window lie side by side that rows of the output are longer."""
    run = problem.kernel_size[-1] * problem.in_channels
    return problem.groups == 1 and run < _SHORT_RUN < problem.out_size[-1]


def padded_images(
    problem: Problem, x: np.ndarray, piece: Piece, *more: tuple[int, ...]
) -> list[np.ndarray]:
    """Return what a piece's windows see of x, with zeros around, and ``more`` buffers."""
    return _padded(problem, x, piece, True, *more)


def images_in_rows(
    problem: Problem, x: np.ndarray, piece: Piece, *more: tuple[int, ...]
) -> list[np.ndarray]:
    """Return the same, with places and channels side by side along a row."""
    along = x.strides[-2] == x.shape[-1] * x.itemsize
    across = x.strides[-1] == x.itemsize or x.shape[-1] == 1
    return _padded(problem, x, piece, along and across, *more)


def _padded(
    problem: Problem, x: np.ndarray, piece: Piece, as_it_is: bool, *more: tuple[int, ...]
) -> list[np.ndarray]:
    start, stop = input_region(problem, piece)
    pads = problem.padding[1:]
    size = [stop - start, *(s + sum(p) for s, p in zip(problem.in_size[1:], pads, strict=True))]
    inside = start >= 0 and stop <= problem.in_size[0] and not any(map(any, pads))
    inside = inside and as_it_is
    shape = (piece.last - piece.first, *size, problem.in_channels)
    padded, *rest = buffers(x.dtype, (0,) if inside else shape, *more)
    if inside:
        padded = x[piece.first : piece.last, start:stop]
    else:
        pad_into(padded, x[piece.first : piece.last], (start, *(-a for a, _ in pads)))
    return [padded, *rest]


def _like_kernels(problem: Problem, padded: np.ndarray, cols: np.ndarray) -> None:
    """Fill columns (N, OH, OW, C, KH*KW): the channels of one element of the kernel at a time."""
    size = cols.shape[1:-2]
    keys = offsets(problem.kernel_size, problem.stride, problem.dilation, size)
    for tap, key in enumerate(keys):
        np.copyto(cols[..., tap], padded[(slice(None), *key)])


def in_groups(rows: np.ndarray, groups: int) -> np.ndarray:
    """Return a view (G, rows, O/G) of places (..., O) that lie side by side in memory."""
    return rows.reshape(-1, groups, rows.shape[-1] // groups).transpose(1, 0, 2)


def pad_into(target: np.ndarray, x: np.ndarray, corner: tuple[int, ...], step: int = 1) -> None:
    """Write a box of channels-last images, from a corner on, and zeros outside of the images.

    With a ``step`` every so-manieth place of the last dimension is written.
    """
    whole = target.nbytes <= _WHOLE
    if whole:
        target[...] = 0
    source, inside = [slice(None)], [slice(None)]
    for axis, (begin, size) in enumerate(zip(corner, x.shape[1:], strict=False), start=1):
        pace = step if axis == len(corner) else 1
        length = target.shape[axis]
        low = max(0, -(begin // pace))  # the first and the last place that lie inside
        high = min(length, (size - 1 - begin) // pace + 1)
        if low >= high:  # nothing but padding
            target[...] = 0
            return
        if not whole:
            target[(*inside, slice(0, low))] = 0
            target[(*inside, slice(high, None))] = 0
        first = begin + low * pace
        source.append(slice(first, first + (high - low - 1) * pace + 1, pace))
        inside.append(slice(low, high))
    target[tuple(inside)] = x[tuple(source)]
