"""Plans: the kernels that cuDNN's heuristics choose for a graph, found once and kept."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import Any, NamedTuple

from .._engine import Declined
from ._device import Device, capturing
from ._graph import Key, graph_of, unwanted
from ._library import front_end

LIMIT = 256
"""Plans that are kept, each with about a megabyte of the host's memory."""

_LOG = logging.getLogger("xpconv.engines")


class Plan(NamedTuple):
    """A graph with a kernel chosen for it, and the bytes that the kernel works in."""

    graph: Any
    workspace: int


class CudnnError(RuntimeError):
    """cuDNN failed at something that it had agreed to do; the message names the problem."""


_LOCK = threading.Lock()
_KEPT: OrderedDict[Key, Plan | str] = OrderedDict()  # a text says why there is no plan


def plan_for(key: Key, place: Device) -> Plan:
    """Return the plan for a key, made when it is first asked for.

    Raises
    ------
    Declined
        If cuDNN has no plan for it. That is remembered, too.
    RuntimeError
        If it would have to be made while the stream is captured into a CUDA graph.
    """
    with _LOCK:
        found = _KEPT.get(key)
        if found is not None:
            _KEPT.move_to_end(key)
    if found is None:
        found = _made(key, place)
        with _LOCK:
            _KEPT[key] = found
            while len(_KEPT) > LIMIT:
                _KEPT.popitem(last=False)
    if isinstance(found, str):
        raise Declined(found)
    return found


def forget() -> None:
    """Drop all plans."""
    with _LOCK:
        _KEPT.clear()


def _made(key: Key, place: Device) -> Plan | str:
    if capturing():
        raise RuntimeError(
            f"cuDNN has no plan yet for {key}, and none can be made while a CUDA graph is "
            "captured: take the same step once before"
        )
    with place.lock:
        try:
            graph = graph_of(key, handle=place.handle, sm_version=place.architecture)
            name = choose(graph, key)
            plan = Plan(graph, int(graph.get_workspace_size()))
        except front_end().cudnnGraphNotSupportedError as error:
            reason = f"cuDNN has no plan for it ({_first_line(error)})"
            _LOG.info("%s is left to another engine: %s", key, reason)
            return reason
        except RuntimeError as error:
            raise failed(key, error) from error
    _LOG.debug("%s by cuDNN's %s, %d bytes of workspace", key, name, plan.workspace)
    return plan


def choose(graph: Any, key: Key) -> str:
    """Let cuDNN rank its kernels, take the first that may be used, and return its name.

    The workspace and its notes decide whether one may. A kernel that cannot be built gives way to
    the next.
    """
    cudnn = front_end()
    graph.validate()
    graph.build_operation_graph()
    graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
    graph.deselect_numeric_notes(unwanted(key))
    # They need a compiler, and are gone from the device with their plan: a CUDA graph outlives it.
    graph.deselect_behavior_notes([cudnn.behavior_note.RUNTIME_COMPILATION])
    graph.deselect_workspace_greater_than(key.budget)
    graph.check_support()
    failure: Exception = cudnn.cudnnGraphNotSupportedError("no kernel fits the wishes")
    for index in range(graph.get_execution_plan_count()):
        try:
            graph.build_plan_at_index(index)
        except cudnn.cudnnGraphNotSupportedError:
            continue
        except RuntimeError as error:
            failure = error
            continue
        return str(graph.get_plan_name_at_index(index))
    raise failure


def failed(key: Key, error: Exception) -> Exception:
    """Return the error to raise in the place of cuDNN's own."""
    text = _first_line(error)
    if "ALLOC_FAILED" in text or "out of memory" in text.lower():
        return MemoryError(text)
    return CudnnError(f"cuDNN failed in {key}: {text}")


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= 200 else f"{line[:200]}..."
