"""How one convolution is computed: engines that solve the same three problems.

An engine is a module with ``name``, ``exact``, ``refusal(problem)``, ``drawback(problem, task)``,
``forward(problem, x, weight, bias)``, ``weight_grad(problem, x, dy)`` and
``input_grad(problem, dy, weight)``; see `Engine`. Arrays are channels-last, weights
(O, C/G, KH, KW). `im2col` supports everything and is the reference for all others. `forward`,
`weight_grad` and `input_grad` of this package let the best engine do it.
"""

from __future__ import annotations

from functools import partial

from .._typing import Array
from . import (
    cudnn as cudnn,
    depthwise as depthwise,
    direct as direct,
    im2col as im2col,
    pointwise as pointwise,
    winograd as winograd,
)
from ._activation import clipped as clipped, forward_with
from ._bodies import Body as Body, body as body
from ._border import beyond_the_border
from ._cudnn._library import refusal as cudnn_refusal, versions as cudnn_versions
from ._engine import (
    ACTIVATIONS as ACTIVATIONS,
    TASKS as TASKS,
    Declined as Declined,
    Engine as Engine,
)
from ._numba import refusal as compiled_refusal
from ._offsets import offsets as offsets
from ._prepare import prepare as prepare
from ._problem import Problem as Problem
from ._product import matmul as matmul, own_products as own_products, product as product
from ._scratch import let_go as let_go
from ._select import (
    allowed as allowed,
    chosen as chosen,
    engine as engine,
    explain as explain,
    select as select,
)
from ._solve import solve
from ._threads import thread_count as thread_count

__all__ = [
    "ACTIVATIONS",
    "TASKS",
    "Body",
    "Declined",
    "Engine",
    "Problem",
    "allowed",
    "body",
    "chosen",
    "clipped",
    "compiled_refusal",
    "cudnn",
    "cudnn_refusal",
    "cudnn_versions",
    "depthwise",
    "direct",
    "engine",
    "explain",
    "forward",
    "im2col",
    "input_grad",
    "let_go",
    "matmul",
    "offsets",
    "own_products",
    "pointwise",
    "prepare",
    "product",
    "select",
    "thread_count",
    "weight_grad",
    "winograd",
]


def forward(
    problem: Problem,
    x: Array,
    weight: Array,
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Return y (N, OH, OW, O) for a channels-last x, with one of the `ACTIVATIONS` or None.

    An activation is for real numbers. Engines that can do so apply it in the same pass.
    """
    by = partial(forward_with, activation=activation)
    return solve(problem.of(x), "forward", (x, weight, bias), by)


def weight_grad(problem: Problem, x: Array, dy: Array) -> Array:
    """Return dweight (O, C/G, KH, KW) for channels-last x and dy."""
    return solve(problem.of(x), "weight_grad", (x, dy), lambda e, *given: e.weight_grad(*given))


def input_grad(problem: Problem, dy: Array, weight: Array) -> Array:
    """Return dx (N, H, W, C) for a channels-last dy."""
    problem, given = problem.of(dy), (dy, weight)
    dx = solve(problem, "input_grad", given, lambda e, *given: e.input_grad(*given))
    if beyond_the_border(problem, dx, weight):
        return solve(problem, "input_grad", given, lambda _, *given: im2col.scattered(*given))
    return dx
