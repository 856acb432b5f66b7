"""Choose where arrays live: a backend is an array library and a device.

The choice is made where something is created (`get_backend`, `use_backend`, ``backend=``,
``model.to``); from then on the arrays carry it, and operations ask the arrays.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import array_api_compat
import numpy as np

from . import _libraries
from ._libraries import BackendError as BackendError, MemoryInfo as MemoryInfo
from ._typing import Array, DType, Namespace

__all__ = [
    "Backend",
    "BackendError",
    "MemoryInfo",
    "available_backends",
    "backend_of",
    "explain_auto",
    "get_backend",
    "to_numpy",
    "use_backend",
]

_LOG = logging.getLogger("xpconv")
_CURRENT: ContextVar[Backend | None] = ContextVar("xpconv_backend", default=None)


@dataclass(frozen=True)
class Backend:
    """An array library and a device of it.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"cupy"``, ``"torch"`` or ``"array_api_strict"``.
    xp : module
        The library's array API namespace.
    device : object
        The library's own device object.

    Examples
    --------
    >>> backend = get_backend("numpy")
    >>> str(backend)
    'numpy'
    >>> backend.asarray([1.0, 2.0], dtype="float32").dtype
    dtype('float32')
    """

    name: str
    xp: Namespace
    device: Any

    def __str__(self) -> str:
        """Return what a user types to get this backend, as in ``"cupy:0"``."""
        device = _libraries.device_name(self.name, self.device)
        return f"{self.name}:{device}" if device else self.name

    def __hash__(self) -> int:
        """Hash the name: CuPy's devices have no hash."""
        return hash(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by name: modules and devices are not data."""
        return get_backend, (str(self),)

    def asarray(self, x: Any, dtype: DType | None = None) -> Array:
        """Bring data here: host data, or an array of any library and device.

        Parameters
        ----------
        x : array or array-like
            What to bring. An array that is here already is returned as it is, never copied.
        dtype : dtype or str, optional
            The wanted dtype, by name or as the library's own; by default that of ``x``.

        Returns
        -------
        array
            An array of this library on this device.
        """
        dtype = self._own_dtype(dtype)
        if array_api_compat.is_array_api_obj(x) and _libraries.library_of(x) == self.name:
            here = _libraries.plain(x)
            if array_api_compat.device(x) != self.device:
                with self.context():
                    here = array_api_compat.to_device(x, self.device)
            if dtype is None or here.dtype == dtype:
                return here
            return self.xp.astype(here, dtype)
        with self.context():
            # A copy: libraries must not share memory that one of them may change.
            host = _libraries.in_memory_order(to_numpy(x))
            array = self.xp.asarray(host, device=self.device, copy=True)
            return array if dtype is None else self.xp.astype(array, dtype, copy=False)

    def _own_dtype(self, dtype: DType | None) -> DType | None:
        """Find a dtype of any library, or its name, among this library's own."""
        if dtype is None:
            return None
        text = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
        name = text.rpartition(".")[2]
        own = getattr(self.xp, name, None)
        if own is None and (self.name, name) == ("cupy", "bfloat16"):
            own = _libraries.cupy_bfloat16()
        if own is None and isinstance(dtype, str):
            raise ValueError(f"{self.name} has no dtype {dtype!r}")
        return dtype if own is None else own

    def to_numpy(self, x: Array) -> np.ndarray:
        """Bring an array to the host as a NumPy array."""
        return to_numpy(x)

    def synchronize(self) -> None:
        """Wait until the device has finished everything it was given."""
        _libraries.synchronize(self.name, self.device)

    def memory_info(self) -> MemoryInfo | None:
        """Return used, free and total memory of the device in bytes, or None if unknown."""
        return _libraries.memory(self.name, self.device)

    def release_memory(self) -> None:
        """Give back to the system the device memory that the library keeps and no array uses.

        CuPy and PyTorch keep what was freed for the next array. That is fast, and looks to others
        as if the memory were in use.
        """
        _libraries.release_memory(self.name, self.device)

    def context(self) -> AbstractContextManager[Any]:
        """Make the device the library's current one within a ``with`` block."""
        return _libraries.activate(self.name, self.device)


def get_backend(spec: str | Backend | None = None) -> Backend:
    """Return a backend that is known to work.

    Parameters
    ----------
    spec : str, Backend or None
        ``"numpy"``, ``"cupy"``, ``"cupy:1"``, ``"torch"``, ``"torch:cuda"``, ``"array_api_strict"``
        or ``"auto"`` (CuPy if it works, else NumPy, said once through the ``xpconv`` logger).
        ``None`` means the innermost `use_backend`, else the environment variable
        ``XPCONV_BACKEND``, else NumPy.

    Returns
    -------
    Backend
        The library and device, ready for use.

    Raises
    ------
    BackendError
        If the library is missing or cannot work; with the cause and what to type.
    ValueError
        If no such backend exists.

    Examples
    --------
    >>> get_backend("numpy").name
    'numpy'
    """
    if isinstance(spec, Backend):
        return spec
    if spec is None:
        current = _CURRENT.get()
        return current if current is not None else get_backend(_environment())
    if not isinstance(spec, str):
        raise TypeError(f"a backend is a name such as 'cupy:0', got {type(spec).__name__}")
    name, _, device = spec.strip().partition(":")
    if name == "auto" and not device:
        chosen, reason = explain_auto()
        _say_once(chosen, reason)
        return get_backend(chosen)
    if name not in _libraries.OPENERS:
        names = ", ".join(repr(known) for known in [*_libraries.OPENERS, "auto"])
        raise ValueError(f"unknown backend {spec!r}; there are {names}")
    xp, place = _libraries.OPENERS[name](device)
    return Backend(name, xp, place)


def _environment() -> str:
    return os.environ.get("XPCONV_BACKEND", "").strip() or "numpy"


@contextmanager
def use_backend(spec: str | Backend) -> Iterator[Backend]:
    """Make a backend the default for what is created within a ``with`` block.

    Blocks nest, and each thread and each asynchronous task has its own.

    Parameters
    ----------
    spec : str or Backend
        As in `get_backend`.

    Yields
    ------
    Backend
        The backend in force.

    Examples
    --------
    >>> from xpconv import nn
    >>> with use_backend("numpy"):
    ...     layer = nn.Linear(3, 2)
    >>> str(layer.backend)
    'numpy'
    """
    backend = get_backend(spec)
    token = _CURRENT.set(backend)
    try:
        with backend.context():
            yield backend
    finally:
        _CURRENT.reset(token)


def backend_of(x: Array) -> Backend:
    """Return the backend that an array lives on."""
    if not array_api_compat.is_array_api_obj(x):
        raise TypeError(f"expected an array, got {type(x).__name__}")
    xp = array_api_compat.array_namespace(x)
    return Backend(_libraries.library_of(x), xp, array_api_compat.device(x))


def to_numpy(x: Any) -> np.ndarray:
    """Bring an array of any library, or array-like data, to the host as a NumPy array."""
    return _libraries.to_host(x)


def available_backends() -> tuple[str, ...]:
    """Return the names of the backends that work on this machine."""
    return tuple(name for name in _libraries.OPENERS if _failure(name) is None)


def explain_auto() -> tuple[str, str]:
    """Say which backend ``"auto"`` stands for on this machine, and why.

    Returns
    -------
    spec, reason : str
        The backend's name, and one line that explains the choice.
    """
    failure = _failure("cupy")
    if failure is None:
        return "cupy", "cupy works on a CUDA device"
    return "numpy", failure


@cache
def _failure(name: str) -> str | None:
    """Why a backend cannot work, or None if it can."""
    try:
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed"
        get_backend(name)
    except BackendError as error:
        return str(error)
    return None


@cache
def _say_once(chosen: str, reason: str) -> None:
    if chosen == "numpy":
        _LOG.warning("backend 'auto' uses numpy on the CPU: %s", reason)
    else:
        _LOG.info("backend 'auto' uses %s: %s", chosen, reason)
