"""Where new parameters are born: on the backend in force, in float32."""

from __future__ import annotations

from .._typing import Array
from ..backend import get_backend


def born(host: Array, dtype: str = "float32") -> Array:
    """Bring initial values from the host to the current backend."""
    return get_backend().asarray(host, dtype=dtype)
