"""Layers that normalise within each sample: groups of channels, the last axes, neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import ops
from .._shapes import integer, ntuple
from .._typing import Array
from ._born import born
from ._module import Backward, Module
from ._stateless import Stateless
from .init import constant


class _Affine(Module):
    """A normalisation with a scale and a shift of its own, or one of them, or none."""

    float32_names = ("weight", "bias")
    weight: Array
    bias: Array

    def _born(self, shape: tuple[int, ...], weight: bool, bias: bool) -> None:
        self.weight = born(constant(shape, 1.0)) if weight else None
        self.bias = born(constant(shape, 0.0)) if bias else None

    def _call(self) -> tuple[Any, dict[str, Any]]:
        """Return the operation and its options."""
        raise NotImplementedError

    @property
    def _parameters(self) -> dict[str, Array]:
        names = ("weight", "bias")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        operation, options = self._call()
        parameters = self._parameters
        y, pullback = ops.vjp(operation, x, **options, **parameters)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, *gradients = pullback(dy)
            named = zip(("weight", "bias"), gradients, strict=False)
            return dx, {name: gradient for name, gradient in named if name in parameters}

        return y, backward

    def infer(self, x: Array) -> Array:
        operation, options = self._call()
        return operation(x, **options, **self._parameters)

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 2 * math.prod(output_shape)


class GroupNorm(_Affine):
    """Normalise groups of channels of each sample; see `xpconv.ops.group_norm`.

    Parameters
    ----------
    num_groups : int
        Number of groups; it divides ``num_channels``.
    num_channels : int
        C of inputs (N, C, ...).
    eps : float, default 1e-5
        Added to the variance.
    affine : bool, default True
        Whether to learn a scale and a shift for each channel.
    bias : bool, default True
        Whether to learn the shift, too.

    Attributes
    ----------
    weight, bias : array, shape (num_channels,), or None
        Scale and shift, at first 1 and 0.

    Notes
    -----
    Counterpart of ``torch.nn.GroupNorm``.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        (num_groups,) = ntuple(num_groups, 1, "num_groups", minimum=1)
        (num_channels,) = ntuple(num_channels, 1, "num_channels", minimum=1)
        if num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self._born((num_channels,), affine, affine and bias)

    def _call(self) -> tuple[Any, dict[str, Any]]:
        return ops.group_norm, {"num_groups": self.num_groups, "eps": self.eps}

    def _describe(self) -> str:
        affine = f"affine={self.affine}, bias={self.bias is not None}"
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, {affine}"


def _sizes(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    if not isinstance(normalized_shape, Sequence):
        return (integer(normalized_shape, "normalized_shape"),)
    return ntuple(normalized_shape, len(normalized_shape), "normalized_shape")


class LayerNorm(_Affine):
    """Normalise the last axes of each sample; see `xpconv.ops.layer_norm`.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Sizes of the last axes.
    eps : float, default 1e-5
        Added to the variance.
    elementwise_affine : bool, default True
        Whether to learn a scale, and a shift, for each element.
    bias : bool, default True
        Whether to learn the shift, too.

    Attributes
    ----------
    weight, bias : array, shape normalized_shape, or None
        Scale and shift, at first 1 and 0.

    Notes
    -----
    Counterpart of ``torch.nn.LayerNorm``.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._born(self.normalized_shape, elementwise_affine, elementwise_affine and bias)

    def _call(self) -> tuple[Any, dict[str, Any]]:
        return ops.layer_norm, {"normalized_shape": self.normalized_shape, "eps": self.eps}

    def _describe(self) -> str:
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class RMSNorm(_Affine):
    """Divide the last axes by their root mean square; see `xpconv.ops.rms_norm`.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        Sizes of the last axes.
    eps : float, optional
        Added to the mean square; by default the distance from 1 to the next number of the dtype.
    elementwise_affine : bool, default True
        Whether to learn a scale for each element.

    Attributes
    ----------
    weight : array, shape normalized_shape, or None
        Scale, at first 1.

    Notes
    -----
    Counterpart of ``torch.nn.RMSNorm``.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
    ) -> None:
        self.normalized_shape = _sizes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._born(self.normalized_shape, elementwise_affine, False)

    def _call(self) -> tuple[Any, dict[str, Any]]:
        return ops.rms_norm, {"normalized_shape": self.normalized_shape, "eps": self.eps}

    def _describe(self) -> str:
        affine = f"elementwise_affine={self.elementwise_affine}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class LocalResponseNorm(Stateless):
    """Divide each channel by what its neighbours add up to; see `xpconv.ops.local_response_norm`.

    Parameters
    ----------
    size : int
        Number of neighbouring channels.
    alpha : float, default 1e-4
        Factor of their mean square.
    beta : float, default 0.75
        Power of the divisor.
    k : float, default 1.0
        Added to the divisor before the power.

    Notes
    -----
    Counterpart of ``torch.nn.LocalResponseNorm``.
    """

    _op = staticmethod(ops.local_response_norm)
