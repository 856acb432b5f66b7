"""Layers that only lay their input out anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import ops
from .._shapes import integer
from ..ops._reshape import split_sizes
from ._stateless import Stateless


class _Layout(Stateless):
    """A change of shape costs no arithmetic."""

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 0


class Flatten(_Layout):
    """Merge axes into one; see `xpconv.ops.flatten`.

    Parameters
    ----------
    start_dim, end_dim : int, default 1 and -1
        First and last axis to merge.
    """

    _op = staticmethod(ops.flatten)


class Unfold(_Layout):
    """Lay windows out as columns; see `xpconv.ops.unfold`.

    Parameters
    ----------
    kernel_size, dilation, padding, stride : int or tuple of int
        As in `xpconv.ops.unfold`.
    """

    _op = staticmethod(ops.unfold)


class Fold(Stateless):
    """Add columns back to where windows took them from; see `xpconv.ops.fold`.

    Parameters
    ----------
    output_size, kernel_size, dilation, padding, stride : int or tuple of int
        As in `xpconv.ops.fold`.
    """

    _op = staticmethod(ops.fold)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return math.prod(input_shapes[0])


class Unflatten(_Layout):
    """Split one axis into several; see `xpconv.ops.unflatten`.

    Parameters
    ----------
    dim : int
        The axis to split.
    unflattened_size : tuple of int
        What to split it into; one of them may be -1, to be worked out.
    """

    _op = staticmethod(ops.unflatten)

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim = integer(dim, "dim")
        self.unflattened_size = split_sizes(unflattened_size, "unflattened_size")

    @property
    def _options(self) -> dict[str, Any]:
        return {"dim": self.dim, "sizes": self.unflattened_size}

    def _describe(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
