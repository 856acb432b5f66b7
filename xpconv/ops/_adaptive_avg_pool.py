"""Adaptive average pooling: windows are chosen so that the output has a given size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import cast

from array_api_compat import device

from .._arrays import is_complex, is_floating, namespace
from .._typing import Array, Namespace, Pullback
from ..engines import body
from ._avg_pool import averages
from ._layout import as_given, batched
from ._pool_windows import Axis, OutputSize, Windows, adaptive_windows, all_equal, require_elements
from ._precision import rule_in_single
from ._registry import differentiable
from ._sum_pool import spread, window_sums


def _counts(xp: Namespace, batch: Array, windows: Sequence[Axis]) -> Array | int:
    """Number of elements of each window: a number, or an array (OH, OW)."""
    if all(along.whole for along in windows):
        return math.prod(along.kernel for along in windows)
    count: Array = 1
    for axis, along in enumerate(windows, 2):
        next_one = xp.arange(1, along.out + 1, dtype=xp.int64, device=device(batch))
        stop = (next_one * along.size + along.out - 1) // max(along.out, 1)
        each = stop - along.starts(xp, device(batch))
        count = count * xp.reshape(each, (along.out, *(1,) * (batch.ndim - 1 - axis)))
    return xp.astype(count, batch.dtype)


def _adaptive_avg_pool(n: int, x: Array, output_size: OutputSize) -> Array:
    return adaptive_avg_pool_vjp(n, x, output_size)[0]


@rule_in_single
def adaptive_avg_pool_vjp(n: int, x: Array, output_size: OutputSize) -> tuple[Array, Pullback]:
    xp = namespace(x=x)
    batch = batched(n, x)
    if n == 3 and x.ndim == 5:
        require_elements(batch, (1,))  # no channels are refused in three dimensions only
    windows = adaptive_windows(n, batch, output_size)
    whole = all(along.out == 1 for along in windows)
    if not is_floating(x) or (is_complex(x) and not whole):
        # PyTorch has a mean of complex numbers, and no other pool.
        raise TypeError(f"x must have a real floating dtype, got {x.dtype}")
    unbatched = x.ndim < batch.ndim
    if all_equal(windows) and not whole and body("avg_pool", x) is not None:
        y, way_back = averages(xp, batch, cast("tuple[Windows, ...]", windows), True, None)
        return as_given(y, x), lambda dy: (as_given(way_back(batched(n, dy)), x),)
    counts = _counts(xp, batch, windows)

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dx = spread(xp, (dy[None, ...] if unbatched else dy) / counts, windows)
        return (dx[0, ...] if unbatched else dx,)

    return as_given(window_sums(xp, batch, windows) / counts, x), pullback


@differentiable(partial(adaptive_avg_pool_vjp, 1))
def adaptive_avg_pool1d(x: Array, output_size: OutputSize) -> Array:
    """Average signals down (or up) to a given length: `adaptive_avg_pool2d` over (N, C, L).

    Parameters
    ----------
    x : array, shape (N, C, L) or (C, L)
        Signals, floating dtype.
    output_size : int or (int,)
        Length of the result.

    Returns
    -------
    array, shape (N, C, output_size) or (C, output_size)
        In the dtype of ``x``.
    """
    return _adaptive_avg_pool(1, x, output_size)


@differentiable(partial(adaptive_avg_pool_vjp, 2))
def adaptive_avg_pool2d(x: Array, output_size: OutputSize) -> Array:
    r"""Average images of any size down (or up) to a given size.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or (C, H, W)
        Images, floating dtype (complex for a size of 1 only).
    output_size : int or (int or None, int or None)
        Size of the result; None keeps the size of the input along that axis.

    Returns
    -------
    array, shape (N, C, OH, OW) or (C, OH, OW)
        In the dtype of ``x``.

    Raises
    ------
    ValueError
        If ``output_size`` is negative or has the wrong length, or ``x`` the wrong rank or an empty
        spatial dimension.
    TypeError
        If ``x`` is not floating.

    Notes
    -----
    Along each axis of :math:`n` elements, output :math:`o` of :math:`m` is the mean of elements
    :math:`\lfloor o n / m \rfloor` to :math:`\lceil (o + 1) n / m \rceil - 1`: the windows overlap
    where :math:`m` does not divide :math:`n`. Counterpart of
    ``torch.nn.functional.adaptive_avg_pool2d``.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[1.0, 5.0, 3.0], [3.0, 3.0, 7.0]]])
    >>> adaptive_avg_pool2d(x, (1, 2))
    array([[[3. , 4.5]]])
    """
    return _adaptive_avg_pool(2, x, output_size)


@differentiable(partial(adaptive_avg_pool_vjp, 3))
def adaptive_avg_pool3d(x: Array, output_size: OutputSize) -> Array:
    """Average volumes down (or up) to a given size: `adaptive_avg_pool2d` over (N, C, D, H, W).

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or (C, D, H, W)
        Volumes, floating dtype.
    output_size : int or tuple of three, each int or None
        Size of the result.

    Returns
    -------
    array, shape (N, C, OD, OH, OW) or (C, OD, OH, OW)
        In the dtype of ``x``.
    """
    return _adaptive_avg_pool(3, x, output_size)
