"""Where the elements of a kernel fall on the input, as slices."""

from __future__ import annotations

import itertools
from collections.abc import Iterator


def offsets(
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    out_size: tuple[int, ...],
) -> Iterator[tuple[slice, ...]]:
    """For every element of the kernel, the input elements that it meets, one slice a dimension."""
    for offset in itertools.product(*map(range, kernel_size)):
        yield tuple(
            slice(k * d, k * d + (o - 1) * s + 1, s)
            for k, s, d, o in zip(offset, stride, dilation, out_size, strict=True)
        )
