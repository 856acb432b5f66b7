"""Windows laid out as columns and added back: im2col and col2im, in PyTorch's shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from array_api_compat import device

from .._arrays import add_at, is_floating, namespace, put
from .._shapes import not_spread, ntuple, output_sizes, padding_pairs, possible_padded
from .._typing import Array, IntOrTuple, Padding, Pair, Pullback
from ..engines import offsets
from ._precision import narrowed, widened
from ._registry import differentiable


class _Windows(NamedTuple):
    """How windows lie on an input, all numbers checked: one entry for each spatial dimension."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    spread: tuple[int, ...]
    pads: tuple[Pair, ...]
    steps: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def padded(self) -> tuple[int, ...]:
        return tuple(size + sum(pair) for size, pair in zip(self.sizes, self.pads, strict=True))

    @property
    def inner(self) -> tuple[slice, ...]:
        """Key of the input in its padded copy."""
        rows = zip(self.sizes, self.pads, strict=True)
        return tuple(slice(before, before + size) for size, (before, _) in rows)


def _unfold_vjp(
    x: Array,
    kernel_size: IntOrTuple,
    dilation: IntOrTuple = 1,
    padding: Padding = 0,
    stride: IntOrTuple = 1,
) -> tuple[Array, Pullback]:
    windows = _unfolded(x, kernel_size, dilation, padding, stride)
    has_gradient = is_floating(x)
    return _columns(x, windows), lambda dy: (_sums(dy, windows) if has_gradient else None,)


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
    x : array, shape (N, C, H, W) or (C, H, W); also (N, C, L) and (N, C, D, H, W)
        Input with two spatial dimensions, or with one or three if ``kernel_size`` says so.
    kernel_size : int or tuple of int
        Size of the windows. A tuple's length says how many spatial dimensions there are; an int
        stands for two, as in PyTorch.
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
    return _columns(x, _unfolded(x, kernel_size, dilation, padding, stride))


def _fold_vjp(
    x: Array,
    output_size: IntOrTuple,
    kernel_size: IntOrTuple,
    dilation: IntOrTuple = 1,
    padding: Padding = 0,
    stride: IntOrTuple = 1,
) -> tuple[Array, Pullback]:
    windows = _folded(x, output_size, kernel_size, dilation, padding, stride)
    has_gradient = is_floating(x)
    return _sums(x, windows), lambda dy: (_columns(dy, windows) if has_gradient else None,)


@differentiable(_fold_vjp)
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
    return _sums(x, _folded(x, output_size, kernel_size, dilation, padding, stride))


im2col = unfold
col2im = fold


def _columns(x: Array, windows: _Windows) -> Array:
    """(..., C, *sizes) -> (..., C*prod(kernel), prod(out))."""
    xp = namespace(x=x)
    lead = tuple(x.shape[: x.ndim - len(windows.kernel)])
    if windows.padded != windows.sizes:
        zeros = xp.zeros((*lead, *windows.padded), dtype=x.dtype, device=device(x))
        x = put(zeros, (..., *windows.inner), x)
    shape = (*lead, math.prod(windows.kernel), *windows.out)
    cols = xp.empty(shape, dtype=x.dtype, device=device(x))
    before = (slice(None),) * len(lead)
    for k, key in enumerate(_offsets(windows)):
        cols = put(cols, (*before, k, ...), x[(..., *key)])
    rows = lead[-1] * math.prod(windows.kernel)
    return xp.reshape(cols, (*lead[:-1], rows, math.prod(windows.out)))


def _sums(x: Array, windows: _Windows) -> Array:
    """(..., C*prod(kernel), prod(out)) -> (..., C, *sizes), halves added up in single."""
    xp = namespace(x=x)
    dtype, count = x.dtype, math.prod(windows.kernel)
    # The standard adds no truth values.
    x = xp.astype(x, xp.int32) if "bool" in str(dtype) else widened(x)
    lead = (*x.shape[:-2], x.shape[-2] // count)
    y = xp.zeros((*lead, *windows.padded), dtype=x.dtype, device=device(x))
    cols = xp.reshape(x, (*lead, count, *windows.out))
    before = (slice(None),) * len(lead)
    for k, key in enumerate(_offsets(windows)):
        y = add_at(y, (..., *key), cols[(*before, k, ...)])
    return narrowed(y[(..., *windows.inner)], dtype)


def _offsets(windows: _Windows) -> Iterator[tuple[slice, ...]]:
    return offsets(windows.kernel, windows.steps, windows.spread, windows.out)


def _unfolded(
    x: Array, kernel_size: IntOrTuple, dilation: IntOrTuple, padding: Padding, stride: IntOrTuple
) -> _Windows:
    """Check the arguments of `unfold`."""
    namespace(x=x)
    n = _length(kernel_size) or 2
    if x.ndim != n + 2 and (n, x.ndim) != (2, 3):
        raise ValueError(
            f"x must have {n + 2} axes (N, C, ...){' or 3 (C, H, W)' * (n == 2)} for windows in "
            f"{n} dimension(s), got shape {tuple(x.shape)}"
        )
    sizes, channels = tuple(x.shape[-n:]), x.shape[-n - 1]
    if 0 in (channels, *sizes):  # only a batch may be empty
        raise ValueError(
            f"all dimensions of x but the batch must be positive, got shape {tuple(x.shape)}"
        )
    return _windows(sizes, kernel_size, dilation, padding, stride, channels)


def _folded(
    x: Array,
    output_size: IntOrTuple,
    kernel_size: IntOrTuple,
    dilation: IntOrTuple,
    padding: Padding,
    stride: IntOrTuple,
) -> _Windows:
    """Check the arguments of `fold`."""
    namespace(x=x)
    n = max(_length(output_size), _length(kernel_size)) or 2
    sizes = ntuple(output_size, n, "output_size", minimum=1)
    windows = _windows(sizes, kernel_size, dilation, padding, stride)
    if x.ndim not in (2, 3):
        raise ValueError(
            "x must have shape (N, C*prod(kernel_size), L) or (C*prod(kernel_size), L), "
            f"got {tuple(x.shape)}"
        )
    rows, length = x.shape[-2:]
    count, places = math.prod(windows.kernel), math.prod(windows.out)
    if rows % count or rows == 0:
        raise ValueError(
            f"x of shape {tuple(x.shape)} has {rows} rows, not a multiple of the "
            f"{count} elements of a window of size {windows.kernel}"
        )
    if length != places:
        raise ValueError(
            f"output_size {sizes} has {' x '.join(map(str, windows.out))} = {places} windows, "
            f"but x of shape {tuple(x.shape)} has {length} columns"
        )
    return windows


def _windows(
    sizes: tuple[int, ...],
    kernel_size: IntOrTuple,
    dilation: IntOrTuple,
    padding: Padding,
    stride: IntOrTuple,
    channels: int | None = None,
) -> _Windows:
    n = len(sizes)
    not_spread(n, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)
    kernel = ntuple(kernel_size, n, "kernel_size", minimum=1)
    spread = ntuple(dilation, n, "dilation", minimum=1)
    steps = ntuple(stride, n, "stride", minimum=1)
    pads = padding_pairs(padding, kernel, steps, spread)
    out = output_sizes(sizes, kernel, steps, pads, spread, channels=channels)
    possible_padded(sizes, pads)
    return _Windows(sizes, kernel, spread, pads, steps, out)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, Sequence) and not isinstance(value, str) else 0
