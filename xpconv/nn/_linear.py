"""Layers that multiply by weights: the fully connected one, and the bilinear one."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import ops
from .._shapes import ntuple
from .._typing import Array
from ..ops._registry import rectified_vjp
from ..random import Stream
from ._born import born
from ._module import Backward, Grads, Module
from ._way_back import WayBack, Wish
from .init import kaiming_uniform, uniform


class Linear(Module):
    """Apply an affine map to the last axis; see `xpconv.ops.linear`.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of the last axis before and after.
    bias : bool, default True
        Whether to add one learned number per output feature.
    rng : Stream, optional
        Source of the initial weights; by default the current stream.

    Attributes
    ----------
    weight : array, shape (out_features, in_features)
        Drawn as PyTorch draws them: uniform in ±1/sqrt(in_features).
    bias : array, shape (out_features,), or None
        Drawn likewise.

    Notes
    -----
    Counterpart of ``torch.nn.Linear``.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, rng: Stream | None = None
    ) -> None:
        (in_features,) = ntuple(in_features, 1, "in_features", minimum=1)
        (out_features,) = ntuple(out_features, 1, "out_features", minimum=1)
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features)
        self.weight: Array = born(kaiming_uniform(shape, a=math.sqrt(5), rng=rng))
        bound = 1 / math.sqrt(in_features)
        self.bias: Array | None = None
        if bias:
            self.bias = born(uniform((out_features,), -bound, bound, rng=rng))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        return self._by(ops.vjp, x)

    def _rectified(self, x: Array, training: bool, activation: str) -> tuple[Array, Backward]:
        """Do what ``forward`` does, with one of the `ACTIVATIONS` after it."""
        return self._by(partial(rectified_vjp, activation), x)

    def _by(self, vjp: Callable[..., Any], x: Array) -> tuple[Array, Backward]:
        y, pullback = vjp(ops.linear, x, self.weight, self.bias)

        @WayBack
        def backward(dy: Array, wish: Wish) -> tuple[Array, Grads]:
            dx, dweight, dbias = pullback(dy, input_grad=wish.input_grad)
            return dx, {"weight": dweight} if dbias is None else {"weight": dweight, "bias": dbias}

        return y, backward

    def infer(self, x: Array) -> Array:
        return ops.linear(x, self.weight, self.bias)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return math.prod(output_shape) * (2 * self.in_features + (self.bias is not None))

    def _describe(self) -> str:
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features}, {self.out_features}{bias}"


class Bilinear(Module):
    """Combine two inputs by one bilinear form per output feature; see `xpconv.ops.bilinear`.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        Sizes of the last axes of both inputs and of the output.
    bias : bool, default True
        Whether to add one learned number per output feature.
    rng : Stream, optional
        Source of the initial weights; by default the current stream.

    Attributes
    ----------
    weight : array, shape (out_features, in1_features, in2_features)
        Drawn as PyTorch draws them: uniform in ±1/sqrt(in1_features).
    bias : array, shape (out_features,), or None
        Drawn likewise.

    Notes
    -----
    Counterpart of ``torch.nn.Bilinear``.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: Stream | None = None,
    ) -> None:
        (in1_features,) = ntuple(in1_features, 1, "in1_features", minimum=1)
        (in2_features,) = ntuple(in2_features, 1, "in2_features", minimum=1)
        (out_features,) = ntuple(out_features, 1, "out_features", minimum=1)
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        bound = 1 / math.sqrt(in1_features)
        shape = (out_features, in1_features, in2_features)
        self.weight: Array = born(uniform(shape, -bound, bound, rng=rng))
        self.bias: Array | None = None
        if bias:
            self.bias = born(uniform((out_features,), -bound, bound, rng=rng))

    def forward(self, x1: Array, x2: Array, training: bool = False) -> tuple[Array, Backward]:
        y, pullback = ops.vjp(ops.bilinear, x1, x2, self.weight, self.bias)

        def backward(dy: Array) -> tuple[tuple[Array, Array], dict[str, Array]]:
            dx1, dx2, dweight, dbias = pullback(dy)
            grads = {"weight": dweight} if dbias is None else {"weight": dweight, "bias": dbias}
            return (dx1, dx2), grads

        return y, backward

    def infer(self, x1: Array, x2: Array) -> Array:
        return ops.bilinear(x1, x2, self.weight, self.bias)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        once = 2 * self.in1_features * (self.in2_features + 1) + (self.bias is not None)
        return math.prod(output_shape) * once

    def _describe(self) -> str:
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in1_features}, {self.in2_features}, {self.out_features}{bias}"
