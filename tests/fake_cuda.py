"""A stand-in for ``cupy.cuda``: what is asked of it in order, and pools of memory."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

_ADDRESSES = itertools.count(512, 512)


class Memory:
    """Device memory as CUDA gives it; it is gone when nobody holds on to it."""

    def __init__(self, cuda: FakeCuda, size: int) -> None:
        self._cuda, self.size, self.ptr = cuda, size, next(_ADDRESSES)
        cuda.allocated.add(self.ptr)

    def __del__(self) -> None:
        self._cuda.allocated.discard(self.ptr)


class Pooled:
    """A block of a pool: back to it when it is dropped, if the pool is still there."""

    def __init__(self, pool: Pool, block: Memory) -> None:
        self._pool, self.size, self.ptr = weakref.ref(pool), block.size, block.ptr

    def __del__(self) -> None:
        pool = self._pool()
        if pool is not None:
            pool.free.append(pool.used.pop(self.ptr))


class Pool:
    """As CuPy's: it holds the memory of all of its blocks, in use or not."""

    def __init__(self, allocator: Callable[[int], Pointer]) -> None:
        self._allocator = allocator
        self.used: dict[int, Memory] = {}
        self.free: list[Memory] = []

    def malloc(self, size: int) -> Pointer:
        fitting = [block for block in self.free if block.size == size]
        if fitting:
            self.free.remove(fitting[-1])
        block = fitting[-1] if fitting else self._allocator(size).mem
        self.used[block.ptr] = block
        return Pointer(Pooled(self, block), 0)

    def free_all_blocks(self) -> None:
        self.free.clear()


class Pointer:
    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, 0


class Unowned:
    def __init__(self, ptr: int, size: int, owner: Any, device_id: int) -> None:
        self.ptr, self.size, self.owner, self.device_id = ptr, size, owner, device_id


class Graph:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda

    def launch(self, stream: Any = None) -> None:
        self._cuda.log.append(("launch", self._cuda.current if stream is None else stream))


class Stream:
    def __init__(self, cuda: FakeCuda, non_blocking: bool) -> None:
        self._cuda, self.non_blocking, self.broken = cuda, non_blocking, False

    def __enter__(self) -> Stream:
        self._outer, self._cuda.current = self._cuda.current, self
        return self

    def __exit__(self, *args: Any) -> None:
        self._cuda.current = self._outer

    def begin_capture(self, mode: Any = None) -> None:
        assert self.non_blocking
        assert self._cuda.current is self
        self._cuda.log.append(("begin", mode))

    def end_capture(self) -> Graph:
        self._cuda.log.append(("end",))
        if self.broken:
            raise RuntimeError("cudaErrorStreamCaptureInvalidated")
        return Graph(self._cuda)


class FakeCuda:
    """What `xpconv._graphs` uses of ``cupy`` and ``cupy.cuda``."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.allocated: set[int] = set()
        self.current: Any = "the default stream"
        self._allocator: Callable[[int], Pointer] = lambda size: Pointer(Memory(self, size), 0)
        self.MemoryPool, self.MemoryPointer, self.UnownedMemory = Pool, Pointer, Unowned
        self.Stream = lambda non_blocking: Stream(self, non_blocking)

    def get_allocator(self) -> Callable[[int], Pointer]:
        return self._allocator

    @contextmanager
    def using_allocator(self, allocator: Callable[[int], Pointer]) -> Iterator[None]:
        before, self._allocator = self._allocator, allocator
        try:
            yield
        finally:
            self._allocator = before

    def module(self) -> ModuleType:
        """To stand in the place of ``cupy``."""
        cupy = ModuleType("cupy")
        cupy.cuda = self
        pool = SimpleNamespace(free_all_blocks=lambda: self.log.append(("free_all_blocks",)))
        cupy.get_default_memory_pool = lambda: pool
        cupy.ndarray = type("ndarray", (), {})  # array_api_compat looks at it: nothing is one
        return cupy
