"""Sums of the elements under each window, along one axis after the other."""

from __future__ import annotations

from collections.abc import Sequence

from .._arrays import add_at, put, sum_over
from .._typing import Array, Namespace
from ._pool_windows import Axis, at, zeros_last


def window_sums(xp: Namespace, x: Array, windows: Sequence[Axis]) -> Array:
    """Sum of the elements of ``x`` (N, C, ...) under each window."""
    if all(map(_is_everything, windows)):
        axes = tuple(range(2, x.ndim))
        return xp.sum(x, axis=axes, keepdims=True, dtype=x.dtype)
    total = x
    for axis, along in reversed(list(enumerate(windows, 2))):
        total = total if along.trivial else _sums_along(xp, total, axis, along)
    return xp.asarray(x, copy=True) if total is x else total


def spread(xp: Namespace, dy: Array, windows: Sequence[Axis]) -> Array:
    """Give each window's number to all of its elements: the adjoint of `window_sums`."""
    for axis, along in enumerate(windows, 2):
        shape = (*dy.shape[:axis], along.size, *dy.shape[axis + 1 :])
        if _is_everything(along):
            dy = xp.broadcast_to(dy, shape)
        elif not along.trivial:
            dx = zeros_last(xp, dy, shape)
            write = put if along.disjoint else add_at
            for _, output, source in along.parts():
                dx = write(dx, at(axis, source), dy[at(axis, output)])
            dy = dx
    return dy


def _is_everything(along: Axis) -> bool:
    """Whether there is one window, and all of the axis is in it."""
    return along.whole and along.out == 1 and along.kernel == along.size


def _sums_along(xp: Namespace, x: Array, axis: int, along: Axis) -> Array:
    parts = along.parts()
    if along.whole and along.out == 1:
        # One slice after the other would be slow, and would lose digits of a long sum.
        stop = parts[-1].source.start + 1
        window = x[at(axis, slice(0, stop, along.dilation))]
        return xp.expand_dims(sum_over(xp, window, (axis,)), axis=axis)
    if along.whole and along.kernel > 1:
        total = x[at(axis, parts[0].source)] + x[at(axis, parts[1].source)]
        parts = parts[2:]
    else:
        total = zeros_last(xp, x, (*x.shape[:axis], along.out, *x.shape[axis + 1 :]))
    for _, output, source in parts:
        total = add_at(total, at(axis, output), x[at(axis, source)])
    return total
