"""Memory that is used again, at addresses that vectors like.

A page that the system hands out for the first time costs more than what is computed on it: 1.4 us
for 4 KiB where a rectifier takes 0.15 us. So the memory of arrays that are no longer used is kept,
up to a limit, and serves the next ones.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any

import numpy as np

from ._blocks import LINE, Blocks

_SMALL = 2**17  # bytes that the C library keeps for itself when they are freed
_MINE = threading.local()
_BLOCKS = Blocks()


def _begin_anew() -> None:
    _BLOCKS.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class _Loan:
    """Owner of an array's memory: NumPy lets go of it when the last view is gone."""

    __slots__ = ("__array_interface__", "blocks", "memory", "span")

    def __init__(self, blocks: Blocks, wanted: int) -> None:
        self.blocks = blocks
        self.span, self.memory = blocks.take(wanted)
        self.__array_interface__: dict[str, Any] = {
            "data": (self.span[1], False),
            "shape": (wanted,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self) -> None:
        if hasattr(self, "span"):  # else there was no memory
            self.blocks.give_back(self.span)


def _address(block: Any) -> int:
    """Return where a block's memory begins; ``block.ctypes`` takes three times as long."""
    return ctypes.addressof(ctypes.c_char.from_buffer(block))


def aligned(size: int, dtype: np.dtype) -> np.ndarray:
    """Return ``size`` numbers, whatever they are, from the beginning of a cache line on."""
    wanted = int(size) * dtype.itemsize
    if wanted <= _SMALL:
        block = np.empty(wanted + LINE, dtype=np.uint8)
        skipped = -_address(block) % LINE
        return block[skipped : skipped + wanted].view(dtype)
    return np.asarray(_Loan(_BLOCKS, wanted)).view(dtype)


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
