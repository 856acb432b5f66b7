"""Max pooling with the number of each window's largest element: ``source/max_pool.cuh``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from array_api_compat import array_namespace

from ..._typing import Array
from ._launch import c_type, extent, index_type, launch, pack
from ._pools import Window, channels_first_empty, channels_last_view, geometry

_SMALL = 256  # elements of a window that one byte can count


def max_pool(
    x: Array, windows: Sequence[Window], numbers: bool, positions: bool
) -> tuple[Array, Array | None, Array | None]:
    """Return the largest element under each window of x (N, C, ...), and where it stands.

    Parameters
    ----------
    numbers : bool
        Whether to return which of the window's elements it is, as `max_pool_grad` wants it.
    positions : bool
        Whether to return its position in the flattened plane, int64.

    Returns
    -------
    y, numbers, positions : array (N, C, ...), or None
        In channels-last memory.
    """
    xp = array_namespace(x)
    image = channels_last_view(x)
    out = tuple(w.out for w in windows)
    y, y_last = channels_first_empty(xp, x, out, x.dtype)
    number = position = number_last = position_last = None
    if numbers:
        taps = math.prod(w.kernel for w in windows)
        dtype = xp.uint8 if taps <= _SMALL else xp.int32
        number, number_last = channels_first_empty(xp, x, out, dtype)
    if positions:
        position, position_last = channels_first_empty(xp, x, out, xp.int64)
    at_once = pack(image, y_last, channels=x.shape[1])
    index = index_type(extent(x), y.size)
    types = (c_type(x), _counter(windows), at_once, index)
    launch(
        "max_pool",
        "max_pool",
        types,
        y.size // at_once,
        x,
        image,
        y_last,
        number_last,
        position_last,
        geometry(index, image, at_once, windows),
    )
    return y, number, position


def max_pool_grad(dy: Array, numbers: Array, windows: Sequence[Window]) -> Array:
    """Send each output's gradient to the largest element of its window."""
    xp = array_namespace(dy)
    given = channels_last_view(dy)
    which = xp.ascontiguousarray(channels_last_view(numbers))
    dx, dx_last = channels_first_empty(xp, dy, tuple(w.size for w in windows), dy.dtype)
    at_once = pack(given, dx_last, channels=dy.shape[1])
    index = index_type(extent(dy), dx.size)
    types: tuple[Any, ...] = (c_type(dy), _counter(windows), at_once, index)
    launch(
        "max_pool",
        "max_pool_grad",
        types,
        dx.size // at_once,
        dy,
        given,
        which,
        dx_last,
        geometry(index, given, at_once, windows),
    )
    return dx


def _counter(windows: Sequence[Window]) -> str:
    taps = math.prod(w.kernel for w in windows)
    return "unsigned char" if taps <= _SMALL else "int"
