"""The struct ``Windows`` of the sources: windows over a channels-last image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._typing import Array
from ._launch import index_dtype


def struct(
    index: str,
    image: Array,
    pack: int,
    channels: int,
    sizes: tuple[Sequence[int], Sequence[int]],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
) -> np.ndarray[Any, Any]:
    """Return the struct as a kernel takes it by value: an array of one entry.

    Parameters
    ----------
    index : str
        Type of its numbers.
    image : array, shape (N, ..., C)
        What the struct's ``step`` leads through.
    pack : int
        Channels that are read at once; ``channels`` and steps are counted in packs.
    sizes : (tuple, tuple)
        Spatial sizes of the input and of the output.
    kernel, stride, dilation, padding : tuple of int
        One number for each spatial dimension; of the padding that before it.
    """
    missing = 3 - len(kernel)
    ones, zeros = (1,) * missing, (0,) * missing
    unit = image.dtype.itemsize * pack
    batch, *spatial, across = image.strides
    fields = [
        image.shape[0],
        channels // pack,
        *(*ones, *sizes[0]),
        *(*ones, *sizes[1]),
        *(*ones, *kernel),
        *(*ones, *stride),
        *(*ones, *dilation),
        *(*zeros, *padding),
        batch // unit,
        *(*zeros, *(step // unit for step in spatial)),
        1 if pack > 1 else across // unit,
    ]
    return np.asarray(fields, dtype=index_dtype(index)).view(np.dtype((np.void, _size(index))))


def _size(index: str) -> int:
    return 25 * np.dtype(index_dtype(index)).itemsize
