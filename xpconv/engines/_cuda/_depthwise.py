"""Depthwise convolutions without columns: ``source/depthwise.cuh``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from ..._typing import Array
from .._problem import Problem
from ._geometry import struct
from ._launch import (
    c_type,
    extent,
    index_dtype,
    index_type,
    launch,
    launch_blocks,
    pack,
    reduction_grid,
    wide,
)


def depthwise(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
    """Return y (N, OH, OW, C*M) of a channels-last x."""
    xp = array_namespace(x)
    shape = (problem.batch, *problem.out_size, problem.out_channels)
    y = xp.empty(shape, dtype=x.dtype, device=device(x))
    at_once = pack(x, y, channels=problem.in_channels) if problem.group_out == 1 else 1
    index = index_type(extent(x), y.size)
    launch(
        "depthwise",
        "depthwise",
        (c_type(x), at_once, index),
        y.size // at_once,
        x,
        x,
        xp.ascontiguousarray(weight),
        None if bias is None else xp.ascontiguousarray(bias),
        y,
        _windows(problem, index, x, at_once),
        index_dtype(index)(problem.group_out),
    )
    return y


def depthwise_input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C) of a channels-last dy."""
    xp = array_namespace(dy)
    shape = (problem.batch, *problem.in_size, problem.in_channels)
    dx = xp.empty(shape, dtype=dy.dtype, device=device(dy))
    given = xp.ascontiguousarray(dy)
    at_once = pack(given, dx, channels=problem.in_channels) if problem.group_out == 1 else 1
    index = index_type(given.size, dx.size)
    launch(
        "depthwise",
        "depthwise_input_grad",
        (c_type(dy), at_once, index),
        dx.size // at_once,
        dy,
        given,
        xp.ascontiguousarray(weight),
        dx,
        _windows(problem, index, dx, at_once),
        index_dtype(index)(problem.group_out),
    )
    return dx


def depthwise_weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (C*M, 1, KH, KW), its sums in an order that depends on the sizes alone."""
    xp = array_namespace(x)
    channels, taps = problem.out_channels, math.prod(problem.kernel_size)
    (across, down), lanes = reduction_grid(problem.batch * math.prod(problem.out_size), channels)
    parts = xp.empty((down, taps, channels), dtype=getattr(xp, wide(x)), device=device(x))
    given = xp.ascontiguousarray(dy)
    index = index_type(extent(x), given.size)
    integer, types = index_dtype(index), (c_type(x), index)
    launch_blocks(
        "depthwise",
        "depthwise_sums",
        types,
        (across, down, taps),
        x,
        x,
        given,
        parts,
        _windows(problem, index, x, 1),
        integer(problem.group_out),
        np.int32(lanes),
    )
    shape = (channels, 1, *problem.kernel_size)
    dweight = xp.empty(shape, dtype=x.dtype, device=device(x))
    sizes = (integer(down), integer(taps), integer(channels))
    launch("depthwise", "depthwise_total", types, taps * channels, x, parts, dweight, *sizes)
    return dweight


def _windows(problem: Problem, index: str, image: Array, at_once: int) -> np.ndarray[Any, Any]:
    return struct(
        index,
        image,
        at_once,
        problem.in_channels,
        (problem.in_size, problem.out_size),
        problem.kernel_size,
        problem.stride,
        problem.dilation,
        tuple(before for before, _ in problem.padding),
    )
