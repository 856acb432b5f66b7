"""Pieces of a convolution, and of its weight gradient: from tables of integers to tiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._geometry import box, dot, fetch
from ._jit import jit
from ._overlap import overlap
from ._sweep import sweep
from ._team import run, span
from ._words import hand_over


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
        origin, strides = fetch(geometry, x, steps, buffer, piece)
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
                xs, ys = box(counts[1:], xsteps[1:], x0), box(counts[1:], ysteps[1:], y0)
                rows, xm, ym = counts[0], xsteps[0], ysteps[0]
            else:
                xs, ys = box(counts[:3], xsteps[:3], x0), box(counts[:3], ysteps[:3], y0)
                rows, xm, ym = counts[3], xsteps[3], ysteps[3]
            xo = dot(taps[phase[15] : phase[16]], strides)
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
        origin, strides = fetch(geometry, x, steps, buffer, piece)
        source = x if geometry.in_place else buffer
        counts = (piece[1] - piece[0], piece[3] - piece[2], piece[5] - piece[4])
        xsteps = (strides[0], phase[4] * strides[1], phase[9] * strides[2])
        x0 = origin + piece[2] * xsteps[1] + piece[4] * xsteps[2]
        d0 = piece[0] * dsteps[0] + piece[2] * dsteps[1] + piece[4] * dsteps[2] + first
        xs, ds = box(counts, xsteps, x0), box(counts, dsteps, d0)
        at = dot(taps, strides)
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
