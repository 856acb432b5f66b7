"""How every body is compiled: without the interpreter's lock, and cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.extending import intrinsic

from . import _told as _told  # listens from here on


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function at its first call with arguments of some types."""
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # nowhere to write a cache
        return numba.njit(**options)(function)  # type: ignore[no-any-return]


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of compiled code from one that types it and returns what writes it."""
    return intrinsic(function)  # type: ignore[no-any-return]
