"""A nested state taken apart into named arrays and JSON, and put together again.

In the JSON an array is ``{"$array": "/model/weight"}``, a number that JSON lacks is
``{"$float": "inf"}``, and a user's own key that begins with ``$`` gets a second one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from .._typing import Array
from ..backend import to_numpy

_KINDS = frozenset("biufc")
"""NumPy's kinds of dtype that are numbers: no objects, texts or dates."""


def split(value: Any, arrays: dict[str, np.ndarray], pointer: str = "") -> Any:
    """Return a state as JSON data, and put its arrays into `arrays`, named by where they were."""
    if is_array_api_obj(value):
        return _split_array(value, arrays, pointer)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, list | tuple):
        return [split(item, arrays, f"{pointer}/{i}") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {
            _escape(key, pointer): split(item, arrays, f"{pointer}/{_segment(key)}")
            for key, item in value.items()
        }
    raise TypeError(
        f"a checkpoint holds arrays, texts, numbers, None, lists and dicts, "
        f"but the state at {pointer or '/'} is a {type(value).__name__}"
    )


def join(data: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Undo `split`; tuples come back as lists, arrays as NumPy's."""
    if isinstance(data, list):
        return [join(item, arrays) for item in data]
    if not isinstance(data, dict):
        return data
    if "$array" in data:
        array = arrays[data["$array"]]
        return array.view(data["view"])[..., 0] if "view" in data else array
    if "$float" in data:
        return float(data["$float"])
    return {key.replace("$$", "$", 1): join(item, arrays) for key, item in data.items()}


def host_array(array: Array, what: str) -> np.ndarray:
    """Bring an array to the host, bfloat16 as float32, which holds it exactly.

    Raises
    ------
    TypeError
        If it does not hold numbers.
    """
    if "bfloat16" in str(array.dtype):
        xp = array_namespace(array)
        array = xp.astype(array, xp.float32)
    host = to_numpy(array)
    if host.dtype.kind not in _KINDS:
        raise TypeError(f"{what} has dtype {host.dtype}, which a checkpoint cannot hold")
    return host.astype(host.dtype.newbyteorder("="), copy=False)


def _split_array(value: Array, arrays: dict[str, np.ndarray], pointer: str) -> dict[str, str]:
    host = host_array(value, f"the state at {pointer}")
    reference = {"$array": pointer}
    if host.dtype == np.complex128:  # which safetensors lacks
        host = np.stack([host.real, host.imag], axis=-1)
        reference["view"] = "complex128"
    arrays[pointer] = host
    return reference


def _segment(key: str) -> str:
    """Write a key as a part of a JSON pointer (RFC 6901), in which ``/`` separates the parts."""
    return key.replace("~", "~0").replace("/", "~1")


def _escape(key: Any, pointer: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys must be texts, but the state at {pointer or '/'} has {key!r}")
    return f"${key}" if key.startswith("$") else key
