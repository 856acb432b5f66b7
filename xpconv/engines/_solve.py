"""Let the best engine solve a problem, and the next best where that one finds that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._arrays import narrowed, widened
from .._typing import Array
from ._engine import Declined
from ._half import engine_as_it_is
from ._out_of_memory import out_of_memory
from ._problem import Problem


def solve(problem: Problem, task: str, arrays: tuple[Any, ...], by: Callable[..., Array]) -> Array:
    """Return what an engine computes; ``by`` calls it.

    Parameters
    ----------
    problem : Problem
        The convolution, for arrays such as the first.
    task : str
        One of the `TASKS`.
    arrays : tuple of arrays
        What is given. Where no engine takes half precision as it is, it is widened to float32 and
        the result rounded once.
    by : callable
        Takes an engine, the problem and the arrays, and returns what that makes of them.
    """
    declined: tuple[tuple[str, str], ...] = ()
    while True:
        engine = engine_as_it_is(problem, task, declined)
        if engine is None:
            wide = replace(problem, dtype="float32")
            result = solve(wide, task, tuple(map(widened, arrays)), by)
            return narrowed(result, arrays[0].dtype)
        try:
            return by(engine, problem, *arrays)
        except Declined as reason:
            declined = (*declined, (engine.name, str(reason)))
        except MemoryError as error:
            raise out_of_memory(problem, task, arrays[0], error) from error
