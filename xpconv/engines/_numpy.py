"""The engines' primitives for NumPy, where strides save passes over memory."""

from __future__ import annotations

import math

import numpy as np

from .._typing import Array
from ._portable import scatter as scatter


def gather(
    x: Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out_size: tuple[int, ...],
    groups: int,
) -> Array:
    """Lay every window out as one row, by one copy of a strided view; see ``_portable.gather``.

    Where the kernel is not dilated a row of the window is KW*C numbers that lie side by side.
    """
    n, *_, channels = x.shape
    along, *spatial, across = x.strides
    group = channels // groups
    windows = np.lib.stride_tricks.as_strided(
        x,
        (groups, n, *out_size, *kernel_size, group),
        (
            group * across,
            along,
            *(b * s for b, s in zip(spatial, stride, strict=True)),
            *(b * d for b, d in zip(spatial, dilation, strict=True)),
            across,
        ),
        writeable=False,
    )
    cols = np.empty(windows.shape, dtype=x.dtype)
    np.copyto(cols, windows)
    return cols.reshape(groups, n * math.prod(out_size), math.prod(kernel_size) * group)


def product_into(target: Array, key: tuple[slice, ...], a: Array, b: Array) -> Array:
    """Let the matrix product ``a @ b`` write straight into a part of ``target``."""
    part = target[key]
    if part.flags.c_contiguous:
        np.matmul(a, b, out=part.reshape(a.shape[0], b.shape[1]))
    else:
        part[...] = np.matmul(a, b).reshape(part.shape)
    return target
