"""One convolution as a value: what an engine needs to know before it sees an array."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache

from .._arrays import dtype_name
from .._libraries import library_of
from .._shapes import output_size, window_span
from .._typing import Array, Pair


@dataclass(frozen=True)
class Problem:
    """Sizes of an N-d convolution; spatial tuples in the order (D, H, W).

    Parameters
    ----------
    batch : int
        N, the number of images.
    in_channels, out_channels : int
        C and O.
    in_size : tuple of int
        Spatial size of the input, without padding.
    kernel_size, stride, dilation : tuple of int
        One entry per spatial dimension.
    padding : tuple of (int, int)
        Zeros before and after each spatial dimension.
    groups : int
        Number of groups that channels are split into.
    dtype, library : str
        Of the arrays, as in ``"float32"`` and ``"numpy"``. Empty where they are not known yet;
        then only engines that work for all of them are chosen.
    """

    batch: int
    in_channels: int
    out_channels: int
    in_size: tuple[int, ...]
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[Pair, ...]
    dilation: tuple[int, ...]
    groups: int = 1
    dtype: str = ""
    library: str = ""

    def of(self, array: Array) -> Problem:
        """Return the problem for arrays such as this one."""
        return _placed(self, dtype_name(array.dtype), library_of(array))

    def __hash__(self) -> int:
        """Count once what caches of engines and plans ask for at each call."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in fields(self)))

    def __str__(self) -> str:
        """Return the problem in the words of the field, as ``3x3 64>128, 56x56, stride 2``."""
        parts = [
            f"{_by(self.kernel_size)} {self.in_channels}>{self.out_channels}, {_by(self.in_size)}",
            f"batch {self.batch}",
        ]
        if not self.unit_stride:
            parts.append(f"stride {_by(self.stride)}")
        if self.padded:
            parts.append(f"padding {','.join(f'{a}+{b}' for a, b in self.padding)}")
        if any(d != 1 for d in self.dilation):
            parts.append(f"dilation {_by(self.dilation)}")
        if self.groups != 1:
            parts.append(f"{self.groups} groups")
        return ", ".join([*parts, *filter(None, [self.dtype, self.library])])

    @cached_property
    def out_size(self) -> tuple[int, ...]:
        """Spatial size of the output."""
        return tuple(
            output_size(*row)
            for row in zip(
                self.in_size,
                self.kernel_size,
                self.stride,
                self.padding,
                self.dilation,
                strict=True,
            )
        )

    @property
    def ndim(self) -> int:
        """Number of spatial dimensions."""
        return len(self.kernel_size)

    @property
    def group_in(self) -> int:
        """Input channels of one group."""
        return self.in_channels // self.groups

    @property
    def group_out(self) -> int:
        """Output channels of one group."""
        return self.out_channels // self.groups

    @property
    def window(self) -> int:
        """Numbers under one window of one group: the inner length of the matrix product."""
        return math.prod(self.kernel_size) * self.group_in

    @property
    def flops(self) -> int:
        """Operations of one task by the definition; a multiply-add counts as two."""
        places = self.batch * math.prod(self.out_size)
        return 2 * places * self.window * self.out_channels

    @property
    def empty(self) -> bool:
        """Whether there is nothing to multiply."""
        return 0 in (
            self.batch,
            self.in_channels,
            self.out_channels,
            *self.in_size,
            *self.kernel_size,
        )

    @property
    def padded(self) -> bool:
        """Whether there is any padding."""
        return any(before or after for before, after in self.padding)

    @property
    def unit_stride(self) -> bool:
        """Whether windows step by one."""
        return all(s == 1 for s in self.stride)

    def input_problem(self) -> Problem | None:
        """Return the unit-stride convolution that computes the input gradient, if there is one.

        With stride 1 the input gradient is the full correlation of ``dy`` with the kernel turned
        around: a convolution of ``dy`` whose padding is the window's span less one less the
        padding. ``None`` if the stride is not 1 or that padding would be negative.
        """
        if not self.unit_stride:
            return None
        reach = [
            window_span(k, d) - 1 for k, d in zip(self.kernel_size, self.dilation, strict=True)
        ]
        pads = tuple(
            (r - before, r - after) for r, (before, after) in zip(reach, self.padding, strict=True)
        )
        if any(before < 0 or after < 0 for before, after in pads):
            return None
        return Problem(
            self.batch,
            self.out_channels,
            self.in_channels,
            self.out_size,
            self.kernel_size,
            self.stride,
            pads,
            self.dilation,
            self.groups,
            self.dtype,
            self.library,
        )


@lru_cache(maxsize=4096)
def _placed(problem: Problem, dtype: str, library: str) -> Problem:
    return replace(problem, dtype=dtype, library=library)


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
