"""Batch normalisation: ``source/batch_norm.cuh``."""

from __future__ import annotations

import math

import numpy as np
from array_api_compat import array_namespace, device

from ..._typing import Array, DType, Namespace
from ._launch import (
    BLOCK,
    c_type,
    index_dtype,
    index_type,
    launch,
    launch_blocks,
    number,
    pack,
    wide,
)
from ._pools import channels_first_empty, channels_last_view

_LANES = 32  # neighbouring channels that a block reads together
_ROWS = 64  # that a thread reads at least, before a further block pays
_BLOCKS = 1024  # enough for every multiprocessor, few enough to add up in one thread


def batch_moments(x: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return mean, biased variance and 1 / sqrt(variance + eps) of the channels of x (N, C, ...).

    Of half precision in float32; x is read once.
    """
    xp = array_namespace(x)
    given = _rows(xp, x)
    rows, channels = given.shape
    grid, lanes = _grid(rows, channels)
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
    )
    return y


def batch_norm_grad(
    dy: Array, x: Array, mean: Array, rstd: Array, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return dx, and dweight and dbias (C,) in the dtype of the statistics."""
    xp = array_namespace(x)
    seen, given = _rows(xp, x), _rows(xp, dy)
    rows, channels = seen.shape
    grid, lanes = _grid(rows, channels)
    parts = _empty(xp, x, (grid[1], channels, 2))
    index = index_type(seen.size)
    integer = index_dtype(index)
    sizes = (integer(rows), integer(channels), np.int32(lanes))
    types = (c_type(x), index)
    launch_blocks("batch_norm", "norm_sums", types, grid, x, given, seen, mean, parts, *sizes)
    dweight, dbias = _empty(xp, x, (channels,)), _empty(xp, x, (channels,))
    slopes = _empty(xp, x, (3, channels))
    launch(
        "batch_norm",
        "norm_sums_total",
        (_c_wide(x), index),
        channels,
        x,
        parts,
        rstd,
        _widened(xp, x, weight),
        dweight,
        dbias,
        slopes,
        integer(grid[1]),
        integer(channels),
        number(x, rows),
    )
    dx, dx_last = channels_first_empty(xp, x, tuple(x.shape[2:]), x.dtype)
    at_once = pack(given, seen, dx_last, channels=channels)
    launch(
        "batch_norm",
        "normalise_grad",
        (c_type(x), at_once, index),
        seen.size // at_once,
        x,
        given,
        seen,
        dx_last,
        mean,
        slopes,
        integer(seen.size // at_once),
        integer(channels // at_once),
    )
    return dx, dweight, dbias


def _rows(xp: Namespace, x: Array) -> Array:
    """(N, C, ...) -> (N*..., C) without gaps: a view of channels-last memory, else a copy."""
    last = xp.ascontiguousarray(channels_last_view(x))
    return xp.reshape(last, (math.prod(last.shape[:-1]), last.shape[-1]))


def _grid(rows: int, channels: int) -> tuple[tuple[int, int], int]:
    """Return the grid of a sum over rows, and how many threads lie along the channels."""
    lanes = min(_LANES, 1 << (channels - 1).bit_length())
    across = -(-channels // lanes)
    down = -(-rows // (_ROWS * (BLOCK // lanes)))
    return (across, max(1, min(down, -(-_BLOCKS // across)))), lanes


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
