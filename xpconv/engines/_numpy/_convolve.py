"""Convolutions on NumPy as products of columns, piece by piece on the pool's threads."""

from __future__ import annotations

import numpy as np

from .._problem import Problem
from . import _band_scatter, _bands, _few
from ._band_matrices import sends_back, width as places_together
from ._columns import columns, in_groups
from ._cuts import column_pieces, few_places, in_blocks
from ._finish import finish
from ._scatter import scattered
from ._small import column_blocks, multiply
from ._work import PIECE, memory, side_by_side

_LAID_OUT_ALONE = 2**17  # numbers that one thread lays out as fast as several


def forward(
    problem: Problem,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None = None,
) -> np.ndarray:
    """Return y (N, OH, OW, O) = columns @ kernels."""
    if _few.fits(problem, x.dtype):
        return _few.forward(problem, x, weight, bias, activation)
    if few_places(problem):
        return _products(problem, x, weight, bias, activation)
    if places_together(problem) > 1:
        kernels = _axes_last(_grouped(problem, weight), 2, 1)  # (G, KH, KW, C, O)
        banded = _bands.forward(problem, x, kernels, bias, activation)
        if banded is not None:
            return banded
    kernels = _in_order(_axes_last(weight, 1))
    return _products(problem, x, kernels, bias, activation)


def input_grad(problem: Problem, dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return dx (N, H, W, C), by whichever of two equal sums moves less memory."""
    if _few.fits(problem, dy.dtype):
        return _few.input_grad(problem, dy, weight)
    if sends_back(problem):
        kernels = _axes_last(_grouped(problem, weight), 2, 1)  # (1, KH, KW, C, O)
        sent = _band_scatter.input_grad(problem, dy, kernels)
        if sent is not None:
            return sent
    turned = problem.input_problem()
    if turned is None or few_places(problem) or problem.out_channels > 4 * problem.in_channels:
        return scattered(problem, dy, weight)
    spatial = tuple(range(2, 2 + problem.ndim))
    if few_places(turned):  # its columns are laid out like kernels
        kernels = _in_order(np.flip(weight.swapaxes(0, 1), axis=spatial))  # (C, O, KH, KW)
        return _products(turned, dy, kernels, None, None)
    if places_together(turned) > 1:
        kernels = _axes_last(_grouped(problem, weight), 1, 2)  # (G, KH, KW, O, C)
        kernels = np.flip(kernels, axis=tuple(range(1, 1 + problem.ndim)))
        banded = _bands.forward(turned, dy, kernels, None, None)
        if banded is not None:
            return banded
    split = np.moveaxis(_grouped(problem, weight), 1, -1)  # (G, C/G, KH, KW, O/G)
    kernels = _in_order(np.flip(split, axis=spatial))
    kernels = kernels.reshape(problem.in_channels, *kernels.shape[2:])
    return _products(turned, dy, kernels, None, None)


def _grouped(problem: Problem, weight: np.ndarray) -> np.ndarray:
    """(O, C/G, KH, KW) -> (G, O/G, C/G, KH, KW)."""
    return weight.reshape(problem.groups, problem.group_out, *weight.shape[1:])


def _axes_last(x: np.ndarray, *axes: int) -> np.ndarray:
    """Return a view with some axes behind the others; `np.moveaxis` takes several times as long."""
    others = (axis for axis in range(x.ndim) if axis not in axes)
    return x.transpose(*others, *axes)


def _in_order(view: np.ndarray) -> np.ndarray:
    """Copy into memory in the order of the axes, by several threads where it takes long."""
    if view.size <= _LAID_OUT_ALONE:
        return np.ascontiguousarray(view)
    flat = memory(view.shape, view.dtype)
    axis = int(np.argmax(view.shape[:2]))  # (O, ...), or (G, C/G, ...)
    length, lead = view.shape[axis], (slice(None),) * axis
    count = 4

    def copy(number: int) -> None:
        part = (*lead, slice(number * length // count, (number + 1) * length // count))
        np.copyto(flat[part], view[part])

    side_by_side(copy, count, 0)
    return flat


def _products(
    problem: Problem,
    x: np.ndarray,
    kernels: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None,
) -> np.ndarray:
    """Multiply all columns of x by kernels (O, KH, KW, C/G)."""
    y = memory((problem.batch, *problem.out_size, problem.out_channels), x.dtype)
    blocks = in_blocks(problem)
    for some in (blocks, problem):
        matrices = _side_by_side(problem, some, kernels)
        asked = some.groups != problem.groups  # a zero between two groups makes NaN of infinity
        if _multiply(some, x, matrices, bias, activation, y, asked):
            break
    return y


def _multiply(
    problem: Problem,
    x: np.ndarray,
    matrices: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None,
    y: np.ndarray,
    asked: bool,
) -> bool:
    """Fill y by matrices (G, O/G, KH*KW*C/G); where it is asked, say whether all is finite."""
    pieces = column_pieces(problem, x.dtype)
    finite = [True] * len(pieces)
    blocks = column_blocks(matrices.transpose(0, 2, 1))

    def work(number: int) -> None:
        piece = pieces[number]
        part = y[piece.output]
        (cols,) = columns(problem, x, piece)
        rows = in_groups(part, problem.groups)
        for own, right, step in blocks:
            multiply(cols, right, rows[..., own], step)
        if asked:
            finite[number] = bool(np.isfinite(part).all())
        finish(part, bias, activation)

    side_by_side(work, len(pieces), PIECE)
    return all(finite)


def _side_by_side(problem: Problem, blocks: Problem, kernels: np.ndarray) -> np.ndarray:
    """(O, KH, KW, C/G) -> a block's matrices (B, O/B, KH*KW*C/B), zero where two groups meet."""
    shape = (blocks.groups, blocks.group_out, blocks.window)
    together = problem.groups // blocks.groups
    if together == 1:
        return kernels.reshape(shape)
    outs, ins = problem.group_out, problem.group_in
    dense = np.zeros(
        (blocks.groups, together, outs, *problem.kernel_size, together, ins), kernels.dtype
    )
    own = kernels.reshape(blocks.groups, together, outs, *problem.kernel_size, ins)
    for k in range(together):
        dense[:, k, ..., k, :] = own[:, k]
    return dense.reshape(shape)
