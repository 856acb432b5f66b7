"""Winograd's minimal filtering in the array API standard alone.

Transforms of a tile's two dimensions are one product with the Kronecker square of their matrix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from array_api_compat import array_namespace, device

from .._arrays import add_at, itemsize, put
from .._late import from_host
from .._typing import Array, Namespace
from ._bias import with_bias
from ._bodies import body
from ._primitives import column_budget
from ._problem import Problem
from ._product import matmul
from ._winograd import Filtering, Matrix, filtering_for, tiles, transposed


def convolve(problem: Problem, x: Array, weight: Array, bias: Array | None, turned: bool) -> Array:
    """Return y (N, OH, OW, O); with ``turned`` dx (N, H, W, C) for ``x = dy``."""
    xp = array_namespace(x)
    if turned:
        weight = xp.flip(xp.permute_dims(weight, (1, 0, 2, 3)), axis=(2, 3))
        problem = _input_problem(problem)
    filtering = filtering_for(problem)
    kernels = _kernels(xp, filtering, weight)
    outs = weight.shape[0]
    fused = body("winograd_outputs", x)
    y = xp.empty((problem.batch, *problem.out_size, outs), dtype=x.dtype, device=device(x))
    for images in _images(xp, problem, filtering, x):
        inputs = _input_tiles(xp, problem, filtering, x[images, ...])
        products = matmul(inputs, kernels)  # (36, P, C) @ (36, C, O) -> (36, P, O)
        if fused is not None:
            fused(problem, filtering, products, y[images, ...], bias, x[images, ...], weight)
            continue
        flat = xp.reshape(products, (filtering.side**2, products.shape[1] * outs))
        parts = _squared(xp, filtering.outputs, flat)
        y = put(y, (images, ...), _joined(xp, problem, filtering, parts, outs))
    return y if fused is not None else with_bias(y, bias)


def weight_gradient(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C, 3, 3), summed over the pieces in order."""
    xp, filtering = array_namespace(x), filtering_for(problem)
    channels, outs, points = problem.in_channels, problem.out_channels, filtering.side**2
    sums = xp.zeros((points, channels, outs), dtype=x.dtype, device=device(x))
    for images in _images(xp, problem, filtering, x):
        inputs = _input_tiles(xp, problem, filtering, x[images, ...])
        outputs = _output_tiles(xp, problem, filtering, dy[images, ...])
        # (36, C, P) @ (36, P, O) -> (36, C, O)
        sums = add_at(sums, (...,), matmul(xp.permute_dims(inputs, (0, 2, 1)), outputs))
    fused = body("winograd_kernel_grads", x)
    if fused is not None:
        return fused(problem, filtering, sums, x, dy)
    flat = xp.reshape(sums, (points, channels * outs))
    flat = _squared(xp, transposed(filtering.kernels), flat)
    return xp.permute_dims(xp.reshape(flat, (3, 3, channels, outs)), (3, 2, 0, 1))


def _input_problem(problem: Problem) -> Problem:
    """Return the convolution of dy that is dx; its padding may be negative."""
    return replace(
        problem,
        in_channels=problem.out_channels,
        out_channels=problem.in_channels,
        in_size=problem.out_size,
        padding=tuple((2 - before, 2 - after) for before, after in problem.padding),
    )


def _kernels(xp: Namespace, filtering: Filtering, weight: Array) -> Array:
    """Return transformed kernels (36, C, O)."""
    fused = body("winograd_kernels", weight)
    if fused is not None:
        return fused(filtering, weight)
    points, (outs, channels) = filtering.side**2, weight.shape[:2]
    kernels = xp.reshape(xp.permute_dims(weight, (2, 3, 1, 0)), (9, channels * outs))
    return xp.reshape(_squared(xp, filtering.kernels, kernels), (points, channels, outs))


def _squared(xp: Namespace, matrix: Matrix, x: Array) -> Array:
    """Multiply by the Kronecker square of a matrix: both dimensions of tiles at a time."""
    both = [[a * b for a in row for b in other] for row in matrix for other in matrix]
    return matmul(from_host(xp, both, x.dtype, device(x)), x)


def _images(xp: Namespace, problem: Problem, filtering: Filtering, x: Array) -> Iterator[slice]:
    """Cut the batch so that the tiles of a piece fit into the workspace, one image at least."""
    height, width = tiles(filtering, problem.out_size)
    numbers = filtering.side**2 * (problem.in_channels + problem.out_channels)
    image = height * width * numbers * itemsize(x.dtype)
    count = math.ceil(problem.batch / max(1, column_budget(xp) // image))
    for k in range(count):
        yield slice(k * problem.batch // count, (k + 1) * problem.batch // count)


def _input_tiles(xp: Namespace, problem: Problem, filtering: Filtering, x: Array) -> Array:
    """Return transformed tiles (36, P, C) of some images."""
    fused = body("winograd_inputs", x)
    if fused is not None:
        return fused(problem, filtering, x)
    m, points = filtering.m, filtering.side**2
    down, across = tiles(filtering, problem.out_size)
    (above, _), (left, _) = problem.padding
    region = _region(xp, x, (-above, -left), (down * m + 2 - above, across * m + 2 - left))
    n, channels = x.shape[0], x.shape[-1]
    parts = xp.empty((points, n, down, across, channels), dtype=x.dtype, device=device(x))
    for i in range(filtering.side):
        for j in range(filtering.side):
            rows = slice(i, i + (down - 1) * m + 1, m)
            columns = slice(j, j + (across - 1) * m + 1, m)
            parts = put(parts, (i * filtering.side + j, ...), region[:, rows, columns, :])
    flat = xp.reshape(parts, (points, n * down * across * channels))
    flat = _squared(xp, filtering.inputs, flat)
    return xp.reshape(flat, (points, n * down * across, channels))


def _output_tiles(xp: Namespace, problem: Problem, filtering: Filtering, dy: Array) -> Array:
    """Return transformed tiles (36, P, O) of an output's gradient."""
    fused = body("winograd_output_grads", dy)
    if fused is not None:
        return fused(problem, filtering, dy)
    m = filtering.m
    down, across = tiles(filtering, problem.out_size)
    region = _region(xp, dy, (0, 0), (down * m, across * m))
    n, outs = dy.shape[0], dy.shape[-1]
    split = xp.reshape(region, (n, down, m, across, m, outs))
    flat = xp.reshape(xp.permute_dims(split, (2, 4, 0, 1, 3, 5)), (m * m, n * down * across * outs))
    flat = _squared(xp, transposed(filtering.outputs), flat)
    return xp.reshape(flat, (filtering.side**2, n * down * across, outs))


def _joined(
    xp: Namespace, problem: Problem, filtering: Filtering, parts: Array, outs: int
) -> Array:
    """Put tiles (m*m, P*O) side by side and cut off what hangs over: (n, OH, OW, O)."""
    m = filtering.m
    (down, across), (height, width) = tiles(filtering, problem.out_size), problem.out_size
    split = xp.reshape(parts, (m, m, -1, down, across, outs))
    whole = xp.permute_dims(split, (2, 3, 0, 4, 1, 5))  # (n, down, m, across, m, O)
    whole = xp.reshape(whole, (whole.shape[0], down * m, across * m, outs))
    return whole[:, :height, :width, :]


def _region(xp: Namespace, x: Array, low: tuple[int, int], high: tuple[int, int]) -> Array:
    """Return the pixels from one corner to another of some images, with zeros outside of them."""
    source, target = [slice(None)], [slice(None)]
    for begin, end, size in zip(low, high, x.shape[1:3], strict=True):
        first, last = max(begin, 0), min(end, size)
        if first >= last:  # nothing but padding
            first = last = begin = 0
        source.append(slice(first, last))
        target.append(slice(first - begin, last - begin))
    shape = (x.shape[0], high[0] - low[0], high[1] - low[1], x.shape[3])
    region = xp.zeros(shape, dtype=x.dtype, device=device(x))
    return put(region, (*target, ...), x[(*source, ...)])
