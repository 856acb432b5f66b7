"""Let the best engine solve a problem, and the next best where that one finds that it cannot."""

from __future__ import annotations

from collections.abc import Callable

from .._typing import Array
from ._engine import Declined, Engine
from ._out_of_memory import out_of_memory
from ._problem import Problem
from ._select import select


def solve(problem: Problem, task: str, array: Array, by: Callable[[Engine], Array]) -> Array:
    """Return what an engine computes; ``by`` calls it.

    Parameters
    ----------
    problem : Problem
        The convolution, for arrays such as ``array``.
    task : str
        One of the `TASKS`.
    array : array
        One of those that are given.
    by : callable
        Takes an engine, and returns what that makes of the arrays.
    """
    declined: tuple[tuple[str, str], ...] = ()
    while True:
        engine = select(problem, task, declined)
        try:
            return by(engine)
        except Declined as reason:
            declined = (*declined, (engine.name, str(reason)))
        except MemoryError as error:
            raise out_of_memory(problem, task, array, error) from error
