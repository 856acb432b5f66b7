"""Convolutions straight from the input: no columns, only tiles of sums that stay in registers.

Work is cut into pieces, a few images or some rows of one. A piece's input is copied to a buffer
with its padding (or read where it stands, if there is none) and multiplied by kernels that were
laid out in the order in which tiles read them. Threads take the pieces in turn; no sum depends on
how many threads there are.
"""

from __future__ import annotations

import math

import numpy as np

from ..._workspace import workspace_budget
from .._problem import Problem
from .._scratch import aligned, scratch
from . import _run_channels
from ._few_sums import correlate_few, laid_out
from ._memory import BOUNDS, even_budget, flat, memory, threads_for, turns_of
from ._pack import LINE, add_up, pack, pack_rows, unpack
from ._piece import convolve_pieces, correlate_pieces
from ._plan import Plan, plan_of, plan_of_sums
from ._plan_channels import fits
from ._planes import convolve_planes
from ._team import share
from ._work import sums_of, work_of

_BYTES = (
    2**18
)  # of a piece's input: with the kernels of some output channels it fits a core's cache
_STRIP = 256  # places of the output whose numbers stay in the nearest cache
LAID_OUT_ALONE = 2**14  # numbers of a kernel that one thread lays out


def _budget(threads: int) -> int:
    return min(_BYTES, workspace_budget(_BYTES * threads) // threads)


def convolve(
    problem: Problem,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    turned: bool,
    activation: str | None = None,
    kernels: np.ndarray | None = None,
) -> np.ndarray:
    """Return y (N, OH, OW, O); with ``turned`` dx (N, H, W, C) for ``x = dy``.

    ``kernels`` are what `kernels_of` made of the weight before.
    """
    bounds = BOUNDS[activation]
    if fits(problem):
        return _run_channels.convolve(problem, x, weight, bias, turned, bounds)
    plan = plan_of(problem, turned)
    size = problem.in_size if turned else problem.out_size
    shape = (problem.batch, *size, plan.geometry.y_size[3])
    if not plan.phases:  # steps that jump over the whole input
        return np.zeros(shape, dtype=x.dtype)
    y = np.zeros(math.prod(shape), x.dtype) if plan.sparse else aligned(math.prod(shape), x.dtype)
    start = np.zeros(plan.geometry.y_size[3], x.dtype) if bias is None else flat(bias)
    threads = threads_for(plan.effort)
    if kernels is None:
        kernels = _laid_out(plan, weight, threads)
    phases, taps, _, _ = plan.tables
    numbers, steps = memory(x)
    in_place = plan.inside and not plan.planar and x.flags.c_contiguous
    work = work_of(plan, _budget(threads), threads, in_place)
    buffers = scratch(threads * work.room, x.dtype).reshape(threads, work.room)
    share(
        convolve_planes if plan.planar else convolve_pieces, work.turns, threads, work.geometry,
        work.pieces, phases, taps, numbers, steps, buffers, kernels, start, bounds, y,
    )  # fmt: skip
    return y.reshape(shape)


def kernels_of(problem: Problem, weight: np.ndarray) -> np.ndarray | None:
    """Return a weight as `convolve` reads it; None where it reads the weight itself."""
    if fits(problem):
        return None
    plan = plan_of(problem, False)
    return _laid_out(plan, weight, threads_for(plan.effort)) if plan.phases else None


def _laid_out(plan: Plan, weight: np.ndarray, threads: int) -> np.ndarray:
    """Kernels in the order of the tiles of all phases."""
    if plan.planar:
        return flat(weight)
    weight = flat(weight).reshape(*weight.shape[:2], -1)
    phases, _, elements, size = plan.tables
    # Elements that a phase leaves out are written behind the others.
    spare = (plan.geometry.inner + 1) * plan.width if plan.turned else 0
    packed = aligned(size + spare, weight.dtype)
    groups, alone = plan.problem.groups, 1 if size < LAID_OUT_ALONE else threads
    for phase, taps in zip(phases, elements, strict=True):
        if plan.spread:
            across = plan.problem.kernel_size[2]
            pack_rows(weight, taps, packed, phase[17], across, plan.width // 2)
            continue
        share(
            pack, turns_of(plan.blocks, alone), alone, weight, taps, packed, phase[17], groups,
            plan.width // 2, plan.turned,
        )  # fmt: skip
    return packed


def weight_gradient(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C/G, KH, KW)."""
    if fits(problem):
        return _run_channels.weight_gradient(problem, x, dy)
    plan = plan_of_sums(problem)
    lanes, threads = plan.geometry.lanes, threads_for(plan.effort)
    phases, taps, (elements,), _ = plan.tables
    numbers, steps = memory(x)
    in_place = plan.inside and x.flags.c_contiguous
    budget, threads = even_budget(_BYTES, threads)
    work = sums_of(plan, budget, threads, in_place)
    parts = len(work.edges) - 1
    shape = (parts, work.geometry.groups, elements.size, work.geometry.inner, work.geometry.outs)
    sums = aligned(math.prod(shape), x.dtype).reshape(shape)
    sums[...] = 0
    buffers = scratch(threads * work.room, x.dtype).reshape(threads, work.room)
    few = work.geometry.abreast > 0
    body = correlate_few if few else correlate_pieces
    share(
        body, parts * len(work.splits), threads, work.geometry, work.pieces, work.edges,
        work.splits, phases[0], taps, numbers, steps, buffers, flat(dy), sums, _STRIP,
    )  # fmt: skip
    dweight = aligned(problem.out_channels * problem.group_in * elements.size, x.dtype)
    dweight = dweight.reshape(problem.out_channels, problem.group_in, elements.size)
    alone = 1 if dweight.size < LAID_OUT_ALONE else threads
    if parts > 1:
        share(add_up, math.ceil(dweight.size / LINE), alone, sums.reshape(parts, -1))
    if few:
        laid_out(sums[0].reshape(len(taps), problem.out_channels, -1), dweight)
    else:
        blocks = math.ceil(problem.out_channels / lanes)
        share(unpack, turns_of(blocks, alone), alone, sums[0], dweight, lanes)
    return dweight.reshape(problem.out_channels, problem.group_in, *problem.kernel_size)
