"""What an engine is: the interface that all of them keep."""

from __future__ import annotations

from typing import Protocol

from .._typing import Array
from ._problem import Problem

TASKS = ("forward", "input_grad", "weight_grad")
"""The three problems that a convolution is: the names of an engine's functions."""


ACTIVATIONS = ("relu", "relu6")
"""What may follow a convolution in the same pass: max(y, 0), or min(max(y, 0), 6); NaN stays."""


class Declined(Exception):
    """An engine finds, when it is to solve a problem, that it cannot; the next one is asked."""


class Engine(Protocol):
    """What a module must offer to compute convolutions.

    Arrays are channels-last: x (N, H, W, C), y (N, OH, OW, O); weights are (O, C/G, KH, KW).

    A module may offer ``activations``, too: a frozenset of those of the `ACTIVATIONS` that its
    ``forward`` applies while it writes y, after the bias. It is then called with one more argument,
    ``forward(problem, x, weight, bias, activation)``. For other engines `engines.forward` applies
    them in place to what ``forward`` returns, which is therefore always a new array.

    A module may offer ``takes_half(problem)``, which says whether it takes arrays of half precision
    as they are: it then sums in float32 and rounds once. Others are given float32.

    A module may offer ``prepare(problem, weight, bias, activation)``, which returns its ``forward``
    as a function of x alone, with everything done that x is not needed for.

    An engine whose `refusal` cannot know everything raises `Declined`, with the reason, before it
    has done any work.
    """

    name: str
    exact: bool
    """Whether sums are those of the definition, in whatever order."""

    def refusal(self, problem: Problem) -> str | None:
        """Say why the engine cannot solve a problem; None where it can."""

    def drawback(self, problem: Problem, task: str) -> str | None:
        """Say why another engine is the better choice for one of the `TASKS`, or None."""

    def forward(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
        """Return y (N, OH, OW, O)."""

    def weight_grad(self, problem: Problem, x: Array, dy: Array) -> Array:
        """Return dweight (O, C/G, KH, KW)."""

    def input_grad(self, problem: Problem, dy: Array, weight: Array) -> Array:
        """Return dx (N, H, W, C)."""
