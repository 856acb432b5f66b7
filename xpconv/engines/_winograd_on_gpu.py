"""Where Winograd's filtering is expected to pay on a GPU: an estimate that nobody has measured yet.

A task is products and passes over memory. With the figures of an NVIDIA H200, one convolution of
float32 takes the sum of both. Other GPUs have more arithmetic for each byte; on those the columns
of im2col, nine times the input, weigh more against the transformed tiles, two and a quarter times.
"""

from __future__ import annotations

import math

from .._tf32 import tf32_allowed
from ._bodies import has_body
from ._problem import Problem
from ._winograd import filtering_for, tiles

_PRODUCTS = 27.5e12  # multiply-adds of float32 a second, in large matrix products
_NUMBERS = 4.3e12 / 4  # float32 numbers read or written a second
_WORTH = 20e-6  # seconds to be saved at least: two launches more, whose results are rounded more
_BODIES = ("matmul", "winograd_inputs", "winograd_kernels", "winograd_outputs")


def drawback_on_gpu(problem: Problem, task: str) -> str | None:
    """Say why im2col is the better choice on CuPy, or None."""
    if not all(has_body(name, problem) for name in _BODIES):
        return "its fused bodies, or our own products, are switched off or cannot be had"
    if tf32_allowed():
        return "products in TF32 are faster, and it would lose their digits"
    by_definition, filtered = seconds(problem, task)
    if by_definition > max(1.1 * filtered, filtered + _WORTH):
        return None
    return (
        f"it would take {filtered * 1e6:.0f} us instead of {by_definition * 1e6:.0f} us by estimate"
    )


def seconds(problem: Problem, task: str) -> tuple[float, float]:
    """Estimate the time of a task by im2col and by Winograd's filtering."""
    back = task == "input_grad"
    channels, outs = problem.in_channels, problem.out_channels
    if back:
        channels, outs = outs, channels
    size = problem.in_size if back else problem.out_size
    places, kernels = problem.batch * math.prod(size), channels * outs
    moved = channels + 18 * channels + outs  # x is read, columns written and read, y written
    by_definition = 9 * places * kernels / _PRODUCTS + places * moved / _NUMBERS

    filtering = filtering_for(problem)
    points = filtering.side**2
    tiled = problem.batch * math.prod(tiles(filtering, size))
    moved = places + 2 * points * tiled  # a channel is read or written, its tiles written and read
    once = (9 + 2 * points) * kernels
    filtered = points * tiled * kernels / _PRODUCTS
    return by_definition, filtered + (moved * (channels + outs) + once) / _NUMBERS
