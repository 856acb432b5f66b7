"""Everything about a convolution's work that does not depend on the arrays' numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np

from .._problem import Problem
from ._geometry import Geometry
from ._plan_planes import GAP, kernel_rows_fit, planes_fit
from ._vectors import abreast, tile_rows, vector_bytes
from ._walk import Phase, phases

_FEW_COLUMNS = 6  # so narrow an output is computed for several images at a time

Rows = tuple[int, int, int, int, int, int]
"""Images ``[first, last)``, planes ``[front, back)`` and rows ``[top, bottom)`` of the walks."""


class Plan:
    """How a convolution, or with ``turned`` its input gradient, is computed.

    x and y are what is read and what is written: for the input gradient dy and dx. With ``planar``
    channels lie one after the other, each with all its columns; see `_planes`.
    """

    def __init__(self, problem: Problem, turned: bool, planar: bool = False) -> None:
        self.problem = problem = in_three_dimensions(problem)
        self.turned, self.planar = turned, planar
        self.itemsize = np.dtype(problem.dtype).itemsize
        # Few output channels fill few lanes of a vector: then a row of the kernel fills them.
        self.spread = not planar and turned and kernel_rows_fit(problem)
        self.phases = phases(problem, turned, self.spread)
        inner, outs = problem.group_in, problem.group_out
        x_size, y_size = (
            _four(problem.in_size, problem.in_channels),
            _four(problem.out_size, problem.out_channels),
        )
        if turned:
            inner, outs, x_size, y_size = outs, inner, y_size, x_size
        lanes = vector_bytes() // self.itemsize
        elements = math.prod(problem.kernel_size)
        steps = problem.group_in * elements, elements
        self.geometry = Geometry(
            along_batch=self._along_batch(),
            in_place=False,
            tall=tile_rows(),
            lanes=lanes,
            groups=problem.groups,
            inner=inner,
            outs=outs,
            size=x_size,
            y_size=y_size,
            spread=problem.kernel_size[2] * outs if self.spread else 0,
            hop=problem.stride[2] * outs,
            left=problem.padding[2][0] * outs,
            abreast=abreast(outs) * lanes if planar else 0,
            kernel_steps=(steps[1], steps[0]) if turned else steps,
        )
        self.effort = self._effort()

    def _effort(self) -> int:
        """Operations of a dense convolution that take as long: vectors need not be full."""
        if self.planar:
            return self.problem.flops
        outs = self.geometry.spread or self.geometry.outs
        filled = -(-outs // self.geometry.lanes) * self.geometry.lanes
        return self.problem.flops * filled // outs

    def _along_batch(self) -> bool:
        if self.spread or self.planar:
            return False
        columns = max((p.walks[2].last - p.walks[2].first for p in self.phases), default=1)
        return columns < _FEW_COLUMNS and self.problem.batch > columns

    @cached_property
    def sparse(self) -> bool:
        """Whether some of y meets no element of the kernel."""
        axes = 2 if self.spread else 3  # of spread columns every number of a row is written
        written = sum(
            math.prod(w.last - w.first for w in phase.walks[:axes]) for phase in self.phases
        )
        return written < math.prod(self.geometry.y_size[:axes])

    @cached_property
    def width(self) -> int:
        """Output channels of a block of kernels."""
        return 2 * self.geometry.lanes

    @cached_property
    def blocks(self) -> int:
        """Blocks of kernels, of all groups."""
        outs = self.geometry.spread or self.geometry.outs
        return self.problem.groups * math.ceil(outs / self.width)

    def taps(self, phase: Phase) -> tuple[list[tuple[int, ...]], int]:
        """Offsets of a phase's taps, and how many numbers stand under each.

        Where the taps of a row of the kernel lie side by side, they count as one.
        """
        elements, geometry = phase.elements, self.geometry
        inner = geometry.inner
        across = phase.walks[2]
        if across.dense and geometry.groups == 1 and not self.planar:
            inner *= len(across.taps)
            elements = elements[:: len(across.taps)]
        return [offset for offset, _ in elements], inner

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], int]:
        """The phases and taps as `convolve_pieces` reads them; kernel elements of each phase."""
        rows, elements, packed = [], [], 0
        taps: list[tuple[int, ...]] = []
        kernel = self.problem.kernel_size
        for phase in self.phases:
            offsets, inner = self.taps(phase)
            row: list[int] = []
            for walk in phase.walks:
                row += [walk.first, walk.last, walk.ystep, walk.yfirst, walk.xstep]
            rows.append([*row, len(taps), len(taps) + len(offsets), packed, inner])
            taps += offsets
            places = [(a * kernel[1] + b) * kernel[2] + c for _, (a, b, c) in phase.elements]
            if self.planar:
                taps = [(*tap, place) for tap, place in zip(taps, places, strict=True)]
            elements.append(np.array(places, dtype=np.int64))
            packed += self.blocks * len(places) * self.geometry.inner * self.width
        return np.array(rows), np.array(taps), elements, packed

    def box(self, rows: Rows) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Corners of the part of x that a piece's walks cover."""
        low, high = [], []
        for axis, limit in enumerate((rows[2:4], rows[4:6], None)):
            walks = {phase.walks[axis] for phase in self.phases}
            if limit is not None:
                walks = {part for walk in walks if (part := walk.within(*limit))}
            reaches = [walk.reach for walk in walks]
            low.append(min(first for first, _ in reaches))
            high.append(max(last for _, last in reaches))
        return tuple(low), tuple(high)

    @cached_property
    def whole(self) -> Rows:
        """The piece that is everything."""
        d, h = ([phase.walks[axis] for phase in self.phases] for axis in (0, 1))
        return (
            *(0, self.problem.batch),
            *(min(w.first for w in d), max(w.last for w in d)),
            *(min(w.first for w in h), max(w.last for w in h)),
        )

    @cached_property
    def inside(self) -> bool:
        """Whether no walk leaves the input, so that it can be read where it stands."""
        low, high = self.box(self.whole)
        sizes = self.geometry.size[:3]
        return all(a >= 0 and b <= c for a, b, c in zip(low, high, sizes, strict=True))

    @lru_cache(maxsize=1024)  # noqa: B019  (plans live in a cache themselves, as many)
    def pieces(self, budget: int, count: int, parts: int = 1) -> tuple[np.ndarray, int]:
        """Cut into at least ``count`` pieces, if they can be, of about ``budget`` bytes each.

        None of them reaches over the edges of ``parts`` even parts of the batch.

        Returns
        -------
        pieces, size
            A row (images, planes, rows, corners of the box) for each piece, and how many numbers
            the largest of them needs in a buffer.
        """
        table, largest, image = [], 0, 0
        for rows in self._cut(budget, count, parts):
            low, high = self.box(rows)
            pixels = math.prod(b - a for a, b in zip(low, high, strict=True))
            image = max(image, pixels)
            largest = max(largest, (rows[1] - rows[0]) * pixels)
            table.append([*rows, *low, *high])
        if self.planar:
            return np.array(table), (image + GAP) * self._channels
        return np.array(table), largest * self._channels

    @property
    def _channels(self) -> int:
        """Numbers in a buffer for each pixel of x: planes of y stand beside those of x."""
        return self.geometry.size[3] + (self.geometry.outs if self.planar else 0)

    def _cut(self, budget: int, count: int, parts: int) -> Iterator[Rows]:
        batch, geometry = self.problem.batch, self.geometry
        _, _, front, back, top, bottom = self.whole
        height = bottom - top
        low, high = self.box(self.whole)
        image = math.prod(b - a for a, b in zip(low, high, strict=True))
        image *= self._channels * self.itemsize
        least = min(batch, geometry.tall) if geometry.along_batch else 1
        if geometry.along_batch or (image <= budget and batch >= count):
            size = max(least, min(budget // image, batch // count))
            for begin, end in _even(batch, parts):
                for first, last in _even(end - begin, math.ceil((end - begin) / size)):
                    yield begin + first, begin + last, front, back, top, bottom
            return
        planes = back - front
        lines = math.ceil(height * planes * batch / count)
        lines = max(1, min(lines, budget // max(1, image // (height * planes))))
        for n in range(batch):
            for plane in range(front, back):
                for first, last in _even(height, math.ceil(height / lines)):
                    yield n, n + 1, plane, plane + 1, top + first, top + last


@lru_cache(maxsize=1024)
def plan_of(problem: Problem, turned: bool) -> Plan:
    """Return the plan of a problem, made once."""
    return Plan(problem, turned, planes_fit(in_three_dimensions(problem), turned))


@lru_cache(maxsize=1024)
def plan_of_sums(problem: Problem) -> Plan:
    """Return the plan of a problem as its weight's gradient reads it."""
    return Plan(problem, False)


def _four(size: tuple[int, ...], channels: int) -> tuple[int, int, int, int]:
    depth, height, width = size
    return depth, height, width, channels


def in_three_dimensions(problem: Problem) -> Problem:
    """Return the same problem with three spatial dimensions."""
    more = 3 - problem.ndim
    one = (1,) * more
    return replace(
        problem,
        in_size=(*one, *problem.in_size),
        kernel_size=(*one, *problem.kernel_size),
        stride=(*one, *problem.stride),
        padding=(*((0, 0),) * more, *problem.padding),
        dilation=(*one, *problem.dilation),
    )


def _even(length: int, count: int) -> Iterator[tuple[int, int]]:
    for k in range(count):
        yield k * length // count, (k + 1) * length // count
