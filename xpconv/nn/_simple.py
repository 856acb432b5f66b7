"""Layers that pass on, drop or join."""

from __future__ import annotations

from .. import ops
from .._typing import Array
from ._module import Backward, Module


class Identity(Module):
    """Pass the input on."""

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        return x, lambda dy: (dy, {})

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 0


class Dropout(Module):
    """Set elements to zero at random while training; see `xpconv.ops.dropout`.

    Parameters
    ----------
    p : float, default 0.5
        Probability of an element to be set to zero.

    Notes
    -----
    Masks come from the stream in force (`xpconv.random`), one key for each forward pass.
    Counterpart of ``torch.nn.Dropout``.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, got {p}")
        self.p = p

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(ops.dropout, x, self.p, training)
        return y, lambda dy: (pullback(dy)[0], {})

    def infer(self, x: Array) -> Array:
        return x

    def _describe(self) -> str:
        return f"p={self.p}"


class Add(Module):
    """Add two or more inputs of one shape, as where branches of a graph meet."""

    def forward(self, *inputs: Array, training: bool = False) -> tuple[Array, Backward]:
        y = self.infer(*inputs)
        return y, lambda dy: ((dy,) * len(inputs), {})

    def infer(self, *inputs: Array) -> Array:
        if len(inputs) < 2:
            raise ValueError(f"Add needs at least two inputs, got {len(inputs)}")
        total = inputs[0]
        for other in inputs[1:]:
            total = ops.add(total, other)
        return total
