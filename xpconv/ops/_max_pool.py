"""Max pooling: the largest element under each window."""

from __future__ import annotations

from functools import partial
from typing import Any

from .._arrays import namespace
from .._typing import Array, IntOrTuple, Pullback
from ..engines import body
from ._layout import as_given, batched
from ._max_pool_axis import argmax, argmax_vjp, maximum, places
from ._pool_windows import apart, pool_windows, require_real
from ._registry import differentiable


def _max_pool(n: int, x: Array, return_indices: bool, *options: Any) -> Any:
    xp = namespace(x=x)
    require_real(x)
    batch = batched(n, x)
    windows = pool_windows(n, batch, *options)
    fused = body("max_pool", batch)
    if fused is not None:
        best, _, index = fused(batch, windows, numbers=False, positions=return_indices)
        return (as_given(best, x), as_given(index, x)) if return_indices else as_given(best, x)
    if not return_indices:
        fused = body("disjoint_max_pool", batch)
        if fused is None or not apart(windows):
            return as_given(maximum(xp, batch, windows), x)
        return as_given(fused(batch, windows, numbers=False)[0], x)
    best, numbers = argmax(xp, batch, windows)
    return as_given(best, x), as_given(places(xp, windows, numbers), x)


def max_pool_vjp(
    n: int,
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    dilation: IntOrTuple = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Any, Pullback]:
    xp = namespace(x=x)
    require_real(x)
    batch = batched(n, x)
    windows = pool_windows(n, batch, kernel_size, stride, padding, dilation, ceil_mode)
    return argmax_vjp(xp, x, batch, windows, return_indices)


@differentiable(partial(max_pool_vjp, 1))
def max_pool1d(
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    dilation: IntOrTuple = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Keep the largest element under each window: `max_pool2d` over signals (N, C, L).

    Parameters
    ----------
    x : array, shape (N, C, L) or (C, L)
        Signals.
    kernel_size, stride, padding, dilation, ceil_mode, return_indices
        As in `max_pool2d`.

    Returns
    -------
    array, or (array, array), shape (N, C, OL) or (C, OL)
        As in `max_pool2d`.
    """
    return _max_pool(1, x, return_indices, kernel_size, stride, padding, dilation, ceil_mode)


@differentiable(partial(max_pool_vjp, 2))
def max_pool2d(
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    dilation: IntOrTuple = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Keep the largest element under each window.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or (C, H, W)
        Images, of any real dtype.
    kernel_size : int or (int, int)
        Size of the windows.
    stride : int or (int, int), optional
        Step of the windows; by default their size.
    padding : int or (int, int), default 0
        Places around the image that no element can lose against (-inf); at most half a window.
    dilation : int or (int, int), default 1
        Distance of a window's elements.
    ceil_mode : bool, default False
        Also use a last window that hangs over the end, if it starts within the image or its left
        padding.
    return_indices : bool, default False
        Also return where the maxima stand.

    Returns
    -------
    y : array, shape (N, C, OH, OW) or (C, OH, OW)
        Of the dtype of ``x``. NaN wins over everything.
    indices : array of int64, of the shape of ``y``
        Only with ``return_indices``: positions in the flattened, unpadded H x W plane; the first
        of tied maxima.

    Raises
    ------
    ValueError
        If sizes do not fit, with all of them named.

    Notes
    -----
    The gradient goes to the first of tied maxima. Counterpart of
    ``torch.nn.functional.max_pool2d``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 8.0, 6.0]]])
    >>> max_pool2d(x, 2)
    array([[[5., 8.]]])
    """
    return _max_pool(2, x, return_indices, kernel_size, stride, padding, dilation, ceil_mode)


@differentiable(partial(max_pool_vjp, 3))
def max_pool3d(
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    dilation: IntOrTuple = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Keep the largest element under each window: `max_pool2d` over volumes (N, C, D, H, W).

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or (C, D, H, W)
        Volumes.
    kernel_size, stride, padding, dilation, ceil_mode, return_indices
        As in `max_pool2d`.

    Returns
    -------
    array, or (array, array), shape (N, C, OD, OH, OW) or (C, OD, OH, OW)
        As in `max_pool2d`.
    """
    return _max_pool(3, x, return_indices, kernel_size, stride, padding, dilation, ceil_mode)
