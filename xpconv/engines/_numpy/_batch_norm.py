"""Batch normalisation on NumPy: each part of the rows by passes that stay in a cache."""

from __future__ import annotations

import numpy as np

from .._moments import joined
from .._rows import like, rows
from ._passes import blocks, column_sums, in_parts, side_by_side
from ._relu import passed
from ._work import buffers

_PARTS = 64


@np.errstate(all="ignore")  # what is not finite passes without a word
def batch_moments(x: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, biased variance and 1 / sqrt(variance + eps) of the channels of x (N, C, ...).

    The sums of each part are taken around its own first row, and joined.
    """
    given = rows(x)
    count, channels = given.shape
    sums = np.zeros((_PARTS, 3, channels), dtype=x.dtype)
    sizes = np.zeros(_PARTS)

    def work(part: int, first: int, last: int) -> None:
        sizes[part] = last - first
        sums[part, 0] = given[first]
        (shift,) = side_by_side(given[first])
        (space,) = buffers(x.dtype, (last - first, channels))
        for some, out in blocks(len(shift), given[first:last], space):
            width = some.shape[1]
            np.subtract(some, shift[:width], out=out)
            sums[part, 1] += column_sums(out, channels)
            np.multiply(out, out, out=out)
            sums[part, 2] += column_sums(out, channels)

    parts = in_parts(work, count, channels)
    return joined(sums[:parts], sizes[:parts], eps)


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
    vectors = side_by_side(*_map(mean, rstd, weight, bias))
    y, target = like(x)

    def work(_: int, first: int, last: int) -> None:
        for some, out in blocks(len(vectors[0]), given[first:last], target[first:last]):
            _affine(some, vectors, out)
            if activation is not None:
                np.maximum(out, 0, out=out)
            if activation == "relu6":
                np.minimum(out, 6, out=out)

    in_parts(work, *given.shape)
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


def _affine(x: np.ndarray, vectors: list[np.ndarray], out: np.ndarray) -> None:
    mean, scale, shift = (vector[: x.shape[1]] for vector in vectors)
    np.subtract(x, mean, out=out)
    np.multiply(out, scale, out=out)
    np.add(out, shift, out=out)


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
    """Return the same for `relu` after it, whose output is computed again."""
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
    vectors = side_by_side(*_map(mean, rstd, weight, bias))
    sums = np.zeros((_PARTS, 2, channels), dtype=x.dtype)
    dx, target = like(x)
    if activation:  # dx holds dy where the rectifier let it through, until it is what it is
        given, ungated = target, given

    def add_up(part: int, first: int, last: int) -> None:
        own = slice(first, last)
        (space,) = buffers(x.dtype, (last - first, channels))
        if activation:
            whole = blocks(len(vectors[0]), seen[own], ungated[own], given[own], space)
            for some, before, gated, out in whole:
                _affine(some, vectors, out)
                np.multiply(before, passed(out, activation), out=gated)
        for some, slopes, out in blocks(len(vectors[0]), seen[own], given[own], space):
            np.subtract(some, vectors[0][: some.shape[1]], out=out)
            np.multiply(out, slopes, out=out)
            sums[part, 0] += column_sums(slopes, channels)
            sums[part, 1] += column_sums(out, channels)

    parts = in_parts(add_up, count, channels)
    dbias, products = sums[:parts].sum(axis=0, dtype=np.float64)
    dweight = products * rstd
    scale = rstd if weight is None else rstd * weight
    slope = (-scale * rstd * dweight / count).astype(x.dtype)
    shift = (-scale * dbias / count).astype(x.dtype)
    back = side_by_side(mean, slope, shift, scale.astype(x.dtype, copy=False))

    def send_back(_: int, first: int, last: int) -> None:
        own = slice(first, last)
        (space,) = buffers(x.dtype, (last - first, channels))
        for some, slopes, out, into in blocks(
            len(back[0]), seen[own], given[own], space, target[own]
        ):
            _affine(some, back[:3], out)
            np.multiply(slopes, back[3][: some.shape[1]], out=into)
            np.add(into, out, out=into)

    in_parts(send_back, count, channels)
    return dx, dweight.astype(x.dtype), dbias.astype(x.dtype)


def channel_sums(x: np.ndarray) -> np.ndarray:
    """Return the sums (C,) of the channels of x (N, C, ...)."""
    given = rows(x)
    count, channels = given.shape
    sums = np.zeros((_PARTS, channels))
    (model,) = side_by_side(np.empty(channels, x.dtype))

    def work(part: int, first: int, last: int) -> None:
        for (some,) in blocks(len(model), given[first:last]):
            sums[part] += column_sums(some, channels)

    in_parts(work, count, channels)
    total: np.ndarray = sums.sum(axis=0).astype(x.dtype)
    return total
