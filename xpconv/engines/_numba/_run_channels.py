"""Depthwise convolutions and those of small groups: their memory and their threads."""

from __future__ import annotations

import math

import numpy as np

from ..._workspace import workspace_budget
from .._problem import Problem
from .._scratch import aligned, scratch
from .._threads import each
from ._channels import convolve_regions, correlate_regions
from ._memory import flat, memory, share, threads_for
from ._plan_channels import BYTES, edges_of, plan_of


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

    def work(first: int, last: int) -> None:
        buffer = scratch(room, x.dtype)
        convolve_regions(
            plan.lanes, regions[first:last], table, taps, numbers, steps, buffer, kernels,
            start, bounds, y,
        )  # fmt: skip

    share(work, len(regions), threads)
    return y.reshape(shape)


def weight_gradient(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C/G, KH, KW)."""
    plan = plan_of(problem, False)
    threads = threads_for(plan.effort)
    phase, taps = plan.tables[0][0], plan.all_taps
    numbers, steps = memory(x)
    regions, room = plan.regions(_budget(threads), steps[4] == 1)
    edges = np.searchsorted(regions[:, 0], edges_of(problem.batch))
    parts = len(edges) - 1
    rows = taps.shape[0] * plan.g
    sums = np.zeros((parts, rows * problem.out_channels), x.dtype)
    source = flat(dy)

    def work(part: int) -> None:
        mine = regions[edges[part] : edges[part + 1]]
        correlate_regions(
            plan.lanes, mine, phase, taps, numbers, steps, scratch(room, x.dtype),
            source, sums[part],
        )  # fmt: skip

    each(work, parts, threads)
    total = sums[0] if parts == 1 else sums.sum(axis=0)
    split = total.reshape(-1, problem.group_in, problem.groups, problem.group_out)
    dweight = np.ascontiguousarray(split.transpose(2, 3, 1, 0))
    return dweight.reshape(problem.out_channels, problem.group_in, *problem.kernel_size)
