"""Max pooling of so few channels that loops over them are mostly overhead.

Rows are compared first, all their pixels and channels at a time, then the pixels of a window among
one another. Gradients go straight to where a window's number says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import jit


@jit
def within(w: Any, o: int) -> tuple[int, int, int]:
    """Where a window starts, and the range of its elements that lie within the input."""
    start = o * w[2] - w[3]
    return start, max(0, -(start // w[4])), min(w[1], (w[0] - 1 - start) // w[4] + 1)


@jit
def largest_of_few(x: Any, table: Any, y: Any, number: Any, first: int, last: int) -> None:
    """Fill y and number (N, D, H, W, C) for some images; see `_max_pool._largest`."""
    height, channels = table[1, 1], x.shape[4]
    size, width, stride, padding, dilation, out = table[2]
    # A row of x, or the largest of several, between the padding: it loses against everything.
    room = max(size + padding, (out - 1) * stride + (width - 1) * dilation + 1 + padding)
    tall = np.full(room * channels, x.dtype.type(-np.inf))
    numbers = np.full(room * channels, np.int32(2**30))
    inner = slice(padding * channels, (padding + size) * channels)
    # The largest of windows that start at every pixel, those between the strides, too.
    wide = np.empty(((out - 1) * stride + 1) * channels, x.dtype)
    which = np.empty(wide.size, np.int32)
    for n in range(first, last):
        image = x[n].reshape(x.shape[1], x.shape[2], size * channels)
        for od in range(table[0, 5]):
            d, d_low, d_high = within(table[0], od)
            for oh in range(table[1, 5]):
                h, h_low, h_high = within(table[1], oh)
                tall[inner] = -np.inf
                numbers[inner] = (d_low * height + h_low) * width
                for kd in range(d_low, d_high):
                    for kh in range(h_low, h_high):
                        line = image[d + kd * table[0, 4], h + kh * table[1, 4]]
                        k = np.int32((kd * height + kh) * width)
                        _compare_rows(line, k, tall[inner], numbers[inner])
                wide[:] = tall[: wide.size]
                which[:] = numbers[: wide.size]
                for kw in range(1, width):
                    start = kw * dilation * channels
                    _compare_columns(tall[start:], numbers[start:], np.int32(kw), wide, which)
                for ow in range(out):
                    for c in range(channels):
                        y[n, od, oh, ow, c] = wide[ow * stride * channels + c]
                        number[n, od, oh, ow, c] = which[ow * stride * channels + c]


@jit
def _compare_rows(line: Any, k: Any, tall: Any, numbers: Any) -> None:
    """Of equal numbers the first stays, of several NaN the last."""
    for i in range(line.size):
        wins = (line[i] > tall[i]) | (line[i] != line[i])
        tall[i] = line[i] if wins else tall[i]
        numbers[i] = k if wins else numbers[i]


@jit
def _compare_columns(tall: Any, numbers: Any, kw: Any, wide: Any, which: Any) -> None:
    """Do the same in the order in which one reads rows, which the windows' numbers tell."""
    for i in range(wide.size):
        met, value = tall[i], wide[i]
        k, other = np.int32(numbers[i] + kw), which[i]
        wins = (met > value) | ((met == value) & (k < other))
        wins |= (met != met) & ((value == value) | (k > other))
        wide[i] = met if wins else value
        which[i] = k if wins else other


@jit
def route_few(dy: Any, number: Any, table: Any, dx: Any, first: int, last: int) -> None:
    """Add dy to where its windows' largest elements stand, for some images."""
    channels, places = dx.shape[4], _places(table) * dx.shape[4]
    for n in range(first, last):
        image = dx[n].reshape(-1)
        image[:] = 0
        for od in range(table[0, 5]):
            d, d_low, d_high = within(table[0], od)
            for oh in range(table[1, 5]):
                h, h_low, h_high = within(table[1], oh)
                given, which = dy[n, od, oh].reshape(-1), number[n, od, oh].reshape(-1)
                if d_low >= d_high or h_low >= h_high:
                    continue  # the window misses the input
                for ow in range(table[2, 5]):
                    w, w_low, w_high = within(table[2], ow)
                    if w_low >= w_high:
                        continue
                    start = ((d * table[1, 0] + h) * table[2, 0] + w) * channels
                    for i in range(ow * channels, (ow + 1) * channels):
                        image[start + places[which[i]]] += given[i]
                        start += 1


@jit
def _places(table: Any) -> Any:
    """Where a window's elements stand, in pixels from its start."""
    depth, height, width = table[:, 1]
    found = np.empty(depth * height * width, np.int64)
    for k in range(found.size):
        kd, kh, kw = k // (height * width), k // width % height, k % width
        line = kd * table[0, 4] * table[1, 0] + kh * table[1, 4]
        found[k] = line * table[2, 0] + kw * table[2, 4]
    return found
