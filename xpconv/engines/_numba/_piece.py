"""Pieces of a convolution, and of its weight gradient: from tables of integers to tiles."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._copy import copy_region
from ._jit import jit
from ._overlap import overlap
from ._sweep import Values, sweep
from ._team import run, span
from ._words import hand_over


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
    """Neighbouring columns of y that a tile computes for each channel; 0 where it has channels
    side by side."""
    kernel_steps: tuple[int, int]
    """Distances of y's channels and of x's in the weight, where that is read as it is."""
    values: Values = Values()


@jit
def _box(counts: Any, steps: Any, origin: int) -> Any:
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
def _dot(taps: Any, strides: Any) -> Any:
    """Return the offsets of taps, given as rows of (D, H, W)."""
    result = np.empty(taps.shape[0], dtype=np.int64)
    for t in range(result.size):
        result[t] = taps[t, 0] * strides[1] + taps[t, 1] * strides[2] + taps[t, 2] * strides[3]
    return result


@jit
def _fetch(geometry: Any, x: Any, steps: Any, buffer: Any, piece: Any) -> Any:
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


@jit
def _spread(
    geometry: Any,
    x: Any,
    xs: Any,
    xm: int,
    w: Any,
    w0: int,
    lane: int,
    block: int,
    y: Any,
    ys: Any,
    xo: Any,
    wo: Any,
    inner: int,
    columns: int,
) -> None:
    """Write rows of y, each the sum of what the columns of x add to overlapping parts of it.

    Of few channels in y a vector would hold few numbers; of a row of the kernel it holds many.
    """
    spread, values = geometry.spread, geometry.values
    row = geometry.y_size[2] * geometry.y_size[3]
    zeros = np.zeros(spread, dtype=y.dtype)
    apart = spread + 2 * geometry.lanes
    parts, first = np.zeros((columns + 1) * apart, dtype=y.dtype), np.full(1, geometry.lanes)
    for p in range(xs.size):
        sweep(
            geometry.tall, geometry.lanes, zeros, values.zero, values.no,
            values.low, values.high, x, xs[p : p + 1], xm, values.one, w, w0, lane, block,
            parts, first, apart, xo, wo, inner, columns, spread,
        )  # fmt: skip
        overlap(
            columns, geometry.hop, spread, apart, parts, geometry.lanes, y, ys[p], geometry.left,
            row,
        )  # fmt: skip


@jit
def convolve_pieces(
    turn: Any,
    geometry: Any,
    pieces: Any,
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
    """Write y for some pieces: rows of (images, planes, rows, box of x).

    Each row of ``phases`` is first, last, ystep, yfirst and xstep of three walks, the range of its
    taps, where its kernels begin, and how many numbers stand under one tap.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = span(turn, len(pieces))
    buffer = buffers[turn.worker]
    tall, lanes, outs = geometry.tall, geometry.lanes, geometry.outs
    _, height, width, channels = geometry.y_size
    ystrides = (geometry.y_size[0] * height * width * channels, height * width * channels)
    for piece in pieces[first:last]:
        origin, strides = _fetch(geometry, x, steps, buffer, piece)
        source = x if geometry.in_place else buffer
        for phase in phases:
            d, last_d = max(phase[0], piece[2]), min(phase[1], piece[3])
            h, last_h = max(phase[5], piece[4]), min(phase[6], piece[5])
            w, last_w = phase[10], phase[11]
            if d >= last_d or h >= last_h:
                continue
            counts = (piece[1] - piece[0], last_d - d, last_h - h, last_w - w)
            xsteps = (
                strides[0],
                phase[4] * strides[1],
                phase[9] * strides[2],
                phase[14] * strides[3],
            )
            ysteps = (
                ystrides[0],
                phase[2] * ystrides[1],
                phase[7] * width * channels,
                phase[12] * channels,
            )
            x0 = origin + d * xsteps[1] + h * xsteps[2] + w * xsteps[3]
            y0 = piece[0] * ystrides[0] + d * ysteps[1] + h * ysteps[2] + w * ysteps[3]
            y0 += ((phase[3] * height + phase[8]) * width + phase[13]) * channels
            if geometry.along_batch:
                xs, ys = _box(counts[1:], xsteps[1:], x0), _box(counts[1:], ysteps[1:], y0)
                rows, xm, ym = counts[0], xsteps[0], ysteps[0]
            else:
                xs, ys = _box(counts[:3], xsteps[:3], x0), _box(counts[:3], ysteps[:3], y0)
                rows, xm, ym = counts[3], xsteps[3], ysteps[3]
            xo = _dot(taps[phase[15] : phase[16]], strides)
            inner, lane = phase[18], 2 * lanes
            wo = np.arange(xo.size) * (inner * lane)
            block = xo.size * inner * lane
            if geometry.spread:
                _spread(
                    geometry, source, xs, xm, kernels, phase[17], lane, block, y, ys, xo, wo, inner,
                    rows,
                )  # fmt: skip
                continue
            blocks = (outs + lane - 1) // lane
            for g in range(geometry.groups):
                sweep(
                    tall, lanes, start, g * outs, geometry.values.no, bounds[0], bounds[1],
                    source, xs + g * geometry.inner, xm, geometry.values.one,
                    kernels, phase[17] + g * blocks * block, lane, block,
                    y, ys + g * outs, ym, xo, wo, inner, rows, outs,
                )  # fmt: skip
    return True


@jit
def correlate_pieces(
    turn: Any,
    geometry: Any,
    pieces: Any,
    edges: Any,
    splits: Any,
    phase: Any,
    taps: Any,
    x: Any,
    steps: Any,
    buffers: Any,
    dy: Any,
    sums: Any,
    strip: int,
) -> Any:
    """Add ``x^T dy`` over some pieces to sums (parts, G, taps, inner, O/G).

    Each number is one part, pieces from one of the ``edges`` to the next, and one of the ``splits``
    of each group's output channels. It works through strips of about ``strip`` places, which stay
    in the nearest cache.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    part, split = turn.number // len(splits), turn.number % len(splits)
    first, outs = splits[split, 0], splits[split, 1] - splits[split, 0]
    buffer, target = buffers[turn.worker], sums[part].reshape(-1)
    depth, height, width, channels = geometry.y_size
    dsteps = (depth * height * width * channels, height * width * channels, width * channels)
    inner = phase[18]
    size = inner * geometry.outs
    lane = 2 * geometry.lanes
    step, values = max(1, strip // width), geometry.values
    for piece in pieces[edges[part] : edges[part + 1]]:
        origin, strides = _fetch(geometry, x, steps, buffer, piece)
        source = x if geometry.in_place else buffer
        counts = (piece[1] - piece[0], piece[3] - piece[2], piece[5] - piece[4])
        xsteps = (strides[0], phase[4] * strides[1], phase[9] * strides[2])
        x0 = origin + piece[2] * xsteps[1] + piece[4] * xsteps[2]
        d0 = piece[0] * dsteps[0] + piece[2] * dsteps[1] + piece[4] * dsteps[2] + first
        xs, ds = _box(counts, xsteps, x0), _box(counts, dsteps, d0)
        at = _dot(taps, strides)
        ys = first + np.arange(at.size) * size
        for row in range(0, xs.size, step):
            xo, wo = xs[row : row + step], ds[row : row + step]
            for g in range(geometry.groups):
                sweep(
                    geometry.tall, geometry.lanes, target, values.zero, values.yes,
                    values.low, values.high, source, at + g * geometry.inner,
                    values.one, phase[14] * strides[3],
                    dy, g * geometry.outs, channels, lane,
                    target, ys + g * at.size * size, geometry.outs, xo, wo, width, inner, outs,
                )  # fmt: skip
    return True
