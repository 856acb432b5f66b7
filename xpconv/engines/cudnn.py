"""Convolutions by NVIDIA's cuDNN: CuPy arrays and the extra ``cudnn``.

Sums are those of the definition: plans that filter (Winograd) or transform (FFT) are left out, and
so is whatever rounds what it was given. float32 is computed in TF32 where `xpconv.tf32` allows it,
float16 and bfloat16 with sums in float32. Plans whose workspace is over the budget of
`conv_workspace`, and those that do not repeat to the last bit, are left out, too;
``XPCONV_CUDNN_DETERMINISTIC=0`` allows the latter.
"""

from __future__ import annotations

from .._typing import Array
from . import pointwise
from ._cudnn import _library
from ._cudnn._graph import TYPES
from ._problem import Problem

__all__ = [
    "activations",
    "drawback",
    "exact",
    "forward",
    "input_grad",
    "name",
    "refusal",
    "takes_half",
    "weight_grad",
]

name = "cudnn"
exact = True
activations = frozenset({"relu"})

_LIBRARY = "cupy"


def refusal(problem: Problem) -> str | None:
    """CuPy arrays of real floating numbers in one to three dimensions, where cuDNN is installed."""
    if problem.library != _LIBRARY:
        return "the arrays are not CuPy's"
    if problem.dtype not in TYPES:
        return f"it computes real floating numbers, not {problem.dtype or 'any dtype'}"
    if problem.ndim > 3:
        return f"there are {problem.ndim} spatial dimensions"
    sizes = (problem.batch, problem.in_channels, problem.out_channels, *problem.in_size)
    if 0 in sizes or 0 in problem.out_size:
        return "there is nothing to multiply"
    return _library.refusal()


def drawback(problem: Problem, task: str) -> str | None:
    """Where it is not expected to be faster; nobody has measured it yet."""
    if problem.dtype == "float64":
        return "its kernels for float64 are few"
    if problem.dtype == "float32" and pointwise.refusal(problem) is None:
        return "it is one matrix product, which cuBLAS computes in any layout"
    return None


def takes_half(problem: Problem) -> bool:
    """Always."""
    return True


def forward(
    problem: Problem,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Return y (N, OH, OW, O); bias and activation are applied in the same pass."""
    shape = (problem.batch, *problem.out_size, problem.out_channels)
    return _solve(problem, "forward", x, _last(weight), shape, bias, activation)


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C/G, KH, KW)."""
    shape = (problem.out_channels, *problem.kernel_size, problem.group_in)
    dweight = _solve(problem, "weight_grad", x, dy, shape)
    return dweight.transpose(0, dweight.ndim - 1, *range(1, dweight.ndim - 1))


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C)."""
    shape = (problem.batch, *problem.in_size, problem.in_channels)
    return _solve(problem, "input_grad", dy, _last(weight), shape)


def _solve(
    problem: Problem,
    task: str,
    first: Array,
    second: Array,
    shape: tuple[int, ...],
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    from ._cudnn._run import solve

    return solve(problem, task, first, second, shape, bias, activation)


def _last(weight: Array) -> Array:
    """(O, C/G, KH, KW) -> (O, KH, KW, C/G)."""
    return weight.transpose(0, *range(2, weight.ndim), 1)
