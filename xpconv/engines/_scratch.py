"""Memory that is used again, at addresses that vectors like.

A page that the system hands out for the first time costs more than what is computed on it: 1.4 us
for 4 KiB where a rectifier takes 0.15 us. So blocks of arrays that are no longer used are kept, up
to a limit, and serve the next array of their size.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

_LINE = 64  # bytes of a cache line; a vector across two of them costs twice
_SMALL = 2**17  # bytes that the C library keeps for itself when they are freed
_MINE = threading.local()


class _Blocks:
    """Unused blocks by their size: so many bytes at most, and never more than were in use at once.

    The second keeps a training step's peak where it is without them: what one part of it has left
    goes before another part, of other sizes, gets new memory.
    """

    def __init__(self, limit: int = 2**28) -> None:
        self.limit = limit
        self.free: dict[int, list[np.ndarray]] = {}
        self.held = 0
        self.lent = 0
        self.most = 0  # bytes lent at any time
        self.lock = threading.RLock()  # a loan may end wherever Python collects garbage

    def take(self, size: int) -> np.ndarray:
        with self.lock:
            blocks = self.free.get(size)
            if blocks:
                self.lent += size
                self.held -= size
                return blocks.pop()
            most = max(self.most, self.lent + size)
            self._drop(self.lent + size + self.held - most)
        block = np.empty(size + _LINE, dtype=np.uint8)  # there may be no memory for it
        with self.lock:
            self.lent += size
            self.most = max(self.most, self.lent)
        return block

    def forget(self) -> None:
        """Let go of all unused blocks, and begin to count anew."""
        with self.lock:
            self._drop(self.held)
            self.most = self.lent

    def _drop(self, excess: int) -> None:
        """Let go of so many bytes of unused blocks, or of all."""
        sizes = sorted(size for size, blocks in self.free.items() if blocks)
        while excess > 0 and sizes:
            size = next((size for size in sizes if size >= excess), sizes[-1])
            self.free[size].pop()
            self.held -= size
            excess -= size
            if not self.free[size]:
                sizes.remove(size)

    def give_back(self, block: np.ndarray, size: int) -> None:
        # It may be called while Python ends, when the module's names are gone.
        with self.lock:
            self.lent -= size
            if self.held + size <= self.limit:
                self.held += size
                self.free.setdefault(size, []).append(block)


_BLOCKS = _Blocks()


def _unlock() -> None:
    """Start a forked child with a lock of its own: who held the parent's does not exist there."""
    _BLOCKS.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class _Loan:
    """Owner of an array's memory: NumPy lets go of it when the last view is gone."""

    __slots__ = ("__array_interface__", "block", "blocks", "size")

    def __init__(self, blocks: _Blocks, block: np.ndarray, size: int, wanted: int) -> None:
        self.blocks, self.block, self.size = blocks, block, size
        address = self.block.ctypes.data
        self.__array_interface__: dict[str, Any] = {
            "data": (address + -address % _LINE, False),
            "shape": (wanted,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        self.blocks.give_back(self.block, self.size)


def aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """Return ``size`` numbers, whatever they are, from the beginning of a cache line on."""
    wanted = int(size) * dtype.itemsize
    if wanted <= _SMALL:
        block = np.empty(wanted + _LINE, dtype=np.uint8)
        skipped = -block.ctypes.data % _LINE
        return block[skipped : skipped + wanted].view(dtype)
    # Sizes in steps of an eighth, so that arrays of nearly one size share blocks.
    step = 1 << max(wanted.bit_length() - 4, 12)
    size = -(-wanted // step) * step
    return np.asarray(_Loan(_BLOCKS, _BLOCKS.take(size), size, wanted)).view(dtype)


def scratch(size: int, dtype: np.dtype) -> np.ndarray:
    """Return ``size`` numbers, whatever they are, until the same thread asks again."""
    wanted = int(size) * dtype.itemsize
    block = getattr(_MINE, "block", None)
    if block is None or block.nbytes < wanted:
        block = aligned(max(wanted, 2**16), np.dtype(np.uint8))
        if wanted <= 2**22:  # larger ones are not kept for a thread alone
            _MINE.block = block
    return block[:wanted].view(dtype)


def let_go() -> None:
    """Give back what is kept for later calls, on all threads: what a process holds is in use then.

    Not while another thread computes: it may be about to write into its scratch.
    """
    global _MINE
    _MINE = threading.local()
    _BLOCKS.forget()
