"""Batch normalisation in as few passes as there can be.

Bodies see arrays as runs of several rows: short loops over few channels would cost more than what
is computed in them.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from .._rows import like, rows
from ._jit import jit
from ._memory import BOUNDS, flat
from ._parts import in_parts
from ._team import run
from ._words import hand_over

PARTS = 64
FEW = 128  # runs that are added up by themselves: rounding grows with the longest sum
_VECTORS = 64  # numbers that compiled loops take at a time
_RUN = 512  # numbers in a row, at least


@cache
def together(channels: int) -> int:
    """Return how many rows make a run: a whole number of vectors, where that is not too long."""
    count = _VECTORS // math.gcd(channels, _VECTORS)
    if channels * count > 8 * _RUN:
        count = 1
    return count * max(1, _RUN // (channels * count))


def batch_moments(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, biased variance and 1 / sqrt(variance + eps) of the channels of x (N, C, ...).

    x is read once. The sums of each part are taken around its own first row, and joined.
    """
    given = rows(x)
    count, channels = given.shape
    sums = np.zeros((PARTS, 3, channels), dtype=x.dtype)
    sizes = np.empty(PARTS)
    parts = in_parts(
        _moments, count, channels, given.reshape(-1), channels, together(channels), sums, sizes
    )
    mean, var, rstd = np.empty((3, channels), dtype=x.dtype)
    _join(sums[:parts], sizes, eps, mean, var, rstd)
    return mean, var, rstd


@jit
def _moments(
    turn: Any, edges: Any, x: Any, channels: int, together: int, sums: Any, sizes: Any
) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    part = turn.number
    first, last = edges[part] * channels, edges[part + 1] * channels
    sizes[part] = edges[part + 1] - edges[part]
    wide = channels * together
    shift = np.empty(wide, dtype=x.dtype)
    for c in range(0, wide, channels):
        shift[c : c + channels] = x[first : first + channels]
    total, squares = np.zeros_like(shift), np.zeros_like(shift)
    few, few_squares = np.zeros_like(shift), np.zeros_like(shift)
    for begin in range(first, last, FEW * wide):
        few[:], few_squares[:] = 0, 0
        for at in range(begin, min(begin + FEW * wide, last), wide):
            line = x[at : min(at + wide, last)]
            for c in range(line.size):
                d = line[c] - shift[c]
                few[c] += d
                few_squares[c] += d * d
        total += few
        squares += few_squares
    sums[part, 0] = shift[:channels]
    for k in range(0, wide, channels):
        sums[part, 1] += total[k : k + channels]
        sums[part, 2] += squares[k : k + channels]
    return True


@jit
def _join(sums: Any, sizes: Any, eps: float, mean: Any, var: Any, rstd: Any) -> None:
    """Join the parts' moments as `xpconv.engines._moments.joined` does, which says how."""
    parts, _, channels = sums.shape
    count, middle, spread = sizes[:parts].sum(), np.zeros(channels), np.zeros(channels)
    for part in range(parts):
        size, share = sizes[part], sizes[part] / count
        for c in range(channels):
            middle[c] += share * (sums[part, 0, c] + np.float64(sums[part, 1, c]) / size)
    for part in range(parts):
        size, share = sizes[part], sizes[part] / count
        for c in range(channels):
            inner = np.float64(sums[part, 1, c]) / size
            away = sums[part, 0, c] + inner - middle[c]
            within = np.float64(sums[part, 2, c]) / size - inner * inner
            spread[c] += share * (within + away * away)
    for c in range(channels):
        value = 0.0 if spread[c] < 0 else spread[c]  # NaN is not
        mean[c], var[c], rstd[c] = middle[c], value, 1 / np.sqrt(value + eps)


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
    vectors = as_run(*affine_map(mean, rstd, weight, bias))
    low, high = (x.dtype.type(bound) for bound in BOUNDS[activation])
    y, target = like(x)
    in_parts(
        _affine, count, channels, given.reshape(-1), channels, vectors, low, high,
        target.reshape(-1),
    )  # fmt: skip
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


def affine_map(
    mean: np.ndarray, rstd: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean, what x - mean is multiplied by, and what is added then."""
    scale = (rstd if weight is None else rstd * weight).astype(mean.dtype, copy=False)
    return mean, scale, np.zeros_like(mean) if bias is None else bias


def as_run(*vectors: np.ndarray) -> np.ndarray:
    """Return a row for each of some vectors (C,), as often as there are rows in a run."""
    channels = vectors[0].size
    made = np.empty((len(vectors), channels * together(channels)), dtype=vectors[0].dtype)
    for row, vector in zip(made, vectors, strict=True):
        _repeat(flat(vector), row)
    return made


@jit
def _repeat(vector: Any, target: Any) -> None:
    for k in range(0, target.size, vector.size):
        target[k : k + vector.size] = vector


@jit
def _affine(
    turn: Any, edges: Any, x: Any, channels: int, vectors: Any, low: Any, high: Any, y: Any
) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number] * channels, edges[turn.number + 1] * channels
    mean, scale, shift = vectors[0], vectors[1], vectors[2]
    for at in range(first, last, mean.size):
        end = min(at + mean.size, last)
        line, target = x[at:end], y[at:end]
        for c in range(line.size):
            value = (line[c] - mean[c]) * scale[c] + shift[c]
            value = low if value <= low else value  # NaN is not
            target[c] = high if value > high else value
    return True
