"""Every differentiable operation, each with its way back.

An operation is a plain function, wrapped so that its options are plain numbers of the right kind
(`Options`) and NumPy does not warn of inf and NaN. Its *rule* takes the same arguments and returns
the output together with a pullback, a pure function from the output's cotangent to the inputs'
cotangents. Both are registered together, so one generic test can check every gradient of the
library.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from array_api_compat import is_array_api_obj

from .._arrays import describe, is_floating, namespace
from .._libraries import quiet
from .._typing import Array, Pullback
from ._options import Options

F = TypeVar("F", bound=Callable[..., Any])
Rule = Callable[..., tuple[Any, Pullback]]


class _Registered(NamedTuple):
    rule: Rule
    options: Options


_RULES: dict[Callable[..., Any], _Registered] = {}


def differentiable(rule: Rule) -> Callable[[F], F]:
    """Register the decorated operation with its rule.

    The rule's pullback returns one entry per parameter of the operation that is annotated as an
    ``Array``, in the order of the signature.
    """

    def register(operation: F) -> F:
        options = Options(operation)

        @functools.wraps(operation)
        def call(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = options.plain(args, kwargs)
            with quiet():
                return operation(*args, **kwargs)

        _RULES[call] = _Registered(rule, options)
        return call  # type: ignore[return-value]

    return register


def registered() -> tuple[Callable[..., Any], ...]:
    """Return every differentiable operation."""
    return tuple(_RULES)


def vjp(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, Pullback]:
    """Compute an operation and the way back through it.

    Parameters
    ----------
    operation : callable
        A differentiable operation of `xpconv.ops`.
    *args, **kwargs
        Its arguments.

    Returns
    -------
    y : array
        What ``operation(*args, **kwargs)`` returns.
    pullback : callable
        Maps a cotangent of the shape of ``y`` to a tuple of cotangents: one per array parameter of
        the operation, in the order of its signature, up to the last one given; ``None`` for an
        input that has no gradient. It is pure: calling it twice gives the same answer. Where ``y``
        is a tuple, the pullback takes the cotangent of its first entry.

    Raises
    ------
    TypeError
        If the operation is not differentiable; from the pullback, if the cotangent's dtype differs.
    ValueError
        From the pullback, if the cotangent's shape differs from the output's.

    Examples
    --------
    >>> from xpconv import get_backend, ops
    >>> x = get_backend("numpy").asarray([-1.0, 2.0])
    >>> y, pullback = vjp(ops.relu, x)
    >>> pullback(x + 3)
    (array([0., 5.]),)
    """
    try:
        rule, options = _RULES[operation]
    except (KeyError, TypeError):
        name = getattr(operation, "__name__", repr(operation))
        raise TypeError(f"{name} is not a differentiable operation of xpconv.ops") from None
    _bind(operation, args, kwargs)
    args, kwargs = options.plain(args, kwargs)
    with quiet():
        y, pullback = rule(*args, **kwargs)
    whole = [_is_whole(x) for x in _arrays_given(operation, args, kwargs)]
    primary = y[0] if isinstance(y, tuple) else y
    shape, dtype, home = primary.shape, primary.dtype, describe(primary)  # y is not kept alive

    def checked(dy: Array) -> tuple[Array | None, ...]:
        namespace(cotangent=dy)
        if describe(dy) != home:
            raise TypeError(f"the cotangent is {describe(dy)} but the output was {home}")
        if dy.shape != shape:
            raise ValueError(
                f"the cotangent must have the output's shape {tuple(shape)}, got {tuple(dy.shape)}"
            )
        if dy.dtype != dtype:
            raise TypeError(f"the cotangent must have dtype {dtype}, got {dy.dtype}")
        if all(whole):
            return (None,) * len(whole)
        with quiet():
            gradients = pullback(dy)[: len(whole)]
        return tuple(None if w else dx for w, dx in zip(whole, gradients, strict=True))

    return y, checked


def _bind(operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuse a call that does not fit the operation's signature, under the operation's name."""
    try:
        _signature(operation).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{getattr(operation, '__name__', operation)}(): {error}") from None


@cache
def _signature(operation: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(operation)


@cache
def _array_parameters(operation: Callable[..., Any]) -> tuple[tuple[str, int, bool], ...]:
    """Name, position and variadicity of the parameters that are annotated as arrays."""
    parameters = _signature(operation).parameters.values()
    return tuple(
        (p.name, index, p.kind is p.VAR_POSITIONAL)
        for index, p in enumerate(parameters)
        if str(p.annotation).startswith("Array")
    )


def _arrays_given(
    operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Array | None]:
    """List the arguments for array parameters, up to the last one that the call passes."""
    arrays: list[Array | None] = []
    count = 0
    for name, index, variadic in _array_parameters(operation):
        if variadic:
            return [*arrays, *args[index:]]
        arrays.append(args[index] if index < len(args) else kwargs.get(name))
        if index < len(args) or name in kwargs:
            count = len(arrays)
    return arrays[:count]


def _is_whole(x: Any) -> bool:
    """Whether this is no array, integers or truth values, along which nothing can be derived."""
    return not is_array_api_obj(x) or not is_floating(x)
