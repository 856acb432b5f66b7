"""Kernels in bands of a matrix: how many places of a row it is for, and where its numbers stand."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from .._problem import Problem
from ._columns import short_runs
from ._cuts import few_places, is_matrix
from ._groups import fused

# Nanoseconds of one core for a run of numbers that is copied, for each of its numbers, for each
# number that is copied by itself, and for each result that a bias is added to; multiply-adds a
# nanosecond, and those of products of one vector.
_RUN, _NUMBER, _ALONE, _FINISH, _SPEED, _SLIM_SPEED = 5, 0.16, 0.47, 0.15, 105, 85
_VECTOR = 16
_WIDEST = 512  # results of a row
_SENT = 1.6  # times as long as to gather, to add up what is sent back


@lru_cache(maxsize=4096)
def width(problem: Problem) -> int:
    """Return how many places of a row are computed at a time; 1 where bands do not pay."""
    if problem.dtype not in ("float32", "float64") or problem.ndim == 1:  # whose rows are cut
        return 1
    if is_matrix(problem) or few_places(problem):
        return 1
    item = np.dtype(problem.dtype).itemsize
    widths = (problem.group_in, problem.group_out)
    if problem.groups > 1 and not all(fused(some, item) for some in widths):
        return 1
    row, outs = problem.out_size[-1], problem.group_out
    some = [b for b in range(2, row + 1) if row % b == 0 and b * outs <= _WIDEST]
    best = min(some, key=lambda b: _cost(problem, b), default=1)
    return best if problem.groups > 1 or 1.1 * _cost(problem, best) < _cost(problem, 1) else 1


@lru_cache(maxsize=4096)
def sends_back(problem: Problem) -> bool:
    """Whether an input gradient is computed by the bands of the forward pass, turned."""
    if problem.groups > 1 or width(problem) == 1:
        return False
    turned = problem.input_problem()
    if turned is None:
        return True
    back = _cost(problem, width(problem)) * math.prod(problem.out_size)
    return _SENT * back < _cost(turned, width(turned)) * math.prod(problem.in_size)


def _cost(problem: Problem, places: int) -> float:
    """Estimate the nanoseconds for each place of the output, and each group."""
    *lead, last = problem.kernel_size
    runs, length = math.prod(lead), run(problem, places)
    if places == 1:
        runs = runs if problem.dilation[-1] == 1 else runs * last
        length = problem.window // runs
    copied = runs * (_RUN + _NUMBER * length)
    if places == 1 and short_runs(problem):
        copied = _ALONE * problem.window
    outs = places * problem.group_out
    vectors = -(-outs // _VECTOR)
    product = runs * length * vectors * _VECTOR / (_SPEED if vectors > 1 else _SLIM_SPEED)
    finished = 0 if places > 1 else _FINISH * outs
    return (copied + product + finished) / places


def run(problem: Problem, places: int) -> int:
    """Return how many numbers of one row of the input, and one group, some places see."""
    reach = (problem.kernel_size[-1] - 1) * problem.dilation[-1]
    return ((places - 1) * problem.stride[-1] + reach + 1) * problem.group_in


def inner(problem: Problem, places: int) -> int:
    """Return how many numbers of one group some places see."""
    return math.prod(problem.kernel_size[:-1]) * run(problem, places)


def banded(
    problem: Problem, kernels: np.ndarray, bias: np.ndarray | None, places: int
) -> np.ndarray:
    """Return kernels (G, KH, KW, C/G, O/G) and a bias as (G, KH * run [+ 1], places * O/G)."""
    length, outs = inner(problem, places) + (bias is not None), places * problem.group_out
    matrices = np.zeros((problem.groups, length, outs), kernels.dtype)
    band(problem, matrices, places)[...] = kernels[:, None]
    if bias is not None:
        last = matrices[:, -1].reshape(problem.groups, places, -1)
        last[...] = bias.reshape(problem.groups, 1, -1)
    return matrices


def band(problem: Problem, matrices: np.ndarray, places: int) -> np.ndarray:
    """Return a view (G, places, KH, KW, C/G, O/G) of the numbers that are kernels."""
    whole, row, item = matrices.strides
    taps, channels, outs = problem.kernel_size, problem.group_in, problem.group_out
    length = run(problem, places)
    step = [row * length * math.prod(taps[k + 1 : -1]) for k in range(len(taps) - 1)]
    step.append(row * channels * problem.dilation[-1])
    along = row * channels * problem.stride[-1] + outs * item
    shape = (problem.groups, places, *taps, channels, outs)
    return np.ndarray(shape, matrices.dtype, matrices, 0, (whole, along, *step, row, item))
