"""Numbers that a recorded step reads anew each time it is repeated, as its learning rate.

What is recorded for a device holds on to the arrays that it was recorded with, and to every number
that was mixed into them on the way. A `Late` number is none yet: it is worked out on the host, and
stands on the device in an array that is written before each repetition.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from ._arrays import dtype_name, is_number
from ._typing import Array, DType, Namespace
from .backend import Backend

_BLOCK = 256  # numbers of one dtype that get their place together
_TABLE: ContextVar[Table | None] = ContextVar("xpconv_late", default=None)


class Unrepeatable(RuntimeError):
    """A step does something that a recording of it would not do again; the message says what."""


class Table:
    """Where late numbers stand on the device.

    Parameters
    ----------
    backend : Backend
        Where.
    write : callable, optional
        ``write(target, values)`` gives a device array the values of a host array, in its turn among
        all other work. Without it there can be no late numbers.

    Notes
    -----
    A step runs twice with a table: in earnest, when each number gets its place, and to be recorded,
    when the same numbers must ask for their places in the same order.
    """

    def __init__(
        self, backend: Backend, write: Callable[[Array, np.ndarray], None] | None = None
    ) -> None:
        self._backend, self._write = backend, write or _nowhere
        self._blocks: dict[str, list[Array]] = {}
        self._numbers: dict[str, list[Late]] = {}
        self._asked: dict[str, int] = {}
        self._constants: list[Array] = []
        self._constants_asked = 0
        self.recording = False  # whether what is given to the device is recorded, and not done
        self.run = object()  # the present one

    @contextmanager
    def in_force(self, recording: bool) -> Iterator[None]:
        """Let a step run, in earnest or to be recorded."""
        self._asked, self._constants_asked, self.recording = {}, 0, recording
        self.run = object()
        if not recording:
            self._numbers, self._constants = {}, []
        token = _TABLE.set(self)
        try:
            yield
        finally:
            _TABLE.reset(token)

    def place(self, numbers: Sequence[Late], dtype: str) -> Array:
        """Return the array, shape (n,), in which some numbers will stand side by side."""
        count = len(numbers)
        first = self._asked.get(dtype, 0)
        if first % _BLOCK + count > _BLOCK:
            first += _BLOCK - first % _BLOCK
        self._asked[dtype] = first + count
        known = self._numbers.setdefault(dtype, [])
        if self.recording:
            if len(known) < first + count:
                raise Unrepeatable("it asks for more numbers of the host than the step before")
        else:
            known += [ZERO] * (first - len(known)) + list(numbers)
        known[first : first + count] = numbers
        start = first % _BLOCK
        place = self._block(dtype, first // _BLOCK)[start : start + count]
        if not self.recording:
            self._write(place, _host(numbers, dtype))
        return place

    def _block(self, dtype: str, number: int) -> Array:
        blocks = self._blocks.setdefault(dtype, [])
        if number == len(blocks):
            blocks.append(self._backend.asarray(np.zeros(_BLOCK), dtype=dtype))
        return blocks[number]

    def constant(self, make: Callable[[], Array]) -> Array:
        """Return what the host has to say to the device in every step alike: said once, and kept.

        The arrays must be asked for in the same order in every step.
        """
        number, self._constants_asked = self._constants_asked, self._constants_asked + 1
        if not self.recording:
            self._constants.append(make())
        elif number >= len(self._constants):
            raise Unrepeatable("it asks for more arrays of the host than the step before")
        return self._constants[number]

    def write(self) -> None:
        """Work all numbers out and write them to where they stand."""
        for dtype, numbers in self._numbers.items():
            for number, block in enumerate(self._blocks[dtype]):
                some = numbers[number * _BLOCK : (number + 1) * _BLOCK]
                if some:
                    self._write(block[: len(some)], _host(some, dtype))


def _nowhere(target: Array, values: np.ndarray) -> None:
    raise Unrepeatable("there are no numbers of the host here")


def _host(numbers: Sequence[Late], dtype: str) -> np.ndarray:
    return np.asarray([number.value() for number in numbers], dtype=dtype)


def table_in_force() -> Table | None:
    """Return the table of the step that runs, which is to be recorded; None for all others."""
    return _TABLE.get()


def from_host(xp: Namespace, values: Any, dtype: DType, device: Any) -> Array:
    """Return an array of the host's numbers, which are the same in every step.

    A recording cannot copy from the host, so what is recorded gets the array of the step before.
    """

    def make() -> Array:
        return xp.asarray(values, dtype=dtype, device=device)

    table = table_in_force()
    return make() if table is None else table.constant(make)


def in_eights(join: Callable[[list[Array]], Array], arrays: Iterable[Array]) -> Array:
    """Join arrays: in a step that is recorded, eight at a time, and what that gives again.

    CuPy copies the addresses of more than eight arrays from the host, which a recording cannot.
    """
    rest = list(arrays)
    while len(rest) > 8 and table_in_force() is not None:
        rest = [join(rest[k : k + 8]) for k in range(0, len(rest), 8)]
    return join(rest)


class Late:
    """A number of the host that is not known before the step runs.

    Arithmetic with numbers gives another one; with an array, it gives an array.

    Parameters
    ----------
    value : callable
        Returns the number of the step at hand.
    """

    __array_ufunc__ = None  # arrays leave arithmetic to the methods here
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Callable[[], float]) -> None:
        self.value = value
        self._places: dict[str, tuple[object, Array]] = {}

    def beside(self, array: Array) -> Array:
        """Return a 0-d array that will hold the number, of an array's dtype."""
        return self._place(dtype_name(array.dtype))

    def _place(self, dtype: str) -> Array:
        table = table_in_force()
        if table is None:
            raise Unrepeatable("a number of a recorded step was used outside of it")
        run, place = self._places.get(dtype, (None, None))
        if run is not table.run:
            place = table.place([self], dtype)[0, ...]
            self._places[dtype] = table.run, place
        return place

    def _with(self, op: Callable[[Any, Any], Any], other: Any, turned: bool = False) -> Any:
        if isinstance(other, Late):
            return Late(lambda: op(self.value(), other.value()))
        if is_number(other):
            if turned:
                return Late(lambda: op(other, self.value()))
            return Late(lambda: op(self.value(), other))
        mine = self.beside(other)
        return op(other, mine) if turned else op(mine, other)

    def _refuse(self, *args: Any) -> Any:
        raise Unrepeatable(
            "it decides by a number that changes from step to step, as the learning rate or the "
            "count of steps does"
        )

    __bool__ = __float__ = __int__ = __index__ = __complex__ = __round__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse


def _arithmetic(name: str, op: Callable[[Any, Any], Any]) -> None:
    setattr(Late, f"__{name}__", lambda self, other: self._with(op, other))
    setattr(Late, f"__r{name}__", lambda self, other: self._with(op, other, turned=True))


for _name, _op in {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "pow": operator.pow,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}.items():
    _arithmetic(_name, _op)

ZERO = Late(lambda: 0)


def side_by_side(numbers: Sequence[Any], dtype: str) -> Array | None:
    """Return an array, shape (n,), in which numbers will stand; None where none of them is late."""
    if not any(isinstance(number, Late) for number in numbers):
        return None
    table = table_in_force()
    if table is None:
        raise Unrepeatable("a number of a recorded step was used outside of it")
    return table.place([n if isinstance(n, Late) else _known(n) for n in numbers], dtype)


def _known(number: float) -> Late:
    return Late(lambda: number)
