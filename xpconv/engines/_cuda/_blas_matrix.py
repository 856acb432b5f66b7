"""Matrices as cuBLASLt wants them: one step between neighbours, a constant one between lines."""

from __future__ import annotations

from typing import NamedTuple

from array_api_compat import array_namespace

from ..._typing import Array
from ._launch import address


def alignment(address: int) -> int:
    """Return 256 where an address is a multiple of it, or else the largest power of two up to 16.

    Arrays begin at multiples of 512, parts of them wherever; no load takes more than 16 bytes.
    """
    found = address & -address
    return 256 if found >= 256 else min(found, 16)


class Matrix(NamedTuple):
    """Matrices of one size in memory, all steps counted in numbers.

    ``lines`` of ``length`` numbers that lie side by side, ``leading`` apart: the array's rows, or
    its columns where it is ``turned``. ``batch`` such matrices are ``step`` apart.
    """

    address: int
    dtype: str
    batch: int
    lines: int
    length: int
    leading: int
    turned: bool
    step: int

    @property
    def alignment(self) -> int:
        """What the address is a multiple of; see `alignment`."""
        return alignment(self.address)


def matrix(x: Array) -> Matrix | None:
    """Describe an array (rows, columns) or (batch, rows, columns) where it lies.

    None where it must be copied first: neither rows nor columns lie side by side, or backwards.
    """
    size = x.dtype.itemsize
    # Along an axis of one number nobody takes a step, whatever it is.
    steps = [s if n > 1 else size for s, n in zip(x.strides, x.shape, strict=True)]
    if any(step % size or step < 0 for step in steps):
        return None
    *outer, down, across = (step // size for step in steps)
    *_, rows, columns = x.shape
    batch = x.shape[0] if outer else 1
    step = outer[0] if batch > 1 else 0
    for near, far, lines, length, turned in (
        (across, down, rows, columns, False),
        (down, across, columns, rows, True),
    ):
        leading = far if lines > 1 else length
        if (near == 1 or length == 1) and leading >= length:
            return Matrix(address(x), str(x.dtype), batch, lines, length, leading, turned, step)
    return None


def readable(x: Array) -> tuple[Matrix | None, Array]:
    """Describe an array or, where it must be, a copy; and return the one that is described."""
    found = matrix(x)
    if found is not None:
        return found, x
    x = array_namespace(x).ascontiguousarray(x)
    return matrix(x), x
