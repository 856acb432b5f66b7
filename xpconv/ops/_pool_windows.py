"""The windows of a pool, one spatial dimension at a time.

A pool over a window is a pool along its rows and then along its columns. So every pool here is a
composition of pools along one axis: a window of k x k elements costs 2k steps instead of k*k, and
one implementation serves one, two and three dimensions. A step takes one element of every window:
a strided slice of the input, compared with, or added to, what there is so far. Where windows hang
over the border the slices are clipped instead of the input being padded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from array_api_compat import device

from .._arrays import dtype_name, is_complex
from .._shapes import (
    integer,
    is_plain,
    ntuple,
    output_sizes,
    possible,
    possible_padded,
    window_span,
)
from .._typing import Array, IntOrTuple, Namespace
from ._layout import channels_first

OutputSize = IntOrTuple | Sequence[int | None]


class Part(NamedTuple):
    """One element of the windows: its number, windows that have it, elements that they meet."""

    number: int
    output: slice
    source: slice


class Axis(Protocol):
    """``out`` windows along an axis of ``size`` elements, the longest of ``kernel`` elements."""

    @property
    def size(self) -> int: ...
    @property
    def out(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def dilation(self) -> int: ...
    @property
    def whole(self) -> bool:
        """Whether all windows are alike and lie wholly within the input."""

    @property
    def disjoint(self) -> bool:
        """Whether it is known that no element lies in two windows."""

    @property
    def trivial(self) -> bool:
        """Whether it is known that every element is a window of its own."""

    def parts(self) -> list[Part]:
        """What each element of the windows meets; without those that meet only padding."""

    def starts(self, xp: Namespace, place: Any) -> Array:
        """Where each window starts, in elements of the input."""


class Windows(NamedTuple):
    """Equal windows of ``kernel`` elements, ``stride`` elements apart."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    out: int

    @property
    def whole(self) -> bool:
        end = (self.out - 1) * self.stride + window_span(self.kernel, self.dilation)
        return self.padding == 0 and end <= self.size

    @property
    def disjoint(self) -> bool:
        return self.stride >= window_span(self.kernel, self.dilation)

    @property
    def trivial(self) -> bool:
        return self.kernel == 1 and self.out == self.size and self.whole

    def parts(self) -> list[Part]:
        parts = []
        for k in range(self.kernel):
            shift = k * self.dilation - self.padding  # window o meets element o * stride + shift
            low = max(0, -(shift // self.stride))
            high = min(self.out, (self.size - 1 - shift) // self.stride + 1)
            if low < high:
                first = low * self.stride + shift
                last = first + (high - low - 1) * self.stride
                parts.append(Part(k, slice(low, high), slice(first, last + 1, self.stride)))
        return parts

    def starts(self, xp: Namespace, place: Any) -> Array:
        return xp.arange(self.out, dtype=xp.int64, device=place) * self.stride - self.padding


class Adaptive(NamedTuple):
    """Windows of unequal sizes, from floor(o*size/out) to ceil((o+1)*size/out)."""

    size: int
    out: int

    @property
    def dilation(self) -> int:
        return 1

    @property
    def whole(self) -> bool:
        return False

    @property
    def disjoint(self) -> bool:
        return False

    @property
    def trivial(self) -> bool:
        return False

    @property
    def kernel(self) -> int:
        return max(
            (stop - start for start, stop in map(self.bounds, range(self.period))), default=1
        )

    @property
    def period(self) -> int:
        """After how many windows the pattern of their sizes repeats."""
        return self.out // math.gcd(self.size, self.out) if self.out else 0

    def bounds(self, o: int) -> tuple[int, int]:
        """The first element of a window, and the one after its last."""
        return o * self.size // self.out, -(-(o + 1) * self.size // self.out)

    def parts(self) -> list[Part]:
        """The windows o, o + period, o + 2*period, ... are alike: elements at strided slices."""
        parts = []
        for o in range(self.period):
            start, stop = self.bounds(o)
            step = self.size * self.period // self.out
            output = slice(o, None, self.period)
            parts += [Part(k, output, slice(start + k, None, step)) for k in range(stop - start)]
        return parts

    def starts(self, xp: Namespace, place: Any) -> Array:
        return xp.arange(self.out, dtype=xp.int64, device=place) * self.size // max(self.out, 1)


def adaptive(size: int, out: int) -> Axis:
    """Windows that give ``out`` results along an axis of ``size`` elements."""
    if out and size % out == 0:
        return Windows(size, size // out, size // out, 0, 1, out)
    return Adaptive(size, out)


def all_equal(windows: Sequence[Axis]) -> bool:
    """Whether the windows along each axis are equal: fused bodies know no others."""
    return all(isinstance(along, Windows) for along in windows)


def apart(windows: Sequence[Axis]) -> bool:
    """Whether equal windows lie wholly within the input, and none over another."""
    return all_equal(windows) and all(along.whole and along.disjoint for along in windows)


def at(axis: int, key: slice) -> tuple[Any, ...]:
    """Key of a slice along one axis of an array."""
    return (*(slice(None),) * axis, key, ...)


def pool_windows(
    n: int,
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None,
    padding: IntOrTuple,
    dilation: IntOrTuple,
    ceil_mode: bool,
) -> tuple[Windows, ...]:
    """Check the arguments of a pool over ``x`` (N, C, ...) with ``n`` spatial dimensions."""
    shape, options = tuple(x.shape), (kernel_size, stride, padding, dilation)
    given = (kernel_size, kernel_size if stride is None else stride, padding, dilation)
    # Every step of a training asks again.
    found = _known_windows if is_plain(given) and is_plain(shape) else _pool_windows
    return found(n, shape, *options, bool(ceil_mode))


def _pool_windows(
    n: int,
    shape: tuple[int, ...],
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None,
    padding: IntOrTuple,
    dilation: IntOrTuple,
    ceil_mode: bool,
) -> tuple[Windows, ...]:
    """Return the windows over an array of a shape."""
    kernel = ntuple(kernel_size, n, "kernel_size", minimum=1)
    if stride is None or (isinstance(stride, Sequence) and len(stride) == 0):
        stride = kernel  # PyTorch's C++ writes "no stride given" as an empty list
    steps = ntuple(stride, n, "stride", minimum=1)
    spread = ntuple(dilation, n, "dilation", minimum=1)
    amounts = ntuple(padding, n, "padding", minimum=0)
    if any(p > k // 2 for p, k in zip(amounts, kernel, strict=True)):
        raise ValueError(
            f"padding must be at most half of the kernel size: padding={amounts}, "
            f"kernel_size={kernel}"
        )
    _require_elements(shape, range(1, n + 2))
    pads = tuple((p, p) for p in amounts)
    channels, sizes = shape[1], shape[2:]
    out = output_sizes(sizes, kernel, steps, pads, spread, channels=channels, ceil_mode=ceil_mode)
    possible_padded(sizes, pads)
    return tuple(map(Windows, sizes, kernel, steps, amounts, spread, out))


_known_windows = lru_cache(maxsize=4096)(_pool_windows)


def adaptive_windows(n: int, batch: Array, output_size: OutputSize) -> tuple[Axis, ...]:
    """Windows of an adaptive pool over ``batch`` (N, C, ...); None keeps an axis's size."""
    require_elements(batch, range(2, n + 2))
    if output_size is None:
        raise TypeError("output_size must be an int or a tuple, got None")
    one = not isinstance(output_size, list | tuple)
    sizes: Any = (output_size,) * n if one else output_size
    if len(sizes) != n:
        raise ValueError(
            f"output_size must be an int or a tuple of {n}, one per spatial dimension, "
            f"got {len(sizes)} entries: {output_size!r}"
        )
    if n == 1 and None in sizes:
        raise TypeError(f"output_size must be an int in 1-D, got {output_size!r}")
    kept = zip(sizes, batch.shape[2:], strict=True)
    wanted = [size if out is None else integer(out, "output_size") for out, size in kept]
    if min(wanted) < 0:
        raise ValueError(f"output_size must be non-negative, got {output_size!r}")
    possible("the result", (*batch.shape[:2], *wanted))
    return tuple(map(adaptive, batch.shape[2:], wanted))


def require_elements(x: Array, axes: Sequence[int]) -> None:
    """Refuse an array (N, C, ...) that is empty along one of ``axes``."""
    _require_elements(tuple(x.shape), axes)


def _require_elements(shape: tuple[int, ...], axes: Sequence[int]) -> None:
    if any(shape[axis] == 0 for axis in axes):
        raise ValueError(
            "x may be empty along its batch axis only: expected non-zero channels and spatial "
            f"sizes, got shape {shape}"
        )


def require_real(x: Array) -> None:
    """Refuse booleans and complex numbers, which have no order."""
    if dtype_name(x.dtype) == "bool" or is_complex(x):
        raise TypeError(f"x must have a real dtype, got {x.dtype}")


def zeros_last(xp: Namespace, like: Array, shape: Sequence[int], dtype: Any = None) -> Array:
    """Zeros of ``shape`` (N, C, ...), in channels-last memory as convolution leaves it."""
    n, c, *spatial = shape
    zeros = xp.zeros((n, *spatial, c), dtype=dtype or like.dtype, device=device(like))
    return channels_first(xp, zeros)
