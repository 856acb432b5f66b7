"""Kernels in the order in which tiles read them, and gradients of kernels in the order of weights.

Both are transpositions, of which registers do a square at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import jit
from ._team import run, span
from ._transpose import transpose
from ._words import hand_over

LINE = 2**14  # numbers whose partial sums are added up at a time


@jit
def pack(
    turn: Any,
    weight: Any,
    taps: Any,
    packed: Any,
    at: int,
    groups: int,
    lanes: int,
    turned: bool,
) -> Any:
    """Lay kernels (O, C/G, elements) out as tiles read them: (G, blocks, taps, inner, 2 * lanes).

    A block is ``2 * lanes`` output channels, and they are laid out from ``packed[at]`` on.
    ``turned``: for the input gradient, whose output channels are the input's; then ``taps`` may
    leave elements out, and what follows the last ``inner`` rows is overwritten.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    outs, inner = weight.shape[0] // groups, weight.shape[1]
    elements, width = weight.shape[2], 2 * lanes
    if turned:
        outs, inner = inner, outs
    blocks = (outs + width - 1) // width
    first, last = span(turn, groups * blocks)
    flat = weight.reshape(-1)
    rows = np.arange(lanes) * (elements if turned else inner * elements)
    columns = np.empty(elements if turned else inner * elements, dtype=np.int64)
    for block in range(first, last):
        g, o = block // blocks, block % blocks * width
        base = at + block * taps.size * inner * width
        if turned:
            columns[:] = packed.size - (inner + 1) * width - base
            for t in range(taps.size):
                columns[taps[t]] = t * inner * width
        elif block == first:
            for t in range(taps.size):
                for i in range(inner):
                    columns[i * elements + taps[t]] = (t * inner + i) * width
        for half in range(0, min(width, outs - o), lanes):
            n = min(lanes, outs - o - half)
            # Turned kernels come input channel by input channel, others all at once.
            for i in range(inner if turned else 1):
                x0, y0 = (g * outs + o + half) * inner * elements, base + half
                if turned:
                    x0, y0 = ((g * inner + i) * outs + o + half) * elements, y0 + i * width
                if columns.size == 1:  # they lie side by side already
                    packed[y0 : y0 + n] = flat[x0 : x0 + n * rows[1] : rows[1]]
                    continue
                for e in range(0, columns.size, lanes):
                    count = min(lanes, columns.size - e)
                    transpose(flat, x0 + e, rows, n, count, packed, y0, columns[e:])
    return True


@jit
def pack_rows(weight: Any, taps: Any, packed: Any, at: int, across: int, lanes: int) -> None:
    """Lay rows of kernels (O, C, elements) out as (blocks, rows, O, 2 * lanes), from ``at`` on.

    A row's ``across`` elements begin at one of ``taps``, and its numbers are (element, C).
    """
    outs, channels, _ = weight.shape
    size, width = across * channels, 2 * lanes
    for t in range(taps.size):
        for o in range(outs):
            for i in range(size):
                row = (i // width * taps.size + t) * outs + o
                packed[at + row * width + i % width] = weight[
                    o, i % channels, taps[t] + i // channels
                ]


@jit
def unpack(turn: Any, sums: Any, dweight: Any, lanes: int) -> Any:
    """Lay sums (G, taps, C/G, O/G) out as (O, C/G, taps), some output channels at a time."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = span(turn, (dweight.shape[0] + lanes - 1) // lanes)
    first, last = first * lanes, min(last * lanes, dweight.shape[0])
    _, taps, inner, outs = sums.shape
    flat, target = sums.reshape(-1), dweight.reshape(-1)
    rows, columns = np.empty(inner * taps, dtype=np.int64), np.arange(lanes) * (inner * taps)
    for i in range(inner):
        for t in range(taps):
            rows[i * taps + t] = (t * inner + i) * outs
    channel = first
    while channel < last:
        g, o = channel // outs, channel % outs
        n = min(lanes, outs - o, last - channel)
        for q in range(0, rows.size, lanes):
            count = min(lanes, rows.size - q)
            x0, y0 = g * rows.size * outs + o, channel * rows.size + q
            transpose(flat, x0, rows[q:], count, n, target, y0, columns)
        channel += n
    return True


@jit
def add_up(turn: Any, sums: Any) -> Any:
    """Add all rows of (S, n) to the first one, in order, ``LINE`` columns at a time."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = turn.number * LINE, (turn.number + 1) * LINE

    total = sums[0, first:last]
    for s in range(1, sums.shape[0]):
        part = sums[s, first:last]
        for i in range(total.size):
            total[i] += part[i]
    return True
