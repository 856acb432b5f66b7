"""Average pooling: the mean of the elements under each window, or of everything."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from array_api_compat import device

from .._arrays import clip, is_floating, namespace
from .._typing import Array, IntOrTuple, Namespace, Pullback
from ..engines import body
from ._layout import as_given, batched
from ._pool_windows import Windows, pool_windows, require_real
from ._precision import narrowed, widened
from ._registry import differentiable
from ._sum_pool import spread, window_sums


def _divisor(
    xp: Namespace,
    batch: Array,
    windows: tuple[Windows, ...],
    count_include_pad: bool,
    divisor_override: int | None,
) -> Array | int:
    """What each window's sum is divided by: a number, or an array (OH, OW)."""
    if divisor_override is not None:
        return divisor_override
    if all(along.whole for along in windows):
        return math.prod(along.kernel for along in windows)
    divisor: Array | int = 1
    for axis, along in enumerate(windows, 2):
        start = along.starts(xp, device(batch))
        stop = clip(xp, start + along.kernel, high=along.size + along.padding)  # no overhang counts
        if not count_include_pad:
            start, stop = clip(xp, start, low=0), clip(xp, stop, high=along.size)
        count = xp.reshape(stop - start, (along.out, *(1,) * (batch.ndim - 1 - axis)))
        divisor = divisor * count
    return xp.astype(divisor, batch.dtype)


def _divide(xp: Namespace, total: Array, divisor: Array | int) -> Array:
    if is_floating(total):
        return total / divisor
    if isinstance(divisor, int):  # integers are rounded towards zero, as in C
        divisor = xp.asarray(divisor, dtype=total.dtype, device=device(total))
    return xp.sign(total) * xp.sign(divisor) * (xp.abs(total) // xp.abs(divisor))


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
    return avg_pool_vjp(
        n, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )[0]


def avg_pool_vjp(
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
    _require_summable(xp, x)
    batch = batched(n, x)
    if divisor_override == 0:
        raise ValueError("divisor_override must not be zero")
    windows = pool_windows(n, batch, kernel_size, stride, padding, 1, ceil_mode)
    if n == 3 and any(along.kernel > along.size for along in windows):
        # PyTorch does not count the padding here, in three dimensions only.
        raise ValueError(
            f"input image {tuple(x.shape[-3:])} smaller than kernel size "
            f"{tuple(along.kernel for along in windows)}"
        )
    y, back = averages(xp, batch, windows, count_include_pad, divisor_override)
    unbatched = x.ndim < batch.ndim

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dx = back(dy[None, ...] if unbatched else dy)
        return (dx[0, ...] if unbatched else dx,)

    return as_given(y, x), pullback


def averages(
    xp: Namespace,
    x: Array,
    windows: tuple[Windows, ...],
    count_include_pad: bool,
    divisor_override: int | None,
) -> tuple[Array, Callable[[Array], Array]]:
    """Return the means, and the way back, for a batch; half precision is summed in float32."""
    counting = (count_include_pad, divisor_override)
    fused, fused_grad = body("avg_pool", x), body("avg_pool_grad", x)
    # A window of everything is one plain sum, which libraries do well.
    one_by_one = all(along.out == 1 for along in windows)
    if fused is not None and fused_grad is not None and not one_by_one:
        return fused(x, windows, *counting), lambda dy: fused_grad(dy, windows, *counting)
    dtype, x = x.dtype, widened(x)
    divisor = _divisor(xp, x, windows, *counting)

    def back(dy: Array) -> Array:
        return narrowed(spread(xp, _divide(xp, widened(dy), divisor), windows), dtype)

    return narrowed(_divide(xp, window_sums(xp, x, windows), divisor), dtype), back


def _require_summable(xp: Namespace, x: Array) -> None:
    """Refuse what PyTorch has no average of: every integer but int64, bool, complex."""
    require_real(x)
    if not is_floating(x) and x.dtype != xp.int64:
        raise TypeError(f"x must have a floating dtype, or int64, got {x.dtype}")


@differentiable(partial(avg_pool_vjp, 1))
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
        Signals, floating dtype or int64.
    kernel_size, stride, padding, ceil_mode, count_include_pad
        As in `avg_pool2d`.

    Returns
    -------
    array, shape (N, C, OL) or (C, OL)
        In the dtype of ``x``.
    """
    return _avg_pool(1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


@differentiable(partial(avg_pool_vjp, 2))
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
        Images, floating dtype; or int64, whose averages are rounded towards zero.
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


@differentiable(partial(avg_pool_vjp, 3))
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
        Volumes, floating dtype or int64.
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
