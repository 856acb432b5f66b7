"""Max pooling: the largest element under each window."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from array_api_compat import device

from .._arrays import add_at, is_floating, namespace, put
from .._typing import Array, IntOrTuple, Namespace, Pullback
from ._layout import batched, channels_first, channels_last
from ._pool_windows import PoolWindows, pool_windows
from ._registry import differentiable


def _lowest(xp: Namespace, x: Array) -> float:
    """What loses against everything in the dtype of ``x``."""
    return -math.inf if is_floating(xp, x) else int(xp.iinfo(x.dtype).min)


def _maximum(xp: Namespace, x: Array, windows: PoolWindows) -> Array:
    """Largest element under each window of a channels-last array."""
    parts = windows.parts()
    if windows.inside:
        best = xp.asarray(x[next(parts).source], copy=True)
        for part in parts:
            best = xp.maximum(best, x[part.source])
        return best
    shape = (x.shape[0], *windows.out, x.shape[-1])
    best = xp.full(shape, _lowest(xp, x), dtype=x.dtype, device=device(x))
    for part in parts:
        best = put(best, part.output, xp.maximum(best[part.output], x[part.source]))
    return best


def _argmax(xp: Namespace, x: Array, windows: PoolWindows) -> tuple[Array, Array]:
    """Largest element under each window, and its number within the window.

    The first of tied maxima wins, and a NaN wins over everything, as in PyTorch.
    """
    place, shape = device(x), (x.shape[0], *windows.out, x.shape[-1])
    small = xp.int8 if windows.elements <= 127 else xp.int32
    best = xp.full(shape, _lowest(xp, x), dtype=x.dtype, device=place)
    winner = xp.full(shape, -1, dtype=small, device=place)
    floating = is_floating(xp, x)
    for number, output, source in windows.parts():
        met, so_far, holder = x[source], best[output], winner[output]
        better = (met > so_far) | (holder < 0)
        if floating:
            better = better | (met != met)
        # Sums with a mask are many times faster on a CPU than choices by it.
        best = put(best, output, xp.maximum(so_far, met))
        winner = put(winner, output, holder + xp.astype(better, small) * (number - holder))
    return best, winner


def _plane_indices(xp: Namespace, winner: Array, windows: PoolWindows) -> Array:
    """Turn numbers within a window into positions in the unpadded, flattened input plane."""
    number = xp.clip(xp.astype(winner, xp.int64), min=0)  # -1 where a window sees only padding
    index = xp.zeros_like(number)
    below = windows.elements
    for i, axis in enumerate(windows.axes, 1):
        below //= axis.kernel
        start = xp.arange(axis.out, dtype=xp.int64, device=device(winner))
        start = start * axis.stride - axis.padding
        start = xp.reshape(start, (axis.out, *(1,) * (number.ndim - 1 - i)))
        place = start + (number // below) % axis.kernel * axis.dilation
        index = index * axis.size + xp.clip(place, 0, axis.size - 1)
    return index


def _max_pool(n: int, x: Array, return_indices: bool, *options: Any) -> Any:
    xp = namespace(x=x)
    batch = batched(n, x)
    windows = pool_windows(n, batch, *options)
    last = channels_last(xp, batch)
    if not return_indices:
        y = channels_first(xp, _maximum(xp, last, windows))
        return y if x.ndim == batch.ndim else y[0, ...]
    best, winner = _argmax(xp, last, windows)
    both = best, _plane_indices(xp, winner, windows)
    y, indices = (channels_first(xp, part) for part in both)
    return (y, indices) if x.ndim == batch.ndim else (y[0, ...], indices[0, ...])


def _max_pool_vjp(
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
    batch = batched(n, x)
    windows = pool_windows(n, batch, kernel_size, stride, padding, dilation, ceil_mode)
    shape = (batch.shape[0], *batch.shape[2:], batch.shape[1])
    best, winner = _argmax(xp, channels_last(xp, batch), windows)

    def unbatched(a: Array) -> Array:
        return a if x.ndim == batch.ndim else a[0, ...]

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dlast = channels_last(xp, batched(n, dy))
        dx = xp.zeros(shape, dtype=dy.dtype, device=device(dy))
        for number, output, source in windows.parts():
            mask = xp.astype(winner[output] == number, dy.dtype)
            dx = add_at(dx, source, dlast[output] * mask)
        return (unbatched(channels_first(xp, dx)),)

    y = unbatched(channels_first(xp, best))
    if return_indices:
        return (y, unbatched(channels_first(xp, _plane_indices(xp, winner, windows)))), pullback
    return y, pullback


@differentiable(partial(_max_pool_vjp, 1))
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


@differentiable(partial(_max_pool_vjp, 2))
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


@differentiable(partial(_max_pool_vjp, 3))
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
