"""Fused bodies: what a library can do in one pass that the standard spells as several.

Operations ask for a body by name and use it where there is one; else their portable code runs,
which stays the reference. So a library's bodies are a matter of speed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from typing import Any

from .._arrays import dtype_name
from .._typing import Array
from . import _cuda, _numba, _numpy
from ._problem import Problem

Body = Callable[..., Any]


def _of_numpy(name: str, dtype: str) -> Body | None:
    """Return the compiled body, if there is one, or the one that NumPy's own functions make."""
    return _numba.body(name, dtype) or _numpy.body(name, dtype)


# library -> (body's name, name of the dtype) -> the body, or None
LOOKUPS: dict[str, Callable[[str, str], Body | None]] = {
    "cupy": _cuda.body,
    "numpy": _of_numpy,
}


def body(name: str, array: Array) -> Body | None:
    """Return the fused body of this name for arrays such as this one, or None.

    Parameters
    ----------
    name : str
        What it computes, as ``"max_pool"``. Bodies of one name have one signature on every library.
    array : array
        Its library and dtype decide.
    """
    kind: Any = type(array)
    return of_library(name, _library(kind), dtype_name(array.dtype))


def has_body(name: str, problem: Problem) -> bool:
    """Whether there is a body of this name for the arrays of a problem."""
    match problem:
        case Problem(dtype=dtype, library=library):
            return of_library(name, library, dtype) is not None


def of_library(name: str, library: str, dtype: str) -> Body | None:
    """Return the body of this name for a library's arrays of a dtype, or None."""
    lookup = LOOKUPS.get(library)
    return None if lookup is None else lookup(name, dtype)


@cache
def _library(kind: Hashable) -> str:
    return str(kind.__module__).partition(".")[0]
