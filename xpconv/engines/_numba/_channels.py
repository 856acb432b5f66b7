"""Convolutions channel by channel over regions of the output: from tables of integers to lanes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._copy import copy_region, repeat_channels
from ._jit import jit
from ._lanes import PLACES, add_sums, compute_places
from ._team import run, span
from ._words import hand_over

_VECTOR = 64  # numbers that a vector has at most


@jit
def fetch(lanes: Any, x: Any, steps: Any, buffer: Any, region: Any) -> Any:
    """Bring a region's input to the buffer, if it has to; return its origin and its strides."""
    if region[8]:
        origin = region[0] * steps[0] + region[16]
        return origin, (steps[0], steps[1], steps[2], steps[3])
    low, high = (region[9], region[10], region[11]), (region[12], region[13], region[14])
    images, height, width = region[1] - region[0], high[1] - low[1], high[2] - low[2]
    pixels = (high[0] - low[0]) * height * width
    if lanes.repeats == 0:
        pixel = region[17] - region[16]
        size = (lanes.size[0], lanes.size[1], lanes.size[2], pixel)
        some = x[region[16] * steps[4] :]
        copy_region(some, steps, size, buffer, region[0], images, low, high)
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
def _rows_inside(lanes: Any, region: Any, phase: Any, taps: Any, h: int) -> Any:
    """Return which rows of a phase's taps meet x at a row of the output, from where to where."""
    first, last = phase[9], phase[10]
    if region[8]:
        while h * phase[5] + taps[first, 1] < 0:
            first += 1
        while h * phase[5] + taps[last - 1, 1] >= lanes.size[1]:
            last -= 1
    return first - phase[9], last - phase[9]


@jit
def _start_outside(
    lanes: Any, start: Any, w: Any, first: int, last: int, rows: int, some: int, sums: Any
) -> None:
    """Begin sums with the zeros that rows of taps outside of x meet: infinite kernels make NaN."""
    zero, each = start.dtype.type(0), lanes.taps * lanes.inner
    sums[:some] = start[:some]
    for k in range(rows * each):
        if k < first * each or k >= last * each:
            factors = w[k * lanes.y_size[3] :]
            for c in range(some):
                sums[c] += factors[c] * zero


@jit
def _columns_outside(lanes: Any, region: Any, phase: Any, taps: Any, a: int, b: int) -> Any:
    """Return how many columns lie to the left and to the right of x, of those that places read."""
    if not region[8] or lanes.taps == 1:
        return 0, 0
    offset = taps[phase[9], 2]
    behind = (b - 1) * phase[8] + offset + lanes.taps - lanes.size[2]
    return max(0, -(a * phase[8] + offset)), max(0, behind)


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

    Then follow the number of its phase, and its channels. Each row of ``phases`` is ystep, yfirst
    and xstep of three walks, the range of its taps (of each row of taps the first, where they are
    read together), and where its kernels begin.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first_one, last_one = span(turn, len(regions))
    buffer = buffers[turn.worker]
    depth, height, width, channels = lanes.y_size
    low, high = bounds[0], bounds[1]
    nothing = np.zeros(channels + _VECTOR, dtype=x.dtype)
    with_zeros = np.empty_like(nothing)
    for region in regions[first_one:last_one]:
        origin, strides = fetch(lanes, x, steps, buffer, region)
        source = x if region[8] else buffer
        phase = phases[region[15]]
        xo = _tap_offsets(taps[phase[9] : phase[10]], strides)
        w, begin = kernels[phase[11] + region[16] :], start[region[16] :]
        xm, ym = phase[8] * strides[3], phase[6] * channels
        xa = (max(0, taps[phase[10] - 1, 1]) + phase[5]) * strides[2]
        ya = phase[3] * width * channels
        first, last, some = region[6], region[7], region[17] - region[16]
        tiles = (last - first + PLACES - 1) // PLACES
        for n in range(region[0], region[1]):
            for d in range(region[2], region[3]):
                for h in range(region[4], region[5]):
                    x0 = origin + (n - region[0]) * strides[0]
                    x0 += d * phase[2] * strides[1] + h * phase[5] * strides[2]
                    y0 = (n * depth + d * phase[0] + phase[1]) * height + h * phase[3] + phase[4]
                    y0 = (y0 * width + phase[7]) * channels + region[16]
                    t, end = _rows_inside(lanes, region, phase, taps, h)
                    mine = w[t * lanes.taps * lanes.inner * channels :]
                    outset = begin
                    if end - t < xo.size:
                        _start_outside(lanes, begin, w, t, end, xo.size, some, with_zeros)
                        outset = with_zeros
                    for tile in range(tiles):
                        a = first + tile * (last - first) // tiles
                        b = first + (tile + 1) * (last - first) // tiles
                        left, right = _columns_outside(lanes, region, phase, taps, a, b)
                        compute_places(
                            lanes, b - a, outset, source, x0 + a * xm, xm, strides[3], left, right,
                            nothing, mine, channels, y, y0 + a * ym, ym, lanes.far, xa, strides[2],
                            ya, xo[t:], end - t, some, low, high,
                        )  # fmt: skip
    return True


@jit
def correlate_regions(
    turn: Any,
    lanes: Any,
    regions: Any,
    edges: Any,
    rows: Any,
    phase: Any,
    taps: Any,
    x: Any,
    steps: Any,
    buffers: Any,
    dy: Any,
    sums: Any,
) -> Any:
    """Add what a share of the regions adds to its row of sums (taps, g, O) of a weight gradient."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    row, buffer = sums[rows[turn.number]], buffers[turn.worker]
    depth, height, width, channels = lanes.y_size
    nothing = np.zeros(channels + _VECTOR, dtype=x.dtype)
    for region in regions[edges[turn.number] : edges[turn.number + 1]]:
        origin, strides = fetch(lanes, x, steps, buffer, region)
        source = x if region[8] else buffer
        xo = _tap_offsets(taps, strides)
        still = np.zeros_like(xo)
        xm, into = phase[8] * strides[3], row[region[16] :]
        xa = (max(0, taps[taps.shape[0] - 1, 1]) + phase[5]) * strides[2]
        first, last, some = region[6], region[7], region[17] - region[16]
        tiles = (last - first + lanes.places - 1) // lanes.places
        for n in range(region[0], region[1]):
            for d in range(region[2], region[3]):
                for h in range(region[4], region[5]):
                    x0 = origin + (n - region[0]) * strides[0]
                    x0 += d * phase[2] * strides[1] + h * phase[5] * strides[2]
                    d0 = ((n * depth + d) * height + h) * width * channels + region[16]
                    begin, end = _rows_inside(lanes, region, phase, taps, h)
                    for tile in range(tiles):
                        a = first + tile * (last - first) // tiles
                        b = first + (tile + 1) * (last - first) // tiles
                        left, right = _columns_outside(lanes, region, phase, taps, a, b)
                        t, slopes = 0, d0 + a * channels
                        while t < xo.size:
                            if t < begin or t >= end:  # zeros, of which an infinite dy makes NaN
                                add_sums(
                                    lanes, b - a, 1, t, nothing, 0, 0, 0, 0, 0, nothing, dy,
                                    slopes, channels, 0, 0, 0, 0, into, channels, still, some,
                                )  # fmt: skip
                                t += 1
                                continue
                            add_sums(
                                lanes, b - a, end - t, t, source, x0 + a * xm, xm, strides[3],
                                left, right, nothing, dy, slopes, channels, lanes.far, xa,
                                strides[2], width * channels, into, channels, xo, some,
                            )  # fmt: skip
                            t += lanes.rows if end - t >= lanes.rows else 1
    return True


@jit
def gather_sums(sums: Any, inner: int, outs: int, dweight: Any) -> None:
    """Add partial sums (parts, taps * inner * O) up to a gradient (O, inner, taps), flat."""
    rows = sums.shape[1] // outs
    taps = rows // inner
    for row in range(rows):
        line = sums[0, row * outs : (row + 1) * outs]
        for part in range(1, sums.shape[0]):
            other = sums[part, row * outs : (row + 1) * outs]
            for o in range(outs):
                line[o] += other[o]
        place = row % inner * taps + row // inner
        target = dweight[place::rows]
        for o in range(outs):
            target[o] = line[o]
