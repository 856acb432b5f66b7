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
from . import _run, _run_deep
from ._kernels import kernel_gradients, transform_kernels
from ._memory import BOUNDS, flat, memory, share, threads_for
from ._pack import add_up
from ._run import LAID_OUT_ALONE, LINE
from ._tiles import apart
from ._vectors import tile_rows, vector_bytes
from ._winograd import Tiling, winograd_pieces, winograd_sums

_BYTES = 400_000  # of a piece's transformed tiles, of up to 128 channels: part of a core's cache
_PARTIAL = 8 * 2**20  # bytes of partial weight gradients
_PARTS = 8
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
        """Bytes of transformed tiles at a time; more channels want longer products all the same."""
        wanted = _BYTES * max(1, self.tiling.size[3] // 128)
        return min(wanted, workspace_budget(wanted * threads) // threads)

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
    finite: list[bool] = []
    pieces = work.pieces(work.budget(threads), 1 if threads == 1 else 4 * threads)
    rooms = work.rooms(pieces, lane)
    source, steps = memory(x)

    def some(first: int, last: int) -> None:
        buffer, inputs, products = _buffers(rooms, x.dtype)
        done = winograd_pieces(
            tiling, pieces[first:last], source, steps, buffer, inputs, products, kernels, start,
            BOUNDS[activation], y,
        )  # fmt: skip
        finite.append(done)

    share(some, len(pieces), threads)
    if not all(finite):
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
    finite: list[bool] = []

    def transform(block: int) -> bool:
        at = block * work.points * step
        done: bool = transform_kernels(
            tiling.m, plain, (inner, outs), turned, block * lane, 0, inner, kernels, at, step,
            work.lanes,
        )  # fmt: skip
        return done

    threads = 1 if kernels.size < LAID_OUT_ALONE else threads_for(work.flops)
    share(lambda a, b: finite.extend(map(transform, range(a, b))), blocks, threads)
    return kernels if all(finite) else None


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
    size = math.prod(shape) * x.itemsize
    parts = (
        max(1, min(_PARTS, _PARTIAL // size, problem.batch))
        if threads_for(work.flops, 2) > 1
        else 1
    )
    sums = aligned(parts * math.prod(shape), x.dtype).reshape(parts, *shape)
    sums[...] = 0
    pieces = work.pieces(work.budget(threads), parts, parts)
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
    dweight = aligned(outs * inner * 9, x.dtype)
    alone = 1 if sums.size < LAID_OUT_ALONE else threads
    rows = sums.reshape(parts, -1)
    if parts > 1:
        lines = math.ceil(rows.shape[1] / LINE)
        share(lambda a, b: add_up(rows, LINE * a, LINE * b), lines, alone)
    finite: list[bool] = []

    def back(block: int) -> bool:
        o = block * 2 * work.lanes
        done: bool = kernel_gradients(
            tiling.m, rows[0], o, outs, inner * outs, (inner, outs), dweight, 0, inner, o,
            work.lanes,
        )  # fmt: skip
        return done

    share(lambda a, b: finite.extend(map(back, range(a, b))), blocks, alone)
    if not all(finite):
        return _run.weight_gradient(problem, x, dy)
    return dweight.reshape(outs, inner, 3, 3)
