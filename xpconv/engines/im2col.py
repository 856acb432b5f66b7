"""Convolution as one matrix product: the reference engine.

Every window of the input becomes a row of a matrix of *columns* (im2col), and the convolution is
that matrix times the kernels. The way back is two products more. Columns repeat the input KH*KW
times, so they are never kept: they are made in pieces that fit into the workspace, used, and made
again on the way back.

Arrays are channels-last here: x (N, H, W, C), y (N, OH, OW, O); weights (O, C/G, KH, KW).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from array_api_compat import array_namespace, device

from .._arrays import add_at
from .._typing import Array, Namespace
from ._activation import clipped
from ._bias import with_bias
from ._bodies import body, has_body
from ._engine import ACTIVATIONS
from ._kernel_matrices import kernel_matrices, kernels_back, turned_matrices
from ._pieces import Piece, add_back, cut, empty_cut, pieces
from ._primitives import column_budget, primitives
from ._problem import Problem

__all__ = [
    "activations",
    "drawback",
    "exact",
    "forward",
    "input_grad",
    "name",
    "refusal",
    "scattered",
    "takes_half",
    "weight_grad",
]

name = "im2col"
exact = True
activations = frozenset(ACTIVATIONS)


def refusal(problem: Problem) -> str | None:
    """Every problem, on every library."""
    return None


def drawback(problem: Problem, task: str) -> str | None:
    """None: engines that are better at something come before this one."""
    return None


def takes_half(problem: Problem) -> bool:
    """Where products sum in float32 what they are given in half precision."""
    return has_body("im2col_forward", problem)


def forward(
    problem: Problem,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Return y (N, OH, OW, O) = columns @ kernels, one piece after the other."""
    whole = None if problem.empty else body("convolve", x)
    if whole is not None:
        return whole(problem, x, weight, bias, activation)
    fused = body("im2col_forward", x)
    if fused is not None:
        return clipped(fused(problem, x, weight, bias), activation)
    xp = array_namespace(x)
    y = _products(xp, problem, x, kernel_matrices(xp, problem, weight))
    return clipped(with_bias(y, bias), activation)


def _products(xp: Namespace, problem: Problem, x: Array, kernels: Array) -> Array:
    """Multiply all columns of x by kernels (G, O/G, KH*KW*C/G)."""
    shape = (problem.batch, *problem.out_size, problem.out_channels)
    y = xp.empty(shape, dtype=x.dtype, device=device(x))
    for piece in _pieces(xp, problem, x):
        y = _forward_piece(xp, problem, x, kernels, piece, y)
    return y


def _forward_piece(
    xp: Namespace, problem: Problem, x: Array, kernels: Array, piece: Piece, y: Array
) -> Array:
    cols = _columns(xp, problem, x, piece)
    for g, channels in enumerate(_channels(problem)):
        key = (*piece.output, *(slice(None),) * (problem.ndim - 1), channels)
        # (rows, KH*KW*C/G) @ (KH*KW*C/G, O/G) -> (rows, O/G)
        y = primitives(xp).product_into(y, key, cols[g, ...], kernels[g, ...].T)
    return y


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C/G, KH, KW) = dy^T @ columns, summed over the pieces in order."""
    whole = None if problem.empty else body("convolve_weight_grad", x)
    if whole is not None:
        return whole(problem, x, dy)
    fused = body("im2col_weight_grad", x)
    if fused is not None:
        return fused(problem, x, dy)
    xp = array_namespace(x)
    shape = (problem.groups, problem.group_out, problem.window)
    dkernels = xp.zeros(shape, dtype=x.dtype, device=device(x))
    for piece in _pieces(xp, problem, x):
        dkernels = _weight_piece(xp, problem, x, dy, piece, dkernels)
    return kernels_back(xp, problem, dkernels)


def _weight_piece(
    xp: Namespace, problem: Problem, x: Array, dy: Array, piece: Piece, dkernels: Array
) -> Array:
    cols = _columns(xp, problem, x, piece)
    rows = xp.reshape(dy[(*piece.output, ...)], (cols.shape[1], problem.out_channels))
    for g, channels in enumerate(_channels(problem)):
        # (O/G, rows) @ (rows, KH*KW*C/G) -> (O/G, KH*KW*C/G)
        dkernels = add_at(dkernels, (g, ...), xp.matmul(rows[:, channels].T, cols[g, ...]))
    return dkernels


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C), by whichever of two equal sums moves less memory.

    With stride 1 it is a convolution of dy with the kernels turned around, which gathers. Else, or
    where dy has far more channels than x, it is col2im of dy @ kernels, which scatters.
    """
    whole = None if problem.empty else body("convolve_input_grad", dy)
    if whole is not None:
        return whole(problem, dy, weight)
    fused = body("im2col_input_grad", dy)
    if fused is not None:
        return fused(problem, dy, weight)
    xp = array_namespace(dy)
    turned = problem.input_problem()
    if turned is not None and problem.out_channels <= 4 * problem.in_channels:
        return _products(xp, turned, dy, turned_matrices(xp, problem, weight))
    return scattered(problem, dy, weight)


def scattered(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C) = col2im of dy @ kernels: no sum has more terms than windows reach."""
    xp = array_namespace(dy)
    kernels = kernel_matrices(xp, problem, weight)
    shape = (problem.batch, *problem.in_size, problem.in_channels)
    dx = xp.zeros(shape, dtype=dy.dtype, device=device(dy))
    for piece in _pieces(xp, problem, dy):
        dx = _add_columns(xp, problem, piece, _dcolumns(xp, problem, dy, kernels, piece), dx)
    return dx


def _dcolumns(xp: Namespace, problem: Problem, dy: Array, kernels: Array, piece: Piece) -> Array:
    """Gradient of a piece's columns (G, rows, KH*KW*C/G)."""
    out_size = _out_size(problem, piece)
    rows = (piece.last - piece.first) * math.prod(out_size)
    part = xp.reshape(dy[(*piece.output, ...)], (rows, problem.out_channels))
    shape = (problem.groups, rows, problem.window)
    dcols = xp.empty(shape, dtype=dy.dtype, device=device(dy))
    for g, channels in enumerate(_channels(problem)):
        key = (slice(g, g + 1), slice(None), slice(None))
        # (rows, O/G) @ (O/G, KH*KW*C/G) -> (rows, KH*KW*C/G)
        dcols = primitives(xp).product_into(dcols, key, part[:, channels], kernels[g, ...])
    return dcols


def _add_columns(xp: Namespace, problem: Problem, piece: Piece, dcols: Array, dx: Array) -> Array:
    """Add a piece's columns back to the places that they were gathered from."""
    fused = body("add_columns", dcols)
    if fused is not None:  # straight into dx: no padded copy
        return fused(problem, piece, dcols, dx)
    padded = primitives(xp).scatter(
        empty_cut(xp, problem, piece, problem.in_channels, dcols),
        dcols,
        problem.kernel_size,
        problem.stride,
        problem.dilation,
        _out_size(problem, piece),
    )
    return add_back(problem, piece, padded, dx)


def _pieces(xp: Namespace, problem: Problem, x: Array) -> Iterator[Piece]:
    return pieces(problem, column_budget(xp), x.dtype, columns=math.prod(problem.kernel_size))


def _out_size(problem: Problem, piece: Piece) -> tuple[int, ...]:
    return (piece.bottom - piece.top, *problem.out_size[1:])


def _channels(problem: Problem) -> Iterator[slice]:
    """Output channels of each group."""
    for g in range(problem.groups):
        yield slice(g * problem.group_out, (g + 1) * problem.group_out)


def _columns(xp: Namespace, problem: Problem, x: Array, piece: Piece) -> Array:
    """Columns (G, rows, KH*KW*C/G) of a piece."""
    fused = body("columns", x)
    if fused is not None:  # straight from x: no padded copy
        return fused(problem, x, piece)
    return primitives(xp).gather(
        cut(xp, problem, x, piece),
        problem.kernel_size,
        problem.stride,
        problem.dilation,
        _out_size(problem, piece),
        problem.groups,
    )
