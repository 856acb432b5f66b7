"""A stand-in for CuPy's streams, for tests: work is done late, in any order that the events allow.

Memory is given out again the moment it is let go of, as CuPy's pools do. So whoever forgets to wait
for something, or lets go of memory too early, reads other numbers in some of the orders.
"""

from __future__ import annotations

import contextlib
import ctypes
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


class Event:
    def __init__(self, **options: Any) -> None:
        assert options == {"disable_timing": True}
        self.happened = True  # one that was never recorded, as in CUDA

    def synchronize(self) -> None:
        self.world.until(lambda: self.happened)

    world: World


class Stream:
    def __init__(self, world: World, non_blocking: bool) -> None:
        self.world, self.todo = world, []  # type: ignore[var-annotated]
        assert non_blocking
        world.streams.append(self)

    def add(self, work: Callable[[], None], after: Event | None = None) -> None:
        self.todo.append((work, after))

    def record(self, event: Event) -> None:
        event.happened, event.world = False, self.world
        self.add(lambda: setattr(event, "happened", True))

    def wait_event(self, event: Event) -> None:
        if self.world.waits:
            # What was recorded before the call counts, and it is recorded once here.
            self.add(lambda: None, event)

    def synchronize(self) -> None:
        self.world.until(lambda: not self.todo)


class World:
    """The device: its streams, its memory, and chance, which decides when something is done."""

    def __init__(self, seed: int, waits: bool = True) -> None:
        self.rng, self.waits = np.random.default_rng(seed), waits
        self.streams: list[Stream] = []
        self.current = Stream(self, non_blocking=True)
        self.free: dict[int, list[bytearray]] = {}
        self.held = 0

    def some_time_passes(self, chance: float = 0.8) -> None:
        while self.rng.random() < chance:
            able = [
                s
                for s in self.streams
                if s.todo and (s.todo[0][1] is None or s.todo[0][1].happened)
            ]
            if not able:
                return
            able[self.rng.integers(len(able))].todo.pop(0)[0]()

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(10_000):
            if condition():
                return
            self.some_time_passes()
        raise AssertionError("this wait would never end")

    def memory(self, nbytes: int) -> Any:
        """A piece of memory that is given out again when nothing refers to it."""
        pile = self.free.setdefault(nbytes, [])
        store = pile.pop() if pile else bytearray(nbytes)
        self.held += 1

        def let_go(_: Any) -> None:
            pile.append(store)
            self.held -= 1

        kind = type("Memory", (ctypes.c_char * nbytes,), {"__del__": let_go})
        return kind.from_buffer(store), store

    def cupy(self) -> types.ModuleType:
        module = types.ModuleType("cupy")
        module.empty = lambda shape, dtype: DeviceArray(self, shape, dtype)  # type: ignore[attr-defined]
        module.cuda = types.SimpleNamespace(  # type: ignore[attr-defined]
            Event=Event,
            Stream=lambda non_blocking: Stream(self, non_blocking),
            get_current_stream=lambda: self.current,
            alloc_pinned_memory=lambda nbytes: self.memory(nbytes)[0],
        )
        return module


class DeviceArray:
    """Numbers on the device; to read them is to enqueue a copy and to wait."""

    def __init__(self, world: World, shape: tuple[int, ...], dtype: Any) -> None:
        self.world, self.shape, self.dtype = world, shape, np.dtype(dtype)
        self.nbytes = int(np.prod(shape)) * self.dtype.itemsize
        self.memory, self.store = world.memory(self.nbytes)

    def set(self, source: np.ndarray, stream: Stream) -> None:
        assert source.dtype == self.dtype
        assert source.shape == self.shape
        where = source.ctypes.data  # as the device does it: by address, owning nothing
        target = self.store

        def copy() -> None:
            target[:] = ctypes.string_at(where, len(target))

        stream.add(copy)

    def computed(self, change: Callable[[np.ndarray], np.ndarray] = np.copy) -> list[np.ndarray]:
        """Enqueue a kernel on the current stream; its result arrives in the list, some day."""
        result: list[np.ndarray] = []
        store, dtype, shape = self.store, self.dtype, self.shape
        self.world.current.add(
            lambda: result.append(change(np.frombuffer(bytes(store), dtype).reshape(shape)))
        )
        return result


class LateBackend:
    """As much of a `Backend` as bringing batches asks for."""

    name = "cupy"

    def __init__(self, world: World) -> None:
        self.world = world

    @contextlib.contextmanager
    def context(self) -> Iterator[None]:
        yield

    def asarray(self, x: Any, dtype: str | None) -> DeviceArray:
        if isinstance(x, np.ndarray):  # CuPy's way without pinned memory: it waits
            self.world.current.synchronize()
            there = DeviceArray(self.world, x.shape, x.dtype)
            there.store[:] = x.tobytes()
            return self.asarray(there, dtype)
        if dtype is None or x.dtype == dtype:
            return x
        cast = DeviceArray(self.world, x.shape, dtype)
        source, target, given = x.store, cast.store, x.dtype

        def work() -> None:
            target[:] = np.frombuffer(bytes(source), given).astype(dtype).tobytes()

        self.world.current.add(work)
        return cast
