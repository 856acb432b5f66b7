"""Which elements of an axis each resampled element is made of, and in what shares.

Resampling is linear and goes axis by axis: along each, an output is a weighted sum of a few inputs,
its *taps*. They depend on sizes only, so they are worked out on the host in plain numbers, rounded
as PyTorch rounds them (in single precision where it computes so), and come out the same for every
array library.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple


class Taps(NamedTuple):
    """Resampling along one axis of ``size`` elements.

    Output o is the sum over t of ``weights[t][o]`` times input ``places[t][o]``; without weights
    it is the one input.
    """

    size: int
    places: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...], ...] | None


Rounding = Callable[[float], float]
Row = list[tuple[int, float]]  # the taps of one output: inputs and their shares


def _single(value: float) -> float:
    """The nearest number of single precision."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _ratio(
    size: int, out: int, scale: float | None, align_corners: bool, rounded: Rounding
) -> float:
    """Elements of the input that one step of the output goes."""
    if align_corners:
        return rounded((size - 1) / (out - 1)) if out > 1 else 0.0
    return rounded(1 / scale) if scale is not None else rounded(size / out)


@lru_cache(maxsize=32)
def taps(
    kind: str,
    dims: int,
    size: int,
    out: int,
    scale: float | None,
    align_corners: bool,
    single: bool,
) -> Taps | None:
    """Taps of one axis; None where the output is the input.

    ``kind`` is "nearest", "nearest-exact", "linear", "cubic", "antialias-linear" or
    "antialias-cubic", ``dims`` the number of spatial dimensions, ``scale`` what the user gave,
    which counts then instead of the sizes. ``single`` asks for coordinates in single precision.
    """
    rounded = _single if single else float
    if kind.startswith("nearest"):
        find = _nearest_in_images if dims == 2 else _nearest
        places = find(kind == "nearest-exact", size, out, scale, rounded)
        return Taps(size, (tuple(min(place, size - 1) for place in places),), None)
    if size == out and kind != "cubic":
        return None
    ratio = _ratio(size, out, scale, align_corners, rounded)
    if kind.startswith("antialias"):
        rows = [_antialias(kind, ratio, o, size) for o in range(out)]
    else:
        row = _linear if kind == "linear" else _cubic
        rows = [row(_source(ratio, o, align_corners, rounded), size) for o in range(out)]
    return _from_rows(size, rows)


def _nearest(exact: bool, size: int, out: int, scale: float | None, rounded: Rounding) -> list[int]:
    """The element at or before each output's place, or the nearest one, step by step as PyTorch."""
    ratio = _ratio(size, out, scale, False, rounded)
    if exact:
        sources = [rounded(rounded(ratio * (o + 0.5) - 0.5) + 0.5) for o in range(out)]
    else:
        sources = [rounded(ratio * o) for o in range(out)]
    return [math.floor(_single(source)) for source in sources]


def _nearest_in_images(
    exact: bool, size: int, out: int, scale: float | None, rounded: Rounding
) -> list[int]:
    """The same for images, which PyTorch treats on their own.

    That is in single precision for every dtype, and by the sizes alone, whatever the scale, where
    the output is as large as the input or twice as large.
    """
    if not exact and out in (size, 2 * size):
        return [o * size // out for o in range(out)]
    ratio = _ratio(size, out, scale, False, _single)
    return [math.floor(_single((o + (0.5 if exact else 0.0)) * ratio)) for o in range(out)]


def _source(ratio: float, o: int, align_corners: bool, rounded: Rounding) -> float:
    """Where an output lies among the inputs."""
    return rounded(ratio * o if align_corners else ratio * (o + 0.5) - 0.5)


def _split(source: float, size: int) -> tuple[int, float]:
    """An element, and how far behind it a place lies, from 0 to 1."""
    place = min(math.floor(source), size - 1)
    return place, min(max(source - place, 0.0), 1.0)


def _linear(source: float, size: int) -> Row:
    place, far = _split(max(source, 0.0), size)
    return [(place, 1 - far), (min(place + 1, size - 1), far)]


def _cubic(source: float, size: int) -> Row:
    place, far = _split(source, size)
    shares = (_keys(distance, -0.75) for distance in (1 + far, far, 1 - far, 2 - far))
    return [(min(max(place + t, 0), size - 1), share) for t, share in enumerate(shares, -1)]


def _keys(distance: float, a: float) -> float:
    """The cubic convolution kernel of Keys (1981)."""
    x = abs(distance)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    if x < 2:
        return (((x - 5) * x + 8) * x - 4) * a
    return 0.0


def _antialias(kind: str, ratio: float, o: int, size: int) -> Row:
    """The kernel widened to what an output covers, as Pillow does."""
    wide = max(ratio, 1.0)
    cubic = kind == "antialias-cubic"
    support = (2 if cubic else 1) * wide
    center = ratio * (o + 0.5)
    start = max(int(center - support + 0.5), 0)
    stop = min(int(center + support + 0.5), size)
    shares = []
    for place in range(start, stop):
        x = (place - center + 0.5) / wide
        shares.append(_keys(x, -0.5) if cubic else max(0.0, 1 - abs(x)))
    total = sum(shares) or 1.0
    return [(start + t, share / total) for t, share in enumerate(shares)]


def _from_rows(size: int, rows: Sequence[Row]) -> Taps:
    """Fill rows up with shares of nothing to one length."""
    length = max(1, max((len(row) for row in rows), default=1))
    full = [row + [(row[-1][0] if row else 0, 0.0)] * (length - len(row)) for row in rows]
    columns = list(zip(*full, strict=True))
    places = tuple(tuple(place for place, _ in column) for column in columns)
    weights = tuple(tuple(share for _, share in column) for column in columns)
    return Taps(size, places, weights)


@lru_cache(maxsize=32)
def transposed(forward: Taps) -> Taps:
    """Taps of the way back: for each input, the outputs that it went into.

    So gradients are gathered as values are: no two additions meet in one place.
    """
    rows: list[Row] = [[] for _ in range(forward.size)]
    weights = forward.weights or ((1.0,) * len(forward.places[0]),)
    for places, shares in zip(forward.places, weights, strict=True):
        for o, (place, share) in enumerate(zip(places, shares, strict=True)):
            if share:
                rows[place].append((o, share))
    return _from_rows(len(forward.places[0]), rows)
