"""Weight gradients with few output channels: a vector holds input channels, not output channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._geometry import box, dot, fetch
from ._jit import jit
from ._team import run
from ._tile import dense_wide
from ._words import hand_over


@jit
def correlate_few(
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
    """Add ``dy^T x`` over some pieces to sums (parts, taps, O, inner), as `correlate_pieces` does.

    There is one group, and its output channels are not split.
    """
    if turn.helpers >= 0:
        return run(hand_over(turn))
    part, values = turn.number, geometry.values
    buffer, target = buffers[turn.worker], sums[part].reshape(-1)
    depth, height, width, outs = geometry.y_size
    dsteps = (depth * height * width * outs, height * width * outs, width * outs)
    inner, block, step = phase[18], geometry.abreast, max(1, strip // width)
    for piece in pieces[edges[part] : edges[part + 1]]:
        origin, strides = fetch(geometry, x, steps, buffer, piece)
        source = x if geometry.in_place else buffer
        counts = (piece[1] - piece[0], piece[3] - piece[2], piece[5] - piece[4])
        xsteps = (strides[0], phase[4] * strides[1], phase[9] * strides[2])
        x0 = origin + piece[2] * xsteps[1] + piece[4] * xsteps[2]
        d0 = piece[0] * dsteps[0] + piece[2] * dsteps[1] + piece[4] * dsteps[2]
        xs, ds, at = box(counts, xsteps, x0), box(counts, dsteps, d0), dot(taps, strides)
        for row in range(0, xs.size, step):
            xo, wo = ds[row : row + step], xs[row : row + step]
            for t in range(at.size):
                for i in range(0, inner, block):
                    place = t * outs * inner + i
                    dense_wide(
                        outs, target, place, inner, dy, values.zero, values.one, outs,
                        source, at[t] + i, phase[14] * strides[3], target, place, inner, xo, wo,
                        xo.size, width, min(block, inner - i), values.low, values.high,
                    )  # fmt: skip
    return True


def laid_out(sums: np.ndarray, dweight: np.ndarray) -> None:
    """Lay sums (taps, O, (elements of a tap, C)) out as (O, C, elements), of all taps."""
    taps, outs, _ = sums.shape
    channels = dweight.shape[1]
    found = sums.reshape(taps, outs, -1, channels).transpose(1, 3, 0, 2)
    dweight.reshape(found.shape)[...] = found
