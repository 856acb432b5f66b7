"""Matrices as cuBLASLt wants them: one step between neighbours, a constant one between lines."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from array_api_compat import array_namespace

from ..._arrays import dtype_name
from ..._typing import Array, DType
from ._launch import address


def alignment(place: int) -> int:
    """Return 256 where an address is a multiple of it, or else the largest power of two up to 16.

    Arrays begin at multiples of 512, parts of them wherever; no load takes more than 16 bytes.
    """
    found = place & -place
    return 256 if found >= 256 else min(found, 16)


class Matrix(NamedTuple):
    """Matrices of one size in memory, wherever they begin; all steps are counted in numbers.

    ``lines`` of ``length`` numbers that lie side by side, ``leading`` apart: the array's rows, or
    its columns where it is ``turned``. ``batch`` such matrices are ``step`` apart. The address of
    the first is a multiple of ``alignment``.
    """

    alignment: int
    dtype: str
    batch: int
    lines: int
    length: int
    leading: int
    turned: bool
    step: int


def matrix(x: Array) -> tuple[int, Matrix | None]:
    """Return where an array (rows, columns) or (batch, rows, columns) lies, and how.

    None where it must be copied first: neither rows nor columns lie side by side, or backwards.
    """
    place = address(x)
    return place, _described(tuple(x.shape), tuple(x.strides), x.dtype, alignment(place))


@lru_cache(maxsize=4096)
def _described(
    shape: tuple[int, ...], strides: tuple[int, ...], dtype: DType, aligned: int
) -> Matrix | None:
    size = dtype.itemsize
    # Along an axis of one number nobody takes a step, whatever it is.
    steps = [s if n > 1 else size for s, n in zip(strides, shape, strict=True)]
    if any(step % size or step < 0 for step in steps):
        return None
    *outer, down, across = (step // size for step in steps)
    *_, rows, columns = shape
    batch = shape[0] if outer else 1
    step = outer[0] if batch > 1 else 0
    for near, far, lines, length, turned in (
        (across, down, rows, columns, False),
        (down, across, columns, rows, True),
    ):
        leading = far if lines > 1 else length
        if (near == 1 or length == 1) and leading >= length:
            name = dtype_name(dtype)
            return Matrix(aligned, name, batch, lines, length, leading, turned, step)
    return None


def readable(x: Array) -> tuple[Array, int, Matrix | None]:
    """Return an array or, where it must be, a copy; and where and how that lies."""
    place, found = matrix(x)
    if found is not None:
        return x, place, found
    x = array_namespace(x).ascontiguousarray(x)
    return x, *matrix(x)
