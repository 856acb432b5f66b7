"""Whether a layer computes as its class in the library does: others are left as they are."""

from __future__ import annotations

from typing import TypeGuard, TypeVar

from ._module import Module

M = TypeVar("M", bound=Module)

_METHODS = frozenset({"forward", "infer"})


def replaced(layer: Module) -> bool:
    """Whether somebody has put a ``forward`` or ``infer`` on this very layer."""
    return not _METHODS.isdisjoint(vars(layer))


def computes_as(layer: Module, kind: type[M]) -> TypeGuard[M]:
    """Whether a layer is one of the library's, and neither its class nor itself was changed."""
    mine = type(layer)
    return (
        isinstance(layer, kind)
        and mine.infer is kind.infer
        and mine.forward is kind.forward
        and not replaced(layer)
    )
