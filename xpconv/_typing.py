"""Names for what passes between functions, for the reader and the type checker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

Array: TypeAlias = Any
"""An array of any library that follows the Python array API standard."""

Namespace: TypeAlias = Any
"""The module of array functions that an array's library offers (``array_namespace(x)``)."""

DType: TypeAlias = Any
"""A dtype of an array library, or its name (``"float32"``)."""

IntOrTuple: TypeAlias = int | Sequence[int]
"""One number for every spatial dimension, or one number per dimension."""

Pair: TypeAlias = tuple[int, int]
"""Padding before and after one dimension."""

Padding: TypeAlias = int | str | Sequence[int] | Sequence[Sequence[int]]
"""An int, one int or one (before, after) pair per dimension, ``"same"`` or ``"valid"``."""

Pullback: TypeAlias = Callable[[Array], tuple[Array | None, ...]]
"""The way back through an operation: the output's cotangent in, the inputs' cotangents out."""


class Selective(Protocol):
    """A pullback that may be told to leave the first cotangent out: then it is ``None``."""

    def __call__(self, dy: Array, /, *, input_grad: bool = True) -> tuple[Array | None, ...]: ...
