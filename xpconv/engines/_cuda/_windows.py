"""im2col and its adjoint: ``source/windows.cuh``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from array_api_compat import array_namespace, device

from ..._typing import Array
from .._pieces import Piece, input_region
from .._problem import Problem
from ._geometry import struct
from ._launch import c_type, extent, index_dtype, index_type, launch, pack


def columns(problem: Problem, x: Array, piece: Piece) -> Array:
    """Return the columns (G, rows, KH*KW*C/G) of a piece of a channels-last input.

    The padding is never written anywhere but in the columns.
    """
    return gather(
        x[piece.first : piece.last, ...],
        problem.kernel_size,
        problem.stride,
        problem.dilation,
        (piece.bottom - piece.top, *problem.out_size[1:]),
        problem.groups,
        _before(problem, piece),
    )


def add_columns(problem: Problem, piece: Piece, cols: Array, dx: Array) -> Array:
    """Add a piece's columns to an input gradient made a line before."""
    start, stop = input_region(problem, piece)
    low, high = max(start, 0), min(stop, problem.in_size[0])
    before = _before(problem, piece)
    scatter(
        dx[piece.first : piece.last, low : max(low, high), ...],
        cols,
        problem.kernel_size,
        problem.stride,
        problem.dilation,
        (piece.bottom - piece.top, *problem.out_size[1:]),
        (before[0] + low, *before[1:]),
    )
    return dx


def _before(problem: Problem, piece: Piece) -> tuple[int, ...]:
    """Return how far the piece's first window starts before the input, in each dimension."""
    first, *rest = (before for before, _ in problem.padding)
    return (first - piece.top * problem.stride[0], *rest)


def gather(
    x: Array,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    out_size: Sequence[int],
    groups: int,
    padding: Sequence[int] = (0, 0, 0),
) -> Array:
    """Lay every window of x (N, H, W, C), any dtype, out as one row; see ``_portable.gather``."""
    xp = array_namespace(x)
    batch, *size, channels = x.shape
    rows, group = batch * math.prod(out_size), channels // groups
    cols = xp.empty((groups, rows, math.prod(kernel_size) * group), dtype=x.dtype, device=device(x))
    at_once = pack(x, channels=group)
    padding = padding[: len(size)]
    index = index_type(extent(x), math.prod(cols.shape))
    geometry = struct(
        index, x, at_once, channels, (size, out_size), kernel_size, stride, dilation, padding
    )
    count = groups * rows * kernel_size[-1] * (group // at_once)
    unit = f"Bytes<{at_once * x.dtype.itemsize}>::type"
    launch(
        "windows", "gather", (unit, index), count, x, x, cols, geometry, index_dtype(index)(groups)
    )
    return cols


def scatter(
    target: Array,
    cols: Array,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    out_size: Sequence[int],
    padding: Sequence[int] = (0, 0, 0),
) -> Array:
    """Add rows of columns (G, rows, window) to target (N, H, W, C), made a line before."""
    groups = cols.shape[0]
    _, *size, channels = target.shape
    cols = array_namespace(cols).ascontiguousarray(cols)
    group = channels // groups
    at_once = pack(target, cols, channels=group)
    padding = padding[: len(size)]
    index = index_type(extent(target), math.prod(cols.shape))
    geometry = struct(
        index, target, at_once, channels, (size, out_size), kernel_size, stride, dilation, padding
    )
    types = (c_type(target), at_once, index)
    count = math.prod(target.shape) // at_once
    launch(
        "windows", "scatter", types, count, cols, cols, target, geometry, index_dtype(index)(groups)
    )
    return target
