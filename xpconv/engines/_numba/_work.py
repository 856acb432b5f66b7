"""How a plan's work is cut for threads: worked out once for each number of them."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ._geometry import Geometry
from ._memory import parts_of, turns_of, whole_lines
from ._plan import Plan
from ._plan_planes import sums_abreast

_PIECES = 2  # for each thread, at least; neighbours read the same rows, and each copies them


class Work(NamedTuple):
    """The pieces of a convolution."""

    geometry: Geometry
    pieces: np.ndarray
    turns: int
    room: int
    """Numbers in each thread's buffer."""


class Sums(NamedTuple):
    """The pieces of a weight gradient: partial sums, each of some images."""

    geometry: Geometry
    pieces: np.ndarray
    edges: np.ndarray
    """Where the pieces of a part begin, and the end."""
    splits: np.ndarray
    """First and last output channel of what threads share of a part."""
    room: int


@lru_cache(maxsize=1024)
def work_of(plan: Plan, budget: int, threads: int, in_place: bool) -> Work:
    """Cut a convolution into pieces of about ``budget`` bytes; ``in_place`` they are not copied."""
    pieces, room = plan.pieces(budget, 1 if threads == 1 else _PIECES * threads)
    geometry = plan.geometry._replace(in_place=in_place)
    turns = turns_of(len(pieces), threads)
    return Work(geometry, pieces, turns, 0 if in_place else whole_lines(room))


@lru_cache(maxsize=1024)
def sums_of(plan: Plan, budget: int, threads: int, in_place: bool) -> Sums:
    """Cut a weight gradient into parts, whose number does not depend on the threads."""
    batch, geometry = plan.problem.batch, plan.geometry
    size = geometry.groups * plan.tables[2][0].size * geometry.inner * geometry.outs
    parts = parts_of(plan.effort, size * plan.itemsize, batch)
    pieces, room = plan.pieces(budget, parts, parts)
    edges = np.searchsorted(pieces[:, 0], [k * batch // parts for k in range(parts + 1)])
    splits = _splits(geometry, math.ceil(threads / parts))
    block = sums_abreast(plan.problem, plan.tables[0][0][18])
    geometry = geometry._replace(in_place=in_place, abreast=block)
    return Sums(geometry, pieces, edges, splits, 0 if in_place else whole_lines(room))


def _splits(geometry: Geometry, wanted: int) -> np.ndarray:
    """Cut the output channels of one product at whole vectors, so that threads have as many."""
    vectors = math.ceil(geometry.outs / geometry.lanes)
    count = min(vectors, wanted) if geometry.groups == 1 else 1
    edges = [min(k * vectors // count * geometry.lanes, geometry.outs) for k in range(count + 1)]
    return np.array(list(pairwise(edges)))
