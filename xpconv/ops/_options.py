"""Options of operations: checked and made plain in one place, by their annotations.

A number that is no plain Python number, as NumPy's scalars, would change the dtype of the arrays
that it meets; one of a wrong kind would fail deep inside an array library.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """What an option may be: types that pass as they are, and what makes others plain."""

    words: str
    plain: tuple[type, ...]
    convert: Callable[[Any], Any]


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return operator.index(value)


def _number(value: Any) -> float:
    if not isinstance(value, Real):
        raise TypeError
    return float(value)


def _flag(value: Any) -> bool:
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


_KINDS = {
    "int": Kind("an integer", (int,), _integer),
    "float": Kind("a number", (float, int), _number),
    "bool": Kind("True or False", (bool,), _flag),
    "str": Kind("a string", (str,), _text),
}


class Options:
    """The options of one operation, read off its signature."""

    def __init__(self, operation: Callable[..., Any]) -> None:
        parameters = inspect.signature(operation).parameters.values()
        kinds = {p.name: _kind(p) for p in parameters}
        self._named = {name: kind for name, kind in kinds.items() if kind is not None}
        self._placed = [
            (p.name, kinds[p.name])
            for p in parameters
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        self._first = next((i for i, (_, kind) in enumerate(self._placed) if kind), None)

    def plain(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with plain options.

        Raises
        ------
        TypeError
            If an option is of a wrong kind; the message names it.
        """
        if self._first is not None and len(args) > self._first:
            placed = zip(self._placed, args, strict=False)
            args = (
                *(
                    value
                    if kind is None or type(value) in kind.plain
                    else _plain(name, value, kind)
                    for (name, kind), value in placed
                ),
                *args[len(self._placed) :],
            )
        for name, value in kwargs.items():
            kind = self._named.get(name)
            if kind is not None and type(value) not in kind.plain:
                kwargs = {**kwargs, name: _plain(name, value, kind)}
        return args, kwargs


def plain_option(parameter: inspect.Parameter, value: Any) -> Any:
    """Return what a single option is to be, checked like those of a call."""
    kind = _kind(parameter)
    if kind is None or type(value) in kind.plain:
        return value
    return _plain(parameter.name, value, kind)


def _kind(parameter: inspect.Parameter) -> Kind | None:
    name, *rest = str(parameter.annotation).split(" | ")
    kind = _KINDS.get(name)
    if kind is not None and rest == ["None"]:
        return kind._replace(plain=(*kind.plain, type(None)))
    return None if rest else kind


def _plain(name: str, value: Any, kind: Kind) -> Any:
    try:
        return kind.convert(value)
    except TypeError:
        raise TypeError(f"{name} must be {kind.words}, got {value!r}") from None
