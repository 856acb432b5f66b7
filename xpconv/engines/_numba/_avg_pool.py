"""Average pooling, all channels at a time, and its way back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._scratch import aligned
from ._jit import jit
from ._parts import in_parts
from ._pool_windows import Window, clipped, flat, inside, layout_of, returned, start, within
from ._team import run
from ._windows import add_shares, mean_of_window, write_shares
from ._words import hand_over

_FEW = 64  # elements of a window that are added up one after the other


def avg_pool(
    x: np.ndarray,
    windows: Sequence[Window],
    count_include_pad: bool,
    divisor_override: int | None,
) -> np.ndarray:
    """Return the mean under each window of x (N, C, ...), channels-last in memory."""
    given, layout, channels = flat(x), layout_of(tuple(windows)), x.shape[1]
    shape = (x.shape[0], *layout.out, channels)
    y, rows = aligned(math.prod(shape), x.dtype), math.prod(shape[:3])
    in_parts(
        _mean, rows, x.size // max(rows, 1),
        given, layout.table, layout.pixels * channels, layout.numbers, y, channels,
        count_include_pad, divisor_override or 0,
    )  # fmt: skip
    return returned(y.reshape(shape), windows)


def avg_pool_grad(
    dy: np.ndarray,
    windows: Sequence[Window],
    count_include_pad: bool,
    divisor_override: int | None,
) -> np.ndarray:
    """Share each output's gradient out among the elements of its window."""
    given, layout, images, channels = flat(dy), layout_of(tuple(windows)), *dy.shape[:2]
    dx = aligned(images * math.prod(layout.size) * channels, dy.dtype)
    rows = images * math.prod(layout.out[:2]) if layout.covered else images
    in_parts(
        _write if layout.covered else _add, rows, dx.size // max(rows, 1),
        given, layout.table, layout.pixels * channels, layout.numbers, dx, channels,
        count_include_pad, divisor_override or 0,
    )  # fmt: skip
    return returned(dx.reshape(images, *layout.size, channels), windows)


@jit
def _mean(
    turn: Any,
    edges: Any,
    x: Any,
    table: Any,
    offsets: Any,
    numbers: Any,
    y: Any,
    channels: int,
    padded: bool,
    divisor: int,
) -> Any:
    """Fill y for some rows of windows, of all images."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    some, called = np.empty_like(offsets), np.empty_like(numbers)
    deep, high, wide = table[0, 5], table[1, 5], table[2, 5]
    for row in range(edges[turn.number], edges[turn.number + 1]):
        n, od, oh = row // (deep * high), row // high % deep, row % high
        inner, i = inside(table[0], od) & inside(table[1], oh), row * wide * channels
        for ow in range(wide):
            x0, over = start(table, n, od, oh, ow) * channels, divisor
            if divisor == 0:
                over = _counted(table, od, oh, ow, padded)
            if inner & inside(table[2], ow):
                width = offsets.size if offsets.size <= _FEW else table[2, 1]
                mean_of_window(x, x0, offsets, offsets.size // width, width, over, y, i, channels)
            else:
                low, end = within(table[2], ow)
                count = clipped(table, od, oh, ow, offsets, some, called)
                width = count if count <= _FEW else end - low
                mean_of_window(x, x0, some, count // width, width, over, y, i, channels)
            i += channels
    return True


@jit
def _write(
    turn: Any,
    edges: Any,
    dy: Any,
    table: Any,
    offsets: Any,
    numbers: Any,
    dx: Any,
    channels: int,
    padded: bool,
    divisor: int,
) -> Any:
    """Write what belongs to some rows of windows, where each pixel lies in one window."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    deep, high, wide = table[0, 5], table[1, 5], table[2, 5]
    over = divisor if divisor else offsets.size
    for row in range(edges[turn.number], edges[turn.number + 1]):
        n, od, oh, i = row // (deep * high), row // high % deep, row % high, row * wide * channels
        for ow in range(wide):
            x0 = start(table, n, od, oh, ow) * channels
            write_shares(dx, x0, offsets, offsets.size, over, dy, i, channels)
            i += channels
    return True


@jit
def _add(
    turn: Any,
    edges: Any,
    dy: Any,
    table: Any,
    offsets: Any,
    numbers: Any,
    dx: Any,
    channels: int,
    padded: bool,
    divisor: int,
) -> Any:
    """Fill some images of dx where windows overlap, leave pixels out or reach over the edge."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number], edges[turn.number + 1]
    some, called = np.empty_like(offsets), np.empty_like(numbers)
    i = first * table[0, 5] * table[1, 5] * table[2, 5] * channels
    width = table[0, 0] * table[1, 0] * table[2, 0] * channels
    dx[first * width : last * width] = 0
    for n in range(first, last):
        for od in range(table[0, 5]):
            for oh in range(table[1, 5]):
                for ow in range(table[2, 5]):
                    x0, over = start(table, n, od, oh, ow) * channels, divisor
                    if divisor == 0:
                        over = _counted(table, od, oh, ow, padded)
                    count = clipped(table, od, oh, ow, offsets, some, called)
                    if count:
                        add_shares(dx, x0, some, count, over, dy, i, channels)
                    i += channels
    return True


@jit
def _counted(table: Any, od: int, oh: int, ow: int, padded: bool) -> int:
    """How many elements of a window count: padding, too, or not, and never what is beyond it."""
    return (  # type: ignore[no-any-return]
        _along(table[0], od, padded) * _along(table[1], oh, padded) * _along(table[2], ow, padded)
    )


@jit
def _along(w: Any, o: int, padded: bool) -> int:
    begin = o * w[2] - w[3]
    end = min(begin + w[1], w[0] + w[3])
    return end - begin if padded else min(end, w[0]) - max(begin, 0)  # type: ignore[no-any-return]
