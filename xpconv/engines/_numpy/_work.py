"""Work of NumPy's bodies: memory that is used again, and tasks for the pool of threads."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np

from ..._workspace import workspace_budget
from .._blas import hold_here, one_thread
from .._scratch import aligned, scratch
from .._threads import each, thread_count

PIECE = 4 * 2**20
"""Bytes that a task works on at a time: they stay in a core's share of the caches."""

_LINE = 64
_WORKSPACE = 16 * 2**20  # bytes of all threads, unless the user says otherwise


def memory(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return numbers, whatever they are, in memory that is used again when they are gone."""
    return aligned(math.prod(shape), dtype).reshape(shape)


def buffers(dtype: np.dtype, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Return arrays of this thread, valid until it asks again."""
    steps = [-(-math.prod(shape) * dtype.itemsize // _LINE) * _LINE + _LINE for shape in shapes]
    block = scratch(sum(steps), np.dtype(np.uint8))
    arrays, start = [], 0
    for shape, step in zip(shapes, steps, strict=True):
        part = block[start : start + math.prod(shape) * dtype.itemsize]
        arrays.append(part.view(dtype).reshape(shape))
        start += step
    return arrays


def piece_bytes(least: int = PIECE) -> int:
    """Return the bytes of one piece, for any number of threads: the user's bound, or our own."""
    return min(least, workspace_budget(least))


def side_by_side(work: Callable[[int], object], count: int, size: int) -> None:
    """Call ``work(0)`` to ``work(count - 1)``, with BLAS held at one thread.

    Parameters
    ----------
    work : callable
        Takes a number; the calls must not depend on each other.
    count : int
        How many calls.
    size : int
        Bytes that each works on: no more threads work than the workspace has room for.
    """
    with one_thread() as holds:
        if count == 1:
            work(0)
            return
        caller = threading.get_ident()

        def task(number: int) -> None:
            if threading.get_ident() != caller:
                hold_here()
            work(number)

        # Another BLAS starts threads of its own for each product, and takes the cores from ours.
        threads = thread_count() if holds else 1
        fitting = workspace_budget(max(_WORKSPACE, size * threads)) // max(1, size)
        each(task, count, max(1, min(threads, fitting)))
