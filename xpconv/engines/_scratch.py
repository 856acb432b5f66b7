"""Memory for what is needed during one piece of work only, at addresses that vectors like."""

from __future__ import annotations

import threading

import numpy as np

_LINE = 64  # bytes of a cache line; a vector across two of them costs twice
_KEPT = 4 * 2**20  # bytes; a larger block is given back at once
_MINE = threading.local()


def aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """Return ``size`` numbers, whatever they are, from the beginning of a cache line on."""
    wanted = size * dtype.itemsize
    block = np.empty(wanted + _LINE, dtype=np.uint8)
    skipped = -block.ctypes.data % _LINE
    return block[skipped : skipped + wanted].view(dtype)


def scratch(size: int, dtype: np.dtype) -> np.ndarray:
    """Return ``size`` numbers, whatever they are, until the same thread asks again."""
    wanted = size * dtype.itemsize
    if wanted > _KEPT:
        return aligned(size, dtype)
    block = getattr(_MINE, "block", None)
    if block is None or block.nbytes < wanted:
        block = _MINE.block = aligned(max(wanted, 2**16), np.dtype(np.uint8))
    return block[:wanted].view(dtype)
