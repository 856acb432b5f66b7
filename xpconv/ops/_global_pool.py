"""Pooling over all of an image: one number per channel."""

from __future__ import annotations

import math

from array_api_compat import device

from .._arrays import is_floating, namespace
from .._typing import Array, Pullback
from ._pool_windows import require_real
from ._precision import in_single, rule_in_single
from ._registry import differentiable


def _spatial(x: Array) -> tuple[int, ...]:
    if x.ndim < 3 or math.prod(x.shape[2:]) == 0:
        raise ValueError(
            "x must have shape (N, C, ...) with at least one spatial dimension and no empty one, "
            f"got {tuple(x.shape)}"
        )
    return tuple(range(2, x.ndim))


@rule_in_single
def _global_avg_pool_vjp(x: Array) -> tuple[Array, Pullback]:
    xp, shape = namespace(x=x), tuple(x.shape)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        return (xp.broadcast_to(dy / math.prod(shape[2:]), shape),)

    return global_avg_pool(x), pullback


@differentiable(_global_avg_pool_vjp)
@in_single
def global_avg_pool(x: Array) -> Array:
    """Average each channel over all of its spatial dimensions.

    Parameters
    ----------
    x : array, shape (N, C, ...)
        One or more spatial dimensions, real or complex floating dtype.

    Returns
    -------
    array, shape (N, C, 1, ...)
        Counterpart of ``torch.nn.AdaptiveAvgPool2d(1)``.

    Raises
    ------
    ValueError
        If there is no spatial dimension, or an empty one.
    """
    xp = namespace(x=x)
    if not is_floating(x):
        raise TypeError(f"x must have a real floating dtype, or a complex one, got {x.dtype}")
    return xp.mean(x, axis=_spatial(x), keepdims=True)


def _global_max_pool_vjp(x: Array) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    y = global_max_pool(x)
    flat = xp.reshape(x, (*x.shape[:2], math.prod(x.shape[2:])))
    place = xp.arange(flat.shape[2], dtype=xp.int64, device=device(x))
    place = xp.reshape(place, (1, 1, -1))
    # The first of tied maxima, and the last of several NaN, as in every pool of PyTorch.
    last_nan = xp.max(xp.where(flat != flat, place, -xp.ones_like(place)), axis=2, keepdims=True)
    winner = xp.astype(xp.argmax(flat, axis=2, keepdims=True), xp.int64)
    winner = xp.where(last_nan < 0, winner, last_nan)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = xp.reshape(dy, (*x.shape[:2], 1))
        dx = share * xp.astype(place == winner, dy.dtype)
        return (xp.reshape(dx, tuple(x.shape)),)

    return y, pullback


@differentiable(_global_max_pool_vjp)
def global_max_pool(x: Array) -> Array:
    """Keep the largest element of each channel over all of its spatial dimensions.

    Parameters
    ----------
    x : array, shape (N, C, ...)
        One or more spatial dimensions, real dtype.

    Returns
    -------
    array, shape (N, C, 1, ...)
        The gradient goes to the first of tied maxima. Counterpart of
        ``torch.nn.AdaptiveMaxPool2d(1)``.

    Raises
    ------
    ValueError
        If there is no spatial dimension, or an empty one.
    """
    xp = namespace(x=x)
    require_real(x)
    return xp.max(x, axis=_spatial(x), keepdims=True)
