"""The reference engine's three tasks where columns are gathered and multiplied by ourselves.

The sums are those of ``engines/im2col``. All groups are one product, which writes where the result
belongs, with the bias; gradients of weights are added up in the product. Half precision is
multiplied as it is, summed in float32 over all pieces, and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from array_api_compat import array_namespace, device

from ..._typing import Array, DType, Namespace
from .._kernel_matrices import kernel_matrices, kernels_back, turned_matrices
from .._pieces import Piece, pieces
from .._primitives import column_budget
from .._problem import Problem
from ._blas import matmul_into
from ._windows import add_columns, columns


def im2col_forward(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """Return y (N, OH, OW, O) of x (N, H, W, C)."""
    xp = array_namespace(x)
    return _convolve(xp, problem, x, kernel_matrices(xp, problem, weight), bias)


def im2col_weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C/G, KH, KW)."""
    xp = array_namespace(x)
    shape = (problem.groups, problem.group_out, problem.window)
    sums = xp.zeros(shape, dtype=_sums(xp, x), device=device(x))
    for piece in _pieces(xp, problem, x.dtype):
        cols = columns(problem, x, piece)
        rows = _of_groups(xp, problem.groups, dy[(*piece.output, ...)])
        # (G, O/G, rows) @ (G, rows, KH*KW*C/G) -> (G, O/G, KH*KW*C/G)
        _into(sums, xp.permute_dims(rows, (0, 2, 1)), cols, add=True)
    return kernels_back(xp, problem, xp.astype(sums, x.dtype, copy=False))


def im2col_input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C); which of two equal sums it is, ``engines/im2col`` says."""
    xp = array_namespace(dy)
    turned = problem.input_problem()
    if turned is not None and problem.out_channels <= 4 * problem.in_channels:
        return _convolve(xp, turned, dy, turned_matrices(xp, problem, weight), None)
    kernels, wide = kernel_matrices(xp, problem, weight), _sums(xp, dy)
    shape = (problem.batch, *problem.in_size, problem.in_channels)
    dx = xp.zeros(shape, dtype=wide, device=device(dy))
    for piece in _pieces(xp, problem, wide):
        rows = _of_groups(xp, problem.groups, dy[(*piece.output, ...)])
        size = (problem.groups, rows.shape[1], problem.window)
        dcols = xp.empty(size, dtype=wide, device=device(dy))
        # (G, rows, O/G) @ (G, O/G, KH*KW*C/G) -> (G, rows, KH*KW*C/G)
        dx = add_columns(problem, piece, _into(dcols, rows, kernels), dx)
    return xp.astype(dx, dy.dtype, copy=False)


def _convolve(
    xp: Namespace, problem: Problem, x: Array, kernels: Array, bias: Array | None
) -> Array:
    """Multiply all columns of x by kernels (G, O/G, KH*KW*C/G)."""
    shape = (problem.batch, *problem.out_size, problem.out_channels)
    y = xp.empty(shape, dtype=x.dtype, device=device(x))
    across = xp.permute_dims(kernels, (0, 2, 1))
    if bias is not None:
        bias = xp.reshape(bias, (problem.groups, problem.group_out))
    for piece in _pieces(xp, problem, x.dtype):
        out = _of_groups(xp, problem.groups, y[(*piece.output, ...)])
        # (G, rows, KH*KW*C/G) @ (G, KH*KW*C/G, O/G) -> (G, rows, O/G)
        _into(out, columns(problem, x, piece), across, bias)
    return y


def _of_groups(xp: Namespace, groups: int, part: Array) -> Array:
    """(n, OH, OW, O) -> (G, n*OH*OW, O/G), a view of a piece of a channels-last array."""
    rows, channels = math.prod(part.shape[:-1]), part.shape[-1]
    split = xp.reshape(part, (rows, groups, channels // groups))
    return xp.permute_dims(split, (1, 0, 2))


def _into(out: Array, a: Array, b: Array, bias: Array | None = None, *, add: bool = False) -> Array:
    """Write (G, M, K) @ (G, K, N); one group is a plain product, which has more algorithms."""
    if out.shape[0] == 1:
        matmul_into(out[0, ...], a[0, ...], b[0, ...], None if bias is None else bias[0], add=add)
        return out
    return matmul_into(out, a, b, bias, add=add)


def _sums(xp: Namespace, x: Array) -> DType:
    """Return the dtype of sums over several pieces."""
    return xp.float32 if x.dtype.itemsize == 2 else x.dtype


def _pieces(xp: Namespace, problem: Problem, dtype: DType) -> Iterator[Piece]:
    return pieces(problem, column_budget(xp), dtype, columns=math.prod(problem.kernel_size))
