"""What max and average pooling share: their windows, and arrays in channels-last memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from array_api_compat import device

from ..._typing import Array, DType, Namespace
from ._geometry import struct


class Window(Protocol):
    """Equal windows of ``kernel`` elements along one axis."""

    @property
    def size(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def padding(self) -> int: ...
    @property
    def dilation(self) -> int: ...
    @property
    def out(self) -> int: ...


def channels_last_view(x: Array) -> Array:
    """(N, C, ...) -> (N, ..., C)."""
    return x.transpose(0, *range(2, x.ndim), 1)


def channels_first_empty(
    xp: Namespace, like: Array, size: tuple[int, ...], dtype: DType
) -> tuple[Array, Array]:
    """Return an array (N, C, *size) in channels-last memory, and its view in that order."""
    last = xp.empty((like.shape[0], *size, like.shape[1]), dtype=dtype, device=device(like))
    return last.transpose(0, last.ndim - 1, *range(1, last.ndim - 1)), last


def geometry(index: str, image: Array, pack: int, windows: Sequence[Window]) -> Any:
    """Return the struct of a pool's windows, with the steps of ``image`` (N, ..., C)."""
    return struct(
        index,
        image,
        pack,
        image.shape[-1],
        ([w.size for w in windows], [w.out for w in windows]),
        [w.kernel for w in windows],
        [w.stride for w in windows],
        [w.dilation for w in windows],
        [w.padding for w in windows],
    )
