"""Memory that arrays of any size use, one after the other.

A training step asks for hundreds of arrays of many sizes. What one of them leaves is cut for the
next ones, and joined again when they are gone.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

LINE = 64  # bytes of a cache line; a vector across two of them costs twice
_PAGE = 4096

Span = tuple[int, int, int]
"""Bytes, the address where they begin, and the number of the chunk that they are part of."""


class Blocks:
    """Chunks of memory, and what of them is unused.

    Before a chunk is fetched, unused ones go, so that no more is held than was in use at once, and
    no more than ``limit`` bytes are unused, both as far as whole chunks can go. That keeps a
    training step's peak about where it is without all this.

    An array may come to its end wherever Python collects garbage, also within one of the methods.
    So what comes back is only noted then.
    """

    _insert = staticmethod(insort)  # methods may run while Python ends, when names are gone
    _place = staticmethod(bisect_left)

    def __init__(self, limit: int = 2**30) -> None:
        self.limit = limit
        self._numbers = count(1)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Know nothing of what was lent; as in a forked child, where the lock's holder is gone."""
        self.lock = threading.RLock()
        self._clear()

    def _clear(self) -> None:
        self.chunks: dict[int, tuple[int, np.ndarray]] = {}  # where they begin, and their memory
        self.free: list[Span] = []  # the smallest first
        self._begins: dict[int, Span] = {}
        self._ends: dict[int, Span] = {}
        self._returned: list[Span] = []
        self.held = self.lent = self.most = 0  # bytes unused, lent, and lent at any time
        self._busy = False

    def take(self, wanted: int) -> tuple[Span, np.ndarray]:
        """Return memory of so many bytes, whatever they are, and the array that it is part of."""
        size = -(-wanted // _PAGE) * _PAGE
        with self.lock:
            if self._busy:  # a finaliser asks
                begin, memory = _chunk(size)
                return (size, begin, 0), memory
            span: Span = self._in_order(self._take, size)
            return span, self.chunks[span[2]][1]

    def give_back(self, span: Span) -> None:
        """Take memory back, now or before more is taken."""
        self._returned.append(span)
        if self.lock.acquire(blocking=False):
            try:
                if not self._busy:
                    self._in_order(self._settle)
            finally:
                self.lock.release()

    def forget(self) -> None:
        """Let go of all chunks that are not in use, and begin to count anew."""
        with self.lock:
            if not self._busy:
                self._in_order(self._forget)

    def _in_order(self, work: Callable[..., Any], *arguments: int) -> Any:
        """Call a method; where it is interrupted, what it was about to change is given up."""
        try:
            self._busy = True
            return work(*arguments)
        except MemoryError:
            raise
        except BaseException:
            self._clear()
            raise
        finally:
            self._busy = False

    def _take(self, size: int) -> Span:
        self._settle()
        span = self._found(size) or self._fetched(size)
        self.lent += size
        self.most = max(self.most, self.lent)
        return span

    def _forget(self) -> None:
        self._settle()
        self._drop(self.held)
        self.most = self.lent

    def _settle(self) -> None:
        """Join what was returned with what is unused beside it."""
        while self._returned:
            size, begin, chunk = self._returned.pop()
            if chunk not in self.chunks:
                continue
            self.lent -= size
            self.held += size
            before, after = self._ends.get(begin), self._begins.get(begin + size)
            if before is not None and before[2] == chunk:
                self._remove(before)
                size, begin = size + before[0], before[1]
            if after is not None and after[2] == chunk:
                self._remove(after)
                size += after[0]
            self._add((size, begin, chunk))
        if self.held > self.limit:
            self._drop(self.held - self.limit)

    def _add(self, span: Span) -> None:
        self._insert(self.free, span)
        self._begins[span[1]] = self._ends[span[1] + span[0]] = span

    def _remove(self, span: Span) -> None:
        del self.free[self._place(self.free, span)]
        del self._begins[span[1]], self._ends[span[1] + span[0]]

    def _found(self, size: int) -> Span | None:
        """Return a part of the smallest unused memory that is large enough."""
        place = self._place(self.free, (size, 0, 0))
        if place == len(self.free):
            return None
        span = self.free[place]
        self._remove(span)
        found, begin, chunk = span
        if found > size:
            self._add((found - size, begin + size, chunk))
        self.held -= size
        return size, begin, chunk

    def _fetched(self, size: int) -> Span:
        most = max(self.most, self.lent + size)
        self._drop(self.lent + size + self.held - most)
        begin, memory = _chunk(size)  # there may be no memory for it
        number = next(self._numbers)
        self.chunks[number] = begin, memory
        return size, begin, number

    def _drop(self, excess: int) -> None:
        """Let go of so many bytes of unused chunks, or of all."""
        whole = [span for span in self.free if self._is_chunk(span)]
        while excess > 0 and whole:
            span = next((span for span in whole if span[0] >= excess), whole[-1])
            whole.remove(span)
            self._remove(span)
            del self.chunks[span[2]]
            self.held -= span[0]
            excess -= span[0]

    def _is_chunk(self, span: Span) -> bool:
        size, begin, number = span
        address, memory = self.chunks[number]
        return begin == address and size + LINE == len(memory)


def _chunk(size: int) -> tuple[int, np.ndarray]:
    """Return new memory, and the address of the first line in it."""
    memory = np.empty(size + LINE, dtype=np.uint8)
    return memory.ctypes.data + -memory.ctypes.data % LINE, memory
