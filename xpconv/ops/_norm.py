"""Batch normalisation over every axis but the channels."""

from __future__ import annotations

import math

from .._arrays import add_at, namespace, require_floating, same_dtype
from .._typing import Array, Namespace, Pullback
from ._layout import channels_first, channels_last
from ._precision import narrowed, rule_in_single, widened
from ._registry import differentiable


def channel_mean(xp: Namespace, x: Array) -> Array:
    """Mean of a channels-last array over everything but its last axis.

    One axis after the other, so that rounding grows with the axes' lengths, not their product.
    """
    count = max(math.prod(x.shape[:-1]), 1)
    while x.ndim > 1:
        x = xp.sum(x, axis=-2, dtype=x.dtype)
    return x / count


def _check(x: Array, **of_channels: Array | None) -> Namespace:
    xp = namespace(x=x, **of_channels)
    require_floating(xp, x=x)
    same_dtype(x=x, **of_channels)
    if x.ndim < 2:
        raise ValueError(f"x must have shape (N, C, ...), got {tuple(x.shape)}")
    for name, array in of_channels.items():
        if array is not None and tuple(array.shape) != (x.shape[1],):
            raise ValueError(
                f"{name} must have one entry per channel, shape ({x.shape[1]},) for x of shape "
                f"{tuple(x.shape)}, got {tuple(array.shape)}"
            )
    return xp


def batch_norm_training(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Pullback, Array, Array]:
    """Normalise by the batch's own statistics.

    Returns
    -------
    y, pullback, mean, var
        The pullback returns (dx, dweight, dbias); ``var`` is the biased variance.
    """
    xp = _check(x, weight=weight, bias=bias)
    count = math.prod(x.shape) // max(x.shape[1], 1)
    if count == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}"
        )
    dtype = x.dtype
    weight, bias = widened(weight), widened(bias)
    last = channels_last(xp, widened(x))
    mean = channel_mean(xp, last)
    centred = last - mean
    var = channel_mean(xp, centred * centred)
    rstd = 1 / xp.sqrt(var + eps)
    scale = rstd if weight is None else rstd * weight
    y = centred * scale
    if bias is not None:
        y = add_at(y, (...,), bias)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        # mean(dy) and mean(dy * normalised) are what the statistics contribute.
        dy = channels_last(xp, widened(dy))
        centred = last - mean
        along_bias = channel_mean(xp, dy)
        along_weight = channel_mean(xp, dy * centred) * rstd
        # scale * (dy - along_bias - normalised * along_weight), with few arrays of x's size
        dx = centred * (-scale * rstd * along_weight)
        dx = add_at(dx, (...,), dy * scale)
        dx = add_at(dx, (...,), -scale * along_bias)
        dweight = None if weight is None else narrowed(along_weight * count, dtype)
        dbias = None if bias is None else narrowed(along_bias * count, dtype)
        return narrowed(channels_first(xp, dx), dtype), dweight, dbias

    y = narrowed(channels_first(xp, y), dtype)
    return y, pullback, narrowed(mean, dtype), narrowed(var, dtype)


@rule_in_single
def _batch_norm_vjp(
    x: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Array, Pullback]:
    xp = _check(x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if training:
        y, back, _, _ = batch_norm_training(x, weight, bias, eps)

        def from_batch(dy: Array) -> tuple[Array | None, ...]:
            dx, dweight, dbias = back(dy)
            return dx, None, None, dweight, dbias

        return y, from_batch
    if running_mean is None or running_var is None:
        raise ValueError("running_mean and running_var are needed when training=False")
    rstd = 1 / xp.sqrt(running_var + eps)
    scale = rstd if weight is None else rstd * weight
    last = channels_last(xp, x)
    y = (last - running_mean) * scale
    if bias is not None:
        y = y + bias

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dy = channels_last(xp, dy)
        axes = tuple(range(dy.ndim - 1))
        dweight = dbias = None
        if weight is not None:
            dweight = xp.sum(dy * ((last - running_mean) * rstd), axis=axes, dtype=dy.dtype)
        if bias is not None:
            dbias = xp.sum(dy, axis=axes, dtype=dy.dtype)
        return channels_first(xp, dy * scale), None, None, dweight, dbias

    return channels_first(xp, y), pullback


@differentiable(_batch_norm_vjp)
def batch_norm(
    x: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    r"""Bring every channel to mean 0 and variance 1, then scale and shift it.

    Parameters
    ----------
    x : array, shape (N, C, ...)
        Input, floating dtype.
    running_mean, running_var : array, shape (C,), or None
        Statistics to use when not training; unused, and unchanged, when training.
    weight, bias : array, shape (C,), optional
        Scale and shift of each channel.
    training : bool, default False
        Use the batch's own mean and (biased) variance.
    momentum : float, default 0.1
        Unused: the function is pure, so running statistics are updated by `nn.BatchNorm2d`. It
        stands here to keep PyTorch's signature.
    eps : float, default 1e-5
        Added to the variance.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If sizes do not fit, if training sees a single value per channel, or if statistics are
        missing when not training.

    Notes
    -----
    .. math:: y = \gamma\,\hat x + \beta, \quad \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}

    and on the way back, where the statistics depend on the batch,

    .. math:: dx = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}}
        \left(dy - \overline{dy} - \hat x\,\overline{dy\,\hat x}\right)

    Ioffe and Szegedy, "Batch normalization" (2015). Counterpart of
    ``torch.nn.functional.batch_norm``.
    """
    return _batch_norm_vjp(x, running_mean, running_var, weight, bias, training, momentum, eps)[0]
