"""Sigmoids, their logarithm and integral, and what is made of the hyperbolic tangent."""

from __future__ import annotations

import math
from collections.abc import Callable

from array_api_compat import array_namespace

from .._arrays import clip, is_complex
from .._typing import Array, Namespace
from ._elementwise import elementwise, negative, positive, step

# W. J. Cody and W. Waite, "Software manual for the elementary functions" (1980), chapter 13:
# tanh(x) = x + x R(x^2) up to |x| = log(3) / 2. Highest power first.
_TANH_P = (-0.96437492777225469787, -99.225929672236083313, -1613.4119023996228053)
_TANH_Q = (112.74474380534949335, 2233.7720718962312926, 4840.2357071988688686)
_TANH_NEAR = math.log(3) / 2


def decay(xp: Namespace, x: Array) -> Array:
    """``exp(-|x|)``, which cannot overflow."""
    return xp.exp(-xp.abs(x))


def logistic(xp: Namespace, x: Array, z: Array) -> Array:
    """``1 / (1 + exp(-x))`` from ``z = exp(-|x|)``: 1 / (1 + z) right of zero, z / (1 + z) left."""
    return xp.maximum(z, step(xp, x >= 0, z)) / (1 + z)


def complex_logistic(xp: Namespace, x: Array) -> Array:
    """The same for complex numbers, from the exponential that does not overflow."""
    right = xp.real(x) >= 0
    z = xp.exp(xp.where(right, -x, x))
    return xp.where(right, xp.ones_like(z), z) / (1 + z)


@elementwise("bool", "integral", "complex floating")
def sigmoid(x: Array) -> Array:
    r"""Squash to (0, 1), ``1 / (1 + exp(-x))``, without overflow at either end.

    Parameters
    ----------
    x : array
        Any shape and dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``; float32 for integers and booleans.

    Notes
    -----
    With :math:`z = e^{-|x|} \le 1` it is :math:`1 / (1 + z)` right of zero and
    :math:`z / (1 + z)` left of it; its derivative is :math:`z / (1 + z)^2` on both sides.
    Counterpart of ``torch.nn.functional.sigmoid``.
    """
    xp = array_namespace(x)
    if is_complex(x):
        y = complex_logistic(xp, x)
        return y, lambda dy: dy * y * (1 - y)
    z = decay(xp, x)
    return logistic(xp, x, z), lambda dy: dy * z / (1 + z) ** 2


@elementwise()
def logsigmoid(x: Array) -> Array:
    r"""Return the logarithm of `sigmoid`, exact where that underflows.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    :math:`\min(x, 0) - \log(1 + e^{-|x|})`. Counterpart of ``torch.nn.functional.logsigmoid``.
    """
    xp = array_namespace(x)
    z = decay(xp, x)
    return negative(xp, x) - xp.log1p(z), lambda dy: dy * logistic(xp, -x, z)


@elementwise()
def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    r"""Round off the corner of `relu`, ``log(1 + exp(beta * x)) / beta``.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.
    beta : float, default 1
        The larger, the sharper the corner.
    threshold : float, default 20
        Where ``beta * x`` is above it, the result is ``x`` and the derivative 1.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    :math:`\max(t, 0) + \log(1 + e^{-|t|})`, over beta, with :math:`t = \beta x`. Counterpart of
    ``torch.nn.functional.softplus``.
    """
    xp = array_namespace(x)
    t = beta * x
    z = decay(xp, t)
    straight = t > threshold
    curve = (positive(xp, t) + xp.log1p(z)) / beta

    def way_back(dy: Array) -> Array:
        return dy * xp.maximum(logistic(xp, t, z), step(xp, straight, dy))

    return xp.where(straight, x, curve), way_back


@elementwise("bool", "integral", "complex floating")
def tanh(x: Array) -> Array:
    """Squash to (-1, 1) by the hyperbolic tangent.

    Parameters
    ----------
    x : array
        Any shape and dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``; float32 for integers and booleans.

    Notes
    -----
    Counterpart of ``torch.nn.functional.tanh``.
    """
    xp = array_namespace(x)
    y = xp.tanh(x)
    return y, lambda dy: dy * (1 - y * y)


@elementwise("integral", "complex floating")
def tanhshrink(x: Array) -> Array:
    """Subtract the hyperbolic tangent, ``x - tanh(x)``, without cancellation near zero.

    Parameters
    ----------
    x : array
        Any shape and dtype but bool.

    Returns
    -------
    array
        Of the shape and dtype of ``x``; float32 for integers.

    Notes
    -----
    Near zero the difference is about ``x ** 3 / 3``, far smaller than ``x``: there it comes from
    Cody and Waite's rational function. Counterpart of ``torch.nn.functional.tanhshrink``.
    """
    xp = array_namespace(x)
    y = xp.tanh(x)
    if is_complex(x):
        return x - y, lambda dy: dy * (y * y)
    near = clip(xp, x, -_TANH_NEAR, _TANH_NEAR)
    g = near * near
    p = (_TANH_P[0] * g + _TANH_P[1]) * g + _TANH_P[2]
    q = ((g + _TANH_Q[0]) * g + _TANH_Q[1]) * g + _TANH_Q[2]
    return xp.where(near == x, -near * g * p / q, x - y), lambda dy: dy * (y * y)


@elementwise("integral", "complex floating")
def softsign(x: Array) -> Array:
    """Squash to (-1, 1) by a ratio, ``x / (1 + abs(x))``.

    Parameters
    ----------
    x : array
        Any shape and dtype but bool.

    Returns
    -------
    array
        Of the shape and dtype of ``x``; float32 for integers.

    Notes
    -----
    The result is NaN at infinity, as in PyTorch. Counterpart of
    ``torch.nn.functional.softsign``.
    """
    xp = array_namespace(x)
    size = xp.abs(x)
    if is_complex(x):
        return _complex_softsign(xp, x, size)
    divisor = 1 + size + 0 * size  # NaN at infinity, as PyTorch has it
    return x / divisor, lambda dy: dy / divisor / divisor


def _complex_softsign(xp: Namespace, x: Array, size: Array) -> tuple[Array, Callable[..., Array]]:
    """With abs, which has no complex derivative: real and imaginary part each count for itself."""
    share = 1 / (1 + size)
    direction = xp.conj(x) / xp.where(size == 0, xp.ones_like(size), size)

    def way_back(dy: Array) -> Array:  # dy comes conjugated
        return dy * share - direction * (share * share * xp.real(dy * x))

    return x * share, way_back
