"""Max unpooling: values put back to where a max pool found them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from array_api_compat import device, is_numpy_namespace

from .._arrays import clip, namespace, put, require_floating
from .._shapes import integer, not_spread, ntuple, possible
from .._typing import Array, IntOrTuple, Namespace, Pullback
from ._layout import batched
from ._loss_operands import fails
from ._pool_windows import require_elements
from ._registry import differentiable


def _output_size(
    n: int,
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None,
    padding: IntOrTuple,
    output_size: Sequence[int] | None,
) -> tuple[int, ...]:
    not_spread(n, kernel_size=kernel_size, stride=stride, padding=padding)
    kernel = ntuple(kernel_size, n, "kernel_size", minimum=1)
    steps = kernel if stride is None else ntuple(stride, n, "stride", minimum=1)
    pads = ntuple(padding, n, "padding", minimum=0)
    rows = list(zip(x.shape[2:], kernel, steps, pads, strict=True))
    default = tuple((size - 1) * step + k - 2 * pad for size, k, step, pad in rows)
    if output_size is None:
        if min(default) < 0:
            raise ValueError(f"output_size must be non-negative, calculated {default}")
        return default
    if not isinstance(output_size, list | tuple):
        raise TypeError(f"output_size must be a tuple of ints, got {output_size!r}")
    if len(output_size) not in (n, n + 2):
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a "
            f"length of {len(output_size)}"
        )
    wanted = tuple(integer(size, "output_size") for size in output_size[-n:])
    for axis, (size, usual, step) in enumerate(zip(wanted, default, steps, strict=True)):
        if not usual - step < size < usual + step or size < 0:
            raise ValueError(
                f'invalid output_size "{tuple(output_size)}" (dim {axis} must be between '
                f"{usual - step} and {usual + step})"
            )
    return wanted


def _max_unpool_vjp(
    n: int,
    x: Array,
    indices: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    output_size: Sequence[int] | None = None,
) -> tuple[Array, Pullback]:
    xp = namespace(("indices",), x=x, indices=indices)
    require_floating(x=x)
    if indices.dtype != xp.int64:
        raise TypeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    batch = batched(n, x)
    if tuple(indices.shape) != tuple(x.shape):
        raise ValueError(
            f"indices must have the shape of x, {tuple(x.shape)}, got {tuple(indices.shape)}"
        )
    require_elements(batch, range(2 - (x.ndim == batch.ndim), n + 2))
    size = _output_size(n, batch, kernel_size, stride, padding, output_size)
    shape = (*x.shape[: x.ndim - n], *size)
    possible("the result", shape)
    if fails(xp, (indices < 0) | (indices >= math.prod(size))):
        low, high = int(xp.min(indices)), int(xp.max(indices))
        raise ValueError(
            f"Found an invalid max index: indices must be in 0 to {math.prod(size) - 1} for an "
            f"output of size {'x'.join(map(str, size))}, got values from {low} to {high}"
        )
    planes = (math.prod(x.shape[:-n]), math.prod(x.shape[-n:]))
    places = xp.reshape(indices, planes)
    start = xp.arange(planes[0], dtype=xp.int64, device=device(x)) * math.prod(size)
    flat = xp.reshape(places + xp.reshape(start, (-1, 1)), (-1,))
    y = _written(xp, xp.reshape(x, (-1,)), flat, planes[0] * math.prod(size))

    def pullback(dy: Array) -> tuple[Array | None, ...]:
        dx = xp.take(xp.reshape(dy, (-1,)), flat)
        return xp.reshape(dx, tuple(indices.shape)), None

    return xp.reshape(y, shape), pullback


def _written(xp: Namespace, values: Array, places: Array, size: int) -> Array:
    """Write values into zeros of a given size; the last of several for one place stays."""
    zeros = xp.zeros((size,), dtype=values.dtype, device=device(values))
    if is_numpy_namespace(xp):  # NumPy promises the order of such assignments
        return put(zeros, places, values)
    if values.shape[0] == 0:
        return zeros
    # Others have no such assignment, or leave the order open: each place looks up its last value.
    order = xp.argsort(places, stable=True)
    places = xp.take(places, order)
    place = xp.arange(size, dtype=xp.int64, device=device(values))
    last = clip(xp, xp.astype(xp.searchsorted(places, place, side="right"), xp.int64) - 1, low=0)
    found = xp.take(places, last) == place
    return xp.where(found, xp.take(values, xp.take(order, last)), zeros)


def _max_unpool(n: int, *arguments: Any) -> Array:
    return _max_unpool_vjp(n, *arguments)[0]


@differentiable(partial(_max_unpool_vjp, 1))
def max_unpool1d(
    x: Array,
    indices: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Put the maxima of signals back to where they stood: `max_unpool2d` in one dimension.

    Parameters
    ----------
    x : array, shape (N, C, L) or (C, L)
        What `max_pool1d` returned, floating dtype.
    indices : array of int64, of the shape of ``x``
        The indices that it returned with it.
    kernel_size, stride, padding, output_size
        As in `max_unpool2d`.

    Returns
    -------
    array, shape (N, C, OL) or (C, OL)
        As in `max_unpool2d`.
    """
    return _max_unpool(1, x, indices, kernel_size, stride, padding, output_size)


@differentiable(partial(_max_unpool_vjp, 2))
def max_unpool2d(
    x: Array,
    indices: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Put the maxima of images back to where they stood, and zeros elsewhere.

    Parameters
    ----------
    x : array, shape (N, C, H, W) or (C, H, W)
        What `max_pool2d` returned, floating dtype.
    indices : array of int64, of the shape of ``x``
        The indices that it returned with it: positions in the flattened output plane.
    kernel_size : int or (int, int)
        Size of the windows that were pooled over.
    stride : int or (int, int), optional
        Their step; by default their size.
    padding : int or (int, int), default 0
        The padding that was pooled with.
    output_size : tuple of int, optional
        Size of the result, spatial or whole; the default is ``(H - 1) * stride + kernel_size -
        2 * padding``, and others may differ from it by less than the stride, as pooling drops
        remainders.

    Returns
    -------
    array, shape (N, C, OH, OW) or (C, OH, OW)
        In the dtype of ``x``.

    Raises
    ------
    ValueError
        If shapes differ, ``output_size`` is not possible, or an index lies outside the output. To
        look for such an index means to wait for the device; `labels_checked` leaves that out.
    TypeError
        If ``indices`` are not int64, or ``x`` is not floating.

    Notes
    -----
    Where windows overlapped, an index may occur several times: the last value in memory order of
    (N, C, H, W) stays, and each of them receives the gradient of the place. Counterpart of
    ``torch.nn.functional.max_unpool2d``.

    Examples
    --------
    >>> from xpconv import get_backend, ops
    >>> x = get_backend("numpy").asarray([[[1.0, 5.0, 2.0, 0.0], [3.0, 3.0, 8.0, 6.0]]])
    >>> max_unpool2d(*ops.max_pool2d(x, 2, return_indices=True), 2)
    array([[[0., 5., 0., 0.],
            [0., 0., 8., 0.]]])
    """
    return _max_unpool(2, x, indices, kernel_size, stride, padding, output_size)


@differentiable(partial(_max_unpool_vjp, 3))
def max_unpool3d(
    x: Array,
    indices: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None = None,
    padding: IntOrTuple = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Put the maxima of volumes back to where they stood: `max_unpool2d` in three dimensions.

    Parameters
    ----------
    x : array, shape (N, C, D, H, W) or (C, D, H, W)
        What `max_pool3d` returned, floating dtype.
    indices : array of int64, of the shape of ``x``
        The indices that it returned with it.
    kernel_size, stride, padding, output_size
        As in `max_unpool2d`.

    Returns
    -------
    array, shape (N, C, OD, OH, OW) or (C, OD, OH, OW)
        As in `max_unpool2d`.
    """
    return _max_unpool(3, x, indices, kernel_size, stride, padding, output_size)
