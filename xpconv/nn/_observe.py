"""Watching layers at work: every forward pass and inference can be reported to a callback."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from array_api_compat import device

from .._arrays import is_array
from .._libraries import available, library_of
from .._memory import OutOfMemory, which_batch_fits
from .._place import note_passing
from ._way_back import WayBack, go_back

if TYPE_CHECKING:
    from ._module import Module

Observer = Callable[["Module", tuple[Any, ...], Any], None]

_OBSERVERS: ContextVar[tuple[Observer, ...]] = ContextVar("xpconv_observers", default=())
_RUNNING: ContextVar[frozenset[int]] = ContextVar("xpconv_running", default=frozenset())


@contextmanager
def observe(callback: Observer) -> Iterator[None]:
    """Show every layer's inputs and output to a callback within a ``with`` block.

    Parameters
    ----------
    callback : callable
        ``callback(module, inputs, output)`` is called when a layer's forward pass or inference
        has finished, inner layers before the container that holds them.
    """
    token = _OBSERVERS.set((*_OBSERVERS.get(), callback))
    try:
        yield
    finally:
        _OBSERVERS.reset(token)


def observing() -> bool:
    """Whether anybody watches the layers."""
    return bool(_OBSERVERS.get())


@contextmanager
def unobserved(module: Module) -> Iterator[None]:
    """Hide one layer from the observers within a ``with`` block, as it stands in for another."""
    token = _RUNNING.set(_RUNNING.get() | {id(module)})
    try:
        yield
    finally:
        _RUNNING.reset(token)


def named(
    work: Callable[..., Any], layer: Module, inputs: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Let a layer's method work, and its way back; where one fails, say in which layer."""
    result = _or_say_where(work, layer, layer, *inputs, **options)
    if work.__name__ == "infer":
        return result
    if not (isinstance(result, tuple) and len(result) == 2 and callable(result[1])):
        shape = getattr(result, "shape", None)
        given = type(result).__name__ + ("" if shape is None else f" of shape {tuple(shape)}")
        raise TypeError(
            f"{type(layer).__name__}.forward must return the output and a function that goes "
            f"back, (y, backward), got {given}"
        )
    y, back = result
    return y, WayBack(lambda dy, wish: _or_say_where(go_back, layer, back, dy, wish))


def _or_say_where(work: Callable[..., Any], layer: Module, /, *args: Any, **options: Any) -> Any:
    try:
        return work(*args, **options)
    except OutOfMemory as error:
        error.passing(layer, layer.children())
        raise
    except MemoryError as error:
        # No name here holds the new error: it and this frame would keep one another, and the
        # arrays of all frames below, until a collector runs, which no full device starts.
        raise _first(error, layer, args) from error
    except (ValueError, TypeError) as error:  # what the layer was given does not fit
        note_passing(error, layer, layer.children())
        raise


def _first(error: MemoryError, layer: Module, args: tuple[Any, ...]) -> OutOfMemory:
    told = OutOfMemory(_told(error, args))
    told.passing(layer, layer.children())
    return told


def _told(error: MemoryError, args: tuple[Any, ...]) -> str:
    """Return what to say where a layer other than a convolution found no memory."""
    arrays = [x for x in args if is_array(x) and x.ndim > 0]
    if not arrays:
        return str(error) or "out of memory"
    free = available(library_of(arrays[0]), device(arrays[0]))
    return which_batch_fits(error, arrays[0].shape[0], free)


def observed(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a layer's method report to the observer, if there is one."""

    @functools.wraps(method)
    def report(self: Module, *inputs: Any, **options: Any) -> Any:
        observers, running = _OBSERVERS.get(), _RUNNING.get()
        if not observers or id(self) in running:  # a method that calls another of its own
            return named(method, self, inputs, options)
        token = _RUNNING.set(running | {id(self)})
        try:
            result = named(method, self, inputs, options)
        finally:
            _RUNNING.reset(token)
        arrays = tuple(
            x for x in inputs if not isinstance(x, bool)
        )  # ``training`` may be among them
        for observer in observers:
            observer(self, arrays, result[0] if method.__name__ == "forward" else result)
        return result

    return report
