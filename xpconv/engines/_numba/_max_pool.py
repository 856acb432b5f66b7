"""Max pooling with the number of each window's largest element, all channels at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .._scratch import aligned
from ._max_pool_loops import add, largest, write
from ._parts import in_parts
from ._pool_windows import Window, flat, layout_of, returned


def max_pool(
    x: np.ndarray, windows: Sequence[Window], numbers: bool, positions: bool
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
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
        In channels-last memory. The first of equal elements wins, and the last NaN, as where
        PyTorch reads row by row.
    """
    given, layout, channels = flat(x), layout_of(tuple(windows)), x.shape[1]
    count = x.shape[0] * math.prod(layout.out) * channels
    y = aligned(count, x.dtype)
    which = aligned(count, np.dtype(np.uint8 if layout.numbers.size <= 256 else np.int32))
    rows = x.shape[0] * math.prod(layout.out[:2])
    in_parts(
        largest, rows, x.size // max(rows, 1),
        given, layout.table, layout.pixels * channels, layout.numbers, y, which, channels,
    )  # fmt: skip
    number = which.reshape(x.shape[0], *layout.out, channels)
    position = _positions(number, layout.table) if positions else None
    return (
        returned(y.reshape(number.shape), windows),
        returned(number, windows) if numbers else None,
        None if position is None else returned(position, windows),
    )


def max_pool_grad(dy: np.ndarray, numbers: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """Send each output's gradient to the largest element of its window."""
    layout, images, channels = layout_of(tuple(windows)), dy.shape[0], dy.shape[1]
    given, which = flat(dy), flat(numbers)
    dx = aligned(images * math.prod(layout.size) * channels, dy.dtype)
    rows = images * math.prod(layout.out[:2]) if layout.covered else images
    in_parts(
        write if layout.covered else add, rows, dx.size // max(rows, 1),
        given, which, layout.table, layout.pixels * channels, layout.numbers, dx, channels,
    )  # fmt: skip
    return returned(dx.reshape(images, *layout.size, channels), windows)


def _positions(number: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Turn numbers within windows into positions in the flattened plane."""
    index = np.zeros(number.shape, dtype=np.int64)
    below = math.prod(table[:, 1])
    for axis, (size, kernel, stride, padding, dilation, out, *_) in enumerate(table, 1):
        below //= kernel
        starts = np.arange(out) * stride - padding
        place = starts.reshape(-1, *(1,) * (4 - axis)) + number // below % kernel * dilation
        index = index * size + np.clip(place, 0, size - 1)
    return index
