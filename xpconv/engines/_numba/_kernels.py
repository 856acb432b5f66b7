"""Winograd's transforms of kernels and of their gradients, a block of output channels at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._winograd import F2, F4, transposed
from ._jit import jit
from ._team import run
from ._transform import transform
from ._transpose import transpose
from ._words import hand_over

# One intrinsic each: Numba's cache needs them under names of the module.
_KERNELS_2, _KERNELS_4 = (transform(f.kernels, "middle") for f in (F2, F4))
_GRADIENTS_2, _GRADIENTS_4 = (transform(transposed(f.kernels), "all") for f in (F2, F4))
_SOME = 16  # input channels whose kernels stay in the nearest cache


@jit
def transform_kernels(
    m: int,
    weight: Any,
    size: Any,
    turned: bool,
    o: int,
    first: int,
    last: int,
    kernels: Any,
    at: int,
    step: int,
    lanes: int,
) -> bool:
    """Transform kernels of ``2 * lanes`` output channels, from ``o`` on, to (side^2, C, 2 * lanes).

    Only input channels ``[first, last)``, from ``kernels[at]`` on; ``step`` is the distance of the
    matrices. ``weight`` is (O, C, 9), flat, and ``size`` C and O. ``turned``: kernels turned
    around, and input channels are output channels. Return whether they are finite.
    """
    inner, outs = size
    width, n = 2 * lanes, min(2 * lanes, outs - o)
    plain, doubt = np.zeros(_SOME * 9 * width, dtype=weight.dtype), np.zeros(width, weight.dtype)
    rows, columns = np.arange(lanes) * (9 if turned else 9 * inner), np.arange(9 * _SOME) * width
    begin, line, column = (8 * width, -3 * width, -width) if turned else (0, 3 * width, width)
    for c in range(first, last, _SOME):
        some = min(_SOME, last - c)
        for half in range(0, n, lanes):
            count = min(lanes, n - half)
            if turned:
                for i in range(some):
                    place = ((c + i) * outs + o + half) * 9
                    for q in range(0, 9, lanes):
                        transpose(
                            weight, place + q, rows, count, min(lanes, 9 - q),
                            plain, i * 9 * width + half, columns[q:],
                        )  # fmt: skip
            else:
                place = ((o + half) * inner + c) * 9
                for q in range(0, some * 9, lanes):
                    transpose(
                        weight, place + q, rows, count, min(lanes, some * 9 - q),
                        plain, half, columns[q:],
                    )  # fmt: skip
        for i in range(some):
            x0, y0 = i * 9 * width + begin, at + (c + i - first) * width
            if m == 4:
                _KERNELS_4(plain, x0, line, column, kernels, y0, 6 * step, step, width, doubt, 0)
            else:
                _KERNELS_2(plain, x0, line, column, kernels, y0, 4 * step, step, width, doubt, 0)
    return bool(np.all(doubt == 0))


@jit
def kernel_gradients(
    m: int,
    sums: Any,
    at: int,
    wide: int,
    step: int,
    size: Any,
    dweight: Any,
    c: int,
    last: int,
    o: int,
    lanes: int,
) -> bool:
    """Transform sums back to input channels ``[c, last)`` of a gradient (O, C, 9), flat.

    For ``2 * lanes`` output channels from ``o`` on. Matrices of sums have rows of ``wide`` numbers,
    of which the first one needed is ``sums[at]``; ``step`` is the distance of the matrices, and
    ``size`` C and O. Return whether results are finite.
    """
    inner, outs = size
    width, n = 2 * lanes, min(2 * lanes, outs - o)
    plain, doubt = np.empty(_SOME * 9 * width, dtype=sums.dtype), np.zeros(width, sums.dtype)
    rows, columns = np.arange(9 * _SOME) * width, np.arange(lanes) * (9 * inner)
    for i in range(c, last, _SOME):
        some = min(_SOME, last - i)
        for k in range(some):
            x0, y0 = at + (i - c + k) * wide, k * 9 * width
            if m == 4:
                _GRADIENTS_4(sums, x0, 6 * step, step, plain, y0, 3 * width, width, n, doubt, 0)
            else:
                _GRADIENTS_2(sums, x0, 4 * step, step, plain, y0, 3 * width, width, n, doubt, 0)
        for half in range(0, n, lanes):
            place = ((o + half) * inner + i) * 9
            for q in range(0, some * 9, lanes):
                transpose(
                    plain, half, rows[q:], min(lanes, some * 9 - q), min(lanes, n - half),
                    dweight, place + q, columns,
                )  # fmt: skip
    return bool(np.all(doubt == 0))


@jit
def transform_blocks(
    turn: Any,
    m: int,
    weight: Any,
    size: Any,
    turned: bool,
    kernels: Any,
    apiece: int,
    step: int,
    lanes: int,
    finite: Any,
) -> Any:
    """Transform all kernels, a block of output channels after the other; write what is finite."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    o = turn.number * 2 * lanes
    finite[turn.number] = transform_kernels(
        m, weight, size, turned, o, 0, size[0], kernels, turn.number * apiece, step, lanes
    )
    return True


@jit
def gradients_of_blocks(
    turn: Any, m: int, sums: Any, size: Any, dweight: Any, lanes: int, finite: Any
) -> Any:
    """Transform all sums (side^2, C, O) back, block after block; write what is finite."""
    if turn.helpers >= 0:
        return run(hand_over(turn))
    o, (inner, outs) = turn.number * 2 * lanes, size
    finite[turn.number] = kernel_gradients(
        m, sums, o, outs, inner * outs, size, dweight, 0, inner, o, lanes
    )
    return True
