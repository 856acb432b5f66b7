"""Convolutions on NumPy of few places and many channels: kernels larger than the columns.

A batch of one in a deep layer is such a convolution. Its kernels are multiplied where they are, so
the columns are laid out like them, (C, KH, KW) for each place, and tasks are parts of the channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .._pieces import Piece
from .._problem import Problem
from ._columns import columns
from ._cuts import few_places, place_bytes
from ._finish import finish
from ._scatter import meetings
from ._work import buffers, memory, piece_bytes, side_by_side

_ALONE = 2**23  # multiplications that take less time than to wake a second thread
_TASKS = 4
_SLIM = 128  # places; for fewer BLAS is faster at kernels times columns than the reverse


def fits(problem: Problem, dtype: np.dtype) -> bool:
    """Whether there are few places, and all of their columns fit into one piece."""
    return _bytes(problem, dtype.itemsize) <= piece_bytes()


@lru_cache(maxsize=4096)
def _bytes(problem: Problem, itemsize: int) -> float:
    """Return what all columns take, infinitely much where there are many places."""
    places = problem.batch * math.prod(problem.out_size)
    return places * place_bytes(problem, itemsize) if few_places(problem) else math.inf


def forward(
    problem: Problem,
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    activation: str | None,
) -> np.ndarray:
    """Return y (N, OH, OW, O): each task has some of the kernels."""
    outs = problem.out_channels
    matrix = weight.reshape(outs, -1)
    y = memory((problem.batch, *problem.out_size, outs), x.dtype)
    flat, cols = y.reshape(-1, outs), _all_columns(problem, x)
    slim = len(flat) < _SLIM
    turned = memory((outs, len(flat)) if slim else (0,), x.dtype)

    def work(own: slice) -> None:
        part = flat[:, own]
        if slim:
            y_turned = np.matmul(matrix[own], cols.T, out=turned[own])  # (O, places)
            np.copyto(part, y_turned.T)
        else:
            np.matmul(cols, matrix[own].T, out=part)
        finish(part, None if bias is None else bias[own], activation)

    _of_parts(work, outs, matrix.size * len(flat))
    return y


def weight_grad(problem: Problem, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return dweight (O, C, KH, KW): each task has some of the kernels."""
    outs = problem.out_channels
    dweight = memory((outs, problem.in_channels, *problem.kernel_size), x.dtype)
    flat, rows, cols = dweight.reshape(outs, -1), dy.reshape(-1, outs), _all_columns(problem, x)

    def work(own: slice) -> None:
        np.matmul(rows[:, own].T, cols, out=flat[own])

    _of_parts(work, outs, dweight.size * len(rows))
    return dweight


def input_grad(problem: Problem, dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return dx (N, H, W, C) by col2im: each task has some of the input channels."""
    channels, taps = problem.in_channels, math.prod(problem.kernel_size)
    dx = memory((problem.batch, *problem.in_size, channels), dy.dtype)
    matrix, rows = weight.reshape(problem.out_channels, -1), dy.reshape(-1, problem.out_channels)
    joined = list(meetings(problem, Piece(0, problem.batch, 0, problem.out_size[0])))

    def work(own: slice) -> None:
        width = own.stop - own.start
        (dcols,) = buffers(dy.dtype, (len(rows), width * taps))
        np.matmul(rows, matrix[:, own.start * taps : own.stop * taps], out=dcols)
        every = dcols.reshape(problem.batch, *problem.out_size, width, taps)
        target = dx[..., own]
        target[...] = 0
        for tap, outs, ins in joined:
            seen = target[(slice(None), *ins)]
            np.add(seen, every[..., tap][(slice(None), *outs)], out=seen)

    _of_parts(work, channels, matrix.size * len(rows))
    return dx


def _all_columns(problem: Problem, x: np.ndarray) -> np.ndarray:
    """Return columns (places, C*KH*KW), for all threads until this one asks for a buffer."""
    (cols,) = columns(problem, x, Piece(0, problem.batch, 0, problem.out_size[0]))
    own: np.ndarray = cols[0]
    return own


def _of_parts(work: Callable[[slice], object], channels: int, multiplications: int) -> None:
    """Call ``work`` for parts of the channels, or for all where one thread is fast enough."""
    count = min(channels, _TASKS) if multiplications > _ALONE else 1
    edges = [k * channels // count for k in range(count + 1)]
    side_by_side(lambda part: work(slice(edges[part], edges[part + 1])), count, 0)
