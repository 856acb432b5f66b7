"""How one convolution is computed: engines that solve the same three problems.

An engine is a module with ``name``, ``supports(problem)``, ``forward(problem, x, weight)``,
``weight_grad(problem, x, dy)`` and ``input_grad(problem, dy, weight)``. Arrays are channels-last,
weights (O, C/G, KH, KW). `im2col` supports everything and is the reference for all others.
"""

from __future__ import annotations

from typing import Protocol

from .._typing import Array
from . import depthwise as depthwise, im2col as im2col, pointwise as pointwise
from ._offsets import offsets as offsets
from ._problem import Problem as Problem

__all__ = ["Engine", "Problem", "depthwise", "im2col", "offsets", "pointwise", "select"]


class Engine(Protocol):
    """What a module must offer to compute convolutions."""

    name: str

    def supports(self, problem: Problem) -> bool:
        """Whether the engine can solve a problem."""

    def forward(self, problem: Problem, x: Array, weight: Array) -> Array:
        """Return y (N, OH, OW, O)."""

    def weight_grad(self, problem: Problem, x: Array, dy: Array) -> Array:
        """Return dweight (O, C/G, KH, KW)."""

    def input_grad(self, problem: Problem, dy: Array, weight: Array) -> Array:
        """Return dx (N, H, W, C)."""


_BY_PREFERENCE: tuple[Engine, ...] = (pointwise, depthwise, im2col)


def select(problem: Problem) -> Engine:
    """Return the first engine, in order of preference, that supports a problem."""
    return next(engine for engine in _BY_PREFERENCE if engine.supports(problem))
