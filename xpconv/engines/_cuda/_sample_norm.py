"""Group, instance and layer normalisation: ``source/sample_norm.cuh``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from ..._typing import Array, Namespace
from ._launch import (
    BLOCK,
    c_type,
    index_dtype,
    index_type,
    launch,
    launch_blocks,
    number,
    reduction_grid,
    wide,
)
from ._pools import channels_first_empty, channels_last_view

_MANY = 8  # neighbouring numbers of a group that make reading it by itself worthwhile


class Groups(NamedTuple):
    """How an array falls into groups: (samples, places, groups, each) in memory without gaps.

    With ``last`` the array is (N, C, ...) and lies channels-last, N samples with C channels in
    groups; else it lies in plain order.
    """

    samples: int
    places: int
    groups: int
    each: int
    last: bool


def sample_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float, how: Iterable[Any]
) -> tuple[Array, Array, Array, Array]:
    """Return y, and mean, biased variance and 1 / sqrt(variance + eps) of each group, flat.

    Weight and bias have one number for each channel, in any shape; ``how`` is that of `Groups`.
    """
    xp, groups = array_namespace(x), Groups._make(how)
    made, written = _made(xp, x, groups)
    mean, var, rstd = (_empty(xp, x, (groups.samples * groups.groups,)) for _ in range(3))
    blocks, lanes = _blocks(groups)
    index = index_type(x.size)
    launch_blocks(
        "sample_norm",
        "sample_norm",
        (c_type(x), index),
        (blocks,),
        x,
        _plain(xp, x, groups),
        written,
        mean,
        var,
        rstd,
        _flat(xp, x, weight),
        _flat(xp, x, bias),
        _sizes(index, groups),
        number(x, eps),
        np.int32(lanes),
    )
    return made, mean, var, rstd


def sample_norm_grad(
    dy: Array, x: Array, mean: Array, rstd: Array, weight: Array | None, how: Iterable[Any]
) -> Array:
    """Return dx; see `sample_norm`."""
    xp, groups = array_namespace(x), Groups._make(how)
    made, written = _made(xp, x, groups)
    blocks, lanes = _blocks(groups)
    index = index_type(x.size)
    launch_blocks(
        "sample_norm",
        "sample_norm_grad",
        (c_type(x), index),
        (blocks,),
        x,
        _plain(xp, dy, groups),
        _plain(xp, x, groups),
        written,
        mean,
        rstd,
        _flat(xp, x, weight),
        _sizes(index, groups),
        np.int32(lanes),
    )
    return made


def sample_norm_parameters(
    dy: Array, x: Array, mean: Array, rstd: Array, how: Iterable[Any]
) -> tuple[Array, Array]:
    """Return dweight and dbias, flat, in the dtype of the statistics."""
    xp, groups = array_namespace(x), Groups._make(how)
    channels = groups.groups * groups.each
    grid, lanes = reduction_grid(groups.samples * groups.places, channels)
    parts = _empty(xp, x, (grid[1], channels, 2))
    index = index_type(x.size)
    launch_blocks(
        "sample_norm",
        "parameter_sums",
        (c_type(x), index),
        grid,
        x,
        _plain(xp, dy, groups),
        _plain(xp, x, groups),
        mean,
        rstd,
        parts,
        _sizes(index, groups),
        np.int32(lanes),
    )
    dweight, dbias = _empty(xp, x, (channels,)), _empty(xp, x, (channels,))
    types = ("double" if wide(x) == "float64" else "float", index)
    sizes = (index_dtype(index)(grid[1]), index_dtype(index)(channels))
    launch("sample_norm", "parameter_total", types, channels, x, parts, dweight, dbias, *sizes)
    return dweight, dbias


def _blocks(groups: Groups) -> tuple[int, int]:
    """Return how many blocks there are, and how many groups each of them works on."""
    lanes = 1
    if groups.each < _MANY:  # neighbours in memory belong to other groups: read them together
        lanes = min(32, 1 << (groups.groups - 1).bit_length())
    return groups.samples * -(-groups.groups // lanes), min(lanes, BLOCK)


def _plain(xp: Namespace, x: Array, groups: Groups) -> Array:
    return xp.ascontiguousarray(channels_last_view(x) if groups.last else x)


def _made(xp: Namespace, x: Array, groups: Groups) -> tuple[Array, Array]:
    """Return an array of x's shape and dtype, and the same as it lies in memory."""
    if groups.last:
        return channels_first_empty(xp, x, tuple(x.shape[2:]), x.dtype)
    made = xp.empty(x.shape, dtype=x.dtype, device=device(x))
    return made, made


def _empty(xp: Namespace, x: Array, shape: tuple[int, ...]) -> Array:
    return xp.empty(shape, dtype=getattr(xp, wide(x)), device=device(x))


def _flat(xp: Namespace, x: Array, array: Array | None) -> Array | None:
    if array is None:
        return None
    same = xp.astype(array, getattr(xp, wide(x)), copy=False)
    return xp.ascontiguousarray(xp.reshape(same, (-1,)))


def _sizes(index: str, groups: Groups) -> np.ndarray[Any, Any]:
    fields = np.asarray(groups[:4], dtype=index_dtype(index))
    return fields.view(np.dtype((np.void, fields.nbytes)))
