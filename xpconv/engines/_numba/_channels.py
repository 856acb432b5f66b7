"""Convolutions channel by channel over regions of the output: from tables of integers to lanes."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from ._copy import copy_region, repeat_channels
from ._jit import jit
from ._lanes import PLACES, SUMS, add_sums, compute_places
from ._team import run, span
from ._words import hand_over

_CHUNK = 16  # places whose products are added up before other channels' turn


class Lanes(NamedTuple):
    """What the regions of one convolution have in common."""

    size: tuple[int, int, int, int]
    """D, H, W and C of x."""
    y_size: tuple[int, int, int, int]
    """D, H, W and O of y."""
    groups: int
    """Groups of the convolution."""
    inner: int
    """Channels of a group in x."""
    repeats: int
    """How often a channel of x is repeated in the buffer; 0 where it stays as it is."""


def _kinds() -> dict[tuple[int, int, int], type[Lanes]]:
    """One class for each kind of loop: Numba compiles bodies for the classes that it meets."""
    kinds = {}
    for g, (across, step) in itertools.product(
        (1, 2, 4, 8), ((1, 1), (3, 1), (3, 2), (5, 1), (5, 2), (7, 1))
    ):
        members = {"__module__": __name__, "g": g, "across": across, "step": step}
        kinds[g, across, step] = type(f"Lanes{g}{across}{step}", (Lanes,), members)
    return kinds


KINDS = _kinds()
"""Classes by the channels of a group, the taps side by side and the step of places over them."""
globals().update({kind.__name__: kind for kind in KINDS.values()})  # where a cache finds them


@jit
def fetch(lanes: Any, x: Any, steps: Any, buffer: Any, region: Any) -> Any:
    """Bring a region's input to the buffer, if it has to; return its origin and its strides."""
    if region[8]:
        return region[0] * steps[0], (steps[0], steps[1], steps[2], steps[3])
    low, high = (region[9], region[10], region[11]), (region[12], region[13], region[14])
    images, height, width = region[1] - region[0], high[1] - low[1], high[2] - low[2]
    pixels, pixel = (high[0] - low[0]) * height * width, lanes.size[3]
    if lanes.repeats == 0:
        copy_region(x, steps, lanes.size, buffer, region[0], images, low, high)
    else:
        pixel = lanes.inner * lanes.y_size[3]
        plain = buffer[images * pixels * pixel :]
        copy_region(x, steps, lanes.size, plain, region[0], images, low, high)
        repeat_channels(plain, buffer, images * pixels, lanes.groups, lanes.inner, lanes.repeats)
    strides = (pixels * pixel, height * width * pixel, width * pixel, pixel)
    return -low[0] * strides[1] - low[1] * strides[2] - low[2] * strides[3], strides


@jit
def _tap_offsets(taps: Any, strides: Any) -> Any:
    """Return the offsets of taps, given as rows of (D, H, W, row of a repeated pixel)."""
    result = np.empty(taps.shape[0], dtype=np.int64)
    for t in range(result.size):
        result[t] = (
            taps[t, 0] * strides[1] + taps[t, 1] * strides[2] + taps[t, 2] * strides[3] + taps[t, 3]
        )
    return result


@jit
def convolve_regions(
    turn: Any,
    lanes: Any,
    regions: Any,
    phases: Any,
    taps: Any,
    x: Any,
    steps: Any,
    buffers: Any,
    kernels: Any,
    start: Any,
    bounds: Any,
    y: Any,
) -> Any:
    """Write y for some regions: rows of (images, planes, rows, columns, whether in place, box).

    Each row of ``phases`` is ystep, yfirst and xstep of three walks, the range of its taps (of each
    row of taps the first, where they are read together), and where its kernels begin.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first_one, last_one = span(turn, len(regions))
    buffer = buffers[turn.worker]
    depth, height, width, channels = lanes.y_size
    low, high = bounds[0], bounds[1]
    for region in regions[first_one:last_one]:
        origin, strides = fetch(lanes, x, steps, buffer, region)
        source = x if region[8] else buffer
        phase = phases[region[15]]
        xo = _tap_offsets(taps[phase[9] : phase[10]], strides)
        w = kernels[phase[11] :]
        xm, ym = phase[8] * strides[3], phase[6] * channels
        xa = (max(0, taps[phase[10] - 1, 1]) + phase[5]) * strides[2] if region[8] else 0
        ya = phase[3] * width * channels
        first, last = region[6], region[7]
        tiles = (last - first + PLACES - 1) // PLACES
        for n in range(region[0], region[1]):
            for d in range(region[2], region[3]):
                for h in range(region[4], region[5]):
                    x0 = origin + (n - region[0]) * strides[0]
                    x0 += d * phase[2] * strides[1] + h * phase[5] * strides[2]
                    y0 = (n * depth + d * phase[0] + phase[1]) * height + h * phase[3] + phase[4]
                    y0 = (y0 * width + phase[7]) * channels
                    for tile in range(tiles):
                        a = first + tile * (last - first) // tiles
                        b = first + (tile + 1) * (last - first) // tiles
                        compute_places(
                            lanes, b - a, start, source, x0 + a * xm, xm, strides[3], w, channels,
                            y, y0 + a * ym, ym, xa, strides[2], ya, xo, xo.size, channels,
                            low, high,
                        )  # fmt: skip
    return True


@jit
def correlate_regions(
    turn: Any,
    lanes: Any,
    regions: Any,
    edges: Any,
    phase: Any,
    taps: Any,
    x: Any,
    steps: Any,
    buffers: Any,
    dy: Any,
    sums: Any,
) -> Any:
    """Add what a part of the regions adds to its sums (taps, g, O) of a weight gradient."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    part, buffer = turn.number, buffers[turn.worker]

    depth, height, width, channels = lanes.y_size
    most = max(1, SUMS // lanes.inner) if lanes.repeats == 0 else SUMS
    groups = (taps.shape[0] + most - 1) // most
    for region in regions[edges[part] : edges[part + 1]]:
        origin, strides = fetch(lanes, x, steps, buffer, region)
        source = x if region[8] else buffer
        xo = _tap_offsets(taps, strides)
        xk = phase[8] * strides[3]
        xa = (max(0, taps[taps.shape[0] - 1, 1]) + phase[5]) * strides[2] if region[8] else 0
        for n in range(region[0], region[1]):
            for d in range(region[2], region[3]):
                for h in range(region[4], region[5]):
                    x0 = origin + (n - region[0]) * strides[0]
                    x0 += d * phase[2] * strides[1] + h * phase[5] * strides[2]
                    d0 = ((n * depth + d) * height + h) * width * channels
                    for a in range(region[6], region[7], _CHUNK):
                        count = min(_CHUNK, region[7] - a)
                        for k in range(groups):
                            t = k * taps.shape[0] // groups
                            some = (k + 1) * taps.shape[0] // groups - t
                            add_sums(
                                lanes, some, t, source, x0 + a * xk, xk, dy, d0 + a * channels,
                                channels, count, xa, width * channels, sums[part], channels, xo,
                                channels,
                            )  # fmt: skip
    return True
