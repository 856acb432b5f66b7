"""Pick the module of primitives that suits an array library."""

from __future__ import annotations

from types import ModuleType

from array_api_compat import is_cupy_namespace, is_numpy_namespace

from .._typing import Namespace
from .._workspace import workspace_budget
from . import _cupy, _portable

# Columns that stay in a CPU's cache are written and read several times faster than main memory;
# elsewhere fewer, larger products win.
_CPU_BYTES = 8 * 2**20
_DEVICE_BYTES = 256 * 2**20


def primitives(xp: Namespace) -> ModuleType:
    """Return the module whose ``gather``, ``scatter`` and ``product_into`` an engine calls."""
    return _cupy if is_cupy_namespace(xp) else _portable


def column_budget(xp: Namespace) -> int:
    """Return how many bytes of columns an engine may hold at a time."""
    return workspace_budget(_CPU_BYTES if is_numpy_namespace(xp) else _DEVICE_BYTES)
