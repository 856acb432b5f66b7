"""The matrices of Winograd's minimal filtering F(m x m, 3 x 3), and how an output is tiled.

With m outputs a side, a tile of m + 2 inputs a side meets the 3 x 3 kernel in (m + 2)^2 products
instead of 9 m^2: the transforms ``B^T d B`` of the tile and ``G g G^T`` of the kernel are
multiplied number by number, and ``A^T (...) A`` makes outputs of them. Winograd, "Arithmetic
complexity of computations" (1980); Lavin and Gray, "Fast algorithms for convolutional neural
networks" (2016).
"""

from __future__ import annotations

from typing import NamedTuple

from ._problem import Problem

Matrix = tuple[tuple[float, ...], ...]


class Filtering(NamedTuple):
    """F(m x m, 3 x 3): ``m``, and the transforms of inputs, kernels and products."""

    m: int
    inputs: Matrix  # B^T, (m + 2, m + 2)
    kernels: Matrix  # G, (m + 2, 3)
    outputs: Matrix  # A^T, (m, m + 2)

    @property
    def side(self) -> int:
        """Inputs a side of one tile."""
        return self.m + 2


def transposed(matrix: Matrix) -> Matrix:
    """Return the rows as columns."""
    return tuple(zip(*matrix, strict=True))


F2 = Filtering(
    2,
    ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    ((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    ((1, 1, 1, 0), (0, 1, -1, -1)),
)

F4 = Filtering(
    4,
    (
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
    (
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
    ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
)


def tiles(filtering: Filtering, out_size: tuple[int, ...]) -> tuple[int, int]:
    """Return how many tiles cover an output along its height and its width."""
    height, width = (-(-size // filtering.m) for size in out_size)
    return height, width


def multiplications(filtering: Filtering, out_size: tuple[int, ...]) -> int:
    """Return the products of one input with one output channel; the definition takes 9 a place."""
    height, width = tiles(filtering, out_size)
    return height * width * filtering.side**2


def filtering_for(problem: Problem) -> Filtering:
    """Return F(4x4) where float32 gains by it, else F(2x2), which is nearly as exact as im2col."""
    if problem.dtype != "float32":
        return F2
    four, two = (multiplications(f, problem.out_size) for f in (F4, F2))
    return F4 if four < 0.9 * two else F2


# In the time of one multiply-add, as compiled, measured on two cores of an AMD EPYC (Zen 5): for
# each number that is transformed; for each number of a transformed kernel, or of its gradient; for
# each number of a kernel that the definition lays out, and of so many that no core's cache holds.
_TILE, _KERNEL, _GRADIENT, _LAID_OUT, _LAID_OUT_FAR = 12, 30, 60, 20, 150
_FAR = 2**20  # bytes
_VECTOR = 16  # numbers, of which the last may be few


def gain(problem: Problem, task: str) -> float:
    """Estimate how many times faster than the definition a task is, as compiled."""
    filtering = filtering_for(problem)
    size = problem.in_size if task == "input_grad" else problem.out_size
    height, width = tiles(filtering, size)
    pairs = problem.in_channels * problem.out_channels
    lanes = sum(-(-c // _VECTOR) * _VECTOR for c in (problem.in_channels, problem.out_channels))
    numbers = problem.batch * height * width * (1 + _TILE * lanes / pairs)
    once = _GRADIENT if task == "weight_grad" else _KERNEL
    laid_out = _LAID_OUT_FAR if pairs * 9 * 4 > _FAR else _LAID_OUT
    places = problem.batch * size[0] * size[1] + laid_out
    return 9 * places / (filtering.side**2 * (numbers + once))


# The same on NumPy without compiled bodies, in nanoseconds of one core of that machine: for each
# number of a tile's transforms, for each kernel, and for each multiply-add of large products.
_READ, _WRITTEN, _ONCE, _ONCE_BACK, _PRODUCT = 14, 8, 12, 60, 2 / 210
_FEW = 16  # channels at which a product runs at half of its speed


def gain_of_arrays(problem: Problem, task: str) -> float:
    """Estimate how many times faster than the definition a task is in array operations."""
    filtering = filtering_for(problem)
    size = problem.in_size if task == "input_grad" else problem.out_size
    height, width = tiles(filtering, size)
    channels, outs = problem.in_channels, problem.out_channels
    if task == "input_grad":
        channels, outs = outs, channels
    both, least = channels * outs, min(channels, outs)
    product = filtering.side**2 * both * _PRODUCT * (1 + _FEW / least)
    scale = filtering.side**2 / 36
    tile = scale * (_READ * channels + _WRITTEN * outs) + product
    once = both * (_ONCE_BACK if task == "weight_grad" else _ONCE)
    places = problem.batch * size[0] * size[1]
    direct = places * (9 * both * _PRODUCT + channels)
    return direct / (problem.batch * height * width * tile + once)


_KERNEL_BYTES = 2**24  # of a processor's shared cache


def kernels_fit(problem: Problem) -> bool:
    """Whether the transformed kernels stay in a processor's shared cache."""
    points = filtering_for(problem).side ** 2
    return points * problem.in_channels * problem.out_channels * 4 <= _KERNEL_BYTES
