"""Where branches meet: sums, products and joins of arrays."""

from __future__ import annotations

from .._arrays import conjugate, dtype_name, namespace, same_dtype
from .._late import in_eights
from .._libraries import quiet
from .._typing import Array, Pullback
from ..engines import body
from ._activation_clipped import RECTIFIERS
from ._activation_rectified import rectified_grad
from ._axis import axis_of
from ._broadcast import broadcast_shape, sum_to
from ._layout import View, added, memory_order
from ._precision import rule_in_single
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
    _check_alike(x, y)
    if dtype_name(x.dtype) == "bool":
        return x | y  # the standard adds no truth values
    return added(x, y)


def rectified_sum(x: Array, y: Array, activation: str = "relu") -> tuple[Array, Pullback]:
    """Return ``relu(add(x, y))``, or `relu6`, of floating numbers, and the way back to both."""
    _check_alike(x, y)
    fused = body(f"add_{activation}", x)
    with quiet():
        z = RECTIFIERS[activation](add(x, y)) if fused is None else fused(x, y)

    def pullback(dz: Array) -> tuple[Array | None, ...]:
        with quiet():
            share = rectified_grad(dz, z, activation)
        return share, share

    return z, pullback


def _check_alike(x: Array, y: Array) -> None:
    namespace(("y",), x=x, y=y)
    same_dtype(x=x, y=y)
    if x.shape != y.shape:
        raise ValueError(f"x has shape {tuple(x.shape)} but y has {tuple(y.shape)}")


@rule_in_single
def _multiply_vjp(x: Array, y: Array) -> tuple[Array, Pullback]:
    xp = namespace(("y",), x=x, y=y)
    same_dtype(x=x, y=y)
    if x.dtype == xp.bool:
        raise TypeError("x and y must be numbers, got bool")
    broadcast_shape(x=x, y=y)
    views = memory_order(x, y) if x.ndim == y.ndim else None
    if views is not None:
        return _multiply_in_order(views, x, y)

    def pullback(dz: Array) -> tuple[Array | None, ...]:
        dx, dy = dz * conjugate(xp, y), dz * conjugate(xp, x)
        return sum_to(xp, dx, x.shape), sum_to(xp, dy, y.shape)

    return x * y, pullback


def _multiply_in_order(views: tuple[View, View], x: Array, y: Array) -> tuple[Array, Pullback]:
    there, back = views
    z, pullback = _multiply_vjp(there(x), there(y))
    return back(z), lambda dz: tuple(back(dx) for dx in pullback(there(dz)))


@differentiable(_multiply_vjp)
def multiply(x: Array, y: Array) -> Array:
    """Multiply two arrays element by element, as where attention weighs channels.

    Parameters
    ----------
    x, y : array
        Of the same dtype. Axes of size 1, and axes missing at the front, stretch to the other's
        size: (N, C, H, W) times (N, C, 1, 1) gives every channel a factor of its own.

    Returns
    -------
    array
        The product. Counterpart of ``torch.mul``.

    Raises
    ------
    ValueError
        If the shapes cannot be stretched to one another.
    """
    return _multiply_vjp(x, y)[0]


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
    axis = axis_of(first, dim, of="arrays", least=0)
    for name, array in named.items():
        rest = (*array.shape[:axis], *array.shape[axis + 1 :])
        if array.ndim != len(first) or rest != (*first[:axis], *first[axis + 1 :]):
            raise ValueError(
                f"sizes must agree except in dim {dim}: arrays[0] has shape {tuple(first)} "
                f"but {name} has {tuple(array.shape)}"
            )
    views = memory_order(*arrays)
    if views is None:
        return in_eights(lambda some: xp.concat(some, axis=axis), arrays)
    there, back = views
    last = arrays[0].ndim - 1  # (N, C, ...) -> (N, ..., C)
    turned = 0 if axis == 0 else last if axis == 1 else axis - 1
    return back(in_eights(lambda some: xp.concat(some, axis=turned), map(there, arrays)))
