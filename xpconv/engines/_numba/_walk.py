"""The geometry of a convolution and of its input gradient, as one kind of loop.

Along each dimension an index j walks over the output: ``y[j * ystep + yfirst]`` is the sum over
taps of ``x[j * xstep + offset]``. A convolution is one such walk. The input gradient with stride s
is s of them: the inputs whose places are equal modulo s meet the same elements of the kernel.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from .._problem import Problem


@dataclass(frozen=True)
class Walk:
    """One dimension: j in ``[first, last)``, and the kernel's elements with their offsets in x."""

    first: int
    last: int
    ystep: int
    yfirst: int
    xstep: int
    taps: tuple[tuple[int, int], ...]  # (offset in x, element of the kernel), by offset

    @property
    def reach(self) -> tuple[int, int]:
        """The first element of x that is met, and the one after the last."""
        return (
            self.first * self.xstep + self.taps[0][0],
            (self.last - 1) * self.xstep + self.taps[-1][0] + 1,
        )

    def within(self, first: int, last: int) -> Walk | None:
        """Return the part of the walk in ``[first, last)``, if there is any."""
        first, last = max(first, self.first), min(last, self.last)
        return replace(self, first=first, last=last) if first < last else None

    def meets(self, size: int) -> bool:
        """Whether every place meets something of a dimension of x, of that size."""
        places = range(self.first * self.xstep, self.last * self.xstep, self.xstep)
        return all(any(0 <= j + offset < size for offset, _ in self.taps) for j in places)

    @property
    def dense(self) -> bool:
        """Whether taps lie side by side in x."""
        return self.taps[-1][0] - self.taps[0][0] == len(self.taps) - 1


def forward_walk(kernel: int, stride: int, before: int, dilation: int, out: int) -> Walk:
    """Walk over the output of a convolution."""
    taps = tuple((k * dilation - before, k) for k in range(kernel))
    return Walk(0, out, 1, 0, stride, taps)


def input_walks(kernel: int, stride: int, before: int, dilation: int, size: int) -> list[Walk]:
    """Walk over the input's gradient, once for each remainder that meets a part of the kernel."""
    walks = []
    for r in range(stride):
        taps = sorted(
            ((r - k * dilation) // stride, k)
            for k in range(kernel)
            if (k * dilation - r) % stride == 0
        )
        yfirst = r - before
        first, last = -(yfirst // stride), -((yfirst - size) // stride)
        if taps and first < last:
            walks.append(Walk(first, last, stride, yfirst, 1, tuple(taps)))
    return walks


@dataclass(frozen=True)
class Phase:
    """A walk over three dimensions."""

    walks: tuple[Walk, Walk, Walk]

    @property
    def elements(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """For every tap, in the order of the products: its offset in x, its place in the kernel."""
        triples = itertools.product(*(walk.taps for walk in self.walks))
        return [tuple(zip(*triple, strict=True)) for triple in triples]  # type: ignore[misc]


def phases(problem: Problem, turned: bool, spread: bool) -> list[Phase]:
    """Return the walks of a convolution with three dimensions, or of its input gradient.

    With ``spread`` the last walk is over the columns of dy, each of which adds to several of dx.
    """
    rows = zip(
        problem.kernel_size,
        problem.stride,
        (before for before, _ in problem.padding),
        problem.dilation,
        problem.in_size if turned else problem.out_size,
        strict=True,
    )
    if turned:
        walks = [input_walks(*row) for row in rows]
    else:
        walks = [[forward_walk(*row)] for row in rows]
    if spread:
        walks[2] = [Walk(0, problem.out_size[2], 0, 0, 1, ((0, 0),))]
    return [Phase((d, h, w)) for d, h, w in itertools.product(*walks)]
