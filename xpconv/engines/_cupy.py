"""The engines' primitives for CuPy: fused bodies, and products into where they belong."""

from __future__ import annotations

from .._typing import Array
from . import _portable
from ._bodies import body


def gather(
    x: Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out_size: tuple[int, ...],
    groups: int,
) -> Array:
    """Lay every window out as one row; see ``_portable.gather``."""
    chosen = body("gather", x) or _portable.gather
    return chosen(x, kernel_size, stride, dilation, out_size, groups)


def scatter(
    target: Array,
    cols: Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out_size: tuple[int, ...],
) -> Array:
    """Add every row of columns back to where it came from; see ``_portable.scatter``."""
    chosen = body("scatter", cols) or _portable.scatter
    return chosen(target, cols, kernel_size, stride, dilation, out_size)


def product_into(target: Array, key: tuple[slice, ...], a: Array, b: Array) -> Array:
    """Let cuBLAS write the matrix product ``a @ b`` straight into a part of ``target``."""
    import cupy

    part = target[key]
    if part.flags.c_contiguous and target.dtype.kind == "f":
        cupy.dot(a, b, out=part.reshape(a.shape[0], b.shape[1]))
        return target
    return _portable.product_into(target, key, a, b)
