"""Memory that a thread uses again and again, for what is needed during one piece of work only."""

from __future__ import annotations

import threading

import numpy as np

_KEPT = 4 * 2**20  # bytes; a larger block is given back at once
_MINE = threading.local()


def scratch(size: int, dtype: np.dtype) -> np.ndarray:
    """Return ``size`` numbers, whatever they are, until the thread asks again."""
    wanted = size * dtype.itemsize
    if wanted > _KEPT:
        return np.empty(size, dtype=dtype)
    block = getattr(_MINE, "block", None)
    if block is None or block.nbytes < wanted:
        block = _MINE.block = np.empty(max(wanted, 2**16), dtype=np.uint8)
    return block[:wanted].view(dtype)
