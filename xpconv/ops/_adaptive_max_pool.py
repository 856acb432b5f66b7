"""Adaptive max pooling: windows are chosen so that the output has a given size."""

from __future__ import annotations

from functools import partial
from typing import Any

from .._arrays import namespace
from .._typing import Array, Pullback
from ._layout import as_given, batched
from ._max_pool_axis import argmax, argmax_vjp, maximum, places
from ._pool_windows import Axis, OutputSize, adaptive_windows, require_elements, require_real
from ._registry import differentiable


def _adaptive_max_pool(n: int, x: Array, output_size: OutputSize, return_indices: bool) -> Any:
    xp = namespace(x=x)
    batch, windows = _max_windows(n, x, output_size)
    if not return_indices:
        return as_given(maximum(xp, batch, windows), x)
    best, numbers = argmax(xp, batch, windows)
    return as_given(best, x), as_given(places(xp, windows, numbers), x)


def _adaptive_max_pool_vjp(
    n: int, x: Array, output_size: OutputSize, return_indices: bool = False
) -> tuple[Any, Pullback]:
    xp = namespace(x=x)
    batch, windows = _max_windows(n, x, output_size)
    return argmax_vjp(xp, x, batch, windows, return_indices)


def _max_windows(n: int, x: Array, output_size: OutputSize) -> tuple[Array, tuple[Axis, ...]]:
    require_real(x)
    batch = batched(n, x)
    if x.ndim == batch.ndim:
        require_elements(batch, (1,))
    return batch, adaptive_windows(n, batch, output_size)


@differentiable(partial(_adaptive_max_pool_vjp, 1))
def adaptive_max_pool1d(x: Array, output_size: OutputSize, return_indices: bool = False) -> Any:
    """Keep the largest elements of signals (N, C, L): `adaptive_max_pool2d` in one dimension.

    Parameters
    ----------
    x : array, shape (N, C, L) or (C, L)
        Signals.
    output_size : int or (int,)
        Length of the result.
    return_indices : bool, default False
        Also return where the maxima stand.

    Returns
    -------
    array, or (array, array), shape (N, C, output_size) or (C, output_size)
        As in `adaptive_max_pool2d`.
    """
    return _adaptive_max_pool(1, x, output_size, return_indices)


@differentiable(partial(_adaptive_max_pool_vjp, 2))
def adaptive_max_pool2d(x: Array, output_size: OutputSize, return_indices: bool = False) -> Any:
    """Keep the largest elements of images of any size, for a result of a given size.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or (C, H, W)
        Images, of any real dtype.
    output_size : int or (int or None, int or None)
        Size of the result; None keeps the size of the input along that axis.
    return_indices : bool, default False
        Also return where the maxima stand.

    Returns
    -------
    y : array, shape (N, C, OH, OW) or (C, OH, OW)
        Of the dtype of ``x``. NaN wins over everything.
    indices : array of int64, of the shape of ``y``
        Only with ``return_indices``: positions in the flattened H x W plane; the first of tied
        maxima.

    Raises
    ------
    ValueError
        If ``output_size`` is negative or has the wrong length, or ``x`` the wrong rank or an empty
        dimension other than the batch.

    Notes
    -----
    The windows are those of `adaptive_avg_pool2d`. Counterpart of
    ``torch.nn.functional.adaptive_max_pool2d``, which takes no integers.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[1.0, 5.0, 3.0], [3.0, 3.0, 7.0]]])
    >>> adaptive_max_pool2d(x, (1, 2))
    array([[[5., 7.]]])
    """
    return _adaptive_max_pool(2, x, output_size, return_indices)


@differentiable(partial(_adaptive_max_pool_vjp, 3))
def adaptive_max_pool3d(x: Array, output_size: OutputSize, return_indices: bool = False) -> Any:
    """Keep the largest elements of volumes (N, C, D, H, W): `adaptive_max_pool2d` in three.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or (C, D, H, W)
        Volumes.
    output_size : int or tuple of three, each int or None
        Size of the result.
    return_indices : bool, default False
        Also return where the maxima stand.

    Returns
    -------
    array, or (array, array), shape (N, C, OD, OH, OW) or (C, OD, OH, OW)
        As in `adaptive_max_pool2d`.
    """
    return _adaptive_max_pool(3, x, output_size, return_indices)
