"""Axes merged and split."""

from __future__ import annotations

import math

from .._arrays import namespace
from .._typing import Array, Pullback
from ._registry import differentiable


def _flatten_vjp(x: Array, start_dim: int = 1, end_dim: int = -1) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    return flatten(x, start_dim, end_dim), lambda dy: (xp.reshape(dy, x.shape),)


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
    ndim = max(x.ndim, 1)
    shape = x.shape if x.ndim else (1,)
    for name, dim in (("start_dim", start_dim), ("end_dim", end_dim)):
        if not -ndim <= dim < ndim:
            raise ValueError(f"{name} {dim} is out of range for x of shape {tuple(x.shape)}")
    start, end = start_dim % ndim, end_dim % ndim
    if start > end:
        raise ValueError(
            f"start_dim {start_dim} comes after end_dim {end_dim} for x of shape {tuple(x.shape)}"
        )
    merged = math.prod(shape[start : end + 1])
    return xp.reshape(x, (*shape[:start], merged, *shape[end + 1 :]))
