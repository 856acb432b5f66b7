"""Windows laid out as columns and added back: im2col and col2im, in PyTorch's shapes."""

from __future__ import annotations

import math

from array_api_compat import device

from .._arrays import add_at, is_floating, namespace, put
from .._shapes import ntuple, output_sizes, padding_pairs
from .._typing import Array, IntOrTuple, Namespace, Padding, Pair, Pullback
from ..engines import offsets
from ._precision import in_single, rule_in_single
from ._registry import differentiable


def _unfold_vjp(
    x: Array,
    kernel_size: IntOrTuple,
    dilation: IntOrTuple = 1,
    padding: Padding = 0,
    stride: IntOrTuple = 1,
) -> tuple[Array, Pullback]:
    y = unfold(x, kernel_size, dilation, padding, stride)
    n = _spatial_dims(kernel_size, x.ndim)
    sizes, has_gradient = tuple(x.shape[-n:]), is_floating(namespace(x=x), x)
    kernel = ntuple(kernel_size, n, "kernel_size")

    def pullback(dy: Array) -> tuple[Array | None]:
        return (fold(dy, sizes, kernel, dilation, padding, stride) if has_gradient else None,)

    return y, pullback


@differentiable(_unfold_vjp)
def unfold(
    x: Array,
    kernel_size: IntOrTuple,
    dilation: IntOrTuple = 1,
    padding: Padding = 0,
    stride: IntOrTuple = 1,
) -> Array:
    """Lay every window of the input out as a column: im2col.

    Parameters
    ----------
    x : array, shape (N, C, *S) or (C, *S)
        Input with one, two or three spatial dimensions.
    kernel_size : int or tuple of int
        Size of the windows. A tuple's length says how many spatial dimensions there are; an int
        stands for two, as in PyTorch, or for three if ``x`` has five axes.
    dilation, padding, stride
        As in `conv2d`.

    Returns
    -------
    array, shape (N, C*prod(kernel_size), L) or (C*prod(kernel_size), L)
        One column for each of the L windows, in row-major order; within a column the channel
        varies slowest. Counterpart of ``torch.nn.functional.unfold``.

    Raises
    ------
    ValueError
        If sizes do not fit.

    Examples
    --------
    >>> from xpconv import get_backend
    >>> x = get_backend("numpy").asarray([[[1, 2, 3], [4, 5, 6]]])
    >>> unfold(x, 2)
    array([[1, 2],
           [2, 3],
           [4, 5],
           [5, 6]])
    """
    xp = namespace(x=x)
    n = _spatial_dims(kernel_size, x.ndim)
    if x.ndim not in (n + 1, n + 2):
        raise ValueError(
            f"x must have {n + 2} axes (N, C, ...) or {n + 1} (C, ...) for windows in {n} "
            f"dimension(s), got shape {tuple(x.shape)}"
        )
    *lead, channels = x.shape[:-n]
    sizes = tuple(x.shape[-n:])
    if 0 in (channels, *sizes):  # only a batch may be empty
        raise ValueError(
            f"all dimensions of x but the batch must be positive, got shape {tuple(x.shape)}"
        )
    kernel, spread, pads, steps = _windows(n, kernel_size, dilation, padding, stride)
    out = output_sizes(sizes, kernel, steps, pads, spread, channels=channels)
    padded = _pad(xp, x, pads)
    shape = (*lead, channels, math.prod(kernel), *out)
    cols = xp.empty(shape, dtype=x.dtype, device=device(x))
    before = (slice(None),) * (len(lead) + 1)
    for k, key in enumerate(offsets(kernel, steps, spread, out)):
        cols = put(cols, (*before, k, ...), padded[(..., *key)])
    return xp.reshape(cols, (*lead, channels * math.prod(kernel), math.prod(out)))


@rule_in_single
def _fold_vjp(
    x: Array,
    output_size: IntOrTuple,
    kernel_size: IntOrTuple,
    dilation: IntOrTuple = 1,
    padding: Padding = 0,
    stride: IntOrTuple = 1,
) -> tuple[Array, Pullback]:
    y = fold(x, output_size, kernel_size, dilation, padding, stride)
    n = y.ndim - x.ndim + 1
    kernel, has_gradient = ntuple(kernel_size, n, "kernel_size"), is_floating(namespace(x=x), x)

    def pullback(dy: Array) -> tuple[Array | None]:
        return (unfold(dy, kernel, dilation, padding, stride) if has_gradient else None,)

    return y, pullback


@differentiable(_fold_vjp)
@in_single
def fold(
    x: Array,
    output_size: IntOrTuple,
    kernel_size: IntOrTuple,
    dilation: IntOrTuple = 1,
    padding: Padding = 0,
    stride: IntOrTuple = 1,
) -> Array:
    """Add every column back to where `unfold` took it from: col2im, the adjoint of im2col.

    Parameters
    ----------
    x : array, shape (N, C*prod(kernel_size), L) or (C*prod(kernel_size), L)
        Columns.
    output_size : int or tuple of int
        Spatial size of the result; a tuple's length says how many dimensions, an int stands for
        two (or for as many as ``kernel_size`` has).
    kernel_size, dilation, padding, stride
        As in `unfold`.

    Returns
    -------
    array, shape (N, C, *output_size) or (C, *output_size)
        Sums over the overlapping windows. Counterpart of ``torch.nn.functional.fold``.

    Raises
    ------
    ValueError
        If sizes do not fit.
    """
    xp = namespace(x=x)
    n = max(_length(output_size), _length(kernel_size)) or 2
    sizes = ntuple(output_size, n, "output_size", minimum=1)
    kernel, spread, pads, steps = _windows(n, kernel_size, dilation, padding, stride)
    if x.ndim not in (2, 3):
        raise ValueError(
            "x must have shape (N, C*prod(kernel_size), L) or (C*prod(kernel_size), L), "
            f"got {tuple(x.shape)}"
        )
    *lead, rows, length = x.shape
    count = math.prod(kernel)
    if rows % count or rows == 0:
        raise ValueError(
            f"x of shape {tuple(x.shape)} has {rows} rows, not a multiple of the "
            f"{count} elements of a window of size {kernel}"
        )
    out = output_sizes(sizes, kernel, steps, pads, spread)
    if length != math.prod(out):
        raise ValueError(
            f"output_size {sizes} has {' x '.join(map(str, out))} = {math.prod(out)} windows, "
            f"but x of shape {tuple(x.shape)} has {length} columns"
        )
    if "bool" in str(x.dtype):  # the standard adds no truth values
        counts = fold(xp.astype(x, xp.int32), sizes, kernel, spread, pads, steps)
        return xp.astype(counts, x.dtype)
    channels = rows // count
    padded = [size + sum(pair) for size, pair in zip(sizes, pads, strict=True)]
    y = xp.zeros((*lead, channels, *padded), dtype=x.dtype, device=device(x))
    cols = xp.reshape(x, (*lead, channels, count, *out))
    before = (slice(None),) * (len(lead) + 1)
    for k, key in enumerate(offsets(kernel, steps, spread, out)):
        y = add_at(y, (..., *key), cols[(*before, k, ...)])
    inner = (slice(p, p + size) for size, (p, _) in zip(sizes, pads, strict=True))
    return y[(..., *inner)]


im2col = unfold
col2im = fold


def _length(value: IntOrTuple) -> int:
    return 0 if isinstance(value, int) else len(value)


def _spatial_dims(kernel_size: IntOrTuple, ndim: int) -> int:
    return _length(kernel_size) or max(2, ndim - 2)


def _windows(
    n: int, kernel_size: IntOrTuple, dilation: IntOrTuple, padding: Padding, stride: IntOrTuple
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[Pair, ...], tuple[int, ...]]:
    kernel = ntuple(kernel_size, n, "kernel_size", minimum=1)
    spread = ntuple(dilation, n, "dilation", minimum=1)
    steps = ntuple(stride, n, "stride", minimum=1)
    return kernel, spread, padding_pairs(padding, kernel, steps, spread), steps


def _pad(xp: Namespace, x: Array, pads: tuple[Pair, ...]) -> Array:
    if not any(map(any, pads)):
        return x
    sizes = x.shape[-len(pads) :]
    shape = [size + sum(pair) for size, pair in zip(sizes, pads, strict=True)]
    inner = tuple(slice(p, p + size) for size, (p, _) in zip(sizes, pads, strict=True))
    zeros = xp.zeros((*x.shape[: -len(pads)], *shape), dtype=x.dtype, device=device(x))
    return put(zeros, (..., *inner), x)
