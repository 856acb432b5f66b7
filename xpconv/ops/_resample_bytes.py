"""Resampling of uint8 images in whole numbers, bit by bit as PyTorch and Pillow do it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from array_api_compat import device

from .._arrays import clip
from .._late import from_host
from .._typing import Array, Namespace
from ._layout import channels_first, channels_last
from ._resample_taps import Taps

Column = tuple[list[int], list[int]]  # one tap of every output: places and shares


def resampled_bytes(xp: Namespace, x: Array, ways: Sequence[Taps | None]) -> Array:
    """Resample ``x`` (N, C, H, W), rounded to bytes after each axis, the last one first."""
    last = channels_last(xp, x)
    for axis, way in reversed(list(enumerate(ways, 1))):
        if way is not None and len(way.places[0]) != way.size:
            last = _along(xp, last, axis, _whole(way))
    return xp.asarray(channels_first(xp, last), copy=True)


def _along(xp: Namespace, x: Array, axis: int, whole: tuple[list[Column], int]) -> Array:
    columns, bits = whole
    home, total = device(x), 1 << (bits - 1)
    wide = xp.astype(x, xp.int64)
    for places, shares in columns:
        part = xp.take(wide, from_host(xp, places, xp.int64, home), axis=axis)
        share = from_host(xp, shares, xp.int64, home)
        total = total + part * xp.reshape(share, (-1, *(1,) * (x.ndim - 1 - axis)))
    return xp.astype(clip(xp, total >> bits, 0, 255), xp.uint8)


def _whole(way: Taps) -> tuple[list[Column], int]:
    """Shares as whole multiples of 2**-bits that fit into 16 bits.

    Beyond the border the outermost element stands in, and its shares are added up first.
    """
    rows: list[dict[int, float]] = [{} for _ in way.places[0]]
    for places, shares in zip(way.places, way.weights or (), strict=True):
        for row, place, share in zip(rows, places, shares, strict=True):
            row[place] = row.get(place, 0.0) + share
    largest = max(max(row.values()) for row in rows)
    bits = next(b for b in range(23) if b == 22 or int(0.5 + largest * (2 << b)) >= 1 << 15)
    length = max(map(len, rows))
    full = [[*row.items(), *[(0, 0.0)] * (length - len(row))] for row in rows]
    return [
        (
            [place for place, _ in column],
            [int(share * (1 << bits) + math.copysign(0.5, share)) for _, share in column],
        )
        for column in zip(*full, strict=True)
    ], bits
