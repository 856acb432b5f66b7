"""Lp pooling: the p-norm of the elements under each window."""

from __future__ import annotations

import math
from functools import partial

from .._arrays import is_floating, namespace
from .._shapes import ntuple
from .._typing import Array, IntOrTuple, Namespace, Pullback
from ._avg_pool import avg_pool_vjp
from ._elementwise import sign
from ._max_pool import max_pool_vjp
from ._pool_windows import require_real
from ._precision import rule_in_single
from ._registry import differentiable


def _base(xp: Namespace, x: Array, norm_type: float) -> Array:
    """Return what is raised to the norm's order, or refuse what cannot be."""
    if norm_type == 0:
        raise ValueError("norm_type must not be zero")
    if xp.isdtype(x.dtype, "bool"):
        x = xp.astype(x, xp.int64)
    require_real(x)
    if not is_floating(x) and isinstance(norm_type, int):
        if x.dtype != xp.int64:
            raise TypeError(f"x must have a floating dtype, or int64, got {x.dtype}")
        if norm_type < 0:
            raise ValueError(f"integers to negative powers are not allowed, got {norm_type}")
    return x


def _lp_pool(
    n: int,
    x: Array,
    norm_type: float,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    ceil_mode: bool = False,
) -> Array:
    return _lp_pool_vjp(n, x, norm_type, kernel_size, stride, ceil_mode)[0]


@rule_in_single
def _lp_pool_vjp(
    n: int,
    x: Array,
    norm_type: float,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    ceil_mode: bool = False,
) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    p, x = norm_type, _base(xp, x, norm_type)
    if math.isinf(p):
        # The smallest magnitude is the largest of those below zero.
        turn = 1 if p > 0 else -1
        y, route = max_pool_vjp(n, turn * xp.abs(x), kernel_size, stride, 0, 1, ceil_mode)
        return turn * y, lambda dy: (route(dy)[0] * sign(xp, x),)
    if not is_floating(x) and isinstance(p, float):
        x = xp.astype(x, xp.float32)
    elements = math.prod(ntuple(kernel_size, n, "kernel_size", minimum=1))
    mean, share = avg_pool_vjp(n, x**p, kernel_size, stride, 0, ceil_mode)
    total = mean * elements
    if not is_floating(total):
        total = xp.astype(total, xp.float32)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        # PyTorch computes sign(total) * relu(abs(total)): nothing passes through a zero.
        nothing = total == 0
        safe = total + xp.astype(nothing, total.dtype)
        slope = safe ** (1 / p - 1) * (elements / p)
        passes = sign(xp, total) * sign(xp, total)
        (dpower,) = share(dy * slope * passes)
        return (dpower * (x ** (p - 1) * p),)

    return total ** (1 / p), pullback


@differentiable(partial(_lp_pool_vjp, 1))
def lp_pool1d(
    x: Array,
    norm_type: float,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Take the p-norm of each window of signals (N, C, L): `lp_pool2d` in one dimension.

    Parameters
    ----------
    x : array, shape (N, C, L) or (C, L)
        Signals.
    norm_type, kernel_size, stride, ceil_mode
        As in `lp_pool2d`.

    Returns
    -------
    array, shape (N, C, OL) or (C, OL)
        As in `lp_pool2d`.
    """
    return _lp_pool(1, x, norm_type, kernel_size, stride, ceil_mode)


@differentiable(partial(_lp_pool_vjp, 2))
def lp_pool2d(
    x: Array,
    norm_type: float,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    ceil_mode: bool = False,
) -> Array:
    r"""Take the p-norm of the elements under each window.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or (C, H, W)
        Images, floating dtype or int64; other integers with a ``norm_type`` that is a float.
    norm_type : float
        The order p of the norm, not zero: 1 sums, 2 is the Euclidean norm, infinity keeps the
        largest magnitude.
    kernel_size : int or (int, int)
        Size of the windows.
    stride : int or (int, int), optional
        Step of the windows; by default their size.
    ceil_mode : bool, default False
        Also use a last window that hangs over the end. Its norm is scaled up to a whole window's.

    Returns
    -------
    array, shape (N, C, OH, OW) or (C, OH, OW)
        In the dtype of ``x``; float32 for integers.

    Raises
    ------
    ValueError
        If sizes do not fit, or ``norm_type`` is zero.

    Notes
    -----
    .. math:: y = \left(\sum_{w} x_w^p\right)^{1/p}

    without absolute values, as in ``torch.nn.functional.lp_pool2d``: an odd or fractional order is
    for non-negative inputs. Where the sum is zero, the gradient is.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[3.0, 0.0, 2.0, 1.0], [0.0, 4.0, 2.0, 0.0]]])
    >>> lp_pool2d(x, 2, 2)
    array([[[5., 3.]]])
    """
    return _lp_pool(2, x, norm_type, kernel_size, stride, ceil_mode)


@differentiable(partial(_lp_pool_vjp, 3))
def lp_pool3d(
    x: Array,
    norm_type: float,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    ceil_mode: bool = False,
) -> Array:
    """Take the p-norm of each window of volumes (N, C, D, H, W): `lp_pool2d` in three dimensions.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or (C, D, H, W)
        Volumes.
    norm_type, kernel_size, stride, ceil_mode
        As in `lp_pool2d`.

    Returns
    -------
    array, shape (N, C, OD, OH, OW) or (C, OD, OH, OW)
        As in `lp_pool2d`.
    """
    return _lp_pool(3, x, norm_type, kernel_size, stride, ceil_mode)
