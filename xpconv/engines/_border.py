"""Input gradients of weights that are not finite: they reach what they touch, and nothing else.

Engines that gather multiply weights by the zeros around dy, and an infinite weight times zero is
NaN: at the border, where the definition has no such product. Elsewhere it changes nothing. So two
corners of the result tell, and weights are looked at only where those are not finite.
"""

from __future__ import annotations

from array_api_compat import array_namespace

from .._arrays import is_floating
from .._typing import Array
from ._problem import Problem

_LOOKED_AT = ("numpy",)  # on a device this would wait, and in JAX stop tracing


def beyond_the_border(problem: Problem, dx: Array, weight: Array) -> bool:
    """Whether products with zeros around dy may have made NaN of dx (N, H, W, C)."""
    if problem.library not in _LOOKED_AT or problem.empty or not is_floating(dx):
        return False
    xp = array_namespace(dx)
    # Each tap that reaches beyond dy anywhere does so from the first step's places, or the last's.
    sizes = list(zip(map(min, problem.stride, problem.in_size), problem.in_size, strict=True))
    first = (0, *(slice(0, step) for step, _ in sizes))
    last = (0, *(slice(size - step, size) for step, size in sizes))
    if all(xp.all(xp.isfinite(dx[(*corner, ...)])) for corner in (first, last)):
        return False
    return not xp.all(xp.isfinite(weight))
