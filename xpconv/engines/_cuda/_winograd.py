"""Winograd's transforms: ``source/winograd.cuh`` behind the matrices of ``engines/_winograd``."""

from __future__ import annotations

from functools import cache

import numpy as np
from array_api_compat import array_namespace, device

from ..._typing import Array
from .._problem import Problem
from .._winograd import F2, F4, Filtering, Matrix, tiles, transposed
from ._geometry import struct
from ._launch import c_type, extent, index_type, launch


@cache
def matrices() -> str:
    """Return the C++ text of every matrix, as a struct: ``F4Inputs`` and so on."""
    return "\n".join(
        _struct(f"{name}{part}", matrix)
        for name, filtering in (("F2", F2), ("F4", F4))
        for part, matrix in _parts(filtering).items()
    )


def _parts(filtering: Filtering) -> dict[str, Matrix]:
    return {
        "Inputs": filtering.inputs,
        "Kernels": filtering.kernels,
        "KernelGrads": transposed(filtering.kernels),
        "Outputs": filtering.outputs,
        "OutputGrads": transposed(filtering.outputs),
    }


def _struct(name: str, matrix: Matrix) -> str:
    rows = ", ".join("{" + ", ".join(repr(float(a)) for a in row) + "}" for row in matrix)
    return (
        f"struct {name} {{\n"
        f"  static const int R = {len(matrix)}, T = {len(matrix[0])};\n"
        f"  __device__ static inline constexpr double entry(int i, int j) {{\n"
        f"    constexpr double entries[R][T] = {{{rows}}};\n"
        f"    return entries[i][j];\n"
        f"  }}\n"
        f"}};"
    )


def _name(filtering: Filtering, part: str) -> str:
    return f"F{filtering.m}{part}"


def winograd_inputs(problem: Problem, filtering: Filtering, x: Array) -> Array:
    """Return transformed tiles (36, P, C) of some images, straight from x (n, H, W, C)."""
    (above, _), (left, _) = problem.padding
    return _tiles_in(problem, filtering, x, "Inputs", (above, left))


def winograd_output_grads(problem: Problem, filtering: Filtering, dy: Array) -> Array:
    """Return transformed tiles (36, P, O) of an output's gradient (n, OH, OW, O)."""
    return _tiles_in(problem, filtering, dy, "OutputGrads", (0, 0))


def _tiles_in(
    problem: Problem, filtering: Filtering, x: Array, part: str, before: tuple[int, int]
) -> Array:
    xp = array_namespace(x)
    grid = tiles(filtering, problem.out_size)
    n, height, width, channels = x.shape
    shape = (filtering.side**2, n * grid[0] * grid[1], channels)
    made = xp.empty(shape, dtype=x.dtype, device=device(x))
    index = index_type(extent(x), made.size)
    step = (filtering.m, filtering.m)
    geometry = struct(index, x, 1, channels, ((height, width), grid), (1, 1), step, (1, 1), before)
    types = (c_type(x), _name(filtering, part), index)
    launch("winograd", "tiles_in", types, shape[1] * channels, x, x, made, geometry)
    return made


def winograd_outputs(
    problem: Problem,
    filtering: Filtering,
    products: Array,
    y: Array,
    bias: Array | None,
    x: Array,
    weight: Array,
) -> None:
    """Write the outputs of products (36, P, O) into y (n, OH, OW, O), made a line before.

    Where they are not finite, they are summed by the definition, from x (n, H, W, C) and weight.
    """
    xp = array_namespace(y)
    channels = y.shape[-1]
    grid = tiles(filtering, problem.out_size)
    index = index_type(extent(y), products.size)
    step = (filtering.m, filtering.m)
    geometry = struct(index, y, 1, channels, (y.shape[1:3], grid), (1, 1), step, (1, 1), (0, 0))
    launch(
        "winograd",
        "tiles_out",
        (c_type(y), _name(filtering, "Outputs"), index),
        products.shape[1] * channels,
        y,
        xp.ascontiguousarray(products),
        y,
        None if bias is None else xp.ascontiguousarray(bias),
        geometry,
        x,
        weight,
        _definition(problem, x, weight),
    )


def winograd_kernels(filtering: Filtering, weight: Array) -> Array:
    """Return transformed kernels (36, C, O) of weight (O, C, 3, 3), however it lies in memory."""
    xp = array_namespace(weight)
    outs, channels = weight.shape[:2]
    shape = (filtering.side**2, channels, outs)
    made = xp.empty(shape, dtype=weight.dtype, device=device(weight))
    types = (c_type(weight), _name(filtering, "Kernels"), index_type(made.size))
    launch("winograd", "kernels_in", types, outs * channels, weight, weight, made, _at(weight))
    return made


def winograd_kernel_grads(
    problem: Problem, filtering: Filtering, sums: Array, x: Array, dy: Array
) -> Array:
    """Return dweight (O, C, 3, 3) of the sums of products (36, C, O).

    Those that are not finite are summed by the definition, from x (N, H, W, C) and dy.
    """
    xp = array_namespace(sums)
    _, channels, outs = sums.shape
    dweight = xp.empty((outs, channels, 3, 3), dtype=sums.dtype, device=device(sums))
    types = (c_type(sums), _name(filtering, "KernelGrads"), index_type(sums.size))
    plain = xp.ascontiguousarray(sums)
    at = _at(dweight)
    sources = (x, _definition(problem, x, dweight), dy, _struct_of(*dy.shape[:3], *_steps(dy)))
    launch("winograd", "kernels_out", types, outs * channels, sums, plain, dweight, at, *sources)
    return dweight


def _at(weight: Array) -> np.ndarray:
    """Return the struct ``Kernels`` of the source."""
    return _struct_of(*weight.shape[:2], *_steps(weight))


def _definition(problem: Problem, x: Array, weight: Array) -> np.ndarray:
    """Return the struct ``Definition`` of the source."""
    before = (first for first, _ in problem.padding)
    _, height, width, channels = x.shape
    return _struct_of(channels, height, width, *_steps(x), *before, *_steps(weight))


def _steps(array: Array) -> tuple[int, ...]:
    return tuple(step // array.dtype.itemsize for step in array.strides)


def _struct_of(*numbers: int) -> np.ndarray:
    """Return a struct of int64, to be passed by value."""
    fields = np.asarray(numbers, dtype=np.int64)
    return fields.view(np.dtype((np.void, fields.nbytes)))
