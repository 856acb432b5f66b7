"""Normalisations and products, as loops: slow, plain, and without xpconv."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np

Array = np.ndarray
Place = tuple[int, ...]


def _places(shape: Iterable[int]) -> Iterable[Place]:
    return itertools.product(*(range(size) for size in shape))


def standardise(x: Array, parts: Iterable[list[Place]], eps: float, centre: bool = True) -> Array:
    """Bring the numbers of each part to mean 0 and variance 1, part by part."""
    y = np.zeros(x.shape)
    for places in parts:
        numbers = [float(x[place]) for place in places]
        mean = math.fsum(numbers) / len(numbers) if centre else 0.0
        var = math.fsum((number - mean) ** 2 for number in numbers) / len(numbers)
        for place, number in zip(places, numbers, strict=True):
            y[place] = (number - mean) / math.sqrt(var + eps)
    return y


def group_parts(shape: Place, groups: int) -> Iterable[list[Place]]:
    """The places of each group of channels of each sample."""
    size = shape[1] // groups
    for n in range(shape[0]):
        for g in range(groups):
            yield [(n, g * size + c, *s) for c in range(size) for s in _places(shape[2:])]


def trailing_parts(shape: Place, axes: int) -> Iterable[list[Place]]:
    """The places that share all but the last axes."""
    for lead in _places(shape[:-axes]):
        yield [(*lead, *last) for last in _places(shape[-axes:])]


def of_channels(y: Array, weight: Array | None, bias: Array | None) -> Array:
    """Each channel times its weight, plus its bias."""
    y = y.copy()
    for place in _places(y.shape):
        factor = 1.0 if weight is None else weight[place[1]]
        y[place] = y[place] * factor + (0.0 if bias is None else bias[place[1]])
    return y


def local_response_norm(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """Each number over a power of the mean square of the channels around it."""
    y = np.zeros(x.shape)
    for place in _places(x.shape):
        n, c, *rest = place
        around = range(c - size // 2, c + (size - 1) // 2 + 1)
        squares = sum(x[(n, other, *rest)] ** 2 for other in around if 0 <= other < x.shape[1])
        y[place] = x[place] / (k + alpha * squares / size) ** beta
    return y


def norm(numbers: Iterable[float], p: float) -> float:
    """The p-norm of one vector."""
    sizes = [abs(float(number)) for number in numbers]
    if p == 0:
        return float(sum(size != 0 for size in sizes))
    if math.isinf(p):
        return max(sizes) if p > 0 else min(sizes)
    if p < 0 and 0.0 in sizes:
        return 0.0
    return math.fsum(size**p for size in sizes) ** (1 / p)


def normalize(x: Array, p: float, dim: int, eps: float) -> Array:
    """Each vector along one axis over its length."""
    y = np.moveaxis(np.zeros(x.shape), dim, -1)
    moved = np.moveaxis(x, dim, -1)
    for place in _places(moved.shape[:-1]):
        y[place] = moved[place] / max(norm(moved[place], p), eps)
    return np.moveaxis(y, -1, dim)


def cosine_similarity(x1: Array, x2: Array, dim: int, eps: float) -> Array:
    """The cosine of each pair of vectors along one axis, of arrays of one shape."""
    first, second = np.moveaxis(x1, dim, -1), np.moveaxis(x2, dim, -1)
    y = np.zeros(first.shape[:-1])
    for place in _places(y.shape):
        a, b = first[place], second[place]
        dot = math.fsum(float(u * v) for u, v in zip(a, b, strict=True))
        y[place] = dot / (max(norm(a, 2), eps) * max(norm(b, 2), eps))
    return y


def bilinear(x1: Array, x2: Array, weight: Array, bias: Array | None) -> Array:
    """One form for each output feature."""
    y = np.zeros((*x1.shape[:-1], weight.shape[0]), np.result_type(x1, weight))
    for lead in _places(x1.shape[:-1]):
        for o, i, j in _places(weight.shape):
            y[(*lead, o)] += x1[(*lead, i)] * weight[o, i, j] * x2[(*lead, j)]
        y[lead] += 0 if bias is None else bias
    return y


def weight_norm(v: Array, g: Array, dim: int | None) -> Array:
    """Each slice along ``dim`` (or everything) brought to its length."""
    if dim is None or dim == -1:
        return v * (float(g) / norm(v.ravel(), 2))
    w = np.zeros(v.shape)
    for i in range(v.shape[dim]):
        part: list[slice | int] = [slice(None)] * v.ndim
        part[dim] = i
        length = float(np.ravel(g)[i])
        w[tuple(part)] = v[tuple(part)] * (length / norm(v[tuple(part)].ravel(), 2))
    return w
