"""Slow, obvious answers for transposed convolutions and padding; nothing here imports xpconv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray
Ints = Sequence[int]
Pairs = Sequence[tuple[int, int]]


def _links(
    shape: Ints, kernel: Ints, stride: Ints, pairs: Pairs, dilation: Ints, out: Ints
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Each input pixel, element of the kernel, and output pixel that the two lead to."""
    for place in np.ndindex(*shape):
        for element in np.ndindex(*kernel):
            there = tuple(
                i * s + k * d - before
                for i, s, k, d, (before, _) in zip(place, stride, element, dilation, pairs)
            )
            if all(0 <= t < n for t, n in zip(there, out)):
                yield place, element, there


def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Ints,
    pairs: Pairs,
    extra: Ints,
    groups: int,
    dilation: Ints,
) -> Array:
    """Every pixel of x (N, C, *spatial) times a kernel (C, O / groups, *kernel), summed up."""
    spatial, kernel = x.shape[2:], weight.shape[2:]
    out = [
        (n - 1) * s + d * (k - 1) + 1 - sum(pair) + e
        for n, s, k, d, pair, e in zip(spatial, stride, kernel, dilation, pairs, extra)
    ]
    n_in, n_out = weight.shape[0] // groups, weight.shape[1]
    y = np.zeros((x.shape[0], n_out * groups, *out), dtype=x.dtype)
    for place, element, there in _links(spatial, kernel, stride, pairs, dilation, out):
        for c in range(x.shape[1]):
            for o in range(n_out):
                here = (slice(None), c // n_in * n_out + o, *there)
                y[here] += x[(slice(None), c, *place)] * weight[(c, o, *element)]
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(out))


def conv_transpose_gradients(
    x: Array,
    weight: Array,
    dy: Array,
    stride: Ints,
    pairs: Pairs,
    groups: int,
    dilation: Ints,
) -> tuple[Array, Array, Array]:
    """The derivatives of sum(dy * conv_transpose(x, weight, bias)) by x, weight and bias."""
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    n_in, n_out = weight.shape[0] // groups, weight.shape[1]
    links = _links(x.shape[2:], weight.shape[2:], stride, pairs, dilation, dy.shape[2:])
    for place, element, there in links:
        for c in range(x.shape[1]):
            for o in range(n_out):
                part = dy[(slice(None), c // n_in * n_out + o, *there)]
                dx[(slice(None), c, *place)] += part * weight[(c, o, *element)]
                dweight[(c, o, *element)] += np.sum(part * x[(slice(None), c, *place)])
    return dx, dweight, dy.sum(axis=(0, *range(2, dy.ndim)))


def _source(index: int, before: int, size: int, mode: str, pair: tuple[int, int]) -> int | None:
    """The element of a row that stands at ``index`` of the padded row; None for the constant."""
    i = index - before
    if mode == "circular":  # what negative amounts leave of the row goes around
        first = max(-pair[0], 0)
        left = size - first - max(-pair[1], 0)
        return first + (i - first) % left
    if mode == "replicate":
        return min(max(i, 0), size - 1)
    if mode == "reflect":
        return -i if i < 0 else 2 * (size - 1) - i if i >= size else i
    return i if 0 <= i < size else None


def padded(x: Array, pairs: Pairs, mode: str, value: Any = 0) -> Array:
    """Border of (before, after) elements, possibly negative, around every axis of x."""
    shape = [n + sum(pair) for n, pair in zip(x.shape, pairs)]
    y = np.full(shape, value, dtype=x.dtype)
    for place, source in _sources(x.shape, pairs, mode):
        y[place] = x[source]
    return y


def padded_gradient(dy: Array, shape: Ints, pairs: Pairs, mode: str) -> Array:
    """Every element of dy goes to the element that was copied there."""
    dx = np.zeros(shape)
    for place, source in _sources(shape, pairs, mode):
        dx[source] += dy[place]
    return dx


def _sources(
    shape: Ints, pairs: Pairs, mode: str
) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    for place in np.ndindex(*(n + sum(pair) for n, pair in zip(shape, pairs))):
        source = tuple(
            _source(i, pair[0], n, mode, pair) for i, n, pair in zip(place, shape, pairs)
        )
        if None not in source:
            yield place, source
