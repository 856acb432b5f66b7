"""Batch normalisation: ``source/batch_norm.cuh``."""

from __future__ import annotations

import math

import numpy as np
from array_api_compat import array_namespace, device

from ..._typing import Array, DType, Namespace
from ._launch import (
    c_type,
    index_dtype,
    index_type,
    launch,
    launch_blocks,
    number,
    pack,
    reduction_grid,
    wide,
)
from ._pools import channels_first_empty, channels_last_view


def batch_moments(x: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return mean, biased variance and 1 / sqrt(variance + eps) of the channels of x (N, C, ...).

    Of half precision in float32; x is read once.
    """
    xp = array_namespace(x)
    given = _rows(xp, x)
    rows, channels = given.shape
    grid, lanes = reduction_grid(rows, channels)
    parts = _empty(xp, x, (grid[1], channels, 3))
    index = index_type(given.size)
    integer = index_dtype(index)
    sizes = (integer(rows), integer(channels), np.int32(lanes))
    launch_blocks("batch_norm", "moments", (c_type(x), index), grid, x, given, parts, *sizes)
    mean, var, rstd = (_empty(xp, x, (channels,)) for _ in range(3))
    launch(
        "batch_norm",
        "moments_total",
        (_c_wide(x), index),
        channels,
        x,
        parts,
        mean,
        var,
        rstd,
        integer(grid[1]),
        integer(channels),
        number(x, eps),
    )
    return mean, var, rstd


def normalise(
    x: Array, mean: Array, rstd: Array, weight: Array | None, bias: Array | None
) -> Array:
    """Return (x - mean) * rstd * weight + bias for x (N, C, ...) and numbers of channels (C,).

    They may be of half precision, or of float32 beside an x of half precision.
    """
    return _normalised(x, mean, rstd, weight, bias, 0)


def normalise_relu(
    x: Array, mean: Array, rstd: Array, weight: Array | None, bias: Array | None
) -> Array:
    """Return `relu` of what `normalise` returns."""
    return _normalised(x, mean, rstd, weight, bias, 1)


def normalise_relu6(
    x: Array, mean: Array, rstd: Array, weight: Array | None, bias: Array | None
) -> Array:
    """Return `relu6` of what `normalise` returns."""
    return _normalised(x, mean, rstd, weight, bias, 2)


def _normalised(
    x: Array, mean: Array, rstd: Array, weight: Array | None, bias: Array | None, cut: int
) -> Array:
    xp = array_namespace(x)
    given = _rows(xp, x)
    channels = x.shape[1]
    y, y_last = channels_first_empty(xp, x, tuple(x.shape[2:]), x.dtype)
    at_once = pack(given, y_last, channels=channels)
    index = index_type(given.size)
    launch(
        "batch_norm",
        "normalise",
        (c_type(x), at_once, index),
        given.size // at_once,
        x,
        given,
        y_last,
        *(_widened(xp, x, array) for array in (mean, rstd, weight, bias)),
        index_dtype(index)(given.size // at_once),
        index_dtype(index)(channels // at_once),
        np.int32(cut),
    )
    return y


def batch_norm_grad(
    dy: Array, x: Array, mean: Array, rstd: Array, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return dx, and dweight and dbias (C,) in the dtype of the statistics."""
    return _gradients(dy, x, mean, rstd, weight, None, 0)


def batch_norm_relu_grad(
    dy: Array, x: Array, mean: Array, rstd: Array, weight: Array | None, bias: Array | None
) -> tuple[Array, Array, Array]:
    """Return the same for `relu` after it: where that cut off is computed again."""
    return _gradients(dy, x, mean, rstd, weight, bias, 1)


def batch_norm_relu6_grad(
    dy: Array, x: Array, mean: Array, rstd: Array, weight: Array | None, bias: Array | None
) -> tuple[Array, Array, Array]:
    """Return the same for `relu6` after it."""
    return _gradients(dy, x, mean, rstd, weight, bias, 2)


def normalise_grad(
    dy: Array, x: Array, mean: Array, rstd: Array, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return the same where mean and rstd are given numbers, as in `normalise`."""
    xp = array_namespace(x)
    of_channels = [_widened(xp, x, array) for array in (mean, rstd, weight, None)]
    dweight, dbias, _ = _sums(xp, _rows(xp, x), _rows(xp, dy), x, of_channels, 0)
    zeros = xp.zeros_like(dbias)
    return normalise(dy, zeros, rstd, weight, None), dweight, dbias


def _gradients(
    dy: Array,
    x: Array,
    mean: Array,
    rstd: Array,
    weight: Array | None,
    bias: Array | None,
    cut: int,
) -> tuple[Array, Array, Array]:
    xp = array_namespace(x)
    seen, given = _rows(xp, x), _rows(xp, dy)
    channels = x.shape[1]
    of_channels = [_widened(xp, x, array) for array in (mean, rstd, weight, bias)]
    dweight, dbias, slopes = _sums(xp, seen, given, x, of_channels, cut)
    dx, dx_last = channels_first_empty(xp, x, tuple(x.shape[2:]), x.dtype)
    at_once = pack(given, seen, dx_last, channels=channels)
    index = index_type(seen.size)
    launch(
        "batch_norm",
        "normalise_grad",
        (c_type(x), at_once, index),
        seen.size // at_once,
        x,
        given,
        seen,
        dx_last,
        *of_channels,
        slopes,
        index_dtype(index)(seen.size // at_once),
        index_dtype(index)(channels // at_once),
        np.int32(cut),
    )
    return dx, dweight, dbias


def _sums(
    xp: Namespace, seen: Array, given: Array, x: Array, of_channels: list[Array | None], cut: int
) -> tuple[Array, Array, Array]:
    """Return dweight and dbias (C,), and the three numbers a channel that dx is made with."""
    rows, channels = seen.shape
    grid, lanes = reduction_grid(rows, channels)
    parts = _empty(xp, x, (grid[1], channels, 2))
    index = index_type(seen.size)
    integer = index_dtype(index)
    sizes = (integer(rows), integer(channels), np.int32(lanes), np.int32(cut))
    launch_blocks(
        "batch_norm",
        "norm_sums",
        (c_type(x), index),
        grid,
        x,
        given,
        seen,
        *of_channels,
        parts,
        *sizes,
    )
    dweight, dbias = _empty(xp, x, (channels,)), _empty(xp, x, (channels,))
    slopes = _empty(xp, x, (3, channels))
    launch(
        "batch_norm",
        "norm_sums_total",
        (_c_wide(x), index),
        channels,
        x,
        parts,
        *of_channels[1:3],
        dweight,
        dbias,
        slopes,
        integer(grid[1]),
        integer(channels),
        number(x, rows),
    )
    return dweight, dbias, slopes


def channel_sums(x: Array) -> Array:
    """Return the sums (C,) of the channels of x (N, C, ...), not empty."""
    xp = array_namespace(x)
    given = _rows(xp, x)
    rows, channels = given.shape
    grid, lanes = reduction_grid(rows, channels)
    parts = _empty(xp, x, (grid[1], channels))
    sums = xp.empty((channels,), dtype=x.dtype, device=device(x))
    index = index_type(given.size)
    integer, types = index_dtype(index), (c_type(x), index)
    sizes = (integer(rows), integer(channels), np.int32(lanes))
    launch_blocks("batch_norm", "row_sums", types, grid, x, given, parts, *sizes)
    blocks = (integer(grid[1]), integer(channels))
    launch("batch_norm", "row_sums_total", types, channels, x, parts, sums, *blocks)
    return sums


def _rows(xp: Namespace, x: Array) -> Array:
    """(N, C, ...) -> (N*..., C) without gaps: a view of channels-last memory, else a copy."""
    last = xp.ascontiguousarray(channels_last_view(x))
    return xp.reshape(last, (math.prod(last.shape[:-1]), last.shape[-1]))


def _empty(xp: Namespace, x: Array, shape: tuple[int, ...]) -> Array:
    return xp.empty(shape, dtype=_wide_dtype(xp, x), device=device(x))


def _wide_dtype(xp: Namespace, x: Array) -> DType:
    return getattr(xp, wide(x))


def _c_wide(x: Array) -> str:
    return "double" if wide(x) == "float64" else "float"


def _widened(xp: Namespace, x: Array, array: Array | None) -> Array | None:
    if array is None:
        return None
    return xp.ascontiguousarray(xp.astype(array, _wide_dtype(xp, x), copy=False))
