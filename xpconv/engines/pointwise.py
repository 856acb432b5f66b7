"""1x1 convolutions: the input is its own matrix of columns, so they are one plain product."""

from __future__ import annotations

import math

from array_api_compat import array_namespace, device

from .._arrays import put
from .._typing import Array, Namespace
from ._activation import clipped
from ._bodies import body, has_body
from ._engine import ACTIVATIONS
from ._problem import Problem
from ._product import matmul

__all__ = [
    "activations",
    "drawback",
    "exact",
    "forward",
    "input_grad",
    "name",
    "refusal",
    "takes_half",
    "weight_grad",
]

name = "pointwise"
exact = True
activations = frozenset(ACTIVATIONS)


def refusal(problem: Problem) -> str | None:
    """Kernels of one element, without padding and groups."""
    if math.prod(problem.kernel_size) != 1:
        return "the kernel has more than one element"
    if problem.padded:
        return "the input is padded"
    if problem.groups != 1:
        return "the channels are split into groups"
    return None


def drawback(problem: Problem, task: str) -> str | None:
    """None: engines that are better at something come before this one."""
    return None


def takes_half(problem: Problem) -> bool:
    """Where products sum in float32 what they are given in half precision."""
    return has_body("matmul", problem)


def forward(
    problem: Problem,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Return y (N, OH, OW, O): (N*OH*OW, C) @ (C, O)."""
    whole = None if problem.empty else body("convolve", x)
    if whole is not None:  # the input is its own matrix of columns there, too
        return whole(problem, x, weight, bias, activation)
    xp = array_namespace(x)
    y = matmul(_rows(xp, x[_steps(problem)]), _matrix(xp, weight).T, bias)
    y = xp.reshape(y, (problem.batch, *problem.out_size, problem.out_channels))
    return clipped(y, activation)


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C, 1, 1): (O, N*OH*OW) @ (N*OH*OW, C)."""
    whole = None if problem.empty else body("convolve_weight_grad", x)
    if whole is not None:
        return whole(problem, x, dy)
    xp = array_namespace(x)
    dweight = matmul(_rows(xp, dy).T, _rows(xp, x[_steps(problem)]))
    return xp.reshape(dweight, (problem.out_channels, problem.in_channels, *problem.kernel_size))


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C): (N*OH*OW, O) @ (O, C), zero where the stride skips the input."""
    whole = None if problem.empty else body("convolve_input_grad", dy)
    if whole is not None:
        return whole(problem, dy, weight)
    xp = array_namespace(dy)
    dx = matmul(_rows(xp, dy), _matrix(xp, weight))
    dx = xp.reshape(dx, (problem.batch, *problem.out_size, problem.in_channels))
    if problem.unit_stride:
        return dx
    shape = (problem.batch, *problem.in_size, problem.in_channels)
    return put(xp.zeros(shape, dtype=dy.dtype, device=device(dy)), _steps(problem), dx)


def _steps(problem: Problem) -> tuple[slice, ...]:
    return (slice(None), *(slice(None, None, s) for s in problem.stride), slice(None))


def _rows(xp: Namespace, x: Array) -> Array:
    return xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _matrix(xp: Namespace, weight: Array) -> Array:
    return xp.reshape(weight, weight.shape[:2])
