"""The engines' primitives for NumPy, where strides save passes over memory."""

from __future__ import annotations

import math

import numpy as np

from .._typing import Array
from ._portable import scatter as scatter

# Runs of fewer numbers than this are copied faster along the output's rows than along the window's.
_SHORT_RUN = 12


def gather(
    x: Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out_size: tuple[int, ...],
    groups: int,
) -> Array:
    """Lay every window out as one row, by one copy of a strided view; see ``_portable.gather``.

    Where the kernel is not dilated a row of the window is KW*C numbers that lie side by side. With
    very few of them (the first layer of a network) the columns are written the other way around in
    memory, which a matrix product does not mind.
    """
    n, *_, channels = x.shape
    along, *spatial, across = x.strides
    group = channels // groups
    outer = (groups, n, *out_size)
    inner = (*kernel_size, group)
    steps = (group * across, along, *(b * s for b, s in zip(spatial, stride, strict=True)))
    taps = (*(b * d for b, d in zip(spatial, dilation, strict=True)), across)
    rows, window = n * math.prod(out_size), math.prod(inner)
    if groups == 1 and kernel_size[-1] * group < _SHORT_RUN < out_size[-1]:
        cols = _copied(x, inner + outer, taps + steps).reshape(window, groups, rows)
        return cols.transpose(1, 2, 0)
    return _copied(x, outer + inner, steps + taps).reshape(groups, rows, window)


def _copied(x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    view = np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)
    cols = np.empty(shape, dtype=x.dtype)
    np.copyto(cols, view)
    return cols


def product_into(target: Array, key: tuple[slice, ...], a: Array, b: Array) -> Array:
    """Let the matrix product ``a @ b`` write straight into a part of ``target``."""
    part = target[key]
    if part.flags.c_contiguous:
        np.matmul(a, b, out=part.reshape(a.shape[0], b.shape[1]))
    else:
        part[...] = np.matmul(a, b).reshape(part.shape)
    return target
