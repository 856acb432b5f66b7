"""The windows of a pool, in one, two and three dimensions.

A pool needs no columns: for each element of the window, the part of the input that it meets is
compared with, or added to, what there is so far. That takes memory of the output's size only.
Where windows hang over the border, the parts are clipped instead of the input being padded.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from .._shapes import ntuple, output_sizes, window_span
from .._typing import Array, IntOrTuple, Pair


class PoolWindows(NamedTuple):
    """Sizes of a pool's windows over an input of spatial size ``sizes``."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[Pair, ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]

    def parts(self) -> Iterator[tuple[int, tuple[slice, ...], tuple[slice, ...]]]:
        """For each element of the window: its number, and the (output, input) parts that meet.

        The keys are for channels-last arrays; elements that meet only padding are left out.
        """
        ranges = [
            [_clip(*row, k) for k in range(row[1])]
            for row in zip(
                self.sizes,
                self.kernel,
                self.stride,
                self.pads,
                self.dilation,
                self.out,
                strict=True,
            )
        ]
        for number, pairs in enumerate(itertools.product(*ranges)):
            present = [pair for pair in pairs if pair is not None]
            if len(present) == len(pairs):
                output, source = zip(*present, strict=True)
                yield number, (slice(None), *output, ...), (slice(None), *source, ...)

    @property
    def inside(self) -> bool:
        """Whether every window lies wholly within the input."""
        return not any(map(any, self.pads)) and all(
            (o - 1) * s + window_span(k, d) <= size
            for size, k, s, d, o in zip(
                self.sizes, self.kernel, self.stride, self.dilation, self.out, strict=True
            )
        )


def _clip(
    size: int, kernel: int, stride: int, pad: Pair, dilation: int, out: int, k: int
) -> tuple[slice, slice] | None:
    """Windows whose k-th element lies within the input, and the input elements that they meet."""
    shift = k * dilation - pad[0]  # window o meets element o * stride + shift
    low = max(0, -(shift // stride))
    high = min(out, (size - 1 - shift) // stride + 1)
    if low >= high:
        return None
    first = low * stride + shift
    return slice(low, high), slice(first, first + (high - low - 1) * stride + 1, stride)


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
    for p, k, d in zip(amounts, kernel, spread, strict=True):
        if p > window_span(k, d) // 2:
            raise ValueError(
                f"padding must be at most half of the window: padding={amounts}, "
                f"kernel_size={kernel}, dilation={spread}"
            )
    pads = tuple((p, p) for p in amounts)
    sizes = tuple(x.shape[2:])
    channels = x.shape[1]
    out = output_sizes(sizes, kernel, steps, pads, spread, channels=channels, ceil_mode=ceil_mode)
    return PoolWindows(sizes, kernel, steps, pads, spread, out)
