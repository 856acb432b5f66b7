"""Batches on their way to a device: one by one, or ahead of the one that is computed with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from .._libraries import in_memory_order
from .._typing import Array
from .._uploads import Upload, Uploads
from ..backend import Backend

AHEAD = 2  # batches: one may be copied while the other waits for its turn


def uploaded(
    host_batches: Iterable[tuple[np.ndarray, np.ndarray]], backend: Backend, dtype: str | None
) -> Iterator[tuple[Array, Array]]:
    """Bring batches to a CUDA device, some of them ahead of their turn; see `on_backend`."""
    source = iter(host_batches)
    waiting: deque[tuple[Upload | np.ndarray, ...]] = deque()
    end: Exception | None = None  # an error comes after the batches before it
    with backend.context():
        uploads = Uploads(slots=2 * (AHEAD + 1))
    try:
        while end is None or waiting:
            while end is None and len(waiting) <= AHEAD:
                try:
                    batch = next(source)
                except Exception as error:
                    end = error
                else:
                    with backend.context():
                        waiting.append(tuple(_started(uploads, x) for x in batch))
            if waiting:
                with backend.context():
                    x, y = (_arrived(uploads, z, backend, dtype) for z in waiting.popleft())
                yield x, y
                del x, y  # their memory serves again as soon as the user has let go of them
    finally:
        with backend.context():
            uploads.close()
    if not isinstance(end, StopIteration):
        raise end


def _started(uploads: Uploads, x: np.ndarray) -> Upload | np.ndarray:
    """Begin to copy an array, unless it lies in memory in an order that would be lost."""
    x = in_memory_order(x)
    return uploads.start(x) if x.flags.c_contiguous else x


def _arrived(
    uploads: Uploads, x: Upload | np.ndarray, backend: Backend, dtype: str | None
) -> Array:
    return to_device(uploads.ready(x) if isinstance(x, Upload) else x, backend, dtype)


def to_device(x: Array, backend: Backend, dtype: str | None = None) -> Array:
    """Bring one array to a device; see `on_backend`."""
    wanted = {"f": dtype, "i": "int64", "u": "int64"}.get(x.dtype.kind)
    return backend.asarray(x, wanted)
