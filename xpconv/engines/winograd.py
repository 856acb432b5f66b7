"""3x3 convolutions with fewer multiplications: Winograd's minimal filtering.

Tiles of the output are computed from transformed tiles of the input, number by number; see
`_winograd.Filtering`. Float32 uses F(4x4, 3x3) with a quarter of the definition's products, float64
and small images F(2x2, 3x3) with four ninths.

Sums are not those of the definition, and rounding is larger. Where x and weight are normal numbers
and up to 512 channels are summed, no result of float32 is further from the exact one than 4e-5 of
the largest result (im2col: 4e-6; F(2x2): 4e-6). An error is proportional to the largest number of a
tile, so a pixel a million times brighter than its neighbours costs them their digits. float64 is
never computed so unless the user asks for it. What is not finite would spread over a tile; compiled
bodies form the sums of the definition where they meet it.
"""

from __future__ import annotations

from collections.abc import Callable

from .._typing import Array
from . import _numba, _portable_winograd as portable
from ._activation import clipped
from ._bodies import body
from ._engine import ACTIVATIONS
from ._problem import Problem
from ._winograd import gain, gain_of_arrays, kernels_fit
from ._winograd_on_gpu import drawback_on_gpu

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

name = "winograd"
exact = False
activations = frozenset(ACTIVATIONS)


def refusal(problem: Problem) -> str | None:
    """3x3 kernels in two dimensions, without stride, dilation and groups."""
    if problem.kernel_size != (3, 3):
        return "the kernel is not 3x3"
    if not problem.unit_stride:
        return "it steps by more than one"
    if problem.dilation != (1, 1):
        return "the kernel is dilated"
    if problem.groups != 1:
        return "the channels are split into groups"
    if problem.dtype not in ("float32", "float64"):
        return f"it is written for float32 and float64, not for {problem.dtype or 'any dtype'}"
    if 0 in (problem.batch, problem.in_channels, *problem.in_size):
        return "there is nothing to multiply"
    return None


def drawback(problem: Problem, task: str) -> str | None:
    """Where it is not faster, as measured on CPUs and estimated on GPUs, or not exact enough."""
    if problem.dtype != "float32":
        return f"it would lose digits of {problem.dtype}"
    match problem:
        case Problem(library="cupy"):
            return drawback_on_gpu(problem, task)
    if problem.library != "numpy":
        return "it is not known to be faster on this library"
    compiled = _compiled(problem)
    if not compiled and task == "weight_grad" and not kernels_fit(problem):
        return "the gradients of transformed kernels do not fit into the cache"
    times, least = (gain if compiled else gain_of_arrays)(problem, task), 1.1 if compiled else 1.3
    return None if times > least else f"it would be {times:.1f} times as fast as the definition"


def _compiled(problem: Problem) -> bool:
    return problem.library == "numpy" and _numba.refusal() is None


def forward(
    problem: Problem,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Return y (N, OH, OW, O)."""
    if not _compiled(problem):
        own = body("winograd_convolve", x)
        if own is not None:
            return own(problem, x, weight, bias, activation, turned=False)
        return clipped(portable.convolve(problem, x, weight, bias, turned=False), activation)
    from ._numba import _run_winograd

    return _run_winograd.convolve(problem, x, weight, bias, False, activation)


def prepare(
    problem: Problem, weight: Array, bias: Array | None, activation: str | None
) -> Callable[[Array], Array]:
    """Transform the weight; return `forward` as a function of x."""
    if not _compiled(problem):
        return lambda x: forward(problem, x, weight, bias, activation)
    from ._numba import _run_winograd

    kernels = _run_winograd.kernels_of(problem, weight, False)
    return lambda x: _run_winograd.convolve(problem, x, weight, bias, False, activation, kernels)


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C, 3, 3)."""
    if not _compiled(problem):
        own = body("winograd_weight_grad", x)
        if own is not None:
            return own(problem, x, dy)
        return portable.weight_gradient(problem, x, dy)
    from ._numba import _run_winograd

    return _run_winograd.weight_gradient(problem, x, dy)


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C)."""
    if not _compiled(problem):
        own = body("winograd_convolve", dy)
        if own is not None:
            return own(problem, dy, weight, None, None, turned=True)
        return portable.convolve(problem, dy, weight, None, turned=True)
    from ._numba import _run_winograd

    return _run_winograd.convolve(problem, dy, weight, None, turned=True)
