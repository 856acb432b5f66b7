"""Batch normalisation in as few passes as there can be."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._moments import joined
from .._rows import in_parts, like, rows
from ._jit import jit

_PARTS = 64
_FEW = 128  # rows that are added up by themselves: rounding grows with the longest sum


@np.errstate(all="ignore")  # what is not finite passes without a word
def batch_moments(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, biased variance and 1 / sqrt(variance + eps) of the channels of x (N, C, ...).

    x is read once. The sums of each part are taken around its own first row.
    """
    given = rows(x)
    count, channels = given.shape
    sums = np.zeros((_PARTS, 3, channels), dtype=x.dtype)
    sizes = np.zeros(_PARTS)

    def work(part: int, first: int, last: int) -> None:
        sizes[part] = last - first
        _moments(given, first, last, sums[part])

    parts = in_parts(work, count, channels)
    return joined(sums[:parts], sizes[:parts], eps)


@jit
def _moments(x: Any, first: int, last: int, sums: Any) -> None:
    channels = x.shape[1]
    shift, total, squares = sums[0], sums[1], sums[2]
    shift[:] = x[first]
    few, few_squares = np.zeros_like(total), np.zeros_like(total)
    for begin in range(first, last, _FEW):
        few[:], few_squares[:] = 0, 0
        for row in range(begin, min(begin + _FEW, last)):
            line = x[row]
            for c in range(channels):
                d = line[c] - shift[c]
                few[c] += d
                few_squares[c] += d * d
        total += few
        squares += few_squares


def normalise(
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
) -> np.ndarray:
    """Return (x - mean) * rstd * weight + bias for x (N, C, ...) and numbers of channels (C,)."""
    return _normalised(x, mean, rstd, weight, bias, cut=False)


def normalise_relu(
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
) -> np.ndarray:
    """Return `relu` of what `normalise` returns."""
    return _normalised(x, mean, rstd, weight, bias, cut=True)


def _normalised(
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    cut: bool,
) -> np.ndarray:
    given = rows(x)
    scale, shift = _map(mean, rstd, weight, bias)
    y, target = like(x)
    in_parts(lambda _, a, b: _affine(given, mean, scale, shift, cut, target, a, b), *given.shape)
    return y


def _map(
    mean: np.ndarray, rstd: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what x - mean is multiplied by, and what is added then."""
    scale = (rstd if weight is None else rstd * weight).astype(mean.dtype, copy=False)
    shift = np.zeros_like(mean) if bias is None else np.require(bias, requirements=["C", "W"])
    return scale, shift


@jit
def _affine(
    x: Any, mean: Any, scale: Any, shift: Any, cut: bool, y: Any, first: int, last: int
) -> None:
    channels, zero = x.shape[1], x.dtype.type(0)
    for row in range(first, last):
        line, target = x[row], y[row]
        for c in range(channels):
            value = (line[c] - mean[c]) * scale[c] + shift[c]
            target[c] = zero if cut and value <= zero else value  # NaN is not


def batch_norm_grad(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, rstd: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx, and dweight and dbias (C,).

    With n = (x - mean) * rstd it is ``dx = rstd * weight * (dy - mean(dy) - n * mean(dy * n))``.
    """
    return _gradients(dy, x, mean, rstd, weight, None, cut=False)


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
    return _gradients(dy, x, mean, rstd, weight, bias, cut=True)


@np.errstate(all="ignore")
def _gradients(
    dy: np.ndarray,
    x: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    cut: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    seen, given = rows(x), rows(dy)
    count, channels = seen.shape
    sums = np.zeros((_PARTS, 2, channels), dtype=x.dtype)
    forth = (*_map(mean, rstd, weight, bias), cut)
    parts = in_parts(
        lambda part, a, b: _sums(given, seen, mean, *forth, a, b, sums[part]), count, channels
    )
    totals = sums[:parts].sum(axis=0, dtype=np.float64)
    dbias, products = totals[0], totals[1]
    dweight = products * rstd
    scale = rstd if weight is None else rstd * weight
    slope = (-scale * rstd * dweight / count).astype(x.dtype)
    shift = (-scale * dbias / count).astype(x.dtype)
    scale = scale.astype(x.dtype, copy=False)
    dx, target = like(x)
    in_parts(
        lambda _, a, b: _back(given, seen, mean, *forth, scale, slope, shift, target, a, b),
        count,
        channels,
    )
    return dx, dweight.astype(x.dtype), dbias.astype(x.dtype)


@jit
def _sums(
    dy: Any, x: Any, mean: Any, factor: Any, bias: Any, cut: bool, first: int, last: int, sums: Any
) -> None:
    channels, zero = x.shape[1], x.dtype.type(0)
    total, products = sums[0], sums[1]
    few, few_products = np.zeros_like(total), np.zeros_like(total)
    for begin in range(first, last, _FEW):
        few[:], few_products[:] = 0, 0
        for row in range(begin, min(begin + _FEW, last)):
            line, other = dy[row], x[row]
            for c in range(channels):
                centred = other[c] - mean[c]
                g = line[c] * zero if cut and centred * factor[c] + bias[c] <= zero else line[c]
                few[c] += g
                few_products[c] += g * centred
        total += few
        products += few_products


@jit
def _back(
    dy: Any,
    x: Any,
    mean: Any,
    factor: Any,
    bias: Any,
    cut: bool,
    scale: Any,
    slope: Any,
    shift: Any,
    dx: Any,
    first: int,
    last: int,
) -> None:
    channels, zero = x.shape[1], x.dtype.type(0)
    for row in range(first, last):
        line, other, target = dy[row], x[row], dx[row]
        for c in range(channels):
            centred = other[c] - mean[c]
            g = line[c] * zero if cut and centred * factor[c] + bias[c] <= zero else line[c]
            target[c] = g * scale[c] + centred * slope[c] + shift[c]
