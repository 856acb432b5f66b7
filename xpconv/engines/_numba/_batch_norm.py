"""Batch normalisation in as few passes as there can be."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._jit import jit
from ._rows import in_parts, like, rows

_PARTS = 64
_FEW = 128  # rows that are added up by themselves: rounding grows with the longest sum


@np.errstate(all="ignore")  # what is not finite passes without a word
def batch_moments(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, biased variance and 1 / sqrt(variance + eps) of the channels of x (N, C, ...).

    x is read once. The sums of each part are taken around its own first row, and parts are joined
    by Chan's formula, so that no digits are lost where the mean is large.
    """
    given = rows(x)
    count, channels = given.shape
    sums = np.zeros((_PARTS, 3, channels), dtype=x.dtype)
    sizes = np.zeros(_PARTS)

    def work(part: int, first: int, last: int) -> None:
        sizes[part] = last - first
        _moments(given, first, last, sums[part])

    parts = in_parts(work, count, channels)
    weights = sizes[:parts, None] / count
    shift, total, squares = (sums[:parts, k].astype(np.float64) for k in range(3))
    inner = total / sizes[:parts, None]  # each part's mean around its shift
    means = shift + inner
    mean = (weights * means).sum(axis=0)
    within = squares / sizes[:parts, None] - inner * inner
    var = np.maximum((weights * (within + (means - mean) ** 2)).sum(axis=0), 0)
    found = (mean, var, 1 / np.sqrt(var + eps))
    mean, var, rstd = (array.astype(x.dtype) for array in found)
    return mean, var, rstd


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
    given = rows(x)
    scale = (rstd if weight is None else rstd * weight).astype(x.dtype, copy=False)
    shift = np.zeros_like(mean) if bias is None else np.require(bias, requirements=["C", "W"])
    y, target = like(x)
    in_parts(lambda _, a, b: _affine(given, mean, scale, shift, target, a, b), *given.shape)
    return y


@jit
def _affine(x: Any, mean: Any, scale: Any, shift: Any, y: Any, first: int, last: int) -> None:
    channels = x.shape[1]
    for row in range(first, last):
        line, target = x[row], y[row]
        for c in range(channels):
            target[c] = (line[c] - mean[c]) * scale[c] + shift[c]


@np.errstate(all="ignore")
def batch_norm_grad(
    dy: np.ndarray, x: np.ndarray, mean: np.ndarray, rstd: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return dx, and dweight and dbias (C,).

    With n = (x - mean) * rstd it is ``dx = rstd * weight * (dy - mean(dy) - n * mean(dy * n))``.
    """
    seen, given = rows(x), rows(dy)
    count, channels = seen.shape
    sums = np.zeros((_PARTS, 2, channels), dtype=x.dtype)
    parts = in_parts(lambda part, a, b: _sums(given, seen, mean, a, b, sums[part]), count, channels)
    totals = sums[:parts].sum(axis=0, dtype=np.float64)
    dbias, products = totals[0], totals[1]
    dweight = products * rstd
    scale = rstd if weight is None else rstd * weight
    slope = (-scale * rstd * dweight / count).astype(x.dtype)
    shift = (-scale * dbias / count).astype(x.dtype)
    scale = scale.astype(x.dtype, copy=False)
    dx, target = like(x)
    in_parts(
        lambda _, a, b: _back(given, seen, mean, scale, slope, shift, target, a, b), count, channels
    )
    return dx, dweight.astype(x.dtype), dbias.astype(x.dtype)


@jit
def _sums(dy: Any, x: Any, mean: Any, first: int, last: int, sums: Any) -> None:
    channels = x.shape[1]
    total, products = sums[0], sums[1]
    few, few_products = np.zeros_like(total), np.zeros_like(total)
    for begin in range(first, last, _FEW):
        few[:], few_products[:] = 0, 0
        for row in range(begin, min(begin + _FEW, last)):
            line, other = dy[row], x[row]
            for c in range(channels):
                few[c] += line[c]
                few_products[c] += line[c] * (other[c] - mean[c])
        total += few
        products += few_products


@jit
def _back(
    dy: Any, x: Any, mean: Any, scale: Any, slope: Any, shift: Any, dx: Any, first: int, last: int
) -> None:
    channels = x.shape[1]
    for row in range(first, last):
        line, other, target = dy[row], x[row], dx[row]
        for c in range(channels):
            target[c] = line[c] * scale[c] + (other[c] - mean[c]) * slope[c] + shift[c]
