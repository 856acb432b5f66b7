"""Depthwise convolutions and those of small groups: their memory and their threads."""

from __future__ import annotations

import math

import numpy as np

from ..._workspace import workspace_budget
from .._problem import Problem
from .._scratch import aligned, scratch
from ._channels import convolve_regions, correlate_regions, gather_sums
from ._memory import even_budget, flat, memory, threads_for, turns_of, whole_lines
from ._plan_channels import BYTES, plan_of
from ._team import share


def _budget(threads: int) -> int:
    return min(BYTES, workspace_budget(BYTES * threads) // threads)


def convolve(
    problem: Problem,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    turned: bool,
    bounds: tuple[float, float],
) -> np.ndarray:
    """Return y (N, OH, OW, O); with ``turned`` dx (N, H, W, C) for ``x = dy``."""
    plan = plan_of(problem, turned)
    channels = plan.lanes.y_size[3]
    shape = (problem.batch, *(problem.in_size if turned else problem.out_size), channels)
    if not plan.phases:  # steps that jump over the whole input
        return np.zeros(shape, dtype=x.dtype)
    size = math.prod(shape)
    y = np.zeros(size, x.dtype) if plan.sparse else aligned(size, x.dtype)
    start = np.zeros(channels, x.dtype) if bias is None else flat(bias)
    threads = threads_for(plan.effort)
    kernels = plan.kernels(weight)
    table, taps, _ = plan.tables
    numbers, steps = memory(x)
    regions, room = plan.regions(_budget(threads), steps[4] == 1)

    room = whole_lines(room)
    share(
        convolve_regions, turns_of(len(regions), threads), threads, plan.lanes, regions, table,
        taps, numbers, steps, scratch(threads * room, x.dtype).reshape(threads, room), kernels,
        start, bounds, y,
    )  # fmt: skip
    return y.reshape(shape)


def weight_gradient(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C/G, KH, KW)."""
    plan = plan_of(problem, False)
    threads = threads_for(plan.effort)
    table, taps, elements = plan.tables
    numbers, steps = memory(x)
    budget, threads = even_budget(BYTES, threads)
    regions, room, edges, rows, parts = plan.shares(budget, steps[4] == 1)
    channels, inner = problem.out_channels, problem.group_in
    sums = np.zeros((parts, len(elements) * inner * channels), x.dtype)
    room = whole_lines(room)
    share(
        correlate_regions, len(rows), threads, plan.lanes, regions, edges, rows, table[0], taps,
        numbers, steps, scratch(threads * room, x.dtype).reshape(threads, room), flat(dy), sums,
    )  # fmt: skip
    dweight = np.empty((channels, inner, *problem.kernel_size), x.dtype)
    gather_sums(sums, inner, channels, dweight.reshape(-1))
    return dweight
