"""Arrays as rows of channels, for bodies that go over them in one pass."""

from __future__ import annotations

import numpy as np

from ._scratch import aligned

_PART = 2**16  # numbers of a part whose sums are added up by themselves


def channels_last(x: np.ndarray) -> np.ndarray:
    """Return x (N, C, ...) as (N, ..., C): a view."""
    return x.transpose(0, *range(2, x.ndim), 1)  # np.moveaxis takes several times as long


def required(x: np.ndarray) -> np.ndarray:
    """Return memory in C order that may be written to, so that bodies are compiled once."""
    flags = x.flags  # np.require takes ten times as long to see the same
    if flags.c_contiguous and flags.writeable:
        return x
    return np.require(x, requirements=["C", "W"])


def rows(x: np.ndarray) -> np.ndarray:
    """Return x (N, C, ...) as rows of channels, a view where its memory is channels-last."""
    return required(channels_last(x)).reshape(-1, x.shape[1])


def like(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an array of x's shape, whatever is in it, channels-last in memory; and its rows."""
    shape = (x.shape[0], *x.shape[2:], x.shape[1])
    block = aligned(x.size, x.dtype)
    first = block.reshape(shape).transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
    return first, block.reshape(-1, x.shape[1])


def edges_of(count: int, width: int) -> list[int]:
    """Cut ``count`` rows of ``width`` numbers into parts: where each begins, and the end.

    They depend on the sizes alone, so that sums of their sums do not depend on the threads.
    """
    parts = max(1, min(count, count * width // _PART, 64))
    return [k * count // parts for k in range(parts + 1)]
