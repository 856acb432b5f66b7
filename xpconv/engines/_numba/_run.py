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
from ._memory import (
    BOUNDS,
    TURNS,
    even_budget,
    flat,
    memory,
    parts_of,
    threads_for,
    turns_of,
    whole_lines,
)
from ._pack import LINE, add_up, pack, pack_rows, unpack
from ._piece import convolve_pieces, correlate_pieces
from ._plan import Plan, plan_of, plan_of_sums
from ._plan_channels import fits
from ._planes import convolve_planes
from ._team import share

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
    geometry = plan.geometry._replace(in_place=in_place)
    pieces, room = plan.pieces(_budget(threads), 1 if threads == 1 else TURNS * threads)
    room = 0 if in_place else whole_lines(room)
    body = convolve_planes if plan.planar else convolve_pieces
    share(
        body, turns_of(len(pieces), threads), threads, geometry, pieces, phases, taps, numbers,
        steps, scratch(threads * room, x.dtype).reshape(threads, room), kernels, start, bounds, y,
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
    weight = np.require(weight, requirements=["C", "W"]).reshape(*weight.shape[:2], -1)
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
    geometry, threads = plan.geometry, threads_for(plan.effort)
    lanes = geometry.lanes
    phases, taps, (elements,), _ = plan.tables
    shape = (geometry.groups, elements.size, geometry.inner, geometry.outs)
    parts = parts_of(plan.effort, math.prod(shape) * x.itemsize, problem.batch)
    sums = aligned(parts * math.prod(shape), x.dtype).reshape(parts, *shape)
    sums[...] = 0
    numbers, steps = memory(x)
    in_place = plan.inside and x.flags.c_contiguous
    geometry = geometry._replace(in_place=in_place)
    budget, threads = even_budget(_BYTES, threads)
    pieces, room = plan.pieces(budget, parts, parts)
    edges = np.searchsorted(pieces[:, 0], [k * problem.batch // parts for k in range(parts + 1)])
    splits = _splits(plan, math.ceil(2 * threads / parts) if threads > 1 else 1)
    room = 0 if in_place else whole_lines(room)
    share(
        correlate_pieces, parts * len(splits), threads, geometry, pieces, edges, splits, phases[0],
        taps, numbers, steps, scratch(threads * room, x.dtype).reshape(threads, room), flat(dy),
        sums, _STRIP,
    )  # fmt: skip
    dweight = aligned(problem.out_channels * problem.group_in * elements.size, x.dtype)
    dweight = dweight.reshape(problem.out_channels, problem.group_in, elements.size)
    alone = 1 if dweight.size < LAID_OUT_ALONE else threads
    if parts > 1:
        share(add_up, math.ceil(dweight.size / LINE), alone, sums.reshape(parts, -1))
    blocks = math.ceil(problem.out_channels / lanes)
    share(unpack, turns_of(blocks, alone), alone, sums[0], dweight, lanes)
    return dweight.reshape(problem.out_channels, problem.group_in, *problem.kernel_size)


def _splits(plan: Plan, wanted: int) -> np.ndarray:
    """Cut the output channels of one product at whole blocks, for threads to share."""
    outs, blocks = plan.geometry.outs, math.ceil(plan.geometry.outs / plan.width)
    count = min(blocks, wanted) if plan.geometry.groups == 1 else 1
    edges = [min(k * blocks // count * plan.width, outs) for k in range(count)]
    return np.array(list(zip(edges, [*edges[1:], outs], strict=True)))
