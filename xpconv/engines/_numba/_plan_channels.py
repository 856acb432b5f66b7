"""Depthwise convolutions and those of small groups: what does not depend on the arrays' numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np

from .._problem import Problem
from ._kinds import KINDS
from ._lanes import places_at_once, rows_at_once
from ._plan import in_three_dimensions
from ._ranges import PARTS, Ranges, around, edges_of, first_lines, inside_of
from ._vectors import vector_bytes
from ._walk import Phase, phases

BYTES = 2**19  # of what is copied at a time, at most: it stays in a core's cache
_IMAGES = 2**17  # of several images that are copied at a time
_REGION = 2**16  # numbers of y that a region has, if it can
_FEW_PAIRS = 4  # of channels of a group; more are faster as products, however small
_NEAR = 512  # bytes of channels of a pixel: rows of 14 pixels stay in the nearest cache
_FAR = 2**24  # bytes of x and y that are read from memory, not from a cache
_SLOW = 4  # times as long as the same operations of a dense convolution


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
        repeats = 0 if self.shuffled else outs
        self.itemsize = np.dtype(problem.dtype).itemsize
        numbers = problem.batch * sum(math.prod(size) for size in sizes)
        far = numbers * self.itemsize > _FAR
        at_once = places_at_once(kind), rows_at_once(kind), self.across, far
        self.lanes = kind(*sizes, problem.groups, inner, repeats, *at_once)  # type: ignore[arg-type]
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
        for number, phase in enumerate(self.phases):
            inside = self._in_place(phase) if readable else None
            parts = self.parts_of_channels
            if inside and not self.small:
                parts = [(0, self.lanes.y_size[3])]
            most = max(b - a for a, b in parts)
            if self.lanes.repeats:  # all channels of x, and what each output channel meets
                most = self.lanes.size[3] + self.inner * self.lanes.y_size[3]
            pixels = budget // (most * self.itemsize)
            for images, ranges, in_place in self._cut(phase, pixels, inside):
                box = self.box(phase, ranges)
                low, high = zip(*box, strict=True)
                if not in_place:
                    area = math.prod(b - a for a, b in box) * (images[1] - images[0])
                    largest = max(largest, area * most)
                spans = [*images, *(edge for pair in ranges for edge in pair)]
                rows += [[*spans, in_place, *low, *high, number, *part] for part in parts]
        rows.sort(key=lambda row: (row[0], row[16]))  # all of an image, then the next one
        return np.array(rows), largest

    @cached_property
    def parts_of_channels(self) -> list[tuple[int, int]]:
        """Channels whose rows stay in the nearest cache until the next rows need them, too."""
        channels, lanes = self.lanes.y_size[3], _lanes(self.problem)
        vectors = -(-channels // lanes)
        count = 1 if self.lanes.repeats else -(-vectors * vector_bytes() // _NEAR)
        edges = [min(k * vectors // count * lanes, channels) for k in range(count + 1)]
        return list(itertools.pairwise(edges))

    @lru_cache(maxsize=1024)  # noqa: B019
    def shares(
        self, budget: int, readable: bool
    ) -> tuple[np.ndarray, int, np.ndarray, np.ndarray, int]:
        """Share a weight gradient's regions out, whatever the threads that there are.

        Returns
        -------
        regions, size
            As of `regions`, in another order.
        edges, rows, parts
            Where the regions of each share begin and end; which partial sums it adds to, where no
            other share has the same channels; and how many partial sums there are.
        """
        regions, size = self.regions(budget, readable)
        batch = self.problem.batch
        images = np.searchsorted(edges_of(batch), regions[:, 0], side="right") - 1
        bands = np.zeros_like(images)
        if batch < PARTS and not regions[:, 16].any():
            count = -(-PARTS // batch)
            places = np.prod(regions[:, 1:8:2] - regions[:, 0:8:2], axis=1)
            in_place = regions[:, 8] == 1  # others are cut by the memory that there is
            for part in range(images[-1] + 1):
                mine = (images == part) & in_place
                if not mine.any():
                    continue
                done = np.cumsum(places[mine])
                bands[mine] = (done - places[mine] / 2) * count // done[-1]
        order = np.lexsort((regions[:, 16], bands, images))
        keys = np.stack([images, bands, regions[:, 16]], axis=1)[order]
        first = np.flatnonzero(np.any(keys[1:] != keys[:-1], axis=1)) + 1
        edges = np.array([0, *first, len(order)])
        _, rows = np.unique(keys[edges[:-1], :2], axis=0, return_inverse=True)
        return regions[order], size, edges, rows.reshape(-1), int(rows.max()) + 1

    @property
    def small(self) -> bool:
        """Whether an image stays in a core's cache while one part of its channels is computed."""
        return math.prod(self.lanes.size) * self.itemsize <= BYTES

    def _in_place(self, phase: Phase) -> Ranges | None:
        """Return what is computed without a copy: all, or what lies inside of x if it is worth it.

        Where taps are read by rows, whole rows may lie outside of x, and some of their columns;
        but not all.
        """
        if self.lanes.repeats:
            return None
        size, (plane, row, column) = self.lanes.size, phase.walks
        flat = len(plane.taps) == 1 and plane.meets(size[0])
        if flat and self.across > 1 and row.meets(size[1]) and column.meets(size[2]):
            return tuple((walk.first, walk.last) for walk in phase.walks)
        return inside_of(phase, size)

    def _cut(
        self, phase: Phase, pixels: int, inside: Ranges | None
    ) -> Iterator[tuple[tuple[int, int], Ranges, bool]]:
        """Yield images and ranges of the walks, and whether x is read in place there."""
        whole: Ranges = tuple((walk.first, walk.last) for walk in phase.walks)
        batch = self.problem.batch
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
            borders = list(around(whole, inside))
        for n in range(batch):
            one = (n, n + 1)
            if inside is not None:
                lines = max(1, _REGION // ((inside[2][1] - inside[2][0]) * self.lanes.y_size[3]))
                for part in self._lines(inside, lines):
                    yield one, part, True
            for border in borders:
                line = math.prod(b - a for a, b in self.box(phase, first_lines(border, 1)))
                more = math.prod(b - a for a, b in self.box(phase, first_lines(border, 2))) - line
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


@lru_cache(maxsize=1024)
def plan_of(problem: Problem, turned: bool) -> Plan:
    """Return the plan of a problem, made once."""
    return Plan(problem, turned)
