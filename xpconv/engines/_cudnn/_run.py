"""Arrays to cuDNN and back: layouts, addresses, the current stream."""

from __future__ import annotations

from array_api_compat import array_namespace, device

from ..._typing import Array
from ..._workspace import workspace_budget
from .._cuda._launch import address
from .._problem import Problem
from ._device import Device, current, here, stream, workspace
from ._graph import BIAS, FIRST, RESULT, SECOND, Key
from ._library import deterministic, front_end, tf32
from ._plans import Plan, failed, plan_for

# In strict float32 cuDNN turns images and results around in its workspace, for a batch at once.
_BYTES = 2**30
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

    Work is given to the current stream of the arrays' device; nothing waits for it. An activation
    without a bias follows a bias of zeros: cuDNN has plans for that alone.
    """
    xp = array_namespace(first)
    with current(first):
        place = here(first)
        if bias is None and activation is not None:
            bias = xp.zeros(problem.out_channels, dtype=first.dtype, device=device(first))
        key = Key(
            problem,
            task,
            bias is not None,
            activation,
            problem.dtype == "float32" and tf32(),
            deterministic(),
            workspace_budget(_BYTES),
            place.number,
        )
        plan = plan_for(key, place)
        result = xp.empty(shape, dtype=first.dtype, device=device(first))
        given = [(FIRST, first), (SECOND, second), (RESULT, result)]
        if bias is not None:
            given.append((BIAS, bias))
        arrays = {}  # holds on to copies until the work is given
        addresses = {}
        for uid, array in given:
            arrays[uid], addresses[uid] = _readable(array)
        _execute(key, plan, place, addresses)
    return result


def _execute(key: Key, plan: Plan, place: Device, addresses: dict[int, int]) -> None:
    # The pool gives memory back to this stream alone, so it may be let go once the work is given.
    space = workspace(plan.workspace) if plan.workspace else None
    cudnn = front_end()
    try:
        with place.lock:
            cudnn.set_stream(handle=place.handle, stream=stream())
            plan.graph.execute(addresses, int(space.ptr) if space else None, handle=place.handle)
    except (RuntimeError, cudnn.cudnnGraphNotSupportedError) as error:
        raise failed(key, error) from error


def _readable(array: Array) -> tuple[Array, int]:
    """Return an array, or a copy where cuDNN could not read it, and its address."""
    if array.flags.c_contiguous:
        place = address(array)
        if place % _ALIGNED == 0:
            return array, place
    array = array_namespace(array).asarray(array, copy=True, order="C")
    return array, address(array)
