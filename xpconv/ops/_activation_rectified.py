"""Rectifiers: one slope right of zero, another left of it."""

from __future__ import annotations

import math
from collections.abc import Callable

from array_api_compat import array_namespace, device

from .._arrays import is_floating, namespace, require_floating, same_dtype
from .._typing import Array, Pullback
from ..engines import body
from ..random import current_stream, random_bits
from ._elementwise import either, elementwise, negative, positive, step
from ._precision import in_single, rule_in_single
from ._registry import differentiable


@elementwise("integral", exact=True)
def relu(x: Array) -> Array:
    """Set what is negative to zero, ``max(x, 0)``; NaN stays.

    Parameters
    ----------
    x : array
        Any shape, real floating or integer dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``. The derivative at 0 is taken as 0, as in PyTorch.

    Notes
    -----
    Counterpart of ``torch.nn.functional.relu``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> relu(get_backend("numpy").asarray([-1.0, 2.0]))
    array([0., 2.])
    """
    xp = array_namespace(x)
    if not is_floating(x):
        return xp.maximum(x, xp.zeros((), dtype=x.dtype, device=device(x))), None
    fused = body("relu", x)
    y = positive(xp, x) if fused is None else fused(x)
    return y, lambda dy: rectified_grad(dy, y)


def rectified_grad(dy: Array, y: Array, activation: str = "relu") -> Array:
    """Go back through y = relu(x), or relu6(x), as PyTorch does.

    Of `relu` where y is not <= 0, so also where it is NaN; of `relu6` where y is between 0 and 6.
    """
    fused = body(f"{activation}_grad", y)
    if fused is not None:
        return fused(dy, y)
    passed = ~(y <= 0) if activation == "relu" else (y > 0) & (y < 6)
    return dy * step(array_namespace(y), passed, dy)


@elementwise()
def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Scale what is negative, ``x if x > 0 else negative_slope * x``.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.
    negative_slope : float, default 0.01
        Slope left of zero; also the derivative at 0, as in PyTorch.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    Counterpart of ``torch.nn.functional.leaky_relu``.
    """
    return _two_slopes(x, negative_slope)


@elementwise(placed=True)
def rrelu(
    x: Array,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    *,
    key: tuple[int, int] | None = None,
) -> Array:
    """Scale what is negative by random factors.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.
    lower, upper : float, default 1/8 and 1/3
        The factors' bounds.
    training : bool, default False
        Draws a factor for each element; without it all are the mean, ``(lower + upper) / 2``.
    key : (int, int), optional
        Key of the factors; by default the current stream's next one (see `xpconv.random`).

    Returns
    -------
    array
        Of the shape and dtype of ``x``. One key gives the same factors on every backend.

    Raises
    ------
    ValueError
        If a bound is not finite, or ``lower`` is above ``upper``.

    Notes
    -----
    Xu, Wang, Chen and Li, "Empirical evaluation of rectified activations in convolutional
    network" (2015). Counterpart of ``torch.nn.functional.rrelu``.
    """
    xp = array_namespace(x)
    for name, bound in (("lower", lower), ("upper", upper)):
        if not math.isfinite(bound):
            raise ValueError(f"{name} must be finite, got {bound}")
    if lower > upper:
        raise ValueError(
            "Lower bound should be less than or equal to the upper bound, "
            f"got lower={lower} and upper={upper}"
        )
    if not training:
        return _two_slopes(x, (lower + upper) / 2)
    bits = random_bits(key or current_stream().next_key(), tuple(x.shape), xp=xp, device=device(x))
    drawn = lower + (upper - lower) / 2**32 * xp.astype(bits, x.dtype)
    factor = either(xp, x <= 0, drawn, 1.0, x)
    return x * factor, lambda dy: dy * factor


def _two_slopes(x: Array, negative_slope: float) -> tuple[Array, Callable[[Array], Array]]:
    """One slope for all that is not positive: the value, and the way back."""
    xp = array_namespace(x)
    if not math.isfinite(negative_slope):  # times the 0 of a mask it would make NaN

        def leak(z: Array) -> Array:
            return xp.where(x > 0, z, negative_slope * z)

        return leak(x), leak
    y = positive(xp, x) + negative_slope * negative(xp, x)
    return y, lambda dy: dy * either(xp, x > 0, 1.0, negative_slope, dy)


@rule_in_single
def _prelu_vjp(x: Array, weight: Array) -> tuple[Array, Pullback]:
    xp = namespace(("weight",), x=x, weight=weight)
    y = prelu(x, weight)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        slopes = _beside_channels(x, weight)
        dx = dy * either(xp, x > 0, 1.0, slopes, dy)
        products = dy * negative(xp, x)
        kept = (1,) if math.prod(weight.shape) != 1 else ()  # one slope sums over the channels, too
        axes = tuple(axis for axis in range(x.ndim) if axis not in kept)
        return dx, xp.reshape(xp.sum(products, axis=axes, dtype=dy.dtype), weight.shape)

    return y, pullback


@differentiable(_prelu_vjp)
@in_single
def prelu(x: Array, weight: Array) -> Array:
    """Scale what is negative by learned slopes, ``x if x > 0 else weight * x``.

    Parameters
    ----------
    x : array, shape (N, C, ...)
        Any shape where there is one slope; real floating dtype.
    weight : array, shape (C,), (1,) or ()
        A slope for each channel, or one for all.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If the number of slopes is neither 1 nor the number of channels.

    Notes
    -----
    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015). Counterpart of
    ``torch.nn.functional.prelu``.
    """
    xp = namespace(("weight",), x=x, weight=weight)
    require_floating(x=x, weight=weight)
    same_dtype(x=x, weight=weight)
    return positive(xp, x) + _beside_channels(x, weight) * negative(xp, x)


def _beside_channels(x: Array, weight: Array) -> Array:
    """(C,) -> (C, 1, ...), which stands beside the channels of (N, C, ...)."""
    if weight.ndim > 1:
        raise ValueError(f"weight must be a scalar or have 1 axis, got shape {tuple(weight.shape)}")
    xp = array_namespace(x)
    count = math.prod(weight.shape)
    if count == 1:
        return xp.reshape(weight, ())
    channels = x.shape[1] if x.ndim > 1 else 1
    if x.ndim == 0 or count != channels:
        raise ValueError(
            "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{count} and channel size = {channels}, in x of shape {tuple(x.shape)}"
        )
    return xp.reshape(weight, (count, *(1,) * (x.ndim - 2)))


@elementwise("integral", exact=True)
def threshold(x: Array, threshold: float, value: float) -> Array:
    """Replace what is not above a threshold, ``x if x > threshold else value``; NaN stays.

    Parameters
    ----------
    x : array
        Any shape, real floating or integer dtype.
    threshold : float
        What is above it stays. For integers its fraction is dropped.
    value : float
        What all other elements become. For integers its fraction is dropped.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If the integer dtype of ``x`` cannot hold ``threshold`` or ``value``.

    Notes
    -----
    Counterpart of ``torch.nn.functional.threshold``.
    """
    xp = array_namespace(x)
    if not is_floating(x):
        threshold = in_range(x, "threshold", threshold)
        value = in_range(x, "value", value)
    replaced = x <= threshold
    y = xp.where(replaced, xp.full((), value, dtype=x.dtype, device=device(x)), x)
    return y, lambda dy: dy * step(xp, ~replaced, dy)


def in_range(x: Array, name: str, value: float) -> int:
    """Return a number as an integer that the dtype of ``x`` can hold."""
    bounds = array_namespace(x).iinfo(x.dtype)
    if not bounds.min - 1 < value < bounds.max + 1:
        raise ValueError(f"{name}={value} is out of range for x of {x.dtype}")
    return int(value)
