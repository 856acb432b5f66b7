"""Depthwise convolutions: every channel has kernels of its own, so there is no matrix to multiply.

For each element of the kernel, the part of the input that it meets is multiplied by one number per
channel and added up. Arrays are channels-last; output channel ``c * M + m`` is the ``m``-th of the
M kernels of input channel ``c``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from array_api_compat import array_namespace, device

from .._arrays import add_at
from .._typing import Array, Namespace
from ._offsets import offsets
from ._pieces import cut, empty_cut, pieces, uncut
from ._primitives import column_budget
from ._problem import Problem

name = "depthwise"


def supports(problem: Problem) -> bool:
    """As many groups as input channels."""
    return problem.groups == problem.in_channels and problem.groups > 1


def forward(problem: Problem, x: Array, weight: Array) -> Array:
    """Return y (N, OH, OW, C*M), one multiply-add pass for each element of the kernel."""
    xp = array_namespace(x)
    place = device(x)
    taps = _taps(xp, problem, weight)
    parts = []
    for piece in pieces(problem, column_budget(xp), _WORD):
        padded = cut(xp, problem, x, piece, place)
        out_size = (piece.bottom - piece.top, *problem.out_size[1:])
        shape = (piece.last - piece.first, *out_size, problem.in_channels, problem.group_out)
        y = xp.zeros(shape, dtype=x.dtype, device=place)
        for tap, key in zip(taps, _offsets(problem, out_size), strict=True):
            # (n, OH, OW, C, 1) * (C, M)
            y = add_at(y, (...,), padded[(slice(None), *key, ...)][..., None] * tap)
        parts.append(xp.reshape(y, (*shape[:-2], problem.out_channels)))
    return _join(xp, problem, parts, x, place)


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (C*M, 1, KH, KW): per element of the kernel, the sum of x times dy."""
    xp = array_namespace(x)
    place = device(x)
    axes = tuple(range(problem.ndim + 1))
    count = math.prod(problem.kernel_size)
    shape = (count, problem.in_channels, problem.group_out)
    dtaps = xp.zeros(shape, dtype=x.dtype, device=place)
    for piece in pieces(problem, column_budget(xp), _WORD):
        padded = cut(xp, problem, x, piece, place)
        out_size = (piece.bottom - piece.top, *problem.out_size[1:])
        part = _split(xp, problem, dy[(*piece.output, ...)])
        for k, key in enumerate(_offsets(problem, out_size)):
            met = padded[(slice(None), *key, ...)][..., None]
            dtaps = add_at(dtaps, (k, ...), xp.sum(met * part, axis=axes, dtype=x.dtype))
    # (K, C, M) -> (C*M, 1, KH, KW)
    kernels = xp.reshape(xp.permute_dims(dtaps, (1, 2, 0)), (problem.out_channels, 1, count))
    return xp.reshape(kernels, (problem.out_channels, 1, *problem.kernel_size))


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C): every element of the kernel sends dy back to what it met."""
    xp = array_namespace(dy)
    place = device(dy)
    taps = _taps(xp, problem, weight)
    shape = (problem.batch, *problem.in_size, problem.in_channels)
    dx = xp.zeros(shape, dtype=dy.dtype, device=place)
    for piece in pieces(problem, column_budget(xp), _WORD):
        padded = empty_cut(xp, problem, piece, dy, place)
        out_size = (piece.bottom - piece.top, *problem.out_size[1:])
        part = _split(xp, problem, dy[(*piece.output, ...)])
        for tap, key in zip(taps, _offsets(problem, out_size), strict=True):
            sent = xp.sum(part * tap, axis=-1, dtype=dy.dtype)
            padded = add_at(padded, (slice(None), *key, ...), sent)
        where, dpart = uncut(problem, piece, padded)
        dx = add_at(dx, (*where, ...), dpart)
    return dx


# Bytes of one number when the pieces are measured: products are made whole before they are added.
_WORD = 8


def _offsets(problem: Problem, out_size: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    return offsets(problem.kernel_size, problem.stride, problem.dilation, out_size)


def _taps(xp: Namespace, problem: Problem, weight: Array) -> list[Array]:
    """(C*M, 1, KH, KW) -> KH*KW arrays (C, M)."""
    count = math.prod(problem.kernel_size)
    kernels = xp.reshape(weight, (problem.in_channels, problem.group_out, count))
    return [kernels[:, :, k] for k in range(count)]


def _split(xp: Namespace, problem: Problem, y: Array) -> Array:
    """(n, OH, OW, C*M) -> (n, OH, OW, C, M)."""
    return xp.reshape(y, (*y.shape[:-1], problem.in_channels, problem.group_out))


def _join(xp: Namespace, problem: Problem, parts: list[Array], x: Array, place: object) -> Array:
    """Join the pieces, which come image by image and row by row, into one output."""
    shape = (problem.batch, *problem.out_size, problem.out_channels)
    if not parts:
        return xp.empty(shape, dtype=x.dtype, device=place)
    if len(parts) == 1:
        return parts[0]
    flat = [xp.reshape(part, (-1, *shape[2:])) for part in parts]
    return xp.reshape(xp.concat(flat, axis=0), shape)
