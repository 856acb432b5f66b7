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

from .._arrays import describe, is_array, is_floating, namespace, place
from .._libraries import library_of, quiet
from .._typing import Array, Pullback, Selective
from ._options import Options

F = TypeVar("F", bound=Callable[..., Any])
Rule = Callable[..., tuple[Any, Pullback]]


class _Registered(NamedTuple):
    rule: Rule
    options: Options
    selective: bool


_RULES: dict[Callable[..., Any], _Registered] = {}
_RECTIFIED: dict[Callable[..., Any], Rule] = {}


def differentiable(
    rule: Rule, *, selective: bool = False, rectified: Rule | None = None
) -> Callable[[F], F]:
    """Register the decorated operation with its rule.

    The rule's pullback returns one entry per parameter of the operation that is annotated as an
    ``Array``, in the order of the signature. A *selective* rule's pullback takes ``input_grad``,
    too: whether the first of them is wanted. ``rectified`` is the rule of the operation with
    `relu` or `relu6` after it, whose name it takes first, where both together take fewer passes
    over memory.
    """

    def register(operation: F) -> F:
        options = Options(operation)

        @functools.wraps(operation)
        def call(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = options.plain(args, kwargs)
            with quiet():
                return operation(*args, **kwargs)

        _RULES[call] = _Registered(rule, options, selective)
        if rectified is not None:
            _RECTIFIED[call] = rectified
        return call  # type: ignore[return-value]

    return register


def registered() -> tuple[Callable[..., Any], ...]:
    """Return every differentiable operation."""
    return tuple(_RULES)


def vjp(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, Selective]:
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
        is a tuple, the pullback takes the cotangent of its first entry. With ``input_grad=False``
        the first cotangent is ``None``; convolutions and `linear` save the work for it.

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
        registered = _RULES[operation]
    except (KeyError, TypeError):
        name = getattr(operation, "__name__", repr(operation))
        raise TypeError(f"{name} is not a differentiable operation of xpconv.ops") from None
    return _run(operation, registered, registered.rule, args, kwargs)


def rectified_vjp(
    activation: str, operation: Callable[..., Any], *args: Any, **kwargs: Any
) -> tuple[Any, Selective]:
    """Do for ``relu(operation(...))``, or `relu6`, what `vjp` does; for operations with a rule."""
    rule = functools.partial(_RECTIFIED[operation], activation)
    return _run(operation, _RULES[operation], rule, args, kwargs)


def _run(
    operation: Callable[..., Any],
    registered: _Registered,
    rule: Rule,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[Any, Selective]:
    places = _array_places(operation, len(args), tuple(kwargs))
    selective = registered.selective
    args, kwargs = registered.options.plain(args, kwargs)
    with quiet():
        y, back = rule(*args, **kwargs)
    pullback: Any = back  # a selective one takes input_grad
    whole = [_is_whole(args[at] if isinstance(at, int) else kwargs.get(at)) for at in places]
    some, none, count = any(whole), all(whole), len(whole)
    primary = y[0] if isinstance(y, tuple) else y  # not kept alive
    kind, shape, dtype, where = type(primary), primary.shape, primary.dtype, place(primary)
    library = library_of(primary)

    def checked(dy: Array, /, *, input_grad: bool = True) -> tuple[Array | None, ...]:
        if type(dy) is not kind or dy.shape != shape or dy.dtype != dtype or place(dy) != where:
            _check_cotangent(dy, library, where, shape, dtype)
        if none:
            return (None,) * count
        with quiet():
            if selective and not input_grad:
                gradients = pullback(dy, input_grad=False)[:count]
            else:
                gradients = pullback(dy)[:count]
        if some:
            gradients = tuple(None if w else dx for w, dx in zip(whole, gradients, strict=True))
        return gradients if input_grad else (None, *gradients[1:])

    return y, checked


def _check_cotangent(dy: Array, library: str, where: Any, shape: Any, dtype: Any) -> None:
    """Refuse what is of another library, device, shape or dtype than the output was."""
    namespace(cotangent=dy)
    home = f"a {library} array on {where}"
    if describe(dy) != home:
        raise TypeError(f"the cotangent is {describe(dy)} but the output was {home}")
    if dy.shape != shape:
        raise ValueError(
            f"the cotangent must have the output's shape {tuple(shape)}, got {tuple(dy.shape)}"
        )
    if dy.dtype != dtype:
        raise TypeError(f"the cotangent must have dtype {dtype}, got {dy.dtype}")


@cache
def _array_places(
    operation: Callable[..., Any], count: int, names: tuple[str, ...]
) -> tuple[int | str, ...]:
    """Say where a call's arguments for array parameters stand, up to the last one that it passes.

    By their positions, or by the names of what stands there by name or not at all. A call that
    does not fit the operation's signature is refused under the operation's name.
    """
    signature = inspect.signature(operation)
    try:
        signature.bind(*range(count), **dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(f"{getattr(operation, '__name__', operation)}(): {error}") from None
    places: list[int | str] = []
    given = 0
    for index, parameter in enumerate(signature.parameters.values()):
        if not str(parameter.annotation).startswith("Array"):
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            return (*places, *range(index, count))
        places.append(index if index < count else parameter.name)
        if index < count or parameter.name in names:
            given = len(places)
    return tuple(places[:given])


def _is_whole(x: Any) -> bool:
    """Whether this is no array, integers or truth values, along which nothing can be derived."""
    return not is_array(x) or not is_floating(x)
