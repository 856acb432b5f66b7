"""Convolutions with few output channels: a vector holds columns of the output, not channels.

Channels of a piece's input are laid out one after the other, as planes. A tile has a row for each
output channel, whose number of the kernel meets vectors of neighbouring columns. Planes are read
from end to end: what is computed between the end of a row and the beginning of the next is left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import jit
from ._plan_planes import GAP
from ._team import run, span
from ._tile import dense_wide
from ._transpose import transpose
from ._weave import weave
from ._words import hand_over


@jit
def _fetch_planes(
    lanes: int,
    x: Any,
    steps: Any,
    size: Any,
    buffer: Any,
    image: int,
    low: Any,
    high: Any,
    far: int,
) -> None:
    """Copy what a box of one image has of the input to planes ``far`` apart."""
    depth, height, width, channels = size
    across, column, channel = high[2] - low[2], steps[3], steps[4]
    first = max(low[2], 0)
    count = min(high[2], width) - first
    columns, planes = np.arange(lanes) * column, np.arange(channels) * far
    for d in range(max(low[0], 0), min(high[0], depth)):
        for h in range(max(low[1], 0), min(high[1], height)):
            x0 = image * steps[0] + d * steps[1] + h * steps[2] + first * column
            at = ((d - low[0]) * (high[1] - low[1]) + h - low[1]) * across + first - low[2]
            if column != 1 and channel == 1:
                for w in range(0, count, lanes):
                    some = min(lanes, count - w)
                    for c in range(0, channels, lanes):
                        transpose(
                            x, x0 + w * column + c, columns, some, min(lanes, channels - c),
                            buffer, c * far + at + w, planes,
                        )  # fmt: skip
                continue
            for c in range(channels):
                place, line = x0 + c * channel, buffer[c * far + at : c * far + at + count]
                if column == 1:
                    source = x[place : place + count]
                    for w in range(count):
                        line[w] = source[w]
                else:
                    for w in range(count):
                        line[w] = x[place + w * column]


@jit
def convolve_planes(
    turn: Any,
    geometry: Any,
    pieces: Any,
    phases: Any,
    taps: Any,
    x: Any,
    steps: Any,
    buffers: Any,
    weight: Any,
    start: Any,
    bounds: Any,
    y: Any,
) -> Any:
    """Write y for some pieces, as `convolve_pieces` does, with the weight as it is.

    Steps are 1 and there is one phase. A row of ``taps`` ends with the place in the kernel.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = span(turn, len(pieces))
    buffer = buffers[turn.worker]
    phase, outs, inner, block = phases[0], geometry.outs, geometry.inner, geometry.abreast
    out_step, in_step = geometry.kernel_steps
    depth, height, width, _ = geometry.y_size
    elements = taps[:, 3].copy()
    begin = np.empty(outs * block, dtype=y.dtype)
    for o in range(outs):
        begin[o * block : (o + 1) * block] = start[o]
    for piece in pieces[first:last]:
        low, high = (piece[6], piece[7], piece[8]), (piece[9], piece[10], piece[11])
        across, rows = high[2] - low[2], piece[5] - piece[4]
        plane = (high[1] - low[1]) * across
        far = (high[0] - low[0]) * plane + GAP
        offsets = (
            (taps[:, 0] - low[0]) * plane + (taps[:, 1] - low[1]) * across + taps[:, 2] - low[2]
        )
        offsets += piece[4] * across + phase[10]
        count = (rows - 1) * across + width
        sums = inner * far
        buffer[:sums] = 0  # around the input; each image covers what it has
        for n in range(piece[0], piece[1]):
            _fetch_planes(geometry.lanes, x, steps, geometry.size, buffer, n, low, high, far)
            for d in range(piece[2], piece[3]):
                for p in range(0, count, block):
                    dense_wide(
                        outs, begin, 0, block, weight, 0, out_step, in_step,
                        buffer, d * plane + p, far, buffer, sums + p, far, elements, offsets,
                        elements.size, inner, min(block, count - p), bounds[0], bounds[1],
                    )  # fmt: skip
                for h in range(rows):
                    at = (n * depth + d + phase[3]) * height + piece[4] + h + phase[8]
                    weave(outs, width, buffer, sums + h * across, far, y, at * width * outs)
    return True
