"""The engines' primitives in the array API standard alone: they run on every library."""

from __future__ import annotations

import math

from array_api_compat import array_namespace, device

from .._arrays import add_at, put
from .._typing import Array, Namespace
from ._offsets import offsets


def gather(
    x: Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out_size: tuple[int, ...],
    groups: int,
) -> Array:
    """Lay every window out as one row: im2col.

    Parameters
    ----------
    x : array, shape (N, H, W, C)
        Channels-last, already padded.

    Returns
    -------
    array, shape (G, N*OH*OW, KH*KW*C/G)
        The columns, one matrix per group.
    """
    xp = array_namespace(x)
    n, channels = x.shape[0], x.shape[-1]
    count, group = math.prod(kernel_size), channels // groups
    cols = xp.empty((groups, n, *out_size, count, group), dtype=x.dtype, device=device(x))
    grouped = _by_group(xp, x, groups)  # (G, N, H, W, C/G)
    for k, key in enumerate(offsets(kernel_size, stride, dilation, out_size)):
        cols = put(cols, (..., k, slice(None)), grouped[(slice(None), slice(None), *key, ...)])
    return xp.reshape(cols, (groups, n * math.prod(out_size), count * group))


def scatter(
    target: Array,
    cols: Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out_size: tuple[int, ...],
) -> Array:
    """Add every row of columns back to where `gather` took it from: col2im, gather's adjoint.

    Parameters
    ----------
    target : array, shape (N, H, W, C)
        Zeros, made a line before; padded size.
    cols : array, shape (G, N*OH*OW, KH*KW*C/G)
        Columns.

    Returns
    -------
    array, shape (N, H, W, C)
        The sums, added in a fixed order.
    """
    xp = array_namespace(cols)
    groups = cols.shape[0]
    n, channels = target.shape[0], target.shape[-1]
    count, group = math.prod(kernel_size), channels // groups
    cols = xp.reshape(cols, (groups, n, *out_size, count, group))
    for k, key in enumerate(offsets(kernel_size, stride, dilation, out_size)):
        part = _ungroup(xp, cols[(..., k, slice(None))])  # (N, OH, OW, C)
        target = add_at(target, (slice(None), *key, ...), part)
    return target


def product_into(target: Array, key: tuple[slice, ...], a: Array, b: Array) -> Array:
    """Write the matrix product ``a @ b`` into a part of ``target``, made a line before."""
    xp = array_namespace(a)
    part = target[key]
    return put(target, key, xp.reshape(xp.matmul(a, b), part.shape))


def _by_group(xp: Namespace, x: Array, groups: int) -> Array:
    """(N, H, W, C) -> (G, N, H, W, C/G)."""
    if groups == 1:
        return xp.expand_dims(x, axis=0)
    split = xp.reshape(x, (*x.shape[:-1], groups, x.shape[-1] // groups))
    return xp.moveaxis(split, -2, 0)


def _ungroup(xp: Namespace, x: Array) -> Array:
    """(G, N, H, W, C/G) -> (N, H, W, C)."""
    if x.shape[0] == 1:
        return x[0, ...]
    moved = xp.moveaxis(x, 0, -2)
    return xp.reshape(moved, (*moved.shape[:-2], moved.shape[-2] * moved.shape[-1]))
