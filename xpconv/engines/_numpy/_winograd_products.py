"""The products between Winograd's transforms on NumPy, and the kernels laid out for them.

Kernels stand in blocks of few output channels, so that BLAS, where it can, reads a block and some
rows of tiles where they are, without copies in an order of its own.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._blas import reads_small_matrices
from .._winograd import Filtering
from ._small import SMALL, multiply
from ._tiles import squared
from ._work import memory, side_by_side

_BLOCK = 64  # output channels
_KERNELS_ALONE = 2**13  # kernels that one thread transforms as fast as several


@lru_cache
def block_width(outs: int) -> int:
    """Return how many output channels one block has: all have as many."""
    widths = range(_BLOCK, _BLOCK // 2 - 1, -1)
    return next((width for width in widths if outs % width == 0), outs)


def kernels(filtering: Filtering, weight: np.ndarray, turned: bool) -> np.ndarray:
    """Return transformed kernels (B, 36, C, O/B), with ``turned`` (B, 36, O, C/B)."""
    taps = taps_of(weight, turned)
    length, _, width = taps.shape
    block = block_width(width)
    target = memory((width // block, filtering.side**2, length, block), weight.dtype)
    count = 1 if length * width <= _KERNELS_ALONE else 4

    def work(number: int) -> None:
        part = slice(number * length // count, (number + 1) * length // count)
        for k, own in enumerate(target):
            some = taps[part, :, k * block : (k + 1) * block]
            transform(filtering, some, turned, own[:, part])

    side_by_side(work, count, 0)
    return target


def taps_of(weight: np.ndarray, turned: bool) -> np.ndarray:
    """Return a view (C, 9, O) of kernels; if ``turned`` (O, 9, C), for the gradient."""
    taps = weight.reshape(*weight.shape[:2], 9)
    return taps.transpose(0, 2, 1) if turned else taps.transpose(1, 2, 0)


def transform(filtering: Filtering, taps: np.ndarray, turned: bool, target: np.ndarray) -> None:
    """Write transforms of kernels (C, 9, O), if ``turned`` of those turned around: (36, C, O)."""
    matrix = squared(filtering.kernels, taps.dtype)
    matrix = np.ascontiguousarray(matrix[:, ::-1]) if turned else matrix
    # (36, 9) @ (9, O) -> (36, O), for each input channel
    np.matmul(matrix, taps, out=target.transpose(1, 0, 2))


def products(inputs: np.ndarray, block: np.ndarray, out: np.ndarray) -> None:
    """Multiply tiles (P, 36, C) by a block of kernels (36, C, O): (P, 36, O)."""
    left, target = inputs.transpose(1, 0, 2), out.transpose(1, 0, 2)
    multiply(left, block, target, _rows(len(inputs), *block.shape[1:]))


def _rows(count: int, channels: int, outs: int) -> int:
    """Return how many rows of tiles are multiplied at a time; 0 for all of them."""
    most = SMALL // (channels * outs) // 8 * 8
    if not reads_small_matrices() or count <= most or most < 8:
        return 0
    return next((rows for rows in range(most, most // 2, -8) if count % rows == 0), most)
