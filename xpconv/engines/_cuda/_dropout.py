"""Dropout in one launch, there and back: ``source/dropout.cuh``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from ..._late import side_by_side
from ..._typing import Array
from ._launch import aligned, c_type, index_dtype, index_type, launch, number
from ._pools import channels_first_empty, channels_last_view


def dropout(x: Array, key: tuple[Any, Any], limit: int, scale: float) -> Array:
    """Return x times ``scale`` where a random word is at least ``limit``, and x times 0 elsewhere.

    The words are those of `random_bits`, in x's plain order. Those of the key may be late.
    """
    xp = array_namespace(x)
    inner, channels = x.size, 1
    if x.ndim > 2 and not x.flags.c_contiguous and channels_last_view(x).flags.c_contiguous:
        given = channels_last_view(x)
        made, written = channels_first_empty(xp, x, x.shape[2:], x.dtype)
        inner, channels = math.prod(x.shape[2:]), x.shape[1]
    else:
        given = xp.ascontiguousarray(x)
        made = written = xp.empty(x.shape, dtype=x.dtype, device=device(x))
    whole = channels == 1 and x.size % 4 == 0 and aligned(given, 4) and aligned(written, 4)
    drawn = side_by_side(key, "int64")
    at_once = 4 if whole else 1
    index = index_type(x.size)
    launch(
        "dropout",
        "dropout",
        (c_type(x), at_once, index),
        x.size // at_once,
        x,
        given,
        written,
        *map(index_dtype(index), (x.size // at_once, inner, channels)),
        *map(np.uint32, key if drawn is None else (0, 0)),
        drawn,
        np.int64(limit),
        number(x, scale),
    )
    return made
