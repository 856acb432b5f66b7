"""Weight gradients on NumPy: ``dy^T @ columns``, summed over the pieces in a fixed order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._problem import Problem
from . import _bands, _few
from ._band_matrices import width as places_together
from ._columns import columns, in_groups
from ._cuts import column_pieces, few_places, in_blocks
from ._small import summed
from ._work import PIECE, memory, side_by_side

_SUM = 2**20  # bytes of the sums of one task: they are read and written for each piece
_SUMS = 8 * 2**20  # bytes of all tasks' sums together
_CHANNELS = 16
_TASKS = 8


def weight_grad(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C/G, KH, KW).

    Tasks are parts of the input channels, whose sums are apart, and lanes: every so-manieth piece,
    with sums that are added up in the end. How many follows from the problem, not from the threads.
    """
    if _few.fits(problem, x.dtype):
        return _few.weight_grad(problem, x, dy)
    if places_together(problem) > 1:
        return _bands.weight_grad(problem, x, dy)
    blocks = in_blocks(problem)
    whole = blocks.out_channels * blocks.window * x.dtype.itemsize
    parts = _parts(problem, whole)
    width = blocks.in_channels // parts
    some = replace(blocks, in_channels=width)
    pieces = column_pieces(some, x.dtype)
    lanes = max(1, min(-(-_TASKS // parts), len(pieces), _SUMS // whole))
    shape = (some.groups, some.group_out, some.window)
    sums = memory((parts, lanes, *shape), x.dtype)
    dweight = memory((problem.out_channels, problem.group_in, *problem.kernel_size), x.dtype)

    def work(number: int) -> None:
        part, lane = divmod(number, lanes)
        total, ins = sums[part, lane], slice(part * width, (part + 1) * width)
        for k, piece in enumerate(pieces[lane::lanes]):
            cols, more = columns(some, x[..., ins], piece, shape if k else (0,))
            # (G, O/G, rows) @ (G, rows, KH*KW*C/G) -> (G, O/G, KH*KW*C/G)
            left = in_groups(dy[piece.output], some.groups).transpose(0, 2, 1)
            if k == 0:
                summed(left, cols, total)
            else:
                summed(left, cols, more)
                np.add(total, more, out=total)
        if lanes == 1:
            _keep(problem, some, total, dweight, ins)

    side_by_side(work, parts * lanes, PIECE)
    if lanes > 1:
        for part, every in enumerate(sums):
            ins = slice(part * width, (part + 1) * width)
            _keep(problem, some, np.add.reduce(every, axis=0), dweight, ins)
    return dweight


def _parts(problem: Problem, whole: int) -> int:
    """Return how many parts of the input channels have sums that stay in a cache."""
    if problem.groups > 1:
        return 1
    most = min(-(-whole // _SUM), problem.in_channels // _CHANNELS)
    return next(k for k in range(max(1, most), 0, -1) if problem.in_channels % k == 0)


def _keep(
    problem: Problem, some: Problem, total: np.ndarray, dweight: np.ndarray, ins: slice
) -> None:
    """Write sums (B, O/B, KH*KW*C/B) to where their channels are, the groups of a block apart."""
    if few_places(problem):
        np.copyto(dweight[:, ins], total.reshape(dweight[:, ins].shape))
        return
    together = problem.groups // some.groups
    channels = some.group_in // together
    shape = (some.groups, together, problem.group_out, *problem.kernel_size, together, channels)
    every = total.reshape(shape)
    own = dweight.reshape(some.groups, together, problem.group_out, *dweight.shape[1:])
    for k in range(together):
        # (B, O, KH, KW, C) -> (B, O, C, KH, KW)
        mine = np.moveaxis(every[:, k, ..., k, :], -1, 2)
        np.copyto(own[:, k, :, ins if problem.groups == 1 else slice(None)], mine)
