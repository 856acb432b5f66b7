"""Activations: each from its definition, stable for every input, NaN passed on."""

from __future__ import annotations

import math

from array_api_compat import device

from .._arrays import namespace, require_floating
from .._typing import Array, Pullback
from ._erf import erf
from ._precision import in_single, rule_in_single
from ._registry import differentiable

_SQRT_HALF = math.sqrt(0.5)
_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715
_GELU_FLAT = 30.0  # beyond it the normal distribution is 0 or 1 in every dtype


def _relu_vjp(x: Array) -> tuple[Array, Pullback]:
    y = relu(x)
    xp = namespace(x=x)
    # PyTorch's rule: the gradient passes where the output is not <= 0, so also where it is NaN.
    # A product with the mask is many times faster on a CPU than a choice by it.
    return y, lambda dy: (dy * xp.astype(~(y <= 0), dy.dtype),)


@differentiable(_relu_vjp)
def relu(x: Array) -> Array:
    """Set what is negative to zero, ``max(x, 0)``; NaN stays.

    Parameters
    ----------
    x : array
        Any shape and real dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``. The derivative at 0 is taken as 0, as in PyTorch.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> relu(get_backend("numpy").asarray([-1.0, 2.0]))
    array([0., 2.])
    """
    xp = namespace(x=x)
    return xp.maximum(x, xp.zeros((), dtype=x.dtype, device=device(x)))


def _leaky_relu_vjp(x: Array, negative_slope: float = 0.01) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    return leaky_relu(x, negative_slope), lambda dy: (xp.where(x > 0, dy, dy * negative_slope),)


@differentiable(_leaky_relu_vjp)
def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Scale what is negative, ``x if x > 0 else negative_slope * x``.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.
    negative_slope : float, default 0.01
        Slope left of zero; also the derivative at 0, as in PyTorch.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.
    """
    xp = namespace(x=x)
    require_floating(xp, x=x)
    return xp.where(x > 0, x, x * negative_slope)


@rule_in_single
def _sigmoid_vjp(x: Array) -> tuple[Array, Pullback]:
    y = sigmoid(x)
    return y, lambda dy: (dy * y * (1 - y),)


@differentiable(_sigmoid_vjp)
@in_single
def sigmoid(x: Array) -> Array:
    r"""Squash to (0, 1), ``1 / (1 + exp(-x))``, without overflow at either end.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    With :math:`z = e^{-|x|} \le 1` it is :math:`1 / (1 + z)` right of zero and
    :math:`z / (1 + z)` left of it.
    """
    xp = namespace(x=x)
    require_floating(xp, x=x)
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, xp.ones_like(z), z) / (1 + z)


def _tanh_vjp(x: Array) -> tuple[Array, Pullback]:
    y = tanh(x)
    return y, lambda dy: (dy * (1 - y * y),)


@differentiable(_tanh_vjp)
def tanh(x: Array) -> Array:
    """Squash to (-1, 1) by the hyperbolic tangent.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.
    """
    xp = namespace(x=x)
    require_floating(xp, x=x)
    return xp.tanh(x)


def _gelu_tanh(x: Array) -> Array:
    xp = namespace(x=x)
    z = xp.clip(x, -_GELU_FLAT, _GELU_FLAT)  # its cube stays finite in half precision
    return xp.tanh(_SQRT_2_OVER_PI * (z + _GELU_CUBIC * z * z * z))


@rule_in_single
def _gelu_vjp(x: Array, approximate: str = "none") -> tuple[Array, Pullback]:
    xp = namespace(x=x)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        z = xp.clip(x, -_GELU_FLAT, _GELU_FLAT)
        if approximate == "none":
            cdf = 0.5 * (1 + erf(z * _SQRT_HALF))
            pdf = xp.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
            return (dy * (cdf + z * pdf),)
        t = _gelu_tanh(x)
        slope = _SQRT_2_OVER_PI * (1 + 3 * _GELU_CUBIC * z * z)
        return (dy * (0.5 * (1 + t) + 0.5 * z * (1 - t * t) * slope),)

    return gelu(x, approximate), pullback


@differentiable(_gelu_vjp)
@in_single
def gelu(x: Array, approximate: str = "none") -> Array:
    r"""Weigh the input by the normal distribution, ``x * Phi(x)``.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.
    approximate : {"none", "tanh"}, default "none"
        The exact form, or the approximation by tanh.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If ``approximate`` is neither.

    Notes
    -----
    Hendrycks and Gimpel, "Gaussian error linear units" (2016). The approximation is
    :math:`x (1 + \tanh(\sqrt{2/\pi} (x + 0.044715 x^3))) / 2`.
    """
    xp = namespace(x=x)
    require_floating(xp, x=x)
    if approximate == "none":
        return 0.5 * x * (1 + erf(x * _SQRT_HALF))
    if approximate == "tanh":
        return 0.5 * x * (1 + _gelu_tanh(x))
    raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")


@rule_in_single
def _silu_vjp(x: Array) -> tuple[Array, Pullback]:
    s = sigmoid(x)
    return x * s, lambda dy: (dy * s * (1 + x * (1 - s)),)


@differentiable(_silu_vjp)
@in_single
def silu(x: Array) -> Array:
    """Weigh the input by its sigmoid, ``x * sigmoid(x)``, also called swish.

    Parameters
    ----------
    x : array
        Any shape, floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.
    """
    return x * sigmoid(x)


@rule_in_single
def _softmax_vjp(x: Array, dim: int = -1) -> tuple[Array, Pullback]:
    y = softmax(x, dim)
    xp = namespace(x=x)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        return (y * (dy - xp.sum(dy * y, axis=dim, keepdims=True, dtype=y.dtype)),)

    return y, pullback


@differentiable(_softmax_vjp)
@in_single
def softmax(x: Array, dim: int = -1) -> Array:
    """Turn logits into probabilities along one axis.

    Parameters
    ----------
    x : array
        Logits, floating dtype.
    dim : int, default -1
        The axis that sums to 1.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    The maximum is subtracted first, which changes nothing but the overflow.
    """
    xp = namespace(x=x)
    z = xp.exp(_centred(x, dim))
    return z / xp.sum(z, axis=dim, keepdims=True, dtype=z.dtype)


@rule_in_single
def _log_softmax_vjp(x: Array, dim: int = -1) -> tuple[Array, Pullback]:
    y = log_softmax(x, dim)
    xp = namespace(x=x)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        return (dy - xp.exp(y) * xp.sum(dy, axis=dim, keepdims=True, dtype=y.dtype),)

    return y, pullback


@differentiable(_log_softmax_vjp)
@in_single
def log_softmax(x: Array, dim: int = -1) -> Array:
    """Return the logarithm of `softmax`, exact where the probability underflows.

    Parameters
    ----------
    x : array
        Logits, floating dtype.
    dim : int, default -1
        The axis whose probabilities sum to 1.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.
    """
    xp = namespace(x=x)
    shifted = _centred(x, dim)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=dim, keepdims=True, dtype=x.dtype))


def _centred(x: Array, dim: int) -> Array:
    """Subtract the maximum along an axis, so that exp cannot overflow."""
    xp = namespace(x=x)
    require_floating(xp, x=x)
    if not -max(x.ndim, 1) <= dim < max(x.ndim, 1):
        raise ValueError(f"dim {dim} is out of range for x of shape {tuple(x.shape)}")
    if x.ndim == 0 or x.shape[dim] == 0:
        return x - x
    return x - xp.max(x, axis=dim, keepdims=True)
