"""Depthwise convolutions: every channel has kernels of its own, so there is no matrix to multiply.

For each element of the kernel, the part of the input that it meets is multiplied by one number per
channel and added up. Arrays are channels-last; output channel ``c * M + m`` is the ``m``-th of the
M kernels of input channel ``c``, so the input's channels are repeated M times first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from array_api_compat import array_namespace, device

from .._arrays import add_at, put
from .._typing import Array, Namespace
from ._bias import with_bias
from ._bodies import body
from ._offsets import offsets
from ._pieces import Piece, add_back, cut, empty_cut, pieces
from ._primitives import column_budget
from ._problem import Problem

__all__ = ["drawback", "exact", "forward", "input_grad", "name", "refusal", "weight_grad"]

name = "depthwise"
exact = True


def refusal(problem: Problem) -> str | None:
    """As many groups as input channels."""
    if problem.groups == problem.in_channels and problem.groups > 1:
        return None
    return "the groups have more than one input channel each"


def drawback(problem: Problem, task: str) -> str | None:
    """None: engines that are better at something come before this one."""
    return None


def forward(problem: Problem, x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return y (N, OH, OW, C*M), one multiply-add pass for each element of the kernel."""
    whole = None if problem.empty else body("depthwise", x)
    if whole is not None:
        return whole(problem, x, weight, bias)
    xp = array_namespace(x)
    taps = _taps(xp, problem, weight)
    shape = (problem.batch, *problem.out_size, problem.out_channels)
    y = xp.empty(shape, dtype=x.dtype, device=device(x))
    for piece in _pieces(xp, problem, x):
        y = put(y, (*piece.output, ...), _forward_piece(xp, problem, x, taps, piece))
    return with_bias(y, bias)


def _forward_piece(
    xp: Namespace, problem: Problem, x: Array, taps: list[Array], piece: Piece
) -> Array:
    repeated = _repeated_cut(xp, problem, x, piece)
    keys = _keys(problem, piece)
    y = repeated[next(keys)] * taps[0]
    for tap, key in zip(taps[1:], keys, strict=True):
        y = add_at(y, (...,), repeated[key] * tap)  # (n, OH, OW, C*M) * (C*M,)
    return y


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (C*M, 1, KH, KW): per element of the kernel, the sum of x times dy."""
    whole = None if problem.empty else body("depthwise_weight_grad", x)
    if whole is not None:
        return whole(problem, x, dy)
    xp = array_namespace(x)
    count = math.prod(problem.kernel_size)
    dtaps = xp.zeros((count, problem.out_channels), dtype=x.dtype, device=device(x))
    for piece in _pieces(xp, problem, x):
        repeated = _repeated_cut(xp, problem, x, piece)
        part = dy[(*piece.output, ...)]
        for k, key in enumerate(_keys(problem, piece)):
            axes = tuple(range(part.ndim - 1))
            dtaps = add_at(dtaps, (k, ...), xp.sum(repeated[key] * part, axis=axes, dtype=x.dtype))
    return xp.reshape(dtaps.T, (problem.out_channels, 1, *problem.kernel_size))


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C): every element of the kernel sends dy back to what it met."""
    whole = None if problem.empty else body("depthwise_input_grad", dy)
    if whole is not None:
        return whole(problem, dy, weight)
    xp = array_namespace(dy)
    taps = _taps(xp, problem, weight)
    shape = (problem.batch, *problem.in_size, problem.in_channels)
    dx = xp.zeros(shape, dtype=dy.dtype, device=device(dy))
    for piece in _pieces(xp, problem, dy):
        dx = add_back(problem, piece, _input_piece(xp, problem, dy, taps, piece), dx)
    return dx


def _input_piece(
    xp: Namespace, problem: Problem, dy: Array, taps: list[Array], piece: Piece
) -> Array:
    part = dy[(*piece.output, ...)]
    padded = empty_cut(xp, problem, piece, problem.out_channels, dy)
    for tap, key in zip(taps, _keys(problem, piece), strict=True):
        padded = add_at(padded, key, part * tap)
    if problem.group_out == 1:
        return padded
    split = xp.reshape(padded, (*padded.shape[:-1], problem.in_channels, problem.group_out))
    return xp.sum(split, axis=-1, dtype=dy.dtype)  # (n, H, W, C, M) -> (n, H, W, C)


def _pieces(xp: Namespace, problem: Problem, x: Array) -> Iterator[Piece]:
    """Pieces small enough for the repeated input, the output and a product of the two."""
    return pieces(problem, column_budget(xp), x.dtype, columns=3 * problem.group_out)


def _repeated_cut(xp: Namespace, problem: Problem, x: Array, piece: Piece) -> Array:
    padded = cut(xp, problem, x, piece)
    return padded if problem.group_out == 1 else xp.repeat(padded, problem.group_out, axis=-1)


def _keys(problem: Problem, piece: Piece) -> Iterator[tuple[slice, ...]]:
    """For each element of the kernel, the key of what it meets in a piece's padded input."""
    out_size = (piece.bottom - piece.top, *problem.out_size[1:])
    for key in offsets(problem.kernel_size, problem.stride, problem.dilation, out_size):
        yield (slice(None), *key, slice(None))


def _taps(xp: Namespace, problem: Problem, weight: Array) -> list[Array]:
    """(C*M, 1, KH, KW) -> KH*KW arrays (C*M,)."""
    count = math.prod(problem.kernel_size)
    kernels = xp.permute_dims(xp.reshape(weight, (problem.out_channels, count)), (1, 0))
    kernels = xp.asarray(kernels, copy=True)  # side by side, for the products
    return [kernels[k, :] for k in range(count)]
