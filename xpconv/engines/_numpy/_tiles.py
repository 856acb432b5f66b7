"""Winograd's tiles on NumPy: images into transformed tiles, and tiles into images.

Tiles stand as (P, 36, C) in memory. So each takes one copy of a strided view, and one product with
the Kronecker square of a transform's matrix, which is small enough for BLAS to read where it is.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._winograd import Matrix
from ._columns import pad_into


class Piece(NamedTuple):
    """Tiles of images ``[first, last)``, in rows ``[top, bottom)`` of tiles."""

    first: int
    last: int
    top: int
    bottom: int


def tile_pieces(batch: int, down: int, across: int, wanted: int) -> list[Piece]:
    """Cut images, or rows of their tiles, into pieces of about ``wanted`` tiles."""
    if wanted >= down * across:
        edges = _edges(batch, max(1, wanted // (down * across)))
        return [Piece(a, b, 0, down) for a, b in pairwise(edges)]
    rows = list(pairwise(_edges(down, max(1, wanted // across))))
    return [Piece(n, n + 1, a, b) for n in range(batch) for a, b in rows]


def _edges(length: int, step: int) -> list[int]:
    count = -(-length // step)
    return [k * length // count for k in range(count + 1)]


@lru_cache
def squared(matrix: Matrix, dtype: np.dtype) -> np.ndarray:
    """Return the Kronecker square of a matrix: both dimensions of a tile at a time."""
    one = np.array(matrix, np.float64)
    return np.kron(one, one).astype(dtype)


def read(
    x: np.ndarray,
    piece: Piece,
    across: int,
    step: int,
    corner: tuple[int, int],
    region: np.ndarray,
    tiles: np.ndarray,
) -> None:
    """Fill ``tiles`` (P, side * side, C) with what a piece's tiles see of some images.

    Tiles begin at ``corner``, ``step`` apart; zeros stand outside of the images. ``region`` is a
    buffer for the images' part with those zeros.
    """
    images, rows = x[piece.first : piece.last], piece.bottom - piece.top
    side, channels = round(tiles.shape[1] ** 0.5), x.shape[-1]
    begin = (corner[0] + piece.top * step, corner[1])
    size = ((rows - 1) * step + side, (across - 1) * step + side)
    low, high = (
        min(begin),
        [b + s - full for b, s, full in zip(begin, size, x.shape[1:3], strict=True)],
    )
    if low >= 0 and max(high) <= 0:
        images = images[:, begin[0] :, begin[1] :]
    else:
        region = region[: len(images) * size[0] * size[1] * channels]
        region = region.reshape(len(images), *size, channels)
        pad_into(region, images, begin)
        images = region
    n, h, w, c = images.strides
    shape = (len(images), rows, across, side, side, channels)
    view = as_strided(images, shape, (n, step * h, step * w, h, w, c), writeable=False)
    np.copyto(tiles.reshape(shape), view)


def region_size(across: int, rows: int, images: int, step: int, side: int) -> int:
    """Return how many places the buffer of `read` has."""
    return images * ((rows - 1) * step + side) * ((across - 1) * step + side)


def write(tiles: np.ndarray, piece: Piece, across: int, y: np.ndarray) -> None:
    """Write tiles (P, m * m, O) side by side into y (N, OH, OW, O), without what hangs over."""
    m = round(tiles.shape[1] ** 0.5)
    rows, outs = piece.bottom - piece.top, y.shape[-1]
    parts = tiles.reshape(-1, rows, across, m, m, outs)
    images = y[piece.first : piece.last, piece.top * m :]
    n, h, w, o = y.strides
    for top, bottom, tall in _halves(rows, m, images.shape[1]):
        for left, right, wide in _halves(across, m, images.shape[2]):
            shape = (len(images), bottom - top, tall, right - left, wide, outs)
            target = as_strided(images[:, top * m :, left * m :], shape, (n, m * h, h, m * w, w, o))
            part = parts[:, top:bottom, left:right, :tall, :wide]
            np.copyto(target, part.transpose(0, 1, 3, 2, 4, 5))


def _halves(count: int, m: int, size: int) -> list[tuple[int, int, int]]:
    """Cut tiles into those that lie inside and the one that hangs over, with what is seen of it."""
    inside = min(count, size // m)
    parts = [(0, inside, m)] if inside else []
    return parts if inside == count else [*parts, (inside, count, size - inside * m)]
