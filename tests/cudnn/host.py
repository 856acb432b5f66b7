"""A stand-in for the few things of CuPy that the engine cudnn asks for, on the host."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import numpy as np

from tests.cudnn.stand_in import Machine


class Stream:
    """The current stream."""

    ptr = 4711
    capturing = False

    def is_capturing(self) -> bool:
        return self.capturing


class Memory:
    """Bytes of a pool, full of what was there before."""

    def __init__(self, size: int) -> None:
        self._bytes = np.full(size, 0xFF, dtype=np.uint8)
        self.ptr = self._bytes.ctypes.data
        Machine.space[self.ptr] = size

    def __del__(self) -> None:
        Machine.space.pop(self.ptr, None)


def module() -> ModuleType:
    """A module to stand in the place of ``cupy``."""
    stand_in = ModuleType("cupy")
    stand_in.ndarray = type("ndarray", (), {})  # array_api_compat looks at it: nothing is one
    stand_in.cuda = SimpleNamespace(
        Device=lambda number: SimpleNamespace(compute_capability="90"),
        alloc=Memory,
        get_current_stream=Stream,
    )
    return stand_in
