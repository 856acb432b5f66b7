"""How a convolution is cut for NumPy: images and rows into pieces, groups into blocks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from .._pieces import Piece
from .._problem import Problem
from ._work import PIECE, piece_bytes

# Nanoseconds of work. Another thread takes 50 us to wake up, and finds nothing in its caches; less
# than this two do no faster than one, and slower where other programs run. Four pieces of equal
# length are for threads that do not start together. Every call of NumPy gives the interpreter's
# lock away and has to get it back: threads with shorter pieces spend their time waiting for it.
_SHARED, _IN_FOUR = 450_000, 1_200_000
_BYTES_A_NANOSECOND, _OPERATIONS_A_NANOSECOND = 15, 200  # of one core, about
_ROWS = 256  # of columns, where kernels are large: fewer make slow products
_WIDE = 16  # channels of a block: products of fewer columns are slow


@lru_cache(maxsize=4096)
def cuts(
    problem: Problem, row_bytes: int, budget: int, *, operations: int = 0
) -> tuple[Piece, ...]:
    """Cut batch and rows into pieces of ``budget`` bytes at most, where a row fits into it.

    A place of the output takes ``row_bytes`` and so many ``operations``. Where that leaves them
    long enough there are at least two or four pieces, of one size.
    """
    height, *rest = problem.out_size
    width = math.prod(rest)
    image = height * width
    total = problem.batch * image
    place = row_bytes / _BYTES_A_NANOSECOND + operations / _OPERATIONS_A_NANOSECOND
    share = -(-total // shares(total * place))
    most = max(1, budget // max(1, row_bytes))
    wanted = min(most, share)
    if wanted >= image or height == 1:
        images = max(1, wanted // image)
        return tuple(Piece(a, b, 0, height) for a, b in _even(problem.batch, images))
    rows = max(1, min(most // width, -(-share // width)))
    parts = _even(height, rows)
    batch = range(problem.batch)
    return tuple(Piece(n, n + 1, top, bottom) for n in batch for top, bottom in parts)


def shares(nanoseconds: float) -> int:
    """Return into how many shares, at least, so much work is cut."""
    return 1 + (nanoseconds > _SHARED) + 2 * (nanoseconds > _IN_FOUR)


def _even(length: int, step: int) -> list[tuple[int, int]]:
    """Cut a length into parts of equal size, no longer than ``step``."""
    count = -(-length // step)
    return list(pairwise(k * length // count for k in range(count + 1)))


def of_images(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Put the pieces of the same images together."""
    return [list(some) for _, some in itertools.groupby(pieces, lambda piece: piece.first)]


def column_pieces(problem: Problem, dtype: np.dtype) -> tuple[Piece, ...]:
    """Cut for products of columns; longer pieces where the kernels, read for each, are large."""
    return _column_pieces(problem, dtype.itemsize, piece_bytes(4 * PIECE))


@lru_cache(maxsize=4096)
def _column_pieces(problem: Problem, itemsize: int, most: int) -> tuple[Piece, ...]:
    row = place_bytes(problem, itemsize)
    kernels = problem.out_channels * problem.window * itemsize
    least = max(PIECE, min(4 * PIECE, _ROWS * row)) if kernels > PIECE // 4 else PIECE
    operations = 2 * problem.window * problem.out_channels
    return cuts(problem, row, min(least, most), operations=operations)


def place_bytes(problem: Problem, itemsize: int) -> int:
    """Return the bytes that one place of the output takes in a piece of columns."""
    columns = 0 if is_matrix(problem) else problem.window * problem.groups
    read = problem.in_channels * min(math.prod(problem.stride), math.prod(problem.kernel_size))
    return (columns + read + problem.out_channels) * itemsize


def is_matrix(problem: Problem) -> bool:
    """Whether the input is its own matrix of columns."""
    return math.prod(problem.kernel_size) == 1 and problem.unit_stride and not problem.padded


def few_places(problem: Problem) -> bool:
    """Whether there are so few windows that columns are laid out like kernels, not the reverse."""
    places = problem.batch * math.prod(problem.out_size)
    return problem.groups == 1 and places < problem.out_channels and not is_matrix(problem)


def in_blocks(problem: Problem) -> Problem:
    """Return the problem with several groups as one, where they are too narrow for products."""
    groups, narrow = problem.groups, min(problem.group_in, problem.group_out)
    most = min(groups, max(1, _WIDE // narrow))
    together = next(k for k in range(most, 0, -1) if groups % k == 0)
    blocks = replace(problem, groups=groups // together)
    return problem if few_places(blocks) else blocks
