"""Long products with small matrices, as many products that BLAS reads where they are.

OpenBLAS copies what it multiplies into an order of its own, unless it is small and the processor
has AVX-512. Where the other factor is small, too, the copy takes as long as the product.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._blas import reads_small_matrices

SMALL = 10**6
"""Multiplications of a product that is not copied."""

_FEW_SUMS = 2048  # results that are written and added up in less time than it takes to copy
_LEAST, _MOST = 64, 256  # rows; where all are copied (AVX2) so many cost 3 % more than all at once
_BLOCK, _LEAST_OF_BLOCK = 64, 24  # columns that suit the vectors, and rows that do where none are


def few_rows(right: np.ndarray) -> int:
    """Return how many rows to multiply by matrices (G, K, O) at a time; 0 for all of them."""
    _, inner, outs = right.shape
    rows = min(_MOST, SMALL // max(1, inner * outs)) // 8 * 8
    suits = outs == _BLOCK and reads_small_matrices()
    return rows if rows >= (_LEAST_OF_BLOCK if suits else _LEAST) else 0


def column_blocks(right: np.ndarray) -> list[tuple[slice, np.ndarray, int]]:
    """Cut matrices (G, K, O) into at most two blocks of columns that are better small.

    Each with its columns, and how many rows to multiply by it at a time.
    """
    step, outs = few_rows(right), right.shape[2]
    if not step and outs == 2 * _BLOCK:
        halves = [slice(0, _BLOCK), slice(_BLOCK, outs)]
        blocks = [np.ascontiguousarray(right[..., own]) for own in halves]
        step = few_rows(blocks[0])
        if step:
            return [(own, block, step) for own, block in zip(halves, blocks, strict=True)]
    return [(slice(None), np.ascontiguousarray(right) if step else right, step)]


def multiply(left: np.ndarray, right: np.ndarray, out: np.ndarray, step: int) -> None:
    """Write (G, rows, K) @ (G, K, O) into ``out``, ``step`` rows at a time if it is not 0."""
    rows = left.shape[1]
    whole = rows - rows % step if step else 0
    if whole:
        np.matmul(_split(left, step), right[:, None], out=_split(out, step, writeable=True))
    if whole < rows:
        np.matmul(left[:, whole:], right, out=out[:, whole:])


def summed(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    """Write (G, O, rows) @ (G, rows, K) into ``out``, small results as sums of many products."""
    rows, step = right.shape[1], _MOST
    if out.shape[1] * out.shape[2] > _FEW_SUMS or rows < 2 * step:
        np.matmul(left, right, out=out)
        return
    whole = rows - rows % step
    lefts = _split(left.transpose(0, 2, 1), step).transpose(0, 1, 3, 2)
    np.add.reduce(np.matmul(lefts, _split(right, step)), axis=1, out=out)
    if whole < rows:
        out += np.matmul(left[:, :, whole:], right[:, whole:])


def _split(x: np.ndarray, step: int, *, writeable: bool = False) -> np.ndarray:
    """Return a view (G, rows / step, step, N) of (G, rows, N), without the last rows."""
    groups, rows, numbers = x.shape
    g, row, number = x.strides
    shape = (groups, rows // step, step, numbers)
    return as_strided(x, shape, (g, step * row, row, number), writeable=writeable)
