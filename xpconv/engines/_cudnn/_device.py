"""What is asked of CuPy: a device, its current stream, and memory to work in."""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager
from typing import Any

from array_api_compat import device

from ..._libraries import activate, library_of
from ..._typing import Array
from .._engine import Declined
from ._library import front_end

_MAKING = threading.Lock()
_DEVICES: dict[int, Device | str] = {}  # a text says why a device cannot be used
_LOG = logging.getLogger("xpconv.engines")


class Device:
    """One device with cuDNN's handle to it, which serves one thread at a time.

    Parameters
    ----------
    number : int
        The device, which is the current one.

    Raises
    ------
    RuntimeError
        If cuDNN cannot use the device.
    """

    def __init__(self, number: int) -> None:
        import cupy

        self.number = number
        self.lock = threading.Lock()
        # Said here, the front end need not load CUDA's runtime library to find it out.
        self.architecture = int(cupy.cuda.Device(number).compute_capability)
        self.handle = front_end().create_handle()


def here(array: Array) -> Device:
    """Return the device of an array, which is the current one.

    Raises
    ------
    Declined
        If cuDNN cannot use it. That is remembered.
    """
    number = int(getattr(device(array), "id", 0))
    found = _DEVICES.get(number) or _made(number)
    if isinstance(found, str):
        raise Declined(found)
    return found


def _made(number: int) -> Device | str:
    with _MAKING:
        if number not in _DEVICES:
            try:
                _DEVICES[number] = Device(number)
            except RuntimeError as error:  # it is too old, or the driver is
                _DEVICES[number] = f"cuDNN cannot use device {number} ({error})"
                _LOG.warning("%s", _DEVICES[number])
        return _DEVICES[number]


def current(array: Array) -> AbstractContextManager[Any]:
    """Make the device of an array the current one within a ``with`` block."""
    return activate(library_of(array), device(array))


def stream() -> int:
    """Return the address of the current stream."""
    import cupy

    return int(cupy.cuda.get_current_stream().ptr)


def capturing() -> bool:
    """Whether the current stream is being captured into a CUDA graph."""
    import cupy

    return bool(cupy.cuda.get_current_stream().is_capturing())


def workspace(size: int) -> Any:
    """Take bytes from CuPy's pool; they go back to it, for this stream, with the last reference."""
    import cupy

    return cupy.cuda.alloc(size)
