"""Max pools on NumPy of windows side by side: one strided view for each of their elements."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._rows import channels_last
from ._passes import in_parts
from ._work import buffers, memory

Window = Any
"""Equal windows along one axis: size, kernel, stride, dilation and out; without padding."""


def max_pool(
    x: np.ndarray, windows: Sequence[Window], numbers: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the largest element under each window of x (N, C, ...), and which it is.

    Its number within the window is that of the first of equal elements, or of the last NaN.
    """
    given = np.require(channels_last(x), requirements=["C"])
    shape = (len(given), *(along.out for along in windows), x.shape[1])
    y = memory(shape, x.dtype)
    small = np.dtype(np.uint8 if math.prod(w.kernel for w in windows) <= 256 else np.int32)
    number = memory(shape if numbers else (0,), small)

    def work(_: int, first: int, last: int) -> None:
        best = y[first:last]
        elements = _elements(given[first:last], windows)
        np.maximum(elements[0], elements[-1], out=best)
        for element in elements[1:-1]:
            np.maximum(best, element, out=best)
        if numbers:
            _count(elements, best, number[first:last])

    in_parts(work, len(given), given.size // max(1, len(given)))
    return _channels_first(y), _channels_first(number) if numbers else None


def _count(elements: list[np.ndarray], best: np.ndarray, number: np.ndarray) -> None:
    """Write how many elements of each window come before the largest."""
    number[...] = 0
    (other,) = buffers(np.dtype(bool), best.shape)
    for element in reversed(elements[:-1]):
        np.not_equal(element, best, out=other)
        np.add(number, 1, out=number)
        np.multiply(number, other, out=number)
    if np.isnan(best).any():
        for k, element in enumerate(elements):
            number[np.isnan(element)] = k


def max_pool_grad(dy: np.ndarray, numbers: np.ndarray, windows: Sequence[Window]) -> np.ndarray:
    """Send each output's gradient to the largest element of its window."""
    given = np.require(channels_last(dy), requirements=["C"])
    which = channels_last(numbers)
    dx = memory((len(given), *(along.size for along in windows), dy.shape[1]), dy.dtype)
    tiled = all(w.stride == w.kernel and w.size == w.out * w.kernel for w in windows)

    def work(_: int, first: int, last: int) -> None:
        own = dx[first:last]
        (chosen,) = buffers(np.dtype(bool), which[first:last].shape)
        if not tiled:  # there are elements between the windows or behind them
            own[...] = 0
        for k, element in enumerate(_elements(own, windows)):
            np.equal(which[first:last], k, out=chosen)
            np.multiply(given[first:last], chosen, out=element)

    in_parts(work, len(dx), dx.size // max(1, len(dx)))
    return _channels_first(dx)


def _elements(x: np.ndarray, windows: Sequence[Window]) -> list[np.ndarray]:
    """Return views (N, OH, OW, C) of the windows' elements, in the order of memory."""
    axes = []
    for w in windows:
        length = (w.out - 1) * w.stride + 1
        starts = range(0, w.kernel * w.dilation, w.dilation)
        axes.append([slice(k, k + length, w.stride) for k in starts])
    return [x[(slice(None), *key)] for key in itertools.product(*axes)]


def _channels_first(x: np.ndarray) -> np.ndarray:
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
