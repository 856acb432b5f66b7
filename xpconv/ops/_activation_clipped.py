"""Activations that clip, and those that shrink towards zero: straight lines (and a parabola)."""

from __future__ import annotations

from array_api_compat import array_namespace

from .._arrays import clip, is_floating, largest
from .._typing import Array
from ..engines import body
from ._activation_rectified import in_range, rectified_grad, relu
from ._elementwise import clipped, elementwise, step


@elementwise("integral", exact=True)
def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Clip to an interval; NaN stays.

    Parameters
    ----------
    x : array
        Any shape, real floating or integer dtype.
    min_val, max_val : float, default -1 and 1
        The interval. For integers its fractions are dropped.

    Returns
    -------
    array
        Of the shape and dtype of ``x``. The derivative is 0 at both ends, as in PyTorch.

    Raises
    ------
    ValueError
        If ``min_val`` is above ``max_val``, or an integer dtype cannot hold one of them.

    Notes
    -----
    Counterpart of ``torch.nn.functional.hardtanh``.
    """
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, got {min_val} > {max_val}")
    xp = array_namespace(x)
    if not is_floating(x):
        low, high = in_range(x, "min_val", min_val), in_range(x, "max_val", max_val)
        return clip(xp, x, low, high), None
    inside = (x > min_val) & (x < max_val)
    return clipped(xp, x, min_val, max_val), lambda dy: dy * step(xp, inside, dy)


@elementwise("integral", exact=True)
def relu6(x: Array) -> Array:
    """Clip to 0 ... 6.

    Parameters
    ----------
    x : array
        Any shape, real floating or integer dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``. The derivative is 0 at both ends, as in PyTorch.

    Notes
    -----
    Counterpart of ``torch.nn.functional.relu6``.
    """
    fused = body("relu6", x)
    y = clipped(array_namespace(x), x, 0, 6) if fused is None else fused(x)
    return y, lambda dy: rectified_grad(dy, y, "relu6")


RECTIFIERS = {"relu": relu, "relu6": relu6}
"""What other operations and layers apply while they write their output, by name."""


@elementwise()
def hardsigmoid(x: Array) -> Array:
    """Squash to 0 ... 1 along a straight line, ``relu6(x + 3) / 6``.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``. The derivative is 0 at -3 and 3, as in PyTorch.

    Notes
    -----
    Counterpart of ``torch.nn.functional.hardsigmoid``.
    """
    xp = array_namespace(x)
    y = clip(xp, x + 3, 0.0, 6.0) / 6
    return y, lambda dy: dy * (step(xp, (x > -3) & (x < 3), dy) / 6)


@elementwise()
def hardswish(x: Array) -> Array:
    """Weigh the input by its `hardsigmoid`, ``x * relu6(x + 3) / 6``.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.

    Returns
    -------
    array
        Of the shape and dtype of ``x``. The derivative is 0 at -3 and 1 at 3, as in PyTorch.

    Notes
    -----
    Howard et al., "Searching for MobileNetV3" (2019). Counterpart of
    ``torch.nn.functional.hardswish``.
    """
    xp = array_namespace(x)
    y = x * (clip(xp, x + 3, 0.0, 6.0) / 6)

    def way_back(dy: Array) -> Array:
        inside = clip(xp, x, -3.0, 3.0) / 3 + 0.5
        return dy * (inside * step(xp, (x > -3) & (x < 3), dy) + step(xp, x >= 3, dy))

    return y, way_back


@elementwise()
def hardshrink(x: Array, lambd: float = 0.5) -> Array:
    """Set what is near zero to zero, ``x if abs(x) > lambd else 0``; NaN stays.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.
    lambd : float, default 0.5
        How near.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Notes
    -----
    Counterpart of ``torch.nn.functional.hardshrink``.
    """
    xp = array_namespace(x)
    size = xp.abs(x)
    y = x * step(xp, ~(size <= lambd), x)
    return y, lambda dy: dy * step(xp, size > lambd, dy)


@elementwise()
def softshrink(x: Array, lambd: float = 0.5) -> Array:
    """Move everything towards zero, at most to zero.

    Parameters
    ----------
    x : array
        Any shape, real floating dtype.
    lambd : float, default 0.5
        How far; not negative.

    Returns
    -------
    array
        Of the shape and dtype of ``x``: ``x - lambd`` above ``lambd``, ``x + lambd`` below
        ``-lambd``, and 0 between.

    Raises
    ------
    ValueError
        If ``lambd`` is negative or not finite.

    Notes
    -----
    Counterpart of ``torch.nn.functional.softshrink``.
    """
    xp = array_namespace(x)
    if not 0 <= lambd <= largest(xp, x.dtype):
        raise ValueError(f"lambda must be in the range of {x.dtype} from 0 up, but found {lambd}")
    y = x - clip(xp, x, -lambd, lambd)
    return y, lambda dy: dy * step(xp, xp.abs(x) > lambd, dy)
