"""What every elementwise activation shares: dtypes, options, registration, and cheap choices.

An activation is written as one function that computes its value and says its derivative; the
decorator makes an operation of it, with its rule.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, TypeVar

from .._arrays import clip, conjugate, is_complex, is_floating, namespace, require_floating
from .._typing import Array, Namespace, Pullback
from ._layout import View, memory_order
from ._precision import narrowed, widened
from ._registry import Rule, differentiable

F = TypeVar("F", bound=Callable[..., Any])


def elementwise(*kinds: str, exact: bool = False, placed: bool = False) -> Callable[[F], F]:
    """Make a differentiable operation of a formula ``(x, **options) -> (y, way back)``.

    The way back maps ``dy`` to ``dy * f'(x)``. Of the operation that it becomes the formula has
    the signature and the docstring, so that it is annotated with the result ``Array``.

    Parameters
    ----------
    *kinds : {"bool", "integral", "complex floating"}
        What the operation takes besides real floating numbers. For complex numbers ``dy`` comes
        conjugated, and what goes back is conjugated again, as PyTorch's convention has it.
    exact : bool, default False
        Whether the formula picks among numbers without rounding: then integers stay integers and
        half precision is computed as it is. Else integers become float32, and half precision is
        computed in float32 and rounded once.
    placed : bool, default False
        Whether the result depends on where in the array a number stands, as random factors do.
    """

    def make(formula: F) -> F:
        signature = inspect.signature(formula)

        def run(*args: Any, **kwargs: Any) -> tuple[Array, Pullback]:
            try:
                options = signature.bind(*args, **kwargs).arguments
            except TypeError as error:
                raise TypeError(f"{formula.__name__}() {error}") from None
            x = options.pop("x")
            xp = namespace(x=x)
            views = None if placed else memory_order(x)
            if views is not None:
                return _in_order(views, run, x, options)
            whole = not is_floating(x)
            if not _taken(xp, x, kinds):
                require_floating(x=x)
            wide = x
            if not exact:
                wide = xp.astype(x, xp.float32) if whole else widened(x)
            y, way_back = formula(wide, **options)
            if whole:
                return y, lambda dy: (None,)
            if is_complex(x):
                return y, lambda dy: (conjugate(xp, way_back(conjugate(xp, dy))),)
            dtype = x.dtype
            return narrowed(y, dtype), lambda dy: (
                narrowed(way_back(dy if exact else widened(dy)), dtype),
            )

        @functools.wraps(formula)
        def operation(*args: Any, **kwargs: Any) -> Array:
            return run(*args, **kwargs)[0]

        return differentiable(run)(operation)  # type: ignore[return-value]

    return make


def _in_order(
    views: tuple[View, View], run: Rule, x: Array, options: dict[str, Any]
) -> tuple[Array, Pullback]:
    """Run a rule on an array as it lies in memory; see `memory_order`."""
    there, back = views
    y, pullback = run(there(x), **options)

    def pullback_in_order(dy: Array) -> tuple[Array | None, ...]:
        (dx,) = pullback(there(dy))
        return (None if dx is None else back(dx),)

    return back(y), pullback_in_order


def _taken(xp: Namespace, x: Array, kinds: tuple[str, ...]) -> bool:
    if is_floating(x):
        return not is_complex(x) or "complex floating" in kinds
    return xp.isdtype(x.dtype, kinds) if kinds else False


def clipped(xp: Namespace, x: Array, low: float, high: float) -> Array:
    """Clip, halves by way of float32, which holds them: NumPy and CuPy cannot clip bfloat16."""
    return narrowed(clip(xp, widened(x), low, high), x.dtype)


def positive(xp: Namespace, x: Array) -> Array:
    """``max(x, 0)``, NaN where x is: clipping at both ends is NumPy's fastest way."""
    return clipped(xp, x, 0.0, math.inf)


def negative(xp: Namespace, x: Array) -> Array:
    """``min(x, 0)``, NaN where x is."""
    return clipped(xp, x, -math.inf, 0.0)


def step(xp: Namespace, condition: Array, like: Array) -> Array:
    """1 where a condition holds and 0 elsewhere: a factor, many times faster than a choice."""
    return xp.astype(condition, like.dtype)


def sign(xp: Namespace, x: Array) -> Array:
    """The sign of real numbers as PyTorch has it: that of NaN is 0."""
    return step(xp, x > 0, x) - step(xp, x < 0, x)


def either(xp: Namespace, condition: Array, yes: Any, no: Any, like: Array) -> Array:
    """``yes`` where a condition holds and ``no`` elsewhere, both finite, without branches."""
    share = step(xp, condition, like)
    return share * yes + (1 - share) * no
