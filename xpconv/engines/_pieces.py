"""Cut a convolution into pieces whose columns fit into the workspace."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from array_api_compat import device

from .._arrays import add_at, itemsize, put
from .._shapes import window_span
from .._typing import Array, DType, Namespace
from ._problem import Problem


class Piece(NamedTuple):
    """Images ``[first, last)`` of the batch and rows ``[top, bottom)`` of their output.

    A row is one index of the first spatial dimension, whatever its number of dimensions.
    """

    first: int
    last: int
    top: int
    bottom: int

    @property
    def output(self) -> tuple[slice, slice]:
        """Key of the piece in a channels-last output (N, OH, OW, O)."""
        return slice(self.first, self.last), slice(self.top, self.bottom)


def pieces(problem: Problem, budget: int, dtype: DType, *, columns: int) -> Iterator[Piece]:
    """Yield the pieces of a problem, in order.

    Whole images while one image's work fits into ``budget`` bytes, else some rows of one image,
    and never less than one row. The work is the padded copy of the input, ``columns`` numbers for
    each input channel at each place of the output, and one for each output channel.
    """
    size = itemsize(dtype)
    height, *rest = problem.out_size
    span = window_span(problem.kernel_size[0], problem.dilation[0])
    step = problem.stride[0]
    padded = [s + sum(p) for s, p in zip(problem.in_size, problem.padding, strict=True)]
    work = columns * problem.in_channels + problem.out_channels
    output_row = math.prod(rest) * work * size
    input_row = math.prod(padded[1:]) * problem.in_channels * size

    image = height * output_row + padded[0] * input_row
    if image <= budget or height == 1:
        count = math.ceil(problem.batch / max(1, budget // max(image, 1)))
        for first, last in _even(problem.batch, count):
            yield Piece(first, last, 0, height)
        return
    fixed = max(span - step, 0) * input_row
    count = math.ceil(height / max(1, (budget - fixed) // (output_row + step * input_row)))
    for n in range(problem.batch):
        for top, bottom in _even(height, count):
            yield Piece(n, n + 1, top, bottom)


def _even(length: int, count: int) -> Iterator[tuple[int, int]]:
    """Cut a length into parts of equal size, rather than full ones and a small rest."""
    for k in range(count):
        yield k * length // count, (k + 1) * length // count


def input_region(problem: Problem, piece: Piece) -> tuple[int, int]:
    """Return the input rows, in unpadded coordinates, that a piece's windows cover."""
    before, after = problem.padding[0]
    if piece.top == 0 and piece.bottom == problem.out_size[0]:
        return -before, problem.in_size[0] + after  # what no window reaches is part of it, too
    start = piece.top * problem.stride[0] - before
    span = window_span(problem.kernel_size[0], problem.dilation[0])
    return start, start + (piece.bottom - piece.top - 1) * problem.stride[0] + span


def _overlap(problem: Problem, piece: Piece) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Keys of the same elements in the input and in the padded copy of a piece's region."""
    start, stop = input_region(problem, piece)
    low, high = max(start, 0), min(stop, problem.in_size[0])
    if low >= high:  # windows that see nothing but padding
        low = high = start = 0
    source = [slice(piece.first, piece.last), slice(low, high)]
    target = [slice(None), slice(low - start, high - start)]
    for size, (before, _) in zip(problem.in_size[1:], problem.padding[1:], strict=True):
        source.append(slice(None))
        target.append(slice(before, before + size))
    return tuple(source), tuple(target)


def _padded_shape(problem: Problem, piece: Piece, channels: int) -> tuple[int, ...]:
    start, stop = input_region(problem, piece)
    rest = zip(problem.in_size[1:], problem.padding[1:], strict=True)
    sizes = [size + before + after for size, (before, after) in rest]
    return (piece.last - piece.first, stop - start, *sizes, channels)


def cut(xp: Namespace, problem: Problem, x: Array, piece: Piece) -> Array:
    """Return a piece's part of a channels-last input, padded with zeros."""
    source, target = _overlap(problem, piece)
    shape = _padded_shape(problem, piece, problem.in_channels)
    part = x[(*source, ...)]
    if tuple(part.shape) == shape:
        return part
    return put(xp.zeros(shape, dtype=x.dtype, device=device(x)), (*target, ...), part)


def empty_cut(xp: Namespace, problem: Problem, piece: Piece, channels: int, like: Array) -> Array:
    """Return zeros of the size of a padded piece, to add its input gradient into."""
    shape = _padded_shape(problem, piece, channels)
    return xp.zeros(shape, dtype=like.dtype, device=device(like))


def add_back(problem: Problem, piece: Piece, padded: Array, dx: Array) -> Array:
    """Add a padded piece, without its padding, to an input gradient made a line before.

    Pieces of one image overlap where their windows do.
    """
    source, target = _overlap(problem, piece)
    return add_at(dx, (*source, ...), padded[(*target, ...)])
