"""A few numbers from the host into an array, in their turn: ``source/store.cuh``."""

from __future__ import annotations

import numpy as np

from ..._typing import Array
from ._launch import launch_blocks

SIZES = (64, 512, 3072)  # bytes that a launch carries; 4096 is the limit for all of its arguments


def store(target: Array, values: np.ndarray) -> None:
    """Write the values of a host array to a contiguous array of its dtype and size."""
    flat = target.reshape(-1)
    data = np.ascontiguousarray(values).reshape(-1)
    most = SIZES[-1] // data.itemsize
    for first in range(0, data.size, most):
        part = data[first : first + most]
        size = next(size for size in SIZES if size >= part.nbytes)
        carried = np.zeros(size, dtype=np.uint8)
        carried[: part.nbytes] = np.frombuffer(part.tobytes(), dtype=np.uint8)
        struct = carried.view(np.dtype((np.void, size)))
        rest = flat[first : first + most]
        launch_blocks("store", "store", (size,), (1,), target, struct, rest, np.int32(part.nbytes))
