"""Ranges of images, planes, rows and columns: what regions are cut into."""

from __future__ import annotations

from collections.abc import Iterator

from ._walk import Phase

_WIDE = 8  # columns that are read in place, at least; the edges have to be copied all the same
PARTS = 8  # partial sums of weight gradients

Ranges = tuple[tuple[int, int], ...]


def edges_of(batch: int) -> list[int]:
    """Cut a batch for partial sums, whatever the threads and the memory that there are."""
    parts = min(PARTS, batch)
    return [k * batch // parts for k in range(parts + 1)]


def first_lines(ranges: Ranges, count: int) -> Ranges:
    (plane, _), (row, last), columns = ranges
    return ((plane, plane + 1), (row, min(row + count, last)), columns)


def inside_of(phase: Phase, size: tuple[int, ...]) -> Ranges | None:
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


def around(whole: Ranges, inside: Ranges) -> Iterator[Ranges]:
    """Yield what is left of the ranges around a part of them."""
    rest = list(whole)
    for axis, (first, last) in enumerate(inside):
        for edge in ((whole[axis][0], first), (last, whole[axis][1])):
            if edge[0] < edge[1]:
                yield (*rest[:axis], edge, *rest[axis + 1 :])
        rest[axis] = (first, last)
