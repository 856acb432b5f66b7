"""Max pooling with the number of each window's largest element, all channels at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .._rows import channels_last, in_parts
from .._scratch import aligned
from ._jit import jit
from ._max_pool_few import largest_of_few, route_few, within

_FEW = 16  # channels

Window = Any
"""Equal windows along one axis: size, kernel, stride, padding, dilation and out."""


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
        In channels-last memory.
    """
    given, table = _five(x), _table(windows)
    shape = (x.shape[0], *table[:, 5], x.shape[1])
    y = aligned(math.prod(shape), x.dtype).reshape(shape)
    small = np.uint8 if table[:, 1].prod() <= 256 else np.int32
    number = aligned(math.prod(shape), np.dtype(small)).reshape(shape)
    width = given.size // max(x.shape[0], 1)
    largest = largest_of_few if x.shape[1] < _FEW else _largest
    in_parts(lambda _, a, b: largest(given, table, y, number, a, b), x.shape[0], width)
    position = _positions(number, table) if positions else None
    return (
        _returned(y, windows),
        _returned(number, windows) if numbers else None,
        None if position is None else _returned(position, windows),
    )


def max_pool_grad(dy: np.ndarray, numbers: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """Send each output's gradient to the largest element of its window."""
    given, which, table = _five(dy), _five(numbers), _table(windows)
    shape = (dy.shape[0], *table[:, 0], dy.shape[1])
    dx = aligned(math.prod(shape), dy.dtype).reshape(shape)
    width = dx.size // max(dy.shape[0], 1)
    route = route_few if dy.shape[1] < _FEW else _route
    in_parts(lambda _, a, b: route(given, which, table, dx, a, b), dy.shape[0], width)
    return _returned(dx, windows)


def _five(x: np.ndarray) -> np.ndarray:
    """(N, C, ...) -> (N, D, H, W, C), side by side in memory."""
    last = np.require(channels_last(x), requirements=["C", "W"])
    return last.reshape(x.shape[0], *(1,) * (5 - x.ndim), *x.shape[2:], x.shape[1])


def _table(windows: Sequence[Window]) -> np.ndarray:
    """Rows of size, kernel, stride, padding, dilation and out, for three dimensions."""
    return _known_table(tuple(windows))


@lru_cache(maxsize=1024)
def _known_table(windows: tuple[Window, ...]) -> np.ndarray:
    rows = [(w.size, w.kernel, w.stride, w.padding, w.dilation, w.out) for w in windows]
    return np.array([(1, 1, 1, 0, 1, 1)] * (3 - len(rows)) + rows)


def _returned(y: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """(N, D, H, W, C) -> (N, C, ...)."""
    shape = (y.shape[0], *y.shape[4 - len(windows) : 4], y.shape[4])
    last = y.reshape(shape)
    return last.transpose(0, last.ndim - 1, *range(1, last.ndim - 1))


@jit
def _largest(x: Any, table: Any, y: Any, number: Any, first: int, last: int) -> None:
    """Fill y and number (N, D, H, W, C) for some images.

    The first of equal elements wins, and the last NaN, as where PyTorch reads row by row.
    """
    for n in range(first, last):
        _largest_of_image(x[n], table, y[n], number[n])


@jit
def _largest_of_image(x: Any, table: Any, y: Any, number: Any) -> None:
    _, height, width = table[:, 1]
    for od in range(table[0, 5]):
        d, d_low, d_high = within(table[0], od)
        for oh in range(table[1, 5]):
            h, h_low, h_high = within(table[1], oh)
            for ow in range(table[2, 5]):
                w, w_low, w_high = within(table[2], ow)
                best, which = y[od, oh, ow], number[od, oh, ow]
                best[:] = -np.inf
                which[:] = (d_low * height + h_low) * width + w_low
                for kd in range(d_low, d_high):
                    for kh in range(h_low, h_high):
                        line = x[d + kd * table[0, 4], h + kh * table[1, 4]]
                        for kw in range(w_low, w_high):
                            met = line[w + kw * table[2, 4]]
                            k = (kd * height + kh) * width + kw
                            for c in range(best.size):
                                wins = (met[c] > best[c]) | (met[c] != met[c])
                                best[c] = met[c] if wins else best[c]
                                which[c] = k if wins else which[c]


@jit
def _route(dy: Any, number: Any, table: Any, dx: Any, first: int, last: int) -> None:
    """Add dy to where its windows' largest elements stand, for some images."""
    for n in range(first, last):
        dx[n] = 0
        _route_of_image(dy[n], number[n], table, dx[n])


@jit
def _route_of_image(dy: Any, number: Any, table: Any, dx: Any) -> None:
    _, height, width = table[:, 1]
    for od in range(table[0, 5]):
        d, d_low, d_high = within(table[0], od)
        for oh in range(table[1, 5]):
            h, h_low, h_high = within(table[1], oh)
            for ow in range(table[2, 5]):
                w, w_low, w_high = within(table[2], ow)
                given, which = dy[od, oh, ow], number[od, oh, ow]
                for kd in range(d_low, d_high):
                    for kh in range(h_low, h_high):
                        line = dx[d + kd * table[0, 4], h + kh * table[1, 4]]
                        for kw in range(w_low, w_high):
                            target = line[w + kw * table[2, 4]]
                            k = (kd * height + kh) * width + kw
                            for c in range(given.size):
                                target[c] += given[c] if which[c] == k else 0


def _positions(number: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Turn numbers within windows into positions in the flattened plane."""
    index = np.zeros(number.shape, dtype=np.int64)
    below = math.prod(table[:, 1])
    for axis, (size, kernel, stride, padding, dilation, out) in enumerate(table, 1):
        below //= kernel
        starts = np.arange(out) * stride - padding
        place = starts.reshape(-1, *(1,) * (4 - axis)) + number // below % kernel * dilation
        index = index * size + np.clip(place, 0, size - 1)
    return index
