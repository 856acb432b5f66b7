"""What the pieces of a convolution have in common, and where their numbers stand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._copy import copy_region
from ._jit import jit
from ._sweep import Values


class Geometry(NamedTuple):
    """What the pieces of one convolution have in common."""

    along_batch: bool
    """Whether the rows of a tile are images, not columns of one."""
    in_place: bool
    """Whether x is read where it stands."""
    tall: int
    """Most rows of a tile."""
    lanes: int
    """Numbers in a vector."""
    groups: int
    """Groups of the convolution."""
    inner: int
    """Input channels of a group."""
    outs: int
    """Output channels of a group."""
    size: tuple[int, int, int, int]
    """D, H, W and C of x."""
    y_size: tuple[int, int, int, int]
    """D, H, W and O of y."""
    spread: int
    """Numbers of a row of y that one column of x adds to; 0 where y's columns gather instead."""
    hop: int
    """Distance of what neighbouring columns of x add to."""
    left: int
    """Numbers of padding before a row of y, where columns of x are spread."""
    abreast: int
    """Numbers that a tile computes for each channel of y, where it does not have those side by
    side: neighbouring columns of y, or input channels of a weight gradient; 0 elsewhere."""
    kernel_steps: tuple[int, int]
    """Distances of y's channels and of x's in the weight, where that is read as it is."""
    values: Values = Values()


@jit
def box(counts: Any, steps: Any, origin: int) -> Any:
    """Return the offsets of the elements of a box, its last index running fastest."""
    result = np.empty(counts[0] * counts[1] * counts[2], dtype=np.int64)
    at = 0
    for a in range(counts[0]):
        for b in range(counts[1]):
            for c in range(counts[2]):
                result[at] = origin + a * steps[0] + b * steps[1] + c * steps[2]
                at += 1
    return result


@jit
def dot(taps: Any, strides: Any) -> Any:
    """Return the offsets of taps, given as rows of (D, H, W)."""
    result = np.empty(taps.shape[0], dtype=np.int64)
    for t in range(result.size):
        result[t] = taps[t, 0] * strides[1] + taps[t, 1] * strides[2] + taps[t, 2] * strides[3]
    return result


@jit
def fetch(geometry: Any, x: Any, steps: Any, buffer: Any, piece: Any) -> Any:
    """Bring a piece's input to the buffer, if it has to; return its origin and its strides."""
    first, last = piece[0], piece[1]
    if geometry.in_place:
        return first * steps[0], (steps[0], steps[1], steps[2], steps[3])
    low, high = (piece[6], piece[7], piece[8]), (piece[9], piece[10], piece[11])
    images, height, width = last - first, high[1] - low[1], high[2] - low[2]
    pixels = (high[0] - low[0]) * height * width
    pixel = geometry.size[3]
    copy_region(x, steps, geometry.size, buffer, first, images, low, high)
    strides = (pixels * pixel, height * width * pixel, width * pixel, pixel)
    return -low[0] * strides[1] - low[1] * strides[2] - low[2] * strides[3], strides
