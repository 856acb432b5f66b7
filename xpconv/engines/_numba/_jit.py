"""How every body is compiled: without the interpreter's lock, and cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numba
from numba.extending import intrinsic

from . import _told as _told  # listens from here on


def _sources() -> str:
    """Return what tells these sources from others: any of them may be part of any body."""
    digest = blake2b()
    for folder in (Path(__file__).parent, Path(__file__).parent.parent):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


_VERSION = f"{numba.__version__} {_sources()}"


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function at its first call with arguments of some types.

    Numba takes code from its cache as long as the function's own file is the same. Ours call one
    another and take tuples that other files define, so the cache is one of all files, or empty.
    """
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    try:
        compiled = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to write a cache
        return numba.njit(**options)(function)  # type: ignore[no-any-return]
    index: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if hasattr(index, "_version"):  # looked at before anything else of a file is read
        index._version = _VERSION
    return compiled  # type: ignore[no-any-return]


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of compiled code from one that types it and returns what writes it."""
    return intrinsic(function)  # type: ignore[no-any-return]
