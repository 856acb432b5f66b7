"""Activations along an axis: probabilities, and their logarithms."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace, device

from .._arrays import namespace, require_floating
from .._typing import Array, DType, Pullback
from ..random import current_stream, random_bits
from ._axis import axis_of
from ._precision import in_single, narrowed, rule_in_single, widened
from ._registry import differentiable, vjp

Softmax = Callable[..., Array]


def _along_axis(formula: Softmax) -> Softmax:
    """Make a differentiable operation of a formula ``(x, axis) -> (y, way back)``.

    It sees at least one axis and one number, in single precision or better. Of the operation that
    it becomes it has the signature and the docstring.
    """

    def run(x: Array, dim: int = -1, dtype: DType | None = None) -> tuple[Array, Pullback]:
        xp = namespace(x=x)
        before = x.dtype
        if dtype is not None:
            x = xp.astype(x, getattr(xp, dtype) if isinstance(dtype, str) else dtype)
        require_floating(x=x)
        axis, shape, after = axis_of(x.shape, dim), tuple(x.shape), x.dtype
        y, way_back = x, None
        if math.prod(shape):
            y, way_back = formula(xp.reshape(widened(x), shape or (1,)), axis)
        y = xp.reshape(narrowed(y, after), shape)

        def pullback(dy: Array) -> tuple[Array | None, ...]:
            dx = way_back(xp.reshape(widened(dy), shape or (1,))) if way_back else dy
            return (narrowed(xp.reshape(narrowed(dx, after), shape), before),)

        return y, pullback if "float" in str(before) else lambda dy: (None,)

    run.__qualname__ = formula.__name__  # what Python names when a call does not fit

    @functools.wraps(formula)
    def operation(*args: Any, **kwargs: Any) -> Array:
        return run(*args, **kwargs)[0]

    return differentiable(run)(operation)


def powers(x: Array, axis: int) -> tuple[Array, Array, Array]:
    """Return x less its maximum, so that exp cannot overflow, exp of that, and the sums of those.

    NaN where the maximum is infinite.
    """
    xp = array_namespace(x)
    shifted = x - xp.max(x, axis=axis, keepdims=True) if x.shape[axis] else x
    each = xp.exp(shifted)
    return shifted, each, _sum(each, axis)


def _sum(x: Array, axis: int) -> Array:
    return array_namespace(x).sum(x, axis=axis, keepdims=True, dtype=x.dtype)


@_along_axis
def softmax(x: Array, dim: int = -1, dtype: DType | None = None) -> Array:
    """Turn logits into probabilities along one axis.

    Parameters
    ----------
    x : array
        Logits, real floating dtype; any with ``dtype``.
    dim : int, default -1
        The axis that sums to 1.
    dtype : dtype or str, optional
        A floating dtype that ``x`` is converted to beforehand.

    Returns
    -------
    array
        Of the shape of ``x``, and of its dtype or ``dtype``. NaN along axes whose maximum is
        infinite.

    Raises
    ------
    ValueError
        If ``dim`` is out of range.

    Notes
    -----
    The maximum is subtracted first, which changes nothing but the overflow. Counterpart of
    ``torch.nn.functional.softmax``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> softmax(get_backend("numpy").asarray([0.0, 0.0]))
    array([0.5, 0.5])
    """
    _, each, total = powers(x, dim)
    y = each / total
    return y, lambda dy: y * (dy - _sum(dy * y, dim))


@_along_axis
def softmin(x: Array, dim: int = -1, dtype: DType | None = None) -> Array:
    """Return the `softmax` of ``-x``.

    Parameters
    ----------
    x, dim, dtype
        As in `softmax`.

    Returns
    -------
    array
        Of the shape of ``x``, and of its dtype or ``dtype``.

    Notes
    -----
    Counterpart of ``torch.nn.functional.softmin``.
    """
    _, each, total = powers(-x, dim)
    y = each / total
    return y, lambda dy: y * (_sum(dy * y, dim) - dy)


@_along_axis
def log_softmax(x: Array, dim: int = -1, dtype: DType | None = None) -> Array:
    """Return the logarithm of `softmax`, exact where the probability underflows.

    Parameters
    ----------
    x, dim, dtype
        As in `softmax`.

    Returns
    -------
    array
        Of the shape of ``x``, and of its dtype or ``dtype``.

    Notes
    -----
    Counterpart of ``torch.nn.functional.log_softmax``.
    """
    xp = array_namespace(x)
    shifted, _, total = powers(x, dim)
    y = shifted - xp.log(total)
    return y, lambda dy: dy - xp.exp(y) * _sum(dy, dim)


@rule_in_single
def _gumbel_softmax_vjp(
    logits: Array,
    tau: float = 1.0,
    hard: bool = False,
    dim: int = -1,
    *,
    key: tuple[int, int] | None = None,
) -> tuple[Array, Pullback]:
    xp = namespace(logits=logits)
    require_floating(logits=logits)
    axis, place = axis_of(logits.shape, dim, of="logits"), device(logits)
    bits = random_bits(key or current_stream().next_key(), tuple(logits.shape), xp=xp, device=place)
    # 23 bits and a half fit into float32: never 0 and never 1
    share = (xp.astype(bits >> 9, logits.dtype) + 0.5) / 2**23
    y, pullback = vjp(softmax, (logits - xp.log(-xp.log(share))) / tau, axis)
    if hard and math.prod(y.shape):
        rows = xp.reshape(y, y.shape or (1,))
        size = rows.shape[axis]
        places = xp.arange(size, device=place)
        places = xp.reshape(places, (size, *(1,) * (rows.ndim - 1 - axis)))
        chosen = places == xp.argmax(rows, axis=axis, keepdims=True)
        y = xp.reshape(xp.astype(chosen, y.dtype), y.shape)
    return y, lambda dy: pullback(dy / tau)


@differentiable(_gumbel_softmax_vjp)
@in_single
def gumbel_softmax(
    logits: Array,
    tau: float = 1.0,
    hard: bool = False,
    dim: int = -1,
    *,
    key: tuple[int, int] | None = None,
) -> Array:
    """Draw categories in a way that has a gradient.

    Parameters
    ----------
    logits : array
        Unnormalised log-probabilities, real floating dtype.
    tau : float, default 1
        The smaller, the nearer to a single category.
    hard : bool, default False
        Whether to return ones and zeros; the gradient stays that of the soft probabilities.
    dim : int, default -1
        The axis of the categories.
    key : (int, int), optional
        Key of the noise; by default the current stream's next one (see `xpconv.random`).

    Returns
    -------
    array
        Of the shape and dtype of ``logits``. One key gives one draw, on every backend.

    Raises
    ------
    ValueError
        If ``dim`` is out of range.

    Notes
    -----
    Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax" (2017): the `softmax`
    of ``(logits - log(-log(u))) / tau`` with u uniform. Counterpart of
    ``torch.nn.functional.gumbel_softmax``.
    """
    return _gumbel_softmax_vjp(logits, tau, hard, dim, key=key)[0]
