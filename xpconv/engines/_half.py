"""Half precision: as it is where an engine multiplies it, else in float32 and rounded once."""

from __future__ import annotations

from typing import Any

from ._engine import Engine
from ._problem import Problem
from ._select import select


def engine_as_it_is(
    problem: Problem, task: str, declined: tuple[tuple[str, str], ...] = ()
) -> Engine | None:
    """Return the engine for a problem as it is, or None where it must be computed in float32.

    The engine that is chosen for half precision takes it where it says so: it may have a function
    ``takes_half(problem)``. Where it does not, the choice is made anew, for float32.
    """
    if problem.dtype not in ("float16", "bfloat16"):
        return select(problem, task, declined)
    try:
        engine: Any = select(problem, task, declined)
    except ValueError:  # the engines that are allowed may still do it in float32
        return None
    return engine if hasattr(engine, "takes_half") and engine.takes_half(problem) else None
