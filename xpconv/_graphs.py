"""Recording what is given to a device, to repeat it in one go: CUDA graphs, through CuPy.

A recording does again what it recorded, at the same addresses: what it reads must be where it was,
and nobody else may use the memory that it writes to.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

from .backend import Backend


class Recording(Protocol):
    """What was recorded."""

    def replay(self) -> None:
        """Give all of it to the device once more."""


class Recorder(Protocol):
    """Makes recordings, one at a time, which share memory: no two of them may run at once."""

    def record(self) -> AbstractContextManager[Recording]:
        """Record what is given to the device within a ``with`` block; nothing of it is done.

        Arrays made in the block hold nothing until the recording is replayed. Whatever asks the
        device for a value, or copies from the host, is an error.
        """


class Arena:
    """Device memory of recordings: it stays allocated as long as one of its arrays or they live.

    Notes
    -----
    CuPy's pool gives out again what was freed while a step is recorded, which suits a graph: it
    does its work in that order. By itself the pool would take memory from live arrays when it is
    dropped, and give unused blocks back to CUDA when memory is short, though a graph writes there.
    """

    def __init__(self) -> None:
        self._cuda = importlib.import_module("cupy").cuda
        outer = self._cuda.get_allocator()
        kept: list[Any] = []

        def fetch(size: int) -> Any:
            kept.append(outer(size))
            return kept[-1]

        self._pool = self._cuda.MemoryPool(fetch)

    def malloc(self, size: int) -> Any:
        """Return memory for an array, as CuPy asks its allocators for it."""
        pointer = self._pool.malloc(size)
        owner = (pointer, self)
        memory = self._cuda.UnownedMemory(pointer.ptr, size, owner, pointer.device_id)
        return self._cuda.MemoryPointer(memory, 0)


class CudaGraph:
    """A recording of CuPy's; see `Recording`."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self.graph: Any = None

    def replay(self) -> None:
        """Launch the graph on the current stream."""
        self.graph.launch()


class CudaRecorder:
    """Recorder for CuPy, on its current device; see `Recorder`."""

    def __init__(self) -> None:
        self._cuda = importlib.import_module("cupy").cuda
        # CUDA records no default stream, and one that waits for it would forbid others its use.
        self._stream = self._cuda.Stream(non_blocking=True)
        self._arena = Arena()

    @contextmanager
    def record(self) -> Iterator[CudaGraph]:
        """Record what CuPy is given within a ``with`` block."""
        recording = CudaGraph(self._arena)
        # Steps before this one have left memory in the pool of another stream.
        importlib.import_module("cupy").get_default_memory_pool().free_all_blocks()
        with _no_collection(), self._cuda.using_allocator(self._arena.malloc), self._stream:
            # The mode is "relaxed", CuPy's own: in all others memory cannot be allocated.
            self._stream.begin_capture()
            try:
                yield recording
            except BaseException:
                with suppress(RuntimeError):  # that something was wrong is known
                    self._stream.end_capture()
                raise
            recording.graph = self._stream.end_capture()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect garbage now and not within the block, where freeing it might wait for the device."""
    gc.collect()
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


RECORDERS: dict[str, Callable[[], Recorder]] = {"cupy": CudaRecorder}
"""Library -> what records its work on the current device."""


def recorder(backend: Backend) -> Recorder | None:
    """Return a new recorder for a backend, or None where nothing is gained by one."""
    make = RECORDERS.get(backend.name)
    if make is None:
        return None
    with backend.context():
        return make()
