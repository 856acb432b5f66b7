"""Gradients of modules inside modules: flat dicts under dotted keys, joined and summed."""

from __future__ import annotations

from .._libraries import quiet
from ._module import Grads, Module


def prefixed(prefix: str, grads: Grads) -> Grads:
    """Put a child's name before the keys of its gradients."""
    return {f"{prefix}.{key}": value for key, value in grads.items()}


def under_first_names(owner: Module, grads: Grads) -> Grads:
    """Sum the gradients of a shared module under its first name, as `Module.parameters` has it."""
    first: dict[int, str] = {}
    second: dict[str, str] = {}
    for place, module in owner.named_modules():
        original = first.setdefault(id(module), place)
        if place != original:
            second |= {f"{place}.{name}": f"{original}.{name}" for name in module._own_state()}
    if not second:
        return grads
    summed: Grads = {}
    for key, value in grads.items():
        merge(summed, {second.get(key, key): value})
    return summed


def merge(into: Grads, grads: Grads) -> None:
    """Collect gradients; where a parameter was used twice they are summed."""
    for key, value in grads.items():
        with quiet():
            into[key] = into[key] + value if key in into else value
