"""Depthwise convolutions and those of small groups: what does not depend on the arrays' numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np

from .._problem import Problem
from ._channels import KINDS
from ._plan import in_three_dimensions
from ._vectors import vector_bytes
from ._walk import Phase, phases

BYTES = 2**19  # of what is copied at a time, at most: it stays in a core's cache
_IMAGES = 2**17  # of several images that are copied at a time
_REGION = 2**16  # numbers of y that a region has, if it can
_WIDE = 16  # columns that are read in place, at least; the edges have to be copied all the same
_FEW_PAIRS = 4  # of channels of a group; more are faster as products, however small
_PARTS = 8  # partial sums of weight gradients
_SLOW = 4  # times as long as the same operations of a dense convolution

Ranges = tuple[tuple[int, int], ...]


def fits(problem: Problem) -> bool:
    """Whether groups are so small that lanes of a vector are better used channel by channel."""
    inner, outs, lanes = problem.group_in, problem.group_out, _lanes(problem)
    if problem.groups == 1:
        return False
    shuffled = inner == outs and inner < lanes and lanes % inner == 0
    return shuffled or (problem.groups > 3 and inner * outs <= _FEW_PAIRS)


def _lanes(problem: Problem) -> int:
    return vector_bytes() // np.dtype(problem.dtype).itemsize


class Plan:
    """How such a convolution, or with ``turned`` its input gradient, is computed."""

    def __init__(self, problem: Problem, turned: bool) -> None:
        self.problem = problem = in_three_dimensions(problem)
        self.turned = turned
        inner, outs = problem.group_in, problem.group_out
        sizes = (
            (*problem.in_size, problem.in_channels),
            (*problem.out_size, problem.out_channels),
        )
        if turned:
            inner, outs, sizes = outs, inner, sizes[::-1]
        self.inner = inner
        self.shuffled = inner == outs and _lanes(problem) % inner == 0
        self.phases = phases(problem, turned, False)
        self.across, step = self._shared() if self.shuffled else (1, 1)
        self.g = inner if self.shuffled else 1
        kind = KINDS[self.g, self.across, step]
        self.lanes = kind(*sizes, problem.groups, inner, 0 if self.shuffled else outs)  # type: ignore[arg-type]
        self.itemsize = np.dtype(problem.dtype).itemsize
        self.effort = problem.flops * _SLOW

    def _shared(self) -> tuple[int, int]:
        """How many taps of a row are read together, and by how much places step over them."""
        walks = {phase.walks[2] for phase in self.phases}
        found = {(len(walk.taps) if walk.dense else 0, walk.xstep) for walk in walks}
        kind = found.pop() if len(found) == 1 else (1, 1)
        return kind if (1, *kind) in KINDS else (1, 1)

    @cached_property
    def sparse(self) -> bool:
        """Whether some of y meets no element of the kernel."""
        written = sum(math.prod(w.last - w.first for w in phase.walks) for phase in self.phases)
        return written < math.prod(self.lanes.y_size[:3])

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Phases and taps as `convolve_regions` reads them; the kernel's element of each tap."""
        rows: list[list[int]] = []
        taps: list[tuple[int, ...]] = []
        places: list[int] = []
        kernel, channels = self.problem.kernel_size, self.lanes.y_size[3]
        for phase in self.phases:
            row: list[int] = []
            for walk in phase.walks:
                row += [walk.ystep, walk.yfirst, walk.xstep]
            first, at = len(taps), len(places) * self.inner * channels
            offsets = [offset for offset, _ in phase.elements]
            taps += self.taps(offsets[:: self.across])
            places += [(a * kernel[1] + b) * kernel[2] + c for _, (a, b, c) in phase.elements]
            rows.append([*row, first, len(taps), at])
        return np.array(rows), np.array(taps), np.array(places)

    def taps(self, offsets: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """Offsets of taps, with one for each channel of a group where channels are repeated."""
        rows = range(1 if self.shuffled else self.inner)
        return [(*offset, i * self.lanes.y_size[3]) for offset in offsets for i in rows]

    @cached_property
    def all_taps(self) -> np.ndarray:
        """The taps of the only phase, each by itself."""
        (phase,) = self.phases
        return np.array(self.taps([offset for offset, _ in phase.elements]))

    def kernels(self, weight: np.ndarray) -> np.ndarray:
        """Lay kernels (O, C/G, ...) out as (taps, inner, channels of y), flat."""
        outs, groups = self.problem.group_out, self.problem.groups
        split = weight.reshape(groups, outs, weight.shape[1], -1)
        order = (3, 1, 0, 2) if self.turned else (3, 2, 0, 1)
        return np.ascontiguousarray(split.transpose(order)[self.tables[2]]).reshape(-1)

    def box(self, phase: Phase, ranges: Ranges) -> list[tuple[int, int]]:
        """Return what a region's walks meet of x, from where to where along each axis."""
        found = []
        for walk, (first, last) in zip(phase.walks, ranges, strict=True):
            part = walk.within(first, last)
            found.append(part.reach if part else (0, 0))
        return found

    @lru_cache(maxsize=1024)  # noqa: B019  (plans live in a cache themselves, as many)
    def regions(self, budget: int, readable: bool) -> tuple[np.ndarray, int]:
        """Cut the output into regions whose input is read in place, or copied to the buffer.

        Returns
        -------
        regions, size
            A row for each region, and how many numbers the largest of them needs in a buffer.
        """
        rows, largest = [], 0
        both = self.lanes.size[3]
        if self.lanes.repeats:
            both += self.inner * self.lanes.y_size[3]
        for number, phase in enumerate(self.phases):
            for images, ranges, in_place in self._cut(
                phase, budget // (both * self.itemsize), readable
            ):
                box = self.box(phase, ranges)
                low, high = zip(*box, strict=True)
                if not in_place:
                    pixels = math.prod(b - a for a, b in box) * (images[1] - images[0])
                    largest = max(largest, pixels * both)
                spans = [*images, *(edge for pair in ranges for edge in pair)]
                rows.append([*spans, in_place, *low, *high, number])
        rows.sort(key=lambda row: row[0])  # all of an image, then the next one
        return np.array(rows), largest

    def _cut(
        self, phase: Phase, pixels: int, readable: bool
    ) -> Iterator[tuple[tuple[int, int], Ranges, bool]]:
        """Yield images and ranges of the walks, and whether x is read in place there."""
        whole: Ranges = tuple((walk.first, walk.last) for walk in phase.walks)
        batch = self.problem.batch
        inside = _inside(phase, self.lanes.size) if readable and not self.lanes.repeats else None
        if inside is None:
            image = math.prod(b - a for a, b in self.box(phase, whole))
            if image <= pixels:
                images = max(1, pixels // image * _IMAGES // BYTES)
                for first, last in itertools.pairwise(edges_of(batch)):
                    for n in range(first, last, images):
                        yield (n, min(n + images, last)), whole, False
                return
            borders, inside = [whole], None
        else:
            borders = list(_around(whole, inside))
        for n in range(batch):
            one = (n, n + 1)
            if inside is not None:
                lines = max(1, _REGION // ((inside[2][1] - inside[2][0]) * self.lanes.y_size[3]))
                for part in self._lines(inside, lines):
                    yield one, part, True
            for border in borders:
                line = math.prod(b - a for a, b in self.box(phase, _first_lines(border, 1)))
                more = math.prod(b - a for a, b in self.box(phase, _first_lines(border, 2))) - line
                for part in self._lines(border, max(1, (pixels - line) // max(more, 1) + 1)):
                    yield one, part, False

    def _lines(self, ranges: Ranges, most: int) -> Iterator[Ranges]:
        """Cut a range of rows, plane by plane, into ranges of about as many."""
        planes, (first, last), columns = ranges
        cuts = math.ceil((last - first) / most)
        edges = [first + k * (last - first) // cuts for k in range(cuts + 1)]
        for plane in range(*planes):
            for a, b in itertools.pairwise(edges):
                yield ((plane, plane + 1), (a, b), columns)


def edges_of(batch: int) -> list[int]:
    """Cut a batch for partial sums, whatever the threads and the memory that there are."""
    parts = min(_PARTS, batch)
    return [k * batch // parts for k in range(parts + 1)]


def _first_lines(ranges: Ranges, count: int) -> Ranges:
    (plane, _), (row, last), columns = ranges
    return ((plane, plane + 1), (row, min(row + count, last)), columns)


def _inside(phase: Phase, size: tuple[int, ...]) -> Ranges | None:
    """Return the part of the walks that meets nothing but x, if it is worth a way of its own."""
    ranges = []
    for walk, length in zip(phase.walks, size, strict=False):
        low, high = walk.taps[0][0], walk.taps[-1][0]
        first = max(walk.first, -(low // walk.xstep))
        last = min(walk.last, (length - 1 - high) // walk.xstep + 1)
        if first >= last:
            return None
        ranges.append((first, last))
    wide = ranges[2][1] - ranges[2][0] >= _WIDE
    return tuple(ranges) if wide else None


def _around(whole: Ranges, inside: Ranges) -> Iterator[Ranges]:
    """Yield what is left of the ranges around a part of them."""
    rest = list(whole)
    for axis, (first, last) in enumerate(inside):
        for edge in ((whole[axis][0], first), (last, whole[axis][1])):
            if edge[0] < edge[1]:
                yield (*rest[:axis], edge, *rest[axis + 1 :])
        rest[axis] = (first, last)


@lru_cache(maxsize=1024)
def plan_of(problem: Problem, turned: bool) -> Plan:
    """Return the plan of a problem, made once."""
    return Plan(problem, turned)
