"""The windows of a pool, in one, two and three dimensions.

A pool needs no columns: for each element of the window, the part of the input that it meets is
compared with, or added to, what there is so far. That takes memory of the output's size only.
Where windows hang over the border, the parts are clipped instead of the input being padded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._shapes import ntuple, output_sizes, window_span
from .._typing import Array, IntOrTuple


class Axis(NamedTuple):
    """One spatial dimension of a pool: ``out`` windows over an input of ``size`` elements."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    out: int

    @property
    def inside(self) -> bool:
        """Whether every window lies wholly within the input."""
        end = (self.out - 1) * self.stride + window_span(self.kernel, self.dilation)
        return self.padding == 0 and end <= self.size

    def clip(self, k: int) -> tuple[slice, slice] | None:
        """Windows whose k-th element lies within the input, and the elements that they meet."""
        shift = k * self.dilation - self.padding  # window o meets element o * stride + shift
        low = max(0, -(shift // self.stride))
        high = min(self.out, (self.size - 1 - shift) // self.stride + 1)
        if low >= high:
            return None
        first = low * self.stride + shift
        last = first + (high - low - 1) * self.stride
        return slice(low, high), slice(first, last + 1, self.stride)


class Part(NamedTuple):
    """What one element of the window meets: keys of channels-last arrays."""

    number: int
    output: tuple[Any, ...]
    source: tuple[Any, ...]


@dataclass(frozen=True)
class PoolWindows:
    """The windows of a pool, one `Axis` per spatial dimension."""

    axes: tuple[Axis, ...]

    @property
    def elements(self) -> int:
        """Number of elements of a window."""
        return math.prod(axis.kernel for axis in self.axes)

    @property
    def out(self) -> tuple[int, ...]:
        """Spatial size of the output."""
        return tuple(axis.out for axis in self.axes)

    @property
    def inside(self) -> bool:
        """Whether every window lies wholly within the input."""
        return all(axis.inside for axis in self.axes)

    def parts(self) -> Iterator[Part]:
        """For each element of the window, what it meets; not those that meet only padding."""
        clipped = [[axis.clip(k) for k in range(axis.kernel)] for axis in self.axes]
        for number, pairs in enumerate(itertools.product(*clipped)):
            present = [pair for pair in pairs if pair is not None]
            if len(present) == len(pairs):
                output, source = zip(*present, strict=True)
                yield Part(number, (slice(None), *output, ...), (slice(None), *source, ...))


def pool_windows(
    n: int,
    x: Array,
    kernel_size: IntOrTuple,
    stride: IntOrTuple | None,
    padding: IntOrTuple,
    dilation: IntOrTuple,
    ceil_mode: bool,
) -> PoolWindows:
    """Check the arguments of a pool over ``x`` (N, C, ...) with ``n`` spatial dimensions."""
    kernel = ntuple(kernel_size, n, "kernel_size", minimum=1)
    steps = kernel if stride is None else ntuple(stride, n, "stride", minimum=1)
    spread = ntuple(dilation, n, "dilation", minimum=1)
    amounts = ntuple(padding, n, "padding", minimum=0)
    if any(p > k // 2 for p, k in zip(amounts, kernel, strict=True)):
        raise ValueError(
            f"padding must be at most half of the kernel size: padding={amounts}, "
            f"kernel_size={kernel}"
        )
    pads = tuple((p, p) for p in amounts)
    sizes = tuple(x.shape[2:])
    channels = x.shape[1]
    out = output_sizes(sizes, kernel, steps, pads, spread, channels=channels, ceil_mode=ceil_mode)
    rows = zip(sizes, kernel, steps, amounts, spread, out, strict=True)
    return PoolWindows(tuple(Axis(*row) for row in rows))
