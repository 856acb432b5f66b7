"""Normalisation of each channel: over the batch, or over each sample by itself."""

from __future__ import annotations

import math

from .._typing import Array, Namespace, Pullback
from ..engines import body
from ._broadcast import sum_to
from ._channel_norm import batch_standardised, check_channels, of_channels
from ._layout import channels_first, channels_last
from ._precision import narrowed, widened
from ._registry import differentiable
from ._sample_norm import channel_groups, fused_sample_norm
from ._standardise import Standardised


def _check_statistics(running_mean: Array | None, running_var: Array | None, needed: str) -> None:
    if (running_mean is None) is not (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    if running_mean is None and needed:
        raise ValueError(f"running_mean and running_var are needed when {needed}")


def instance_standardised(
    x: Array, weight: Array | None, bias: Array | None, eps: float
) -> Standardised:
    """Normalise every channel of every sample by itself; statistics of shape (N, 1, ..., 1, C)."""
    xp = check_channels(x, weight=weight, bias=bias)
    if math.prod(x.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {tuple(x.shape)}"
        )
    fused = fused_sample_norm(x, weight, bias, eps, channel_groups(x, max(x.shape[1], 1)))
    if fused is not None:
        shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[1])
        mean, var = (xp.reshape(array, shape) for array in (fused.mean, fused.var))
        return fused._replace(mean=mean, var=var)
    return of_channels(xp, x, range(x.ndim - 2, 0, -1), weight, bias, eps)


def _by_statistics(
    xp: Namespace,
    x: Array,
    mean: Array,
    var: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
) -> tuple[Array, Pullback]:
    """Normalise by given statistics: an affine map."""
    mean, var, factor, shift = (widened(array) for array in (mean, var, weight, bias))
    rstd = 1 / xp.sqrt(var + eps)
    scale = rstd if weight is None else rstd * factor
    fused = body("normalise", x)
    if fused is not None and math.prod(x.shape) > 0:
        y = fused(x, mean, scale, None, shift)
    else:
        y = (channels_last(xp, widened(x)) - mean) * scale
        if bias is not None:
            y = y + shift
        y = narrowed(channels_first(xp, y), x.dtype)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        fused = body("normalise_grad", x)
        if fused is not None and math.prod(x.shape) > 0:
            dx, products, sums = fused(dy, x, mean, rstd, factor)
            return (
                dx,
                None,
                None,
                None if weight is None else narrowed(products, weight.dtype),
                None if bias is None else narrowed(sums, bias.dtype),
            )
        dy, last = channels_last(xp, widened(dy)), channels_last(xp, widened(x))
        dweight = dbias = None
        if weight is not None:
            products = dy * ((last - mean) * rstd)
            dweight = narrowed(sum_to(xp, products, weight.shape), weight.dtype)
        if bias is not None:
            dbias = narrowed(sum_to(xp, dy, bias.shape), bias.dtype)
        return narrowed(channels_first(xp, dy * scale), x.dtype), None, None, dweight, dbias

    return y, pullback


def _with_statistics(found: Standardised) -> tuple[Array, Pullback]:
    """Return the way back with entries for the running statistics."""

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dx, dweight, dbias = found.pullback(dy)
        return dx, None, None, dweight, dbias

    return found.y, pullback


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
    xp = check_channels(
        x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    _check_statistics(running_mean, running_var, "" if training else "training=False")
    if training:
        return _with_statistics(batch_standardised(x, weight, bias, eps))
    if eps < 0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return _by_statistics(xp, x, running_mean, running_var, weight, bias, eps)


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
        Input, real floating dtype.
    running_mean, running_var : array, shape (C,), or None
        Statistics to use when not training; unused, and unchanged, when training.
    weight, bias : array, shape (C,), optional
        Scale and shift of each channel. Like the statistics of the dtype of ``x``; half-precision
        ``x`` may come with all of them in float32.
    training : bool, default False
        Use the batch's own mean and (biased) variance.
    momentum : float, default 0.1
        Unused: the function is pure, so running statistics are updated by `nn.BatchNorm2d`. It
        stands here to keep PyTorch's signature.
    eps : float, default 1e-5
        Added to the variance; positive when training.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If sizes do not fit, if training sees a single value per channel, if statistics are
        missing when not training, or one of the two is, or if ``eps`` is out of range.

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


def _instance_norm_vjp(
    x: Array,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Array, Pullback]:
    xp = check_channels(
        x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    _check_statistics(running_mean, running_var, "" if use_input_stats else "use_input_stats=False")
    if use_input_stats:
        return _with_statistics(instance_standardised(x, weight, bias, eps))
    return _by_statistics(xp, x, running_mean, running_var, weight, bias, eps)


@differentiable(_instance_norm_vjp)
def instance_norm(
    x: Array,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    """Bring every channel of every sample to mean 0 and variance 1, then scale and shift it.

    Parameters
    ----------
    x : array, shape (N, C, ...)
        Input, real floating dtype.
    running_mean, running_var : array, shape (C,), optional
        Statistics to use without ``use_input_stats``; otherwise unused, and never changed.
    weight, bias : array, shape (C,), optional
        Scale and shift of each channel. Dtypes as in `batch_norm`.
    use_input_stats : bool, default True
        Use each sample's own mean and (biased) variance of the channel.
    momentum : float, default 0.1
        Unused, as in `batch_norm`.
    eps : float, default 1e-5
        Added to the variance.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If sizes do not fit, if a channel of a sample is a single value, or if statistics are
        missing where they are needed.

    Notes
    -----
    `batch_norm` of each sample by itself. Ulyanov, Vedaldi and Lempitsky, "Instance normalization"
    (2016). Counterpart of ``torch.nn.functional.instance_norm``.
    """
    return _instance_norm_vjp(
        x, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )[0]
