"""Winograd's minimal filtering on NumPy arrays: pieces for the threads, and what surrounds them."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ..._workspace import workspace_budget
from .._problem import Problem
from .._scratch import aligned, scratch
from .._winograd import Filtering, filtering_for, tiles
from . import _run, _run_deep
from ._kernels import gradients_of_blocks, transform_blocks
from ._memory import BOUNDS, TURNS, even_budget, flat, memory, parts_of, threads_for, turns_of
from ._pack import LINE, add_up
from ._run import LAID_OUT_ALONE
from ._team import share
from ._tiles import apart
from ._vectors import tile_rows, vector_bytes
from ._winograd import Tiling, winograd_pieces, winograd_sums

_BYTES = 400_000  # of a piece's transformed tiles, of up to 128 channels: part of a core's cache
_DEEP, _DEEP_GRADIENT = 2**22, 2**21  # bytes of transformed kernels
_ROWS = 24  # tiles that a piece has at least, if it can: fewer make poor products


class Work:
    """The geometry of a convolution (or of its input gradient, ``turned``) and its pieces."""

    def __init__(self, problem: Problem, turned: bool) -> None:
        self.filtering: Filtering = filtering_for(problem)
        x_size, out = problem.in_size, problem.out_size
        channels, outs = problem.in_channels, problem.out_channels
        above, left = (before for before, _ in problem.padding)
        if turned:
            x_size, out, channels, outs, above, left = (
                out,
                x_size,
                outs,
                channels,
                2 - above,
                2 - left,
            )
        self.lanes = vector_bytes() // np.dtype(problem.dtype).itemsize
        self.down, across = tiles(self.filtering, out)
        self.batch, self.points = problem.batch, self.filtering.side**2
        self.tiling = Tiling(
            m=self.filtering.m,
            tall=tile_rows(),
            lanes=self.lanes,
            size=(1, *x_size, channels),  # type: ignore[arg-type]
            above=above,
            left=left,
            out=(*out, outs),  # type: ignore[arg-type]
            across=across,
        )
        self.itemsize = np.dtype(problem.dtype).itemsize
        self.flops = 2 * problem.batch * self.down * across * self.points * channels * outs

    def budget(self, threads: int) -> int:
        """Bytes of transformed tiles at a time."""
        return min(self.wanted, workspace_budget(self.wanted * threads) // threads)

    @property
    def wanted(self) -> int:
        """The same, where nothing bounds them: more channels want longer products all the same."""
        return _BYTES * max(1, self.tiling.size[3] // 128)

    def pieces(self, budget: int, count: int, parts: int = 1) -> np.ndarray:
        """Cut into at least ``count`` pieces, if they can be, of about ``budget`` bytes each.

        None of them reaches over the edges of ``parts`` even parts of the batch.
        """
        across, channels = self.tiling.across, self.tiling.size[3]
        row = across * self.points * channels * self.itemsize
        least = math.ceil(_ROWS / across)  # rows of tiles
        rows = max(1, min(budget // row, max(least, self.batch * self.down // count)))
        if rows >= self.down:
            images = max(1, min(rows // self.down, self.batch // count))
            table = []
            for first, last in pairwise(k * self.batch // parts for k in range(parts + 1)):
                cuts = math.ceil((last - first) / images)
                edges = [first + k * (last - first) // cuts for k in range(cuts + 1)]
                table += [(a, b, 0, self.down) for a, b in pairwise(edges)]
            return np.array(table)
        cuts = math.ceil(self.down / rows)
        edges = [k * self.down // cuts for k in range(cuts + 1)]
        both = list(pairwise(edges))
        return np.array([(n, n + 1, a, b) for n in range(self.batch) for a, b in both])

    def across_numbers(self, channels: int) -> int:
        """Numbers of a row of tiles, as it is read."""
        return (self.tiling.m + 2) * (self.tiling.across * self.tiling.m + 2) * channels

    @property
    def kernel_bytes(self) -> int:
        """Of all transformed kernels."""
        return self.points * self.tiling.size[3] * self.tiling.out[2] * self.itemsize

    def rooms(self, pieces: np.ndarray, outs: int) -> tuple[int, int, int]:
        """Numbers that a piece needs: for its input, its tiles, ``outs`` channels of products."""
        m, across = self.tiling.m, self.tiling.across
        images, rows = pieces[:, 1] - pieces[:, 0], pieces[:, 3] - pieces[:, 2]
        count = int((images * rows).max()) * across
        wide = max(self.tiling.size[3], outs)
        region = int((images * (rows * m + 2)).max()) * (across * m + 2) * wide
        region += -region % 16  # what follows begins a cache line
        return region, *(self.points * apart(count * c) for c in (self.tiling.size[3], outs))


@lru_cache(maxsize=1024)
def _work_of(problem: Problem, turned: bool) -> Work:
    return Work(problem, turned)


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

    What is not finite would spread over a tile; then the sums of the definition are formed instead.
    ``kernels`` are what `kernels_of` made of the weight before.
    """
    work = _work_of(problem, turned)
    tiling, outs, lane = work.tiling, work.tiling.out[2], 2 * work.lanes
    threads = threads_for(work.flops)
    start = np.zeros(outs, x.dtype) if bias is None else flat(bias)
    if work.kernel_bytes > _DEEP:
        found = _run_deep.convolve(work, x, flat(weight), start, turned, activation, threads)
        return (
            _run.convolve(problem, x, weight, bias, turned, activation) if found is None else found
        )
    if kernels is None:
        kernels = kernels_of(problem, weight, turned)
    if kernels is None:
        return _run.convolve(problem, x, weight, bias, turned, activation)
    y = aligned(problem.batch * math.prod(tiling.out), x.dtype)
    pieces = work.pieces(work.budget(threads), 1 if threads == 1 else TURNS * threads)
    rooms = work.rooms(pieces, lane)
    turns, room = turns_of(len(pieces), threads), sum(rooms)
    finite = np.empty(turns, dtype=np.bool_)
    share(
        winograd_pieces, turns, threads, tiling, pieces, *memory(x),
        scratch(threads * room, x.dtype).reshape(threads, room), rooms, kernels, start,
        BOUNDS[activation], y, finite,
    )  # fmt: skip
    if not finite.all():
        return _run.convolve(problem, x, weight, bias, turned, activation)
    return y.reshape(problem.batch, *tiling.out)


def kernels_of(problem: Problem, weight: np.ndarray, turned: bool) -> np.ndarray | None:
    """Return a weight transformed, as `convolve` reads it.

    None where it is not finite, or so large that it is transformed a block at a time.
    """
    work = _work_of(problem, turned)
    if work.kernel_bytes > _DEEP:
        return None
    tiling, lane, plain = work.tiling, 2 * work.lanes, flat(weight)
    blocks, inner, outs = math.ceil(tiling.out[2] / lane), tiling.size[3], tiling.out[2]
    step = apart(inner * lane)
    kernels = aligned(blocks * work.points * step, weight.dtype)
    finite = np.empty(blocks, dtype=np.bool_)
    threads = 1 if kernels.size < LAID_OUT_ALONE else threads_for(work.flops)
    share(
        transform_blocks, blocks, threads, tiling.m, plain, (inner, outs), turned, kernels,
        work.points * step, step, work.lanes, finite,
    )  # fmt: skip
    return kernels if finite.all() else None


def weight_gradient(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C, 3, 3)."""
    work = _work_of(problem, False)
    tiling, threads = work.tiling, threads_for(work.flops)
    inner, outs = problem.in_channels, problem.out_channels
    if work.kernel_bytes > _DEEP_GRADIENT:
        found = _run_deep.weight_gradient(work, x, dy, threads)
        if found is None:
            return _run.weight_gradient(problem, x, dy)
        return found.reshape(outs, inner, 3, 3)
    shape = (work.points, inner, outs)
    parts = parts_of(work.flops, math.prod(shape) * x.itemsize, problem.batch)
    sums = aligned(parts * math.prod(shape), x.dtype).reshape(parts, *shape)
    sums[...] = 0
    budget, threads = even_budget(work.wanted, threads)
    pieces = work.pieces(budget, parts, parts)
    edges = np.searchsorted(pieces[:, 0], [k * problem.batch // parts for k in range(parts + 1)])
    blocks = math.ceil(outs / (2 * work.lanes))
    count = min(blocks, math.ceil(2 * threads / parts) if threads > 1 else 1)
    splits = np.array(
        [min(k * blocks // count * 2 * work.lanes, outs) for k in range(count)] + [outs]
    )
    rooms = work.rooms(pieces, int(np.diff(splits).max()))
    room = sum(rooms)
    share(
        winograd_sums, parts * count, threads, tiling, pieces, edges, splits, *memory(x),
        scratch(threads * room, x.dtype).reshape(threads, room), rooms, *memory(dy), sums,
    )  # fmt: skip
    dweight = aligned(outs * inner * 9, x.dtype)
    alone = 1 if sums.size < LAID_OUT_ALONE else threads
    rows = sums.reshape(parts, -1)
    if parts > 1:
        share(add_up, math.ceil(rows.shape[1] / LINE), alone, rows)
    finite = np.empty(blocks, dtype=np.bool_)
    share(
        gradients_of_blocks, blocks, alone, tiling.m, rows[0], (inner, outs), dweight, work.lanes,
        finite,
    )  # fmt: skip
    if not finite.all():
        return _run.weight_gradient(problem, x, dy)
    return dweight.reshape(outs, inner, 3, 3)
