"""A layer with an input that it takes, and how tests place and run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.backends import Library, host
from xpconv import nn, use_backend
from xpconv.random import Stream, use_stream


@dataclass(frozen=True)
class Case:
    """A layer, the shapes of its inputs, and its PyTorch twin (by name, with its arguments)."""

    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    twin: tuple[Any, ...] | None = None
    training: bool = False

    def make_seeded(self) -> nn.Module:
        """The layer with the same initial weights every time."""
        with use_stream(Stream(7)):
            return self.make()

    def inputs(self, seed: int = 0) -> list[np.ndarray]:
        """Numbers far from zero and from one another, where kinks and ties are."""
        rng = np.random.default_rng(seed)
        return [
            (rng.permutation(size := int(np.prod(shape))) - size / 2 + 0.25).reshape(shape)
            * (4.0 / size)
            for shape in self.shapes
        ]

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        with use_backend("numpy"):
            return type(self.make()).__name__

    def __str__(self) -> str:
        mode = "training" if self.training else "inference"
        with use_backend("numpy"):  # names of tests are made before the environment is cleared
            return f"{self.make()!r}:{mode}".replace(" ", "").replace("\n", "")


def case(make: Callable[[], nn.Module], *shapes: tuple[int, ...], **options: Any) -> Case:
    return Case(make, shapes, **options)


def twins(name: str, *arguments: Any, shape: tuple[int, ...], **options: Any) -> Case:
    """A layer that takes the same arguments here and in PyTorch."""
    return case(lambda: getattr(nn, name)(*arguments), shape, twin=(name, *arguments), **options)


X1, X2, X3 = (2, 4, 7), (2, 4, 6, 5), (2, 2, 4, 3, 4)


def placed(module: nn.Module, backend: Library, dtype: str = "float64") -> nn.Module:
    """The module with its arrays on a library, floating ones as ``dtype``."""
    module.update(
        {
            key: backend.array(host(value), dtype if host(value).dtype.kind == "f" else None)
            for key, value in module.state_dict().items()
        }
    )
    return module


def run(layer: nn.Module, *inputs: Any, training: bool = True, seed: int = 1) -> Any:
    """Forward with the same dropout masks every time."""
    with use_stream(Stream(seed)):
        return layer.forward(*inputs, training=training)


def together(dx: Any, count: int = 1) -> tuple[Any, ...]:
    """The gradients of all inputs, also of a single one."""
    return dx if count > 1 else (dx,)
