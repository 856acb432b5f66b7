"""Windows of pools on NumPy arrays: where they begin, and which of their elements are there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._rows import channels_last, required
from ._jit import jit

Window = Any
"""Equal windows along one axis: size, kernel, stride, padding, dilation and out."""


class Layout(NamedTuple):
    """What follows from the windows, for three dimensions."""

    table: np.ndarray
    """Rows of size, kernel, stride, padding, dilation, out, and which windows lie within x."""
    size: tuple[int, ...]
    out: tuple[int, ...]
    pixels: np.ndarray
    """Where a window's elements stand, in pixels from its start."""
    numbers: np.ndarray
    covered: bool
    """Whether each element of the input is in one window."""


def flat(x: np.ndarray) -> np.ndarray:
    """(N, C, ...) -> (N, ..., C), side by side in memory."""
    return required(channels_last(x)).reshape(-1)


@lru_cache(maxsize=1024)
def layout_of(windows: tuple[Window, ...]) -> Layout:
    given = [(w.size, w.kernel, w.stride, w.padding, w.dilation, w.out) for w in windows]
    rows, covered = [], True
    for size, kernel, stride, padding, dilation, out in [(1, 1, 1, 0, 1, 1)] * (
        3 - len(given)
    ) + given:
        first = -(-padding // stride)
        last = min(out, (size - 1 - (kernel - 1) * dilation + padding) // stride + 1)
        rows.append((size, kernel, stride, padding, dilation, out, first, last))
        covered &= dilation == 1 and stride == kernel and padding == 0 and out * stride == size
    table = np.array(rows)
    depth, height, width = (np.arange(row[1]) * row[4] for row in rows)
    planes = (depth[:, None, None] * rows[1][0] + height[:, None]) * rows[2][0] + width
    return Layout(
        table,
        tuple(row[0] for row in rows),
        tuple(row[5] for row in rows),
        planes.reshape(-1),
        np.arange(planes.size, dtype=np.int32),
        covered,
    )


def returned(y: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """(N, D, H, W, C) -> (N, C, ...)."""
    shape = (y.shape[0], *y.shape[4 - len(windows) : 4], y.shape[4])
    last = y.reshape(shape)
    return last.transpose(0, last.ndim - 1, *range(1, last.ndim - 1))


@jit
def inside(w: Any, o: int) -> bool:
    return w[6] <= o < w[7]  # type: ignore[no-any-return]


@jit
def start(table: Any, n: int, od: int, oh: int, ow: int) -> int:
    """Where a window begins, in pixels; it may lie before the image."""
    d, h = od * table[0, 2] - table[0, 3], oh * table[1, 2] - table[1, 3]
    plane = (n * table[0, 0] + d) * table[1, 0] + h
    return plane * table[2, 0] + ow * table[2, 2] - table[2, 3]  # type: ignore[no-any-return]


@jit
def clipped(table: Any, od: int, oh: int, ow: int, offsets: Any, some: Any, called: Any) -> int:
    """Collect the elements of a window that lie within the image; return how many there are."""
    d_low, d_high = within(table[0], od)
    h_low, h_high = within(table[1], oh)
    w_low, w_high = within(table[2], ow)
    count = 0
    for kd in range(d_low, d_high):
        for kh in range(h_low, h_high):
            for kw in range(w_low, w_high):
                k = (kd * table[1, 1] + kh) * table[2, 1] + kw
                some[count], called[count] = offsets[k], k
                count += 1
    return count


@jit
def first_number(table: Any, od: int, oh: int, ow: int) -> int:
    """The number of the first element that does not lie before the image, if there is any."""
    d, h, w = within(table[0], od)[0], within(table[1], oh)[0], within(table[2], ow)[0]
    return (d * table[1, 1] + h) * table[2, 1] + w  # type: ignore[no-any-return]


@jit
def within(w: Any, o: int) -> tuple[int, int]:
    """The range of a window's elements that lie within the input."""
    start = o * w[2] - w[3]
    return max(0, -(start // w[4])), min(w[1], (w[0] - 1 - start) // w[4] + 1)
