"""Constructors read off an operation: its options, their order and their defaults stand once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..ops._options import plain_option

_NOT_OPTIONS = ("training", "key", "dtype")  # decided by each call


def input_names(operation: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arrays that an operation cannot do without."""
    return tuple(
        p.name
        for p in inspect.signature(operation).parameters.values()
        if str(p.annotation).startswith("Array") and p.default is p.empty
    )


def constructor(operation: Callable[..., Any], *, inplace: bool = False) -> inspect.Signature:
    """Signature of a layer's constructor: the operation's, without its input arrays.

    With ``inplace`` it ends with the argument of this name, for the sake of PyTorch's signature.
    """
    inputs = input_names(operation)
    parameters = [
        p.replace(kind=p.POSITIONAL_OR_KEYWORD)
        for p in inspect.signature(operation).parameters.values()
        if p.name not in inputs and p.name not in _NOT_OPTIONS
    ]
    if inplace:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters.append(inspect.Parameter("inplace", kind, default=False, annotation="bool"))
    return inspect.Signature(parameters)


def options_of(
    owner: type, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return the options that a constructor was called with, checked, defaults filled in."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{owner.__name__}(): {error}") from None
    bound.apply_defaults()
    return {
        name: plain_option(signature.parameters[name], value)
        for name, value in bound.arguments.items()
    }
