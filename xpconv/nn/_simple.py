"""Layers that pass on or join."""

from __future__ import annotations

from functools import reduce
from typing import Any

from .. import ops
from .._typing import Array, Pullback
from ..ops._join import rectified_sum
from ._module import Backward, Grads, Module


class Identity(Module):
    """Pass the input on; arguments are ignored, as by ``torch.nn.Identity``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        return x, lambda dy: (dy, {})

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 0


class Add(Module):
    """Add two or more inputs of one shape, as where branches of a graph meet."""

    def forward(self, *inputs: Array, training: bool = False) -> tuple[Array, Backward]:
        y, count = self.infer(*inputs), len(inputs)  # the inputs themselves are not kept
        return y, lambda dy: ((dy,) * count, {})

    def _rectified(self, *inputs: Array, training: bool, activation: str) -> tuple[Array, Backward]:
        """Do what ``forward`` does, with one of the `ACTIVATIONS` after it."""
        self._check(inputs)
        y, pullback = rectified_sum(reduce(ops.add, inputs[:-1]), inputs[-1], activation)
        count = len(inputs)
        return y, lambda dy: (pullback(dy)[:1] * count, {})

    def infer(self, *inputs: Array) -> Array:
        self._check(inputs)
        return reduce(ops.add, inputs)

    def _check(self, inputs: tuple[Array, ...]) -> None:
        if len(inputs) < 2:
            raise ValueError(f"Add needs at least two inputs, got {len(inputs)}")


class Multiply(Module):
    """Multiply two or more inputs element by element, as where attention weighs channels.

    Axes of size 1 stretch to the others' size; see `xpconv.ops.multiply`.
    """

    def forward(self, *inputs: Array, training: bool = False) -> tuple[Array, Backward]:
        product = self._first(inputs)
        ways: list[Pullback] = []
        for other in inputs[1:]:
            product, pullback = ops.vjp(ops.multiply, product, other)
            ways.append(pullback)

        def backward(dy: Array) -> tuple[tuple[Array | None, ...], Grads]:
            gradients = []
            carried: Array | None = dy
            for way in reversed(ways):
                carried, last = way(carried)
                gradients.append(last)
            return (carried, *reversed(gradients)), {}

        return product, backward

    def infer(self, *inputs: Array) -> Array:
        product = self._first(inputs)
        for other in inputs[1:]:
            product = ops.multiply(product, other)
        return product

    def _first(self, inputs: tuple[Array, ...]) -> Array:
        if len(inputs) < 2:
            raise ValueError(f"Multiply needs at least two inputs, got {len(inputs)}")
        return inputs[0]
