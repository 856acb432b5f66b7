"""Half precision computed in single: sums of many half-precision numbers lose their digits."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from array_api_compat import array_namespace

from .._arrays import is_array, is_floating, itemsize, same_dtype
from .._typing import Array, DType, Pullback
from ._registry import Rule

F = TypeVar("F", bound=Callable[..., Any])


def is_half(x: Any) -> bool:
    """Whether a value is an array of float16 or bfloat16."""
    if not is_array(x) or itemsize(x.dtype) >= 4:
        return False
    return is_floating(x)


def widened(x: Any) -> Any:
    """Return a half-precision array in float32, and everything else as it is."""
    if not is_half(x):
        return x
    xp = array_namespace(x)
    return xp.astype(x, xp.float32)


def narrowed(x: Any, dtype: DType) -> Any:
    """Return an array in another dtype, and everything else as it is."""
    if not is_array(x) or x.dtype == dtype:
        return x
    return array_namespace(x).astype(x, dtype)


def _half(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> DType | None:
    """Return the half precision of a call's arrays; beside it no other floating dtype may be."""
    half = next((x.dtype for x in (*args, *kwargs.values()) if is_half(x)), None)
    if half is not None:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        arrays = {name: x for name, x in given.items() if is_array(x)}
        same_dtype(**{name: x for name, x in arrays.items() if is_floating(x)})
    return half


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


def rule_in_single(rule: Rule) -> Rule:
    """Do the same for a rule, and for its pullback."""

    @functools.wraps(rule)
    def compute(*args: Any, **kwargs: Any) -> tuple[Array, Pullback]:
        half = _half(rule, args, kwargs)
        if half is None:
            return rule(*args, **kwargs)
        wide = {name: widened(x) for name, x in kwargs.items()}
        y, pullback = rule(*map(widened, args), **wide)

        def narrow_pullback(dy: Array, **wish: bool) -> tuple[Array | None, ...]:
            return tuple(narrowed(dx, half) for dx in pullback(widened(dy), **wish))

        return narrowed(y, half), narrow_pullback

    return compute
