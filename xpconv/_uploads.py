"""Copies from the host to a CUDA device that run while the device computes."""

from __future__ import annotations

import importlib
import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from ._typing import Array


class Upload(NamedTuple):
    """A copy under way: what it fills, and the event behind it on the copying stream."""

    array: Array
    copied: Any


class Uploads:
    """Copies on a stream of their own, from memory that the device reads without the host's help.

    Parameters
    ----------
    slots : int
        How many copies may be under way; one more waits for the first.

    Notes
    -----
    Ordinary host memory cannot be copied so: CUDA would first wait for all that the stream was
    given. The arrays are CuPy's ordinary ones, in memory of the stream that will use them: the copy
    waits for what that memory was used for before, and the user (by `ready`) for the copy. Both
    wait on the device; the host waits only where all slots are taken.
    """

    def __init__(self, slots: int) -> None:
        self._cuda = importlib.import_module("cupy").cuda
        self._stream = self._cuda.Stream(non_blocking=True)
        self._slots = slots
        self._sources: deque[tuple[np.ndarray, Any]] = deque()  # and the events behind their copies

    def start(self, host: np.ndarray) -> Upload:
        """Begin to copy a C-contiguous host array; it may be changed at once."""
        cupy = importlib.import_module("cupy")
        source = self._pinned(host)
        array = cupy.empty(host.shape, dtype=host.dtype)
        self._stream.wait_event(self._event(self._cuda.get_current_stream()))
        array.set(source, stream=self._stream)
        copied = self._event(self._stream)
        self._sources.append((source, copied))
        return Upload(array, copied)

    def ready(self, upload: Upload) -> Array:
        """Return the array: what the current stream is given from now on sees the copy in it."""
        self._cuda.get_current_stream().wait_event(upload.copied)
        return upload.array

    def close(self) -> None:
        """Wait for all copies: their memory is about to be used for something else."""
        self._stream.synchronize()
        self._sources.clear()

    def _pinned(self, host: np.ndarray) -> np.ndarray:
        """Return a copy of a host array in pinned memory, which CuPy's pool gives out again."""
        if len(self._sources) >= self._slots:
            self._sources.popleft()[1].synchronize()
        memory = self._cuda.alloc_pinned_memory(max(host.nbytes, 1))
        source = np.frombuffer(memory, dtype=host.dtype, count=math.prod(host.shape))
        source = source.reshape(host.shape)
        np.copyto(source, host)
        return source

    def _event(self, stream: Any) -> Any:
        event = self._cuda.Event(disable_timing=True)
        stream.record(event)
        return event
