"""Max pooling, window by window, and its way back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import jit
from ._pool_windows import clipped, first_number, inside, start
from ._team import run
from ._windows import add_window, largest_of_window, write_window
from ._words import hand_over


@jit
def largest(
    turn: Any,
    edges: Any,
    x: Any,
    table: Any,
    offsets: Any,
    numbers: Any,
    y: Any,
    which: Any,
    channels: int,
) -> Any:
    """Fill y and which for some rows of windows, of all images."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    some, called = np.empty_like(offsets), np.empty_like(numbers)
    deep, high, wide = table[0, 5], table[1, 5], table[2, 5]
    for row in range(edges[turn.number], edges[turn.number + 1]):
        n, od, oh = row // (deep * high), row // high % deep, row % high
        inner, i = inside(table[0], od) & inside(table[1], oh), row * wide * channels
        for ow in range(wide):
            x0 = start(table, n, od, oh, ow) * channels
            if inner & inside(table[2], ow):
                largest_of_window(x, x0, offsets, numbers, offsets.size, y, which, i, channels)
            else:
                count = clipped(table, od, oh, ow, offsets, some, called)
                if count:
                    largest_of_window(x, x0, some, called, count, y, which, i, channels)
                else:
                    y[i : i + channels] = -np.inf
                    which[i : i + channels] = first_number(table, od, oh, ow)
            i += channels
    return True


@jit
def write(
    turn: Any,
    edges: Any,
    dy: Any,
    which: Any,
    table: Any,
    offsets: Any,
    numbers: Any,
    dx: Any,
    channels: int,
) -> Any:
    """Write what belongs to some rows of windows, where each pixel lies in one window."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    deep, high, wide = table[0, 5], table[1, 5], table[2, 5]
    for row in range(edges[turn.number], edges[turn.number + 1]):
        n, od, oh, i = row // (deep * high), row // high % deep, row % high, row * wide * channels
        for ow in range(wide):
            x0 = start(table, n, od, oh, ow) * channels
            write_window(dx, x0, offsets, numbers, offsets.size, dy, which, i, channels)
            i += channels
    return True


@jit
def add(
    turn: Any,
    edges: Any,
    dy: Any,
    which: Any,
    table: Any,
    offsets: Any,
    numbers: Any,
    dx: Any,
    channels: int,
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
                inner = inside(table[0], od) & inside(table[1], oh)
                for ow in range(table[2, 5]):
                    x0 = start(table, n, od, oh, ow) * channels
                    if inner & inside(table[2], ow):
                        add_window(dx, x0, offsets, numbers, offsets.size, dy, which, i, channels)
                    else:
                        count = clipped(table, od, oh, ow, offsets, some, called)
                        if count:
                            add_window(dx, x0, some, called, count, dy, which, i, channels)
                    i += channels
    return True
