"""Axes merged and split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .._arrays import namespace, reshaped
from .._shapes import integer
from .._typing import Array, Pullback
from ._axis import axis_of
from ._registry import differentiable


def _flatten_vjp(x: Array, start_dim: int = 1, end_dim: int = -1) -> tuple[Array, Pullback]:
    xp, shape = namespace(x=x), x.shape
    return flatten(x, start_dim, end_dim), lambda dy: (reshaped(xp, dy, shape),)


@differentiable(_flatten_vjp)
def flatten(x: Array, start_dim: int = 1, end_dim: int = -1) -> Array:
    """Merge the axes from ``start_dim`` to ``end_dim`` into one.

    Parameters
    ----------
    x : array, shape (N, ...)
        Input.
    start_dim, end_dim : int, default 1 and -1
        First and last axis to merge.

    Returns
    -------
    array, shape (N, F)
        In NCHW order, whatever the memory layout. Counterpart of ``torch.flatten``, with the
        defaults of ``torch.nn.Flatten``.

    Raises
    ------
    ValueError
        If the axes are out of range or in the wrong order.
    """
    xp = namespace(x=x)
    start, end = axis_of(x.shape, start_dim, "start_dim"), axis_of(x.shape, end_dim, "end_dim")
    shape = x.shape or (1,)
    if start > end:
        raise ValueError(
            f"start_dim {start_dim} comes after end_dim {end_dim} for x of shape {tuple(x.shape)}"
        )
    merged = math.prod(shape[start : end + 1])
    return reshaped(xp, x, (*shape[:start], merged, *shape[end + 1 :]))


def split_sizes(sizes: Any, name: str = "sizes") -> tuple[int, ...]:
    """Check what an axis is to be split into: sizes, one of which may be -1."""
    if isinstance(sizes, str) or not isinstance(sizes, Sequence):
        raise TypeError(f"{name} must be a tuple of ints, got {sizes!r}")
    wanted = tuple(integer(size, name) for size in sizes)
    if not wanted:
        raise ValueError(f"{name} must be non-empty")
    if any(size < -1 for size in wanted) or wanted.count(-1) > 1:
        raise ValueError(f"{name} must not be negative, but for one -1 to infer, got {wanted}")
    return wanted


def _inferred(total: int, sizes: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Work out -1, and see that the sizes multiply up to the axis'."""
    known = math.prod(size for size in sizes if size != -1)
    if -1 in sizes and total == known == 0:
        raise ValueError(f"sizes {sizes} leave -1 open for an axis of size 0 of x {shape}")
    found = total // known if known else 0
    wanted = tuple(found if size == -1 else size for size in sizes)
    if math.prod(wanted) != total:
        raise ValueError(
            f"Provided sizes {sizes} don't multiply up to the size of dim, {total}, of x of shape "
            f"{shape}"
        )
    return wanted


def _unflatten_vjp(x: Array, dim: int, sizes: Sequence[int]) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    shape = tuple(x.shape)
    axis = axis_of(shape, dim, least=0)
    wanted = _inferred(shape[axis], split_sizes(sizes), shape)
    y = xp.reshape(x, (*x.shape[:axis], *wanted, *x.shape[axis + 1 :]))
    return y, lambda dy: (xp.reshape(dy, shape),)


@differentiable(_unflatten_vjp)
def unflatten(x: Array, dim: int, sizes: Sequence[int]) -> Array:
    """Split one axis into several.

    Parameters
    ----------
    x : array
        Input, any dtype.
    dim : int
        The axis to split.
    sizes : tuple of int
        What to split it into; one of them may be -1, to be worked out.

    Returns
    -------
    array
        Counterpart of ``torch.unflatten``.

    Raises
    ------
    ValueError
        If ``dim`` is out of range, or ``sizes`` do not multiply up to its size.
    """
    return _unflatten_vjp(x, dim, sizes)[0]
