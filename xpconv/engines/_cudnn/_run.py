"""Arrays to cuDNN and back: layouts, addresses, the current stream."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace, device

from ..._typing import Array
from .._cuda._launch import address
from .._primitives import column_budget
from .._problem import Problem
from ._device import Device, current, here, stream, workspace
from ._graph import BIAS, FIRST, RESULT, SECOND, Key
from ._library import deterministic, front_end, tf32
from ._plans import Plan, failed, plan_for

_ALIGNED = 16  # bytes: what cuDNN takes for granted of an address


def solve(
    problem: Problem,
    task: str,
    first: Array,
    second: Array,
    shape: tuple[int, ...],
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    """Compute one of the three tasks into a new array, all of them channels-last.

    Work is given to the current stream of the arrays' device; nothing waits for it.
    """
    xp = array_namespace(first)
    with current(first):
        place = here(first)
        key = Key(
            problem,
            task,
            bias is not None,
            activation,
            tf32() if problem.dtype == "float32" else False,
            deterministic(),
            column_budget(xp),
            place.number,
        )
        plan = plan_for(key, place)
        result = xp.empty(shape, dtype=first.dtype, device=device(first))
        given = {FIRST: _readable(xp, first), SECOND: _readable(xp, second), RESULT: result}
        if bias is not None:
            given[BIAS] = _readable(xp, bias)
        _execute(key, plan, place, given)
    return result


def _execute(key: Key, plan: Plan, place: Device, given: dict[int, Array]) -> None:
    # The pool gives memory back to this stream alone, so it may be let go once the work is given.
    space = workspace(plan.workspace) if plan.workspace else None
    addresses = {uid: address(array) for uid, array in given.items()}
    cudnn = front_end()
    try:
        with place.lock:
            cudnn.set_stream(handle=place.handle, stream=stream())
            plan.graph.execute(addresses, int(space.ptr) if space else None, handle=place.handle)
    except (RuntimeError, cudnn.cudnnGraphNotSupportedError) as error:
        raise failed(key, error) from error


def _readable(xp: Any, array: Array) -> Array:
    """Return an array as it is, or a copy where cuDNN could not read it."""
    if array.flags.c_contiguous and address(array) % _ALIGNED == 0:
        return array
    return xp.asarray(array, copy=True, order="C")
