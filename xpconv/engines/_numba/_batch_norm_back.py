"""The way back through batch normalisation, in two passes; see ``_batch_norm.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._rows import like, rows
from ._batch_norm import FEW, PARTS, affine_map, as_run
from ._jit import jit
from ._parts import in_parts
from ._team import run
from ._words import hand_over

_CUTS = {None: 0, "relu": 1, "relu6": 2}


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
    arrays = given.reshape(-1), seen.reshape(-1), channels
    sums = np.zeros((PARTS, 2, channels), dtype=x.dtype)
    vectors = affine_map(mean, rstd, weight, bias)
    forth, cut = as_run(*vectors), _CUTS[activation]
    parts = in_parts(_sums, count, channels, *arrays, forth, cut, sums)
    dweight, dbias, slope, shift = np.empty((4, channels), dtype=x.dtype)
    _slopes(sums[:parts], rstd, vectors[1], count, dweight, dbias, slope, shift)
    dx, target = like(x)
    back = as_run(vectors[1], slope, shift)
    in_parts(_back, count, channels, *arrays, forth, cut, back, target.reshape(-1))
    return dx, dweight, dbias


@jit
def _slopes(
    sums: Any,
    rstd: Any,
    scale: Any,
    count: int,
    dweight: Any,
    dbias: Any,
    slope: Any,
    shift: Any,
) -> None:
    """Add the parts up; dx is ``scale * dy + slope * (x - mean) + shift``."""
    for c in range(rstd.size):
        slopes, products = 0.0, 0.0
        for part in range(sums.shape[0]):
            slopes += sums[part, 0, c]
            products += sums[part, 1, c]
        products *= rstd[c]
        dweight[c], dbias[c] = products, slopes
        slope[c] = -np.float64(scale[c]) * rstd[c] * products / count
        shift[c] = -np.float64(scale[c]) * slopes / count


@jit
def _passed(value: Any, cut: int, zero: Any, six: Any) -> bool:
    """Whether an activation lets the gradient through: `relu` where it saw NaN, too."""
    if cut == 2:
        return (value > zero) & (value < six)  # type: ignore[no-any-return]
    return (cut == 0) | (not value <= zero)


@jit
def _sums(
    turn: Any, edges: Any, dy: Any, x: Any, channels: int, forth: Any, cut: int, sums: Any
) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    part = turn.number
    first, last = edges[part] * channels, edges[part + 1] * channels
    mean, factor, bias = forth[0], forth[1], forth[2]
    zero, six, wide = x.dtype.type(0), x.dtype.type(6), mean.size
    total, products = np.zeros_like(mean), np.zeros_like(mean)
    few, few_products = np.zeros_like(mean), np.zeros_like(mean)
    for begin in range(first, last, FEW * wide):
        few[:], few_products[:] = 0, 0
        for at in range(begin, min(begin + FEW * wide, last), wide):
            end = min(at + wide, last)
            line, other = dy[at:end], x[at:end]
            for c in range(line.size):
                centred = other[c] - mean[c]
                passed = _passed(centred * factor[c] + bias[c], cut, zero, six)
                g = line[c] if passed else line[c] * zero
                few[c] += g
                few_products[c] += g * centred
        total += few
        products += few_products
    for k in range(0, wide, channels):
        sums[part, 0] += total[k : k + channels]
        sums[part, 1] += products[k : k + channels]
    return True


@jit
def _back(
    turn: Any,
    edges: Any,
    dy: Any,
    x: Any,
    channels: int,
    forth: Any,
    cut: int,
    back: Any,
    dx: Any,
) -> Any:
    if turn.helpers >= 0:
        return run(hand_over(turn))
    first, last = edges[turn.number] * channels, edges[turn.number + 1] * channels
    mean, factor, bias = forth[0], forth[1], forth[2]
    scale, slope, shift = back[0], back[1], back[2]
    zero, six = x.dtype.type(0), x.dtype.type(6)
    for at in range(first, last, mean.size):
        end = min(at + mean.size, last)
        line, other, target = dy[at:end], x[at:end], dx[at:end]
        for c in range(line.size):
            centred = other[c] - mean[c]
            passed = _passed(centred * factor[c] + bias[c], cut, zero, six)
            g = line[c] if passed else line[c] * zero
            target[c] = g * scale[c] + centred * slope[c] + shift[c]
    return True
