"""Batch normalisation in as few passes as there can be.

Bodies see arrays as runs of several rows: short loops over few channels would cost more than what
is computed in them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._moments import joined
from .._rows import in_parts, like, rows
from ._jit import jit
from ._memory import BOUNDS

_PARTS = 64
_FEW = 128  # runs that are added up by themselves: rounding grows with the longest sum
_VECTORS = 64  # numbers that compiled loops take at a time
_RUN = 512  # numbers in a row, at least
_CUTS = {None: 0, "relu": 1, "relu6": 2}


def _together(channels: int) -> int:
    """Return how many rows make a run: a whole number of vectors, where that is not too long."""
    count = _VECTORS // math.gcd(channels, _VECTORS)
    if channels * count > 8 * _RUN:
        count = 1
    return count * max(1, _RUN // (channels * count))


@np.errstate(all="ignore")  # what is not finite passes without a word
def batch_moments(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, biased variance and 1 / sqrt(variance + eps) of the channels of x (N, C, ...).

    x is read once. The sums of each part are taken around its own first row.
    """
    given = rows(x)
    count, channels = given.shape
    sums = np.zeros((_PARTS, 3, channels), dtype=x.dtype)
    sizes = np.zeros(_PARTS)
    together, flat = _together(channels), given.reshape(-1)

    def work(part: int, first: int, last: int) -> None:
        sizes[part] = last - first
        _moments(flat, channels, together, first * channels, last * channels, sums[part])

    parts = in_parts(work, count, channels)
    return joined(sums[:parts], sizes[:parts], eps)


@jit
def _moments(x: Any, channels: int, together: int, first: int, last: int, sums: Any) -> None:
    run = channels * together
    shift = np.empty(run, dtype=x.dtype)
    for c in range(run):
        shift[c] = x[first + c % channels]
    total, squares = np.zeros_like(shift), np.zeros_like(shift)
    few, few_squares = np.zeros_like(shift), np.zeros_like(shift)
    for begin in range(first, last, _FEW * run):
        few[:], few_squares[:] = 0, 0
        for at in range(begin, min(begin + _FEW * run, last), run):
            line = x[at : min(at + run, last)]
            for c in range(line.size):
                d = line[c] - shift[c]
                few[c] += d
                few_squares[c] += d * d
        total += few
        squares += few_squares
    sums[0] = shift[:channels]
    for k in range(0, run, channels):
        sums[1] += total[k : k + channels]
        sums[2] += squares[k : k + channels]


def normalise(
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    activation: str | None = None,
) -> np.ndarray:
    """Return (x - mean) * rstd * weight + bias for x (N, C, ...) and numbers of channels (C,)."""
    given = rows(x)
    count, channels = given.shape
    vectors = _side_by_side(channels, *_map(mean, rstd, weight, bias))
    low, high = (x.dtype.type(bound) for bound in BOUNDS[activation])
    source = given.reshape(-1)
    y, target = like(x)
    into = target.reshape(-1)
    in_parts(
        lambda _, a, b: _affine(source, *vectors, low, high, into, a * channels, b * channels),
        count,
        channels,
    )
    return y


def normalise_relu(
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
) -> np.ndarray:
    """Return `relu` of what `normalise` returns."""
    return normalise(x, mean, rstd, weight, bias, "relu")


def normalise_relu6(
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
) -> np.ndarray:
    """Return `relu6` of what `normalise` returns."""
    return normalise(x, mean, rstd, weight, bias, "relu6")


def _map(
    mean: np.ndarray, rstd: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean, what x - mean is multiplied by, and what is added then."""
    scale = (rstd if weight is None else rstd * weight).astype(mean.dtype, copy=False)
    return mean, scale, np.zeros_like(mean) if bias is None else bias


def _side_by_side(channels: int, *vectors: np.ndarray) -> list[np.ndarray]:
    """Return vectors (C,) as often as there are rows in a run."""
    together = _together(channels)
    return [np.tile(vector, together) for vector in vectors]


@jit
def _affine(
    x: Any,
    mean: Any,
    scale: Any,
    shift: Any,
    low: Any,
    high: Any,
    y: Any,
    first: int,
    last: int,
) -> None:
    for at in range(first, last, mean.size):
        end = min(at + mean.size, last)
        line, target = x[at:end], y[at:end]
        for c in range(line.size):
            value = (line[c] - mean[c]) * scale[c] + shift[c]
            value = low if value <= low else value  # NaN is not
            target[c] = high if value > high else value


def batch_norm_grad(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, rstd: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx, and dweight and dbias (C,).

    With n = (x - mean) * rstd it is ``dx = rstd * weight * (dy - mean(dy) - n * mean(dy * n))``.
    """
    return _gradients(dy, x, mean, rstd, weight, None, None)


def batch_norm_relu_grad(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same for `relu` after it.

    Where that cut off is computed again, by the same operations: cheaper than to read y.
    """
    return _gradients(dy, x, mean, rstd, weight, bias, "relu")


def batch_norm_relu6_grad(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same for `relu6` after it."""
    return _gradients(dy, x, mean, rstd, weight, bias, "relu6")


@np.errstate(all="ignore")
def _gradients(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    activation: str | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    seen, given = rows(x), rows(dy)
    count, channels = seen.shape
    source, slopes, cut = seen.reshape(-1), given.reshape(-1), _CUTS[activation]
    sums = np.zeros((_PARTS, 2, channels), dtype=x.dtype)
    forth = _side_by_side(channels, *_map(mean, rstd, weight, bias))

    def add_up(part: int, first: int, last: int) -> None:
        _sums(slopes, source, *forth, cut, channels, first * channels, last * channels, sums[part])

    parts = in_parts(add_up, count, channels)
    totals = sums[:parts].sum(axis=0, dtype=np.float64)
    dbias, products = totals[0], totals[1]
    dweight = products * rstd
    scale = rstd if weight is None else rstd * weight
    slope = (-scale * rstd * dweight / count).astype(x.dtype)
    shift = (-scale * dbias / count).astype(x.dtype)
    back = _side_by_side(channels, scale.astype(x.dtype, copy=False), slope, shift)
    dx, target = like(x)
    into = target.reshape(-1)

    def send_back(_: int, first: int, last: int) -> None:
        _back(slopes, source, *forth, cut, *back, into, first * channels, last * channels)

    in_parts(send_back, count, channels)
    return dx, dweight.astype(x.dtype), dbias.astype(x.dtype)


@jit
def _passed(value: Any, cut: int, zero: Any, six: Any) -> bool:
    """Whether an activation lets the gradient through: `relu` where it saw NaN, too."""
    if cut == 2:
        return (value > zero) & (value < six)  # type: ignore[no-any-return]
    return (cut == 0) | (not value <= zero)


@jit
def _sums(
    dy: Any,
    x: Any,
    mean: Any,
    factor: Any,
    bias: Any,
    cut: int,
    channels: int,
    first: int,
    last: int,
    sums: Any,
) -> None:
    zero, six, run = x.dtype.type(0), x.dtype.type(6), mean.size
    total, products = np.zeros_like(mean), np.zeros_like(mean)
    few, few_products = np.zeros_like(mean), np.zeros_like(mean)
    for begin in range(first, last, _FEW * run):
        few[:], few_products[:] = 0, 0
        for at in range(begin, min(begin + _FEW * run, last), run):
            end = min(at + run, last)
            line, other = dy[at:end], x[at:end]
            for c in range(line.size):
                centred = other[c] - mean[c]
                passed = _passed(centred * factor[c] + bias[c], cut, zero, six)
                g = line[c] if passed else line[c] * zero
                few[c] += g
                few_products[c] += g * centred
        total += few
        products += few_products
    for k in range(0, run, channels):
        sums[0] += total[k : k + channels]
        sums[1] += products[k : k + channels]


@jit
def _back(
    dy: Any,
    x: Any,
    mean: Any,
    factor: Any,
    bias: Any,
    cut: int,
    scale: Any,
    slope: Any,
    shift: Any,
    dx: Any,
    first: int,
    last: int,
) -> None:
    zero, six = x.dtype.type(0), x.dtype.type(6)
    for at in range(first, last, mean.size):
        end = min(at + mean.size, last)
        line, other, target = dy[at:end], x[at:end], dx[at:end]
        for c in range(line.size):
            centred = other[c] - mean[c]
            passed = _passed(centred * factor[c] + bias[c], cut, zero, six)
            g = line[c] if passed else line[c] * zero
            target[c] = g * scale[c] + centred * slope[c] + shift[c]
