"""Winograd's minimal filtering on NumPy arrays: pieces for the threads, and what surrounds them."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ..._workspace import workspace_budget
from .._problem import Problem
from .._scratch import aligned, scratch
from .._threads import each
from .._winograd import Filtering, filtering_for, tiles
from . import _run
from ._memory import BOUNDS, flat, memory, share, threads_for
from ._run import LAID_OUT_ALONE
from ._tiles import apart, kernel_gradients, transform_kernels
from ._vectors import tile_rows, vector_bytes
from ._winograd import Tiling, winograd_pieces, winograd_sums

_BYTES = 400_000  # of a piece's transformed tiles, of up to 128 channels: part of a core's cache
_PARTIAL = 8 * 2**20  # bytes of partial weight gradients
_PARTS = 8
_ROWS = 24  # tiles that a piece has at least, if it can: fewer make poor products


class _Work:
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
        """Bytes of transformed tiles at a time; more channels want longer products all the same."""
        wanted = _BYTES * max(1, self.tiling.size[3] // 128)
        return min(wanted, workspace_budget(wanted * threads) // threads)

    def pieces(self, budget: int, count: int) -> np.ndarray:
        """Cut into at least ``count`` pieces, if they can be, of about ``budget`` bytes each."""
        across, channels = self.tiling.across, self.tiling.size[3]
        row = across * self.points * channels * self.itemsize
        least = math.ceil(_ROWS / across)  # rows of tiles
        rows = max(1, min(budget // row, max(least, self.batch * self.down // count)))
        if rows >= self.down:
            images = max(1, min(rows // self.down, self.batch // count))
            cuts = math.ceil(self.batch / images)
            edges = [k * self.batch // cuts for k in range(cuts + 1)]
            return np.array([(a, b, 0, self.down) for a, b in pairwise(edges)])
        cuts = math.ceil(self.down / rows)
        edges = [k * self.down // cuts for k in range(cuts + 1)]
        both = list(pairwise(edges))
        return np.array([(n, n + 1, a, b) for n in range(self.batch) for a, b in both])

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
def _work_of(problem: Problem, turned: bool) -> _Work:
    return _Work(problem, turned)


def _buffers(rooms: tuple[int, int, int], dtype: np.dtype) -> list[np.ndarray]:
    block = scratch(sum(rooms), dtype)
    a, b, _ = rooms
    return [block[:a], block[a : a + b], block[a + b :]]


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
    if kernels is None:
        kernels = kernels_of(problem, weight, turned)
    if kernels is None:
        return _run.convolve(problem, x, weight, bias, turned, activation)
    work = _work_of(problem, turned)
    tiling, outs, lane = work.tiling, work.tiling.out[2], 2 * work.lanes
    threads = threads_for(work.flops)
    y = aligned(problem.batch * math.prod(tiling.out), x.dtype)
    start = np.zeros(outs, x.dtype) if bias is None else flat(bias)
    pieces = work.pieces(work.budget(threads), 1 if threads == 1 else 4 * threads)
    rooms = work.rooms(pieces, lane)
    source, steps = memory(x)
    doubtful: list[int] = []

    def some(first: int, last: int) -> None:
        buffer, inputs, products = _buffers(rooms, x.dtype)
        finite = winograd_pieces(
            tiling, pieces[first:last], source, steps, buffer, inputs, products, kernels, start,
            BOUNDS[activation], y,
        )  # fmt: skip
        if not finite:
            doubtful.append(first)

    share(some, len(pieces), threads)
    return (
        _run.convolve(problem, x, weight, bias, turned, activation)
        if doubtful
        else y.reshape(problem.batch, *tiling.out)
    )


def kernels_of(problem: Problem, weight: np.ndarray, turned: bool) -> np.ndarray | None:
    """Return a weight transformed, as `convolve` reads it; None where it is not finite."""
    if not np.isfinite(weight).all():
        return None
    work = _work_of(problem, turned)
    tiling, lane = work.tiling, 2 * work.lanes
    blocks, inner = math.ceil(tiling.out[2] / lane), tiling.size[3]
    kernels = aligned(blocks * work.points * apart(inner * lane), weight.dtype)
    plain = np.require(weight, requirements=["C", "W"]).reshape(*weight.shape[:2], 9)
    share(
        lambda a, b: transform_kernels(tiling.m, plain, turned, kernels, lane, a, b),
        blocks,
        1 if kernels.size < LAID_OUT_ALONE else threads_for(work.flops),
    )
    return kernels


def weight_gradient(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C, 3, 3)."""
    work = _work_of(problem, False)
    tiling, threads = work.tiling, threads_for(work.flops)
    inner, outs = problem.in_channels, problem.out_channels
    shape = (work.points, inner, outs)
    size = math.prod(shape) * x.itemsize
    parts = (
        max(1, min(_PARTS, _PARTIAL // size, problem.batch))
        if threads_for(work.flops, 2) > 1
        else 1
    )
    sums = aligned(parts * math.prod(shape), x.dtype).reshape(parts, *shape)
    sums[...] = 0
    pieces = work.pieces(work.budget(threads), parts)
    edges = np.searchsorted(pieces[:, 0], [k * problem.batch // parts for k in range(parts + 1)])
    blocks = math.ceil(outs / (2 * work.lanes))
    count = min(blocks, math.ceil(2 * threads / parts) if threads > 1 else 1)
    splits = [min(k * blocks // count * 2 * work.lanes, outs) for k in range(count)] + [outs]
    rooms = work.rooms(pieces, max(b - a for a, b in pairwise(splits)))
    source, steps = memory(x)
    dsource, dsteps = memory(dy)

    def some(number: int) -> None:
        part, split = divmod(number, count)
        first, last = splits[split], splits[split + 1]
        buffer, inputs, dtiles = _buffers(rooms, x.dtype)
        winograd_sums(
            tiling, pieces[edges[part] : edges[part + 1]], source, steps, buffer, inputs,
            dsource, dsteps, dtiles, first, last - first, sums[part].reshape(-1),
        )  # fmt: skip

    each(some, parts * count, threads)
    dweight = aligned(outs * inner * 9, x.dtype).reshape(outs, inner, 9)
    share(
        lambda a, b: kernel_gradients(tiling.m, sums, dweight, 2 * work.lanes, a, b),
        inner,
        1 if sums.size < LAID_OUT_ALONE else threads,
    )
    if not np.isfinite(dweight).all():
        return _run.weight_gradient(problem, x, dy)
    return dweight.reshape(outs, inner, 3, 3)
