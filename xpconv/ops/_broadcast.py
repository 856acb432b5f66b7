"""Arrays of different shapes in one call: the shape that they share, and the way back to theirs."""

from __future__ import annotations

from itertools import zip_longest

from .._typing import Array, Namespace


def broadcast_shape(**arrays: Array) -> tuple[int, ...]:
    """Return the shape that arrays stretch to, aligned at their last axes.

    Raises
    ------
    ValueError
        If two sizes differ and neither is 1; the message names the arrays and the axis.
    """
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    columns = zip_longest(*(reversed(shape) for shape in shapes.values()), fillvalue=1)
    result = [max(set(sizes) - {1}, default=1) for sizes in columns]
    result.reverse()
    for name, shape in shapes.items():
        lead = len(result) - len(shape)
        for axis, size in enumerate(shape):
            if size not in (1, result[lead + axis]):
                listing = ", ".join(f"{n} has shape {s}" for n, s in shapes.items())
                raise ValueError(
                    f"sizes must match, or be 1, but {listing}: dimension {axis} of {name} has "
                    f"size {size} where another has {result[lead + axis]}"
                )
    return tuple(result)


def sum_to(xp: Namespace, x: Array, shape: tuple[int, ...]) -> Array:
    """Sum an array over the axes along which ``shape`` was stretched: broadcasting's adjoint.

    One axis after the other, so that rounding grows with the axes' lengths, not their product.
    """
    while x.ndim > len(shape):
        x = xp.sum(x, axis=0, dtype=x.dtype)
    for axis, size in enumerate(shape):
        if size == 1 and x.shape[axis] != 1:
            x = xp.sum(x, axis=axis, keepdims=True, dtype=x.dtype)
    return x
