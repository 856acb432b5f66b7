"""The activation after a convolution: in the engine's own pass, or in place on what it returns."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace, is_cupy_namespace, is_numpy_namespace

from .._typing import Array
from ._engine import ACTIVATIONS, Engine
from ._problem import Problem


def forward_with(
    engine: Engine,
    problem: Problem,
    x: Array,
    weight: Array,
    bias: Array | None,
    activation: str | None,
) -> Array:
    """Return y (N, OH, OW, O) of an engine with one of the `ACTIVATIONS`, or None, applied."""
    if activation is None:
        return engine.forward(problem, x, weight, bias)
    if activation not in ACTIVATIONS:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise ValueError(f"activation must be None or one of {known}, got {activation!r}")
    if activation in getattr(engine, "activations", ()):
        fused: Any = engine.forward
        y: Array = fused(problem, x, weight, bias, activation)
        return y
    return clipped(engine.forward(problem, x, weight, bias), activation)


def clipped(y: Array, activation: str | None) -> Array:
    """Return y after one of the `ACTIVATIONS`; it was made a line before and may be written to."""
    if activation is None:
        return y
    xp = array_namespace(y)
    if is_numpy_namespace(xp) or is_cupy_namespace(xp):
        y = xp.maximum(y, 0, out=y)
        return y if activation == "relu" else xp.minimum(y, 6, out=y)
    y = xp.where(y < 0, 0, y)
    return y if activation == "relu" else xp.where(y > 6, 6, y)
