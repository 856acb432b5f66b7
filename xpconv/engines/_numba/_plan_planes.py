"""Which convolutions have few output channels, and what fills their vectors instead."""

from __future__ import annotations

import math

import numpy as np

from .._problem import Problem
from ._vectors import abreast, vector_bytes

_FEW_CHANNELS = 8
GAP = 16
"""Numbers between planes, which would throw each other out of the cache at powers of two."""


def kernel_rows_fit(problem: Problem) -> bool:
    """Whether a row of the kernel may fill a vector of the input gradient."""
    few = problem.groups == 1 and problem.in_channels <= _FEW_CHANNELS
    return few and problem.dilation[2] == 1 and problem.kernel_size[2] > 1


def planes_fit(problem: Problem, turned: bool) -> bool:
    """Whether fewer vectors are multiplied where they hold columns of the output.

    For a problem of three dimensions. Those between the end of a row and the beginning of the
    next are computed with them, and what is read has to be brought into that order.
    """
    lanes = vector_bytes() // np.dtype(problem.dtype).itemsize
    outs = problem.in_channels if turned else problem.out_channels
    if problem.groups > 1 or problem.stride != (1, 1, 1) or 2 * outs > lanes:
        return False
    across = problem.kernel_size[2]
    width = problem.in_size[2] if turned else problem.out_size[2]
    read = width + (across - 1) * problem.dilation[2]
    by_columns = read * across * outs
    by_channels = width * across * math.ceil(outs / lanes) * lanes
    if turned and kernel_rows_fit(problem):
        by_channels = problem.out_size[2] * math.ceil(across * outs / lanes) * lanes
    return 5 * by_columns < 4 * by_channels


def sums_abreast(problem: Problem, inner: int) -> int:
    """Return how many input channels of a weight gradient a tile has for each output channel.

    ``inner`` numbers of x lie side by side. It is 0 where more numbers are multiplied so.
    """
    lanes = vector_bytes() // np.dtype(problem.dtype).itemsize
    outs = problem.out_channels
    if problem.groups > 1 or 2 * outs > lanes:
        return 0
    block = abreast(outs) * lanes
    return block if 5 * outs * math.ceil(inner / block) * abreast(outs) < 4 * inner else 0
