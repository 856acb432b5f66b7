"""Kernels as the matrices that columns are multiplied by."""

from __future__ import annotations

import math

from .._typing import Array, Namespace
from ._problem import Problem


def kernel_matrices(xp: Namespace, problem: Problem, weight: Array) -> Array:
    """(O, C/G, KH, KW) -> (G, O/G, KH*KW*C/G), in the order of the columns."""
    last = xp.moveaxis(weight, 1, -1)
    return xp.reshape(last, (problem.groups, problem.group_out, problem.window))


def turned_matrices(xp: Namespace, problem: Problem, weight: Array) -> Array:
    """(O, C/G, KH, KW) -> (G, C/G, KH*KW*O/G), with every kernel turned around."""
    shape = (problem.groups, problem.group_out, problem.group_in, *problem.kernel_size)
    split = xp.moveaxis(xp.reshape(weight, shape), 1, -1)  # (G, C/G, KH, KW, O/G)
    turned = xp.flip(split, axis=tuple(range(2, 2 + problem.ndim)))
    window = math.prod(problem.kernel_size) * problem.group_out
    return xp.reshape(turned, (problem.groups, problem.group_in, window))


def kernels_back(xp: Namespace, problem: Problem, matrices: Array) -> Array:
    """(G, O/G, KH*KW*C/G) -> (O, C/G, KH, KW)."""
    kernels = (problem.out_channels, *problem.kernel_size, problem.group_in)
    return xp.moveaxis(xp.reshape(matrices, kernels), -1, 1)
