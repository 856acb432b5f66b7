"""One call of an operation, and the arrays that it takes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Maker = Callable[[np.random.Generator], np.ndarray]


def normal(*shape: int) -> Maker:
    """Normally distributed numbers."""
    return lambda rng: rng.normal(size=shape)


def uniform(*shape: int) -> Maker:
    """Numbers between 0.5 and 2, fit for variances and weights."""
    return lambda rng: rng.uniform(0.5, 2.0, size=shape)


def probabilities(*shape: int) -> Maker:
    """Numbers between 0 and 1."""
    return lambda rng: rng.uniform(0.05, 0.95, size=shape)


def apart(*shape: int) -> Maker:
    """Numbers that are far from zero and from one another: away from kinks and ties."""
    size = int(np.prod(shape))
    return lambda rng: (rng.permutation(size) - size / 2 + 0.25).reshape(shape) * (4.0 / size)


def classes(count: int, *shape: int) -> Maker:
    """Class labels."""
    return lambda rng: rng.integers(0, count, size=shape)


@dataclass(frozen=True)
class Sample:
    """One call of an operation.

    ``arguments`` make the array arguments, in the operation's order (None where one is left out).
    ``wanted`` are those for which a gradient must come back; for a floating argument that is not
    among them None is allowed, and any gradient that does come back is checked.
    """

    operation: str
    arguments: tuple[Maker | None, ...]
    options: dict[str, Any] = field(default_factory=dict)
    wanted: tuple[int, ...] = (0,)
    names: tuple[str, ...] = ()  # of the arrays, where an option stands among them

    def positional(self, arrays: list[Any]) -> list[Any]:
        """The arrays that the operation takes by their place."""
        return [] if self.names else arrays

    def keywords(self, arrays: list[Any]) -> dict[str, Any]:
        """What it takes by name: the options, and the arrays that have names."""
        return self.options | dict(zip(self.names, arrays, strict=bool(self.names)))

    def arrays(self) -> list[np.ndarray | None]:
        rng = np.random.default_rng(zlib.crc32(str(self).encode()))
        return [None if maker is None else maker(rng) for maker in self.arguments]

    def __str__(self) -> str:
        shown = {name: getattr(value, "__name__", value) for name, value in self.options.items()}
        options = ",".join(f"{name}={value}" for name, value in shown.items())
        return f"{self.operation}({options})".replace(" ", "")


def sample(operation: str, *arguments: Maker | None, wanted: Any = (0,), **options: Any) -> Sample:
    return Sample(operation, arguments, options, tuple(wanted))


def by_name(operation: str, **arguments: Any) -> Sample:
    """A call by keywords, where an option stands among the arrays; all their gradients wanted."""
    makers = {name: value for name, value in arguments.items() if callable(value)}
    options = {name: value for name, value in arguments.items() if name not in makers}
    places = tuple(range(len(makers)))
    return Sample(operation, tuple(makers.values()), options, places, tuple(makers))


X1, X2, X3 = (2, 4, 7), (2, 4, 6, 5), (2, 2, 4, 3, 4)
ALL, PAIR = (0, 1, 2), (0, 1)
