"""What all convolutions ask for: memory as bodies read it, and how many threads are worth it."""

from __future__ import annotations

import math

import numpy as np

from ..._workspace import workspace_budget
from .._threads import thread_count

_THREADED = 2_000_000  # operations; less is done in the time that a call of a helper takes
_PARTS, _PART = 8, 4_000_000  # partial sums of a gradient, and operations of each at least
_PARTIAL = 8 * 2**20  # bytes of all of them
BOUNDS = {None: (-math.inf, math.inf), "relu": (0.0, math.inf), "relu6": (0.0, 6.0)}
"""Between what activations leave the numbers."""
_SHARES = 8
TURNS = 4  # pieces for each thread, so that none waits long for the last


def threads_for(flops: int, threads: int | None = None) -> int:
    """Return how many threads so many operations are worth, of those that there are."""
    if flops < _THREADED:
        return 1
    return thread_count() if threads is None else threads


def even_budget(most: int, threads: int) -> tuple[int, int]:
    """Return the bytes of pieces that are summed up in turn, and how many threads may have as many.

    Where pieces end decides how a sum is rounded: it may depend on the workspace, but not on the
    threads. So each thread gets the share of one of a few, and more of them do not take part.
    """
    share = max(1, min(most, workspace_budget(most * _SHARES) // _SHARES))
    return share, min(threads, max(1, workspace_budget(share * threads) // share))


def parts_of(flops: int, size: int, batch: int) -> int:
    """Return in how many partial sums of ``size`` bytes to cut a batch.

    It depends on the problem alone: results have the same bits for any number of threads.
    """
    return max(1, min(_PARTS, flops // _PART, _PARTIAL // size, batch))


def turns_of(count: int, threads: int) -> int:
    """Return in how many turns threads do so many things, neighbours in one turn."""
    return 1 if threads == 1 else min(count, TURNS * threads)


def whole_lines(numbers: int) -> int:
    """Return so many numbers or a few more, so that what follows begins a line of the cache."""
    return numbers + -numbers % 32


def flat(array: np.ndarray) -> np.ndarray:
    """Return memory in C order that may be written to, so that bodies are compiled once."""
    if array.flags.c_contiguous and array.flags.writeable:  # `np.require` takes its time
        return array.reshape(-1)
    return np.require(array, requirements=["C", "W"]).reshape(-1)


def memory(x: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return a channels-last x's memory, flat, and its strides (N, D, H, W, C)."""
    if min(x.strides) < 0 or not x.flags.writeable or any(s % x.itemsize for s in x.strides):
        x = x.copy()
    n, *spatial, c = (stride // x.itemsize for stride in x.strides)
    steps = (n, *(0,) * (3 - len(spatial)), *spatial, c)
    if x.flags.c_contiguous:
        return x.reshape(-1), steps
    span = 1 + sum(
        (length - 1) * step for length, step in zip(x.shape, (n, *spatial, c), strict=True)
    )
    return np.lib.stride_tricks.as_strided(x, (span,), (x.itemsize,)), steps
