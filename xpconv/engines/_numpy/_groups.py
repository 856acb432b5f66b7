"""Groups of channels apart from each other on NumPy: (N, H, W, G, C/G) to (G, N, H, W, C/G)."""

from __future__ import annotations

import math

import numpy as np

from .._pieces import Piece, input_region
from .._problem import Problem
from ._columns import pad_into
from ._work import buffers

# Dtypes of that many bytes: a group's few numbers are copied as one.
_WHOLE: dict[int, np.dtype] = {8: np.dtype(np.int64), 16: np.dtype(np.complex128)}


def fused(width: int, itemsize: int) -> bool:
    """Whether so many numbers of a group are copied as one."""
    return width * itemsize in _WHOLE


def apart(x: np.ndarray, groups: int) -> np.ndarray:
    """Return a view (N, H, W, G, C/G) of images (N, H, W, C).

    Where channels lie side by side, the last axis is one long, of items as large as a group.
    """
    split = x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    return _as_items(split) if x.strides[-1] == x.itemsize else split


def _like(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return a view of contiguous numbers as items like those of another view."""
    return target if source.dtype == target.dtype else target.view(source.dtype)


def _as_items(x: np.ndarray) -> np.ndarray:
    item = _WHOLE.get(x.shape[-1] * x.itemsize)
    return x if item is None else x.view(item)


def padded_groups(
    problem: Problem, x: np.ndarray, piece: Piece, *more: tuple[int, ...]
) -> list[np.ndarray]:
    """Return what a piece's windows see (G * N, H, W, C/G), with zeros around; and buffers."""
    start, stop = input_region(problem, piece)
    pads = problem.padding[1:]
    size = [stop - start, *(s + sum(p) for s, p in zip(problem.in_size[1:], pads, strict=True))]
    images, groups = piece.last - piece.first, problem.groups
    padded, *rest = buffers(x.dtype, (groups, images, *size, problem.group_in), *more)
    source = apart(x[piece.first : piece.last], groups)
    corner = (start, *(-before for before, _ in pads))
    pad_into(np.moveaxis(_like(source, padded), 0, -2), source, corner)
    return [padded.reshape(-1, *padded.shape[2:]), *rest]


def gathered(x: np.ndarray, target: np.ndarray, groups: int) -> None:
    """Copy images (N, H, W, C) into ``target``, as many numbers (G, N, H, W, C/G)."""
    source, split = apart(x, groups), target.reshape(groups, *x.shape[:-1], x.shape[-1] // groups)
    np.copyto(np.moveaxis(_like(source, split), 0, -2), source)


def spread(source: np.ndarray, y: np.ndarray, groups: int) -> None:
    """Copy numbers (G, N, H, W, O/G) back into images (N, H, W, O)."""
    split = source.reshape(groups, *y.shape[:-1], y.shape[-1] // groups)
    np.copyto(apart(y, groups), np.moveaxis(_as_items(split), 0, -2))


def places_of(piece: Piece, problem: Problem) -> int:
    """Return how many places of the output a piece has."""
    rest = math.prod(problem.out_size[1:])
    return (piece.last - piece.first) * (piece.bottom - piece.top) * rest
