"""Pools with windows of their own, unpooling, resampling and shuffles, one number at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

Array = np.ndarray
Ints = tuple[int, ...]


def adaptive_windows(shape: Ints, out: Ints) -> Iterator[tuple[Ints, list[Ints]]]:
    """Each output pixel with the input pixels that it is made of."""
    for place in np.ndindex(*out):
        axes = [
            range(math.floor(o * n / m), math.ceil((o + 1) * n / m))
            for o, n, m in zip(place, shape, out, strict=True)
        ]
        first = [axis.start for axis in axes]
        sizes = [len(axis) for axis in axes]
        yield (
            place,
            [tuple(f + k for f, k in zip(first, offset)) for offset in np.ndindex(*sizes)],
        )


def adaptive_avg_pool(x: Array, out: Ints) -> Array:
    """The mean of each window."""
    y = np.zeros((*x.shape[:2], *out))
    for place, pixels in adaptive_windows(x.shape[2:], out):
        for pixel in pixels:
            y[(..., *place)] += x[(..., *pixel)] / len(pixels)
    return y


def adaptive_avg_pool_gradient(x: Array, dy: Array) -> Array:
    """Each dy shared by the pixels of its window."""
    dx = np.zeros(x.shape)
    for place, pixels in adaptive_windows(x.shape[2:], dy.shape[2:]):
        for pixel in pixels:
            dx[(..., *pixel)] += dy[(..., *place)] / len(pixels)
    return dx


def adaptive_max_pool(x: Array, out: Ints) -> tuple[Array, Array]:
    """The largest pixel of each window and its flat place; the first of equals, the last NaN."""
    y = np.full((*x.shape[:2], *out), -np.inf)
    indices = np.full(y.shape, -1, dtype=np.int64)
    for n, c in np.ndindex(*x.shape[:2]):
        for place, pixels in adaptive_windows(x.shape[2:], out):
            for pixel in pixels:
                value = x[(n, c, *pixel)]
                here = (n, c, *place)
                if indices[here] < 0 or value > y[here] or np.isnan(value):
                    y[here], indices[here] = value, np.ravel_multi_index(pixel, x.shape[2:])
    return y, indices


def lp_pool(x: Array, p: float, kernel: int, stride: int) -> Array:
    """The p-norm of windows over (N, C, H, W)."""
    n, c, height, width = x.shape
    y = np.zeros((n, c, (height - kernel) // stride + 1, (width - kernel) // stride + 1))
    for i, j, u, v in np.ndindex(*y.shape):
        total = 0.0
        for a, b in np.ndindex(kernel, kernel):
            total += x[i, j, u * stride + a, v * stride + b] ** p
        y[i, j, u, v] = total ** (1 / p)
    return y


def max_unpool(x: Array, indices: Array, out: Ints) -> Array:
    """Every value written to its flat place of (N, C, *out), in order."""
    y = np.zeros((*x.shape[:2], *out))
    for n, c, *place in np.ndindex(x.shape):
        pixel = np.unravel_index(indices[(n, c, *place)], out)
        y[(n, c, *pixel)] = x[(n, c, *place)]
    return y


def hat(x: float) -> float:
    """The kernel of linear interpolation."""
    return max(0.0, 1 - abs(x))


def cubic(x: float, a: float = -0.75) -> float:
    """The kernel of cubic convolution (Keys 1981, equation 15)."""
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def resampling(mode: str, size: int, out: int, scale: float | None, corners: bool) -> Array:
    """The matrix (out, size) of resampling along one axis."""
    matrix = np.zeros((out, size))
    step = size / out if scale is None else 1 / scale
    if corners:
        step = (size - 1) / (out - 1) if out > 1 else 0.0
    for o in range(out):
        at = o * step if corners else (o + 0.5) * step - 0.5
        if mode == "nearest":
            matrix[o, min(math.floor(o * step + 1e-9), size - 1)] = 1
        elif mode == "nearest-exact":
            matrix[o, min(math.floor((o + 0.5) * step + 1e-9), size - 1)] = 1
        elif mode == "area":
            for place in range(math.floor(o * size / out), math.ceil((o + 1) * size / out)):
                matrix[o, place] = 1
            matrix[o] /= matrix[o].sum()
        elif mode == "linear":
            at = min(max(at, 0), size - 1)
            for place in range(size):
                matrix[o, place] = hat(place - at)
        else:  # what lies beyond the border is the pixel on it
            at = min(at, size)
            for place in range(math.floor(at) - 1, math.floor(at) + 3):
                matrix[o, min(max(place, 0), size - 1)] += cubic(place - at)
    return matrix


def interpolate(x: Array, matrices: list[Array]) -> Array:
    """Every spatial axis of (N, C, ...) multiplied by its matrix."""
    for axis, matrix in enumerate(matrices, 2):
        x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    return x


def pixel_shuffle(x: Array, r: int) -> Array:
    """y[c, h*r + i, w*r + j] = x[c*r*r + i*r + j, h, w] for (C, H, W)."""
    channels, height, width = x.shape
    y = np.zeros((channels // (r * r), height * r, width * r))
    for c, u, v in np.ndindex(*y.shape):
        y[c, u, v] = x[c * r * r + u % r * r + v % r, u // r, v // r]
    return y
