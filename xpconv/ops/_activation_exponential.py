"""Exponential linear units: the identity right of zero, an exponential that levels off left."""

from __future__ import annotations

from collections.abc import Callable

from array_api_compat import array_namespace

from .._typing import Array
from ._elementwise import either, elementwise, negative, positive

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def _unit(
    x: Array, right: float, left: float, stretch: float = 1.0
) -> tuple[Array, Callable[[Array], Array]]:
    """``right * x`` right of zero and ``left * (exp(x / stretch) - 1)`` left, and the way back."""
    xp = array_namespace(x)
    low = negative(xp, x) / stretch

    def way_back(dy: Array) -> Array:
        return dy * xp.exp(low) * either(xp, x > 0, right, left / stretch, dy)

    return right * positive(xp, x) + left * xp.expm1(low), way_back


@elementwise()
def elu(x: Array, alpha: float = 1.0) -> Array:
    """Level off left of zero, ``x if x > 0 else alpha * (exp(x) - 1)``.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.
    alpha : float, default 1
        Minus the value far left; also the derivative at 0, as in PyTorch.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential
    linear units" (2015). Counterpart of ``torch.nn.functional.elu``.
    """
    return _unit(x, 1.0, alpha)


@elementwise()
def celu(x: Array, alpha: float = 1.0) -> Array:
    """Level off left of zero, smoothly, ``x if x > 0 else alpha * (exp(x / alpha) - 1)``.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.
    alpha : float, default 1
        Minus the value far left; not 0.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If ``alpha`` is 0.

    Notes
    -----
    Barron, "Continuously differentiable exponential linear units" (2017). Counterpart of
    ``torch.nn.functional.celu``.
    """
    if alpha == 0:
        raise ValueError("alpha cannot be 0 for CELU")
    return _unit(x, 1.0, alpha, alpha)


@elementwise()
def selu(x: Array) -> Array:
    """Level off left of zero, scaled so that layers keep mean 0 and variance 1.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``: ``scale * elu(x, alpha)``.

    Notes
    -----
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks" (2017), with its
    alpha of about 1.6733 and scale of about 1.0507. Counterpart of ``torch.nn.functional.selu``.
    """
    return _unit(x, _SELU_SCALE, _SELU_SCALE * _SELU_ALPHA)
