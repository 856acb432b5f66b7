"""Passes over whole arrays on NumPy: in parts that stay in a cache, on the pool's threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .._scratch import aligned
from .._threads import each, thread_count

_PART = 2**18  # numbers of a part: fewer, and threads wait for the interpreter's lock
_MOST = 64  # parts
_RUN = 1024  # numbers in a row, at least, where vectors of channels meet an array


def in_parts(work: Callable[[int, int, int], object], count: int, width: int) -> int:
    """Call ``work(part, first, last)`` for parts of ``count`` rows; return how many there are.

    The parts depend on the sizes alone, so that sums of their sums do not depend on the threads.
    """
    parts = max(1, min(count, count * width // _PART, _MOST))
    edges = [k * count // parts for k in range(parts + 1)]
    each(lambda part: work(part, edges[part], edges[part + 1]), parts, thread_count())
    return parts


def side_by_side(*vectors: np.ndarray) -> list[np.ndarray]:
    """Return vectors (C,) as often as makes a run: NumPy is slow at short ones."""
    times = max(1, _RUN // len(vectors[0]))
    return [np.tile(vector, times) for vector in vectors]


def blocks(width: int, *arrays: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Cut the same rows of arrays (M, C) into matrices of runs of ``width``, or of less."""
    count, channels = arrays[0].shape
    together = width // channels
    whole = count - count % together
    if whole:
        yield [array[:whole].reshape(-1, width) for array in arrays]
    if whole < count:
        yield [array[whole:].reshape(1, -1) for array in arrays]


def column_sums(x: np.ndarray, channels: int) -> np.ndarray:
    """Return the sums (C,) of a matrix whose rows are several of C numbers, one after another."""
    total: np.ndarray = np.add.reduce(x, axis=0).reshape(-1, channels).sum(axis=0)
    return total


def fresh_like(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an array of the shape and memory order of x, whatever is in it; and it, flat."""
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    block = aligned(x.size, x.dtype)
    back = [order.index(axis) for axis in range(x.ndim)]
    return block.reshape([x.shape[axis] for axis in order]).transpose(back), block
