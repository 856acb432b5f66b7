"""A convolution whose choices are made before its input is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from .._arrays import narrowed, widened
from .._typing import Array
from ._activation import forward_with
from ._engine import Declined
from ._half import engine_as_it_is
from ._out_of_memory import out_of_memory
from ._problem import Problem
from ._solve import solve


def prepare(
    problem: Problem,
    weight: Array,
    bias: Array | None = None,
    activation: str | None = None,
) -> Callable[[Array], Array]:
    """Return `forward` of one weight as a function of x alone.

    The engine is chosen here, by what is allowed here, and where it can it lays the weight out
    here: what is written into ``weight`` or ``bias`` afterwards may or may not be seen.

    Parameters
    ----------
    problem : Problem
        With the dtype and the library of the arrays.
    weight, bias, activation
        As in `forward`.
    """
    engine: Any = engine_as_it_is(problem, "forward")
    if engine is None:
        wide = prepare(
            replace(problem, dtype="float32"), widened(weight), widened(bias), activation
        )
        return lambda x: narrowed(wide(widened(x)), x.dtype)
    if hasattr(engine, "prepare") and (activation is None or activation in engine.activations):
        work = engine.prepare(problem, weight, bias, activation)
    else:
        by = partial(forward_with, activation=activation)

        def work(x: Array) -> Array:
            try:
                return by(engine, problem, x, weight, bias)
            except Declined:  # it finds out when it is to work; another one is asked
                return solve(problem, "forward", (x, weight, bias), by)

    return partial(_or_say_what, work, problem)


def _or_say_what(work: Callable[[Array], Array], problem: Problem, x: Array) -> Array:
    try:
        return work(x)
    except MemoryError as error:
        raise out_of_memory(problem, "forward", x, error) from error
