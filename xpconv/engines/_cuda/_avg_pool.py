"""Average pooling: ``source/avg_pool.cuh``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from array_api_compat import array_namespace

from ..._typing import Array
from ._launch import c_type, extent, index_dtype, index_type, launch, pack
from ._pools import Window, channels_first_empty, channels_last_view, geometry


def avg_pool(
    x: Array, windows: Sequence[Window], count_include_pad: bool, divisor_override: int | None
) -> Array:
    """Return the mean under each window of x (N, C, ...), in channels-last memory."""
    out = tuple(w.out for w in windows)
    return _launched("avg_pool", x, out, windows, count_include_pad, divisor_override)


def avg_pool_grad(
    dy: Array, windows: Sequence[Window], count_include_pad: bool, divisor_override: int | None
) -> Array:
    """Give each window's gradient to all of its elements: the adjoint of `avg_pool`."""
    size = tuple(w.size for w in windows)
    return _launched("avg_pool_grad", dy, size, windows, count_include_pad, divisor_override)


def _launched(
    name: str,
    x: Array,
    out: tuple[int, ...],
    windows: Sequence[Window],
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array:
    xp = array_namespace(x)
    image = channels_last_view(x)
    y, y_last = channels_first_empty(xp, x, out, x.dtype)
    at_once = pack(image, y_last, channels=x.shape[1])
    divisor = divisor_override or 0
    index = index_type(extent(x), y.size, abs(divisor))
    launch(
        "avg_pool",
        name,
        (c_type(x), at_once, index),
        y.size // at_once,
        x,
        image,
        y_last,
        geometry(index, image, at_once, windows),
        np.int32(count_include_pad),
        index_dtype(index)(divisor),
    )
    return y
