"""Half precision computed in single: sums of many half-precision numbers lose their digits."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .._arrays import (
    is_array,
    is_floating,
    is_half as is_half,
    narrowed as narrowed,
    same_dtype,
    widened as widened,
)
from .._typing import Array, DType, Pullback
from ..engines import body
from ._registry import Rule

F = TypeVar("F", bound=Callable[..., Any])


def _half(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any, native: str = ""
) -> DType | None:
    """Return the half precision of a call's arrays; beside it no other floating dtype may be.

    None where there is none, or where a body of the name ``native`` takes it as it is.
    """
    for first in (*args, *kwargs.values()):
        if is_half(first):
            break
    else:
        return None
    given = inspect.signature(function).bind(*args, **kwargs).arguments
    arrays = {name: x for name, x in given.items() if is_array(x)}
    same_dtype(**{name: x for name, x in arrays.items() if is_floating(x)})
    return None if native and body(native, first) is not None else first.dtype


def in_single(operation: F) -> F:
    """Let an operation compute half-precision arrays in float32 and round its result once."""

    @functools.wraps(operation)
    def compute(*args: Any, **kwargs: Any) -> Any:
        half = _half(operation, args, kwargs)
        if half is None:
            return operation(*args, **kwargs)
        wide = {name: widened(x) for name, x in kwargs.items()}
        return narrowed(operation(*map(widened, args), **wide), half)

    return compute  # type: ignore[return-value]


def rule_in_single(rule: Rule, native: str = "") -> Rule:
    """Do the same for a rule, and for its pullback.

    Where there is a body of the name ``native`` for such arrays, the rule gets them as they are.
    """

    @functools.wraps(rule)
    def compute(*args: Any, **kwargs: Any) -> tuple[Array, Pullback]:
        half = _half(rule, args, kwargs, native)
        if half is None:
            return rule(*args, **kwargs)
        wide = {name: widened(x) for name, x in kwargs.items()}
        y, pullback = rule(*map(widened, args), **wide)

        def narrow_pullback(dy: Array, **wish: bool) -> tuple[Array | None, ...]:
            return tuple(narrowed(dx, half) for dx in pullback(widened(dy), **wish))

        return narrowed(y, half), narrow_pullback

    return compute
