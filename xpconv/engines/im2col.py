"""Convolution as one matrix product: the reference engine.

Every window of the input becomes a row of a matrix of *columns* (im2col), and the convolution is
that matrix times the kernels. The way back is two products more. Columns repeat the input KH*KW
times, so they are never kept: they are made in pieces that fit into the workspace, used, and made
again on the way back.

Arrays are channels-last here: x (N, H, W, C), y (N, OH, OW, O); weights (O, C/G, KH, KW).
"""

from __future__ import annotations

import math

from array_api_compat import array_namespace, device

from .._arrays import add_at, put
from .._typing import Array, Namespace
from ._pieces import cut, empty_cut, pieces, uncut
from ._primitives import column_budget, primitives
from ._problem import Problem

name = "im2col"


def supports(problem: Problem) -> bool:
    """Every problem, on every library."""
    return True


def forward(problem: Problem, x: Array, weight: Array) -> Array:
    """Return y (N, OH, OW, O) = columns @ kernels, one piece after the other."""
    xp = array_namespace(x)
    body, place = primitives(xp), device(x)
    kernels = _kernel_matrices(xp, problem, weight)  # (G, O/G, KH*KW*C/G)
    y = xp.empty(
        (problem.batch, *problem.out_size, problem.out_channels), dtype=x.dtype, device=place
    )
    for piece in pieces(problem, column_budget(xp), _itemsize(xp, x)):
        cols = _columns(problem, x, piece)  # (G, rows, KH*KW*C/G)
        for g in range(problem.groups):
            channels = slice(g * problem.group_out, (g + 1) * problem.group_out)
            key = (*piece.output, *(slice(None),) * (problem.ndim - 1), channels)
            # (rows, KH*KW*C/G) @ (KH*KW*C/G, O/G)
            y = body.product_into(y, key, cols[g, ...], kernels[g, ...].T)
    return y


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C/G, KH, KW) = dy^T @ columns, summed over the pieces in order."""
    xp = array_namespace(x)
    shape = (problem.groups, problem.group_out, problem.window)
    dkernels = xp.zeros(shape, dtype=x.dtype, device=device(x))
    for piece in pieces(problem, column_budget(xp), _itemsize(xp, x)):
        cols = _columns(problem, x, piece)
        rows = xp.reshape(dy[(*piece.output, ...)], (cols.shape[1], problem.out_channels))
        for g in range(problem.groups):
            channels = slice(g * problem.group_out, (g + 1) * problem.group_out)
            # (O/G, rows) @ (rows, KH*KW*C/G)
            dkernels = add_at(dkernels, (g, ...), xp.matmul(rows[:, channels].T, cols[g, ...]))
    return _kernels_to_weight(xp, problem, dkernels)


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C), by whichever of two equal sums moves less memory.

    With stride 1 it is a convolution of dy with the kernels turned around, which gathers. Else, or
    where dy has far more channels than x, it is col2im of dy @ kernels, which scatters.
    """
    turned = problem.input_problem()
    if turned is not None and problem.out_channels <= 2 * problem.in_channels:
        return forward(turned, dy, _turned_weight(problem, weight))
    return _scattered_input_grad(problem, dy, weight)


def _scattered_input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    xp = array_namespace(dy)
    body, place = primitives(xp), device(dy)
    kernels = _kernel_matrices(xp, problem, weight)
    shape = (problem.batch, *problem.in_size, problem.in_channels)
    dx = xp.zeros(shape, dtype=dy.dtype, device=place)
    for piece in pieces(problem, column_budget(xp), _itemsize(xp, dy)):
        images, top = piece.last - piece.first, piece.bottom - piece.top
        out_size = (top, *problem.out_size[1:])
        rows = images * math.prod(out_size)
        part = xp.reshape(dy[(*piece.output, ...)], (rows, problem.groups, problem.group_out))
        shape = (problem.groups, rows, problem.window)
        dcols = xp.empty(shape, dtype=dy.dtype, device=place)
        for g in range(problem.groups):
            # (rows, O/G) @ (O/G, KH*KW*C/G)
            key = (slice(g, g + 1), slice(None), slice(None))
            dcols = body.product_into(dcols, key, part[:, g, :], kernels[g, ...])
        dpart = body.scatter(
            empty_cut(xp, problem, piece, dy, place),
            dcols,
            problem.kernel_size,
            problem.stride,
            problem.dilation,
            out_size,
        )
        key, dpart = uncut(problem, piece, dpart)
        if piece.top == 0 and piece.bottom == problem.out_size[0]:
            dx = put(dx, (*key, ...), dpart)
        else:  # pieces of one image overlap where their windows do
            dx = add_at(dx, (*key, ...), dpart)
    return dx


def _columns(problem: Problem, x: Array, piece: tuple[int, int, int, int]) -> Array:
    xp = array_namespace(x)
    out_size = (piece.bottom - piece.top, *problem.out_size[1:])
    return primitives(xp).gather(
        cut(xp, problem, x, piece, device(x)),
        problem.kernel_size,
        problem.stride,
        problem.dilation,
        out_size,
        problem.groups,
    )


def _kernel_matrices(xp: Namespace, problem: Problem, weight: Array) -> Array:
    """(O, C/G, KH, KW) -> (G, O/G, KH*KW*C/G), in the order of the columns."""
    last = xp.moveaxis(weight, 1, -1)
    return xp.reshape(last, (problem.groups, problem.group_out, problem.window))


def _kernels_to_weight(xp: Namespace, problem: Problem, kernels: Array) -> Array:
    """(G, O/G, KH*KW*C/G) -> (O, C/G, KH, KW)."""
    shape = (problem.out_channels, *problem.kernel_size, problem.group_in)
    return xp.moveaxis(xp.reshape(kernels, shape), -1, 1)


def _turned_weight(problem: Problem, weight: Array) -> Array:
    """Swap input and output channels within each group and turn the kernels around."""
    xp = array_namespace(weight)
    shape = (problem.groups, problem.group_out, problem.group_in, *problem.kernel_size)
    swapped = xp.moveaxis(xp.reshape(weight, shape), 1, 2)
    swapped = xp.reshape(swapped, (problem.in_channels, problem.group_out, *problem.kernel_size))
    return xp.flip(swapped, axis=tuple(range(2, 2 + problem.ndim)))


def _itemsize(xp: Namespace, x: Array) -> int:
    bits = xp.finfo(x.dtype).bits if xp.isdtype(x.dtype, "real floating") else 64
    return max(1, int(bits) // 8)
