"""Where branches meet: sums, products and joins of arrays."""

from __future__ import annotations

from .._arrays import namespace, same_dtype
from .._typing import Array, Pullback
from ._registry import differentiable


def _add_vjp(x: Array, y: Array) -> tuple[Array, Pullback]:
    return add(x, y), lambda dz: (dz, dz)


@differentiable(_add_vjp)
def add(x: Array, y: Array) -> Array:
    """Add two arrays of one shape, as at the end of a residual block.

    Parameters
    ----------
    x, y : array
        Of the same shape and dtype; nothing is broadcast.

    Returns
    -------
    array
        The sum.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    namespace(("y",), x=x, y=y)
    same_dtype(x=x, y=y)
    if x.shape != y.shape:
        raise ValueError(f"x has shape {tuple(x.shape)} but y has {tuple(y.shape)}")
    return x + y


def _concat_vjp(*arrays: Array, dim: int = 1) -> tuple[Array, Pullback]:
    sizes = [array.shape[dim] for array in arrays]

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        axis = dim % dy.ndim
        pieces, start = [], 0
        for size in sizes:
            window = (slice(None),) * axis + (slice(start, start + size),)
            pieces.append(dy[(*window, ...)])
            start += size
        return tuple(pieces)

    return concat(*arrays, dim=dim), pullback


@differentiable(_concat_vjp)
def concat(*arrays: Array, dim: int = 1) -> Array:
    """Join arrays along one axis, by default the channels.

    Parameters
    ----------
    *arrays : array
        Of the same shape but for axis ``dim``.
    dim : int, default 1
        The axis to join along.

    Returns
    -------
    array
        Counterpart of ``torch.cat``.

    Raises
    ------
    ValueError
        If the other sizes differ, or nothing is given.
    """
    if not arrays:
        raise ValueError("concat needs at least one array")
    named = {f"arrays[{i}]": array for i, array in enumerate(arrays)}
    xp = namespace(tuple(named), **named)
    same_dtype(**named)
    first = arrays[0].shape
    if not -len(first) <= dim < len(first):
        raise ValueError(f"dim {dim} is out of range for arrays of shape {tuple(first)}")
    axis = dim % len(first)
    for name, array in named.items():
        rest = (*array.shape[:axis], *array.shape[axis + 1 :])
        if array.ndim != len(first) or rest != (*first[:axis], *first[axis + 1 :]):
            raise ValueError(
                f"sizes must agree except in dim {dim}: arrays[0] has shape {tuple(first)} "
                f"but {name} has {tuple(array.shape)}"
            )
    return xp.concat(arrays, axis=axis)
