"""Layers without state: an operation and its options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from .. import ops
from .._typing import Array
from ._module import Backward, Module
from ._options import constructor, options_of


class Stateless(Module):
    """A layer that calls one operation with fixed options.

    A subclass names the operation in ``_op``. Its constructor takes the operation's options, in
    their order and with their defaults, and keeps them as attributes of the same names. A layer
    that PyTorch offers to compute in place (``class ReLU(Stateless, inplace=True)``) takes
    ``inplace`` last and makes nothing of it: arrays are never changed here.
    """

    _op: ClassVar[Callable[..., Array]]
    _constructor: ClassVar[inspect.Signature]

    def __init_subclass__(cls, *, inplace: bool = False, **options: Any) -> None:
        """Read the constructor off the operation."""
        super().__init_subclass__(**options)
        if "_op" in cls.__dict__:
            cls._constructor = constructor(cls._op, inplace=inplace)
            if cls.__init__ is Stateless.__init__:
                cls.__signature__ = cls._constructor  # type: ignore[attr-defined]

    def __init__(self, *args: Any, **options: Any) -> None:
        options = options_of(type(self), self._constructor, args, options)
        self._names = tuple(name for name in options if name != "inplace")
        for name, value in options.items():
            setattr(self, name, value)

    @property
    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(type(self)._op, x, **self._options)
        return y, lambda dy: (pullback(dy)[0], {})

    def infer(self, x: Array) -> Array:
        return type(self)._op(x, **self._options)

    def _describe(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._options.items())
