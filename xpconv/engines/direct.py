"""Convolution straight from the input, compiled: NumPy arrays and the extra ``fast`` (Numba)."""

from __future__ import annotations

from collections.abc import Callable

from .._typing import Array
from . import _numba
from ._engine import ACTIVATIONS
from ._problem import Problem

__all__ = [
    "activations",
    "drawback",
    "exact",
    "forward",
    "input_grad",
    "name",
    "prepare",
    "refusal",
    "weight_grad",
]

name = "direct"
exact = True
activations = frozenset(ACTIVATIONS)


def refusal(problem: Problem) -> str | None:
    """NumPy arrays of float32 or float64, in one to three dimensions."""
    if problem.library != "numpy":
        return "the arrays are not NumPy's"
    if problem.dtype not in ("float32", "float64"):
        return f"it is compiled for float32 and float64, not for {problem.dtype or 'any dtype'}"
    if problem.ndim > 3:
        return f"there are {problem.ndim} spatial dimensions"
    if 0 in (problem.batch, problem.in_channels, *problem.in_size):
        return "there is nothing to multiply"
    return _numba.refusal()


def drawback(problem: Problem, task: str) -> str | None:
    """None: engines that are better at something come before this one."""
    return None


def forward(
    problem: Problem,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Return y (N, OH, OW, O)."""
    from ._numba import _run

    return _run.convolve(problem, x, weight, bias, False, activation)


def prepare(
    problem: Problem, weight: Array, bias: Array | None, activation: str | None
) -> Callable[[Array], Array]:
    """Lay the weight out; return `forward` as a function of x."""
    from ._numba import _run

    kernels = _run.kernels_of(problem, weight)
    return lambda x: _run.convolve(problem, x, weight, bias, False, activation, kernels)


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C/G, KH, KW)."""
    from ._numba import _run

    return _run.weight_gradient(problem, x, dy)


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C)."""
    from ._numba import _run

    return _run.convolve(problem, dy, weight, None, turned=True)
