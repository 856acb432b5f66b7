"""Average pooling: the mean of the elements under each window, or of everything."""

from __future__ import annotations

from functools import partial

from array_api_compat import device

from .._arrays import add_at, namespace, require_floating
from .._shapes import ntuple
from .._typing import Array, IntOrTuple, Namespace, Pullback
from ._layout import batched, channels_first, channels_last
from ._pool_windows import PoolWindows, pool_windows
from ._precision import rule_in_single
from ._registry import differentiable


def _divisor(
    xp: Namespace,
    x: Array,
    windows: PoolWindows,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array | float:
    """What each window's sum is divided by: a number, or an array (OH, OW, 1)."""
    if divisor_override is not None:
        return float(divisor_override)
    if windows.inside:
        return float(windows.elements)
    n = len(windows.axes)
    divisor = xp.ones((1,) * (n + 1), dtype=x.dtype, device=device(x))
    for i, axis in enumerate(windows.axes):
        start = xp.arange(axis.out, dtype=x.dtype, device=device(x)) * axis.stride - axis.padding
        stop = xp.clip(start + axis.kernel, max=axis.size + axis.padding)  # no overhang counts
        if not count_include_pad:
            start, stop = xp.clip(start, min=0), xp.clip(stop, max=axis.size)
        shape = [1] * (n + 1)
        shape[i] = axis.out
        divisor = divisor * xp.reshape(stop - start, tuple(shape))
    return divisor


def _avg_pool(
    n: int,
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    return _avg_pool_vjp(
        n, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )[0]


@rule_in_single
def _avg_pool_vjp(
    n: int,
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    require_floating(xp, x=x)
    batch = batched(n, x)
    if divisor_override is not None:
        (divisor_override,) = ntuple(divisor_override, 1, "divisor_override")
        if divisor_override == 0:
            raise ValueError("divisor_override must not be zero")
    windows = pool_windows(n, batch, kernel_size, stride, padding, 1, ceil_mode)
    last = channels_last(xp, batch)
    divisor = _divisor(xp, x, windows, count_include_pad, divisor_override)
    total = xp.zeros((last.shape[0], *windows.out, last.shape[-1]), dtype=x.dtype, device=device(x))
    for part in windows.parts():
        total = add_at(total, part.output, last[part.source])

    def unbatched(a: Array) -> Array:
        a = channels_first(xp, a)
        return a if x.ndim == batch.ndim else a[0, ...]

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        share = channels_last(xp, batched(n, dy)) / divisor
        dx = xp.zeros(last.shape, dtype=dy.dtype, device=device(dy))
        for part in windows.parts():
            dx = add_at(dx, part.source, share[part.output])
        return (unbatched(dx),)

    return unbatched(total / divisor), pullback


@differentiable(partial(_avg_pool_vjp, 1))
def avg_pool1d(
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Average the elements under each window: `avg_pool2d` over signals (N, C, L).

    Parameters
    ----------
    x : array, shape (N, C, L) or (C, L)
        Signals, floating dtype.
    kernel_size, stride, padding, ceil_mode, count_include_pad
        As in `avg_pool2d`.

    Returns
    -------
    array, shape (N, C, OL) or (C, OL)
        In the dtype of ``x``.
    """
    return _avg_pool(1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


@differentiable(partial(_avg_pool_vjp, 2))
def avg_pool2d(
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Average the elements under each window.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or (C, H, W)
        Images, floating dtype.
    kernel_size : int or (int, int)
        Size of the windows.
    stride : int or (int, int), optional
        Step of the windows; by default their size.
    padding : int or (int, int), default 0
        Zeros around the image; at most half a window.
    ceil_mode : bool, default False
        Also use a last window that hangs over the end, if it starts within the image or its left
        padding. What hangs over is never counted.
    count_include_pad : bool, default True
        Whether the padding counts as elements.
    divisor_override : int, optional
        Divide by this number instead of the number of elements.

    Returns
    -------
    array, shape (N, C, OH, OW) or (C, OH, OW)
        In the dtype of ``x``.

    Raises
    ------
    ValueError
        If sizes do not fit, with all of them named.

    Notes
    -----
    Counterpart of ``torch.nn.functional.avg_pool2d``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[1.0, 5.0, 2.0, 0.0], [3.0, 3.0, 8.0, 6.0]]])
    >>> avg_pool2d(x, 2)
    array([[[3., 4.]]])
    """
    return _avg_pool(
        2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@differentiable(partial(_avg_pool_vjp, 3))
def avg_pool3d(
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Average the elements under each window: `avg_pool2d` over volumes (N, C, D, H, W).

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or (C, D, H, W)
        Volumes, floating dtype.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in `avg_pool2d`.

    Returns
    -------
    array, shape (N, C, OD, OH, OW) or (C, OD, OH, OW)
        In the dtype of ``x``.
    """
    return _avg_pool(
        3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
