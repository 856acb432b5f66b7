"""Input gradients on NumPy by col2im: every row of ``dy @ kernels`` goes back to its window."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from .._pieces import Piece
from .._problem import Problem
from ._columns import in_groups
from ._cuts import cuts, few_places, of_images
from ._work import PIECE, buffers, memory, piece_bytes, side_by_side

_FEW = 8  # channels of a group; fewer are added up along the rows of the output


def scattered(problem: Problem, dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return dx (N, H, W, C); the windows of an image are added in a fixed order by one thread."""
    dx = memory((problem.batch, *problem.in_size, problem.in_channels), dy.dtype)
    own = weight if few_places(problem) else np.moveaxis(weight, 1, -1)
    kernels = own.reshape(problem.groups, problem.group_out, -1)
    row = (problem.window * problem.groups + problem.out_channels) * dy.dtype.itemsize
    operations = 2 * problem.window * problem.out_channels
    tasks = of_images(cuts(problem, row, piece_bytes(PIECE), operations=operations))

    def work(number: int) -> None:
        first, last = tasks[number][0][:2]
        _scatter(problem, tasks[number], dy, kernels, dx[first:last])

    side_by_side(work, len(tasks), PIECE)
    return dx


def _scatter(
    problem: Problem, pieces: list[Piece], dy: np.ndarray, kernels: np.ndarray, dx: np.ndarray
) -> None:
    """Fill the input gradient of some images from all of their pieces."""
    groups, channels, rest = problem.groups, problem.group_in, problem.out_size[1:]
    few = channels < _FEW
    most = max((p.last - p.first) * (p.bottom - p.top) for p in pieces) * math.prod(rest)
    planes = (groups, channels, len(dx), *problem.in_size) if few else (0,)
    target, space = buffers(dx.dtype, planes, (groups * most * problem.window,))
    own = np.moveaxis(dx.reshape(*dx.shape[:-1], groups, channels), (-2, -1), (0, 1))
    target = target if few else own  # (G, C/G, N, H, W)
    target[...] = 0
    for piece in pieces:
        part = in_groups(dy[piece.output], groups)  # (G, rows, O/G)
        rows = part.shape[1]
        dcols = space[: groups * rows * problem.window]
        if few:
            dcols = dcols.reshape(groups, problem.window, rows)
            np.matmul(kernels.transpose(0, 2, 1), part.transpose(0, 2, 1), out=dcols)
        else:
            dcols = dcols.reshape(groups, rows, problem.window)
            dcols = np.matmul(part, kernels, out=dcols).transpose(0, 2, 1)
        places = (piece.last - piece.first, piece.bottom - piece.top, *rest)
        if few_places(problem):
            every = dcols.reshape(groups, channels, -1, *places).swapaxes(1, 2)
        else:
            every = dcols.reshape(groups, -1, channels, *places)
        for tap, outs, ins in meetings(problem, piece):
            lead = (slice(None),) * 3
            seen = target[(*lead, *ins)]
            np.add(seen, every[:, tap][(*lead, *outs)], out=seen)
    if few:
        np.copyto(own, target)


def meetings(
    problem: Problem, piece: Piece
) -> Iterator[tuple[int, tuple[slice, ...], tuple[slice, ...]]]:
    """For each element of the kernel, its number, and the places of y and of x that it joins."""
    ranges = [(piece.top, piece.bottom), *((0, size) for size in problem.out_size[1:])]
    rows = list(
        zip(
            ranges, problem.in_size, problem.stride, problem.padding, problem.dilation, strict=True
        )
    )  # fmt: skip
    for tap, element in enumerate(itertools.product(*map(range, problem.kernel_size))):
        outs, ins = [], []
        for k, ((begin, end), size, step, (before, _), spread) in zip(element, rows, strict=True):
            shift = k * spread - before
            low = max(begin, -(shift // step))
            high = max(low, min(end, (size - 1 - shift) // step + 1))
            outs.append(slice(low - begin, high - begin))
            ins.append(slice(low * step + shift, high * step + shift, step))
        if all(o.stop > o.start for o in outs):
            yield tap, tuple(outs), tuple(ins)
