"""Each channel normalised by its own statistics; by those of the batch, a rectifier included."""

from __future__ import annotations

import math
from functools import partial
from typing import cast

from .._libraries import quiet
from .._typing import Array, Namespace
from ..engines import Body, body
from ._activation_clipped import RECTIFIERS
from ._layout import channels_first, channels_last
from ._precision import narrowed
from ._registry import vjp
from ._standardise import Standardised, check_norm, standardised_view


def check_channels(x: Array, **of_channels: Array | None) -> Namespace:
    xp = check_norm(x, **of_channels)
    if x.ndim < 2:
        raise ValueError(f"x must have shape (N, C, ...), got {tuple(x.shape)}")
    for name, array in of_channels.items():
        if array is not None and tuple(array.shape) != (x.shape[1],):
            raise ValueError(
                f"{name} must have one entry per channel, shape ({x.shape[1]},) for x of shape "
                f"{tuple(x.shape)}, got {tuple(array.shape)}"
            )
    return xp


def of_channels(
    xp: Namespace, x: Array, axes: range, weight: Array | None, bias: Array | None, eps: float
) -> Standardised:
    """Normalise along axes of the channels-last view."""
    view, unview = partial(channels_last, xp), partial(channels_first, xp)
    each = (x.shape[1],)
    return standardised_view(xp, x, view, unview, axes, weight, bias, eps, parameters=each)


def batch_standardised(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> Standardised:
    """Normalise every channel by the batch's own statistics, of shape (1, ..., 1, C)."""
    xp = _check_batch(x, weight, bias, eps)
    if math.prod(x.shape) > 0 and body("batch_moments", x) is not None:
        return _fused_batch(x, weight, bias, eps, "")
    return of_channels(xp, x, range(x.ndim - 2, -1, -1), weight, bias, eps)


def batch_rectified(
    activation: str, x: Array, weight: Array | None, bias: Array | None, eps: float
) -> Standardised:
    """Do the same with `relu` or `relu6` after it."""
    _check_batch(x, weight, bias, eps)
    if math.prod(x.shape) > 0 and body(f"normalise_{activation}", x) is not None:
        return _fused_batch(x, weight, bias, eps, f"_{activation}")
    found = batch_standardised(x, weight, bias, eps)
    y, back = vjp(RECTIFIERS[activation], found.y)
    return found._replace(y=y, pullback=lambda dy: found.pullback(back(dy)[0]))


def _check_batch(x: Array, weight: Array | None, bias: Array | None, eps: float) -> Namespace:
    xp = check_channels(x, weight=weight, bias=bias)
    if eps <= 0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if math.prod(x.shape[:1] + x.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}"
        )
    return xp


def _fused_batch(
    x: Array, weight: Array | None, bias: Array | None, eps: float, after: str
) -> Standardised:
    moments, normalise, grad = (
        cast(Body, body(name, x))
        for name in ("batch_moments", f"normalise{after}", f"batch_norm{after}_grad")
    )
    with quiet():  # layers call this without the registry
        mean, var, rstd = moments(x, eps)
        y = normalise(x, mean, rstd, weight, bias)
    affine = (weight, bias) if after else (weight,)  # the bias says where the rectifier cut off

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        with quiet():
            dx, dweight, dbias = grad(dy, x, mean, rstd, *affine)
        return (
            dx,
            None if weight is None else narrowed(dweight, weight.dtype),
            None if bias is None else narrowed(dbias, bias.dtype),
        )

    return Standardised(y, pullback, mean, var)
