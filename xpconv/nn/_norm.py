"""Batch normalisation layers, and what instance normalisation shares with them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from array_api_compat import array_namespace, device

from .. import ops
from .._shapes import ntuple
from .._typing import Array, Pullback
from ..ops._activation_clipped import RECTIFIERS
from ..ops._channel_norm import batch_rectified, batch_standardised
from ..ops._precision import narrowed, widened
from ..ops._standardise import Standardised
from ._born import born
from ._module import Backward, Module
from .init import constant


class ChannelNorm(Module):
    """What batch and instance normalisation of every dimension share."""

    buffer_names = ("running_mean", "running_var", "num_batches_tracked")
    float32_names = ("weight", "bias")
    _ranks: ClassVar[tuple[int, ...]]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
    ) -> None:
        (num_features,) = ntuple(num_features, 1, "num_features", minimum=1)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        shape = (num_features,)
        self.weight: Array = born(constant(shape, 1.0)) if affine else None
        self.bias: Array = born(constant(shape, 0.0)) if affine and bias else None
        self.running_mean: Array = None
        self.running_var: Array = None
        self.num_batches_tracked: Array = None
        if track_running_stats:
            self.running_mean = born(constant(shape, 0.0))
            self.running_var = born(constant(shape, 1.0))
            self.num_batches_tracked = born(constant((), 0.0), dtype="int64")

    @property
    def _state(self) -> tuple[Array, Array, Array, Array]:
        return self.running_mean, self.running_var, self.weight, self.bias

    def _named(self, dweight: Array | None, dbias: Array | None) -> dict[str, Array]:
        named = {"weight": dweight, "bias": dbias}
        return {name: gradient for name, gradient in named.items() if gradient is not None}

    def _move(self, mean: Array, var: Array, count: int, share: float | Array) -> None:
        """Move the running statistics towards a batch's; the variance without its bias.

        ``mean`` and ``var`` of shape (..., C), half precision in float32, come from ``count``
        numbers each; those of several instances are averaged.
        """
        xp = array_namespace(mean)
        var = var * (count / max(count - 1, 1))
        for name, new in (("running_mean", mean), ("running_var", var)):
            old = getattr(self, name)
            new = xp.mean(xp.reshape(new, (-1, self.num_features)), axis=0)
            moved = widened(old) * (1 - share) + narrowed(new, widened(old).dtype) * share
            setattr(self, name, narrowed(moved, old.dtype))

    def _check_rank(self, x: Array) -> None:
        if x.ndim not in self._ranks:
            ranks = " or ".join(f"{rank}D" for rank in self._ranks)
            raise ValueError(f"expected {ranks} input (got {x.ndim}D input of {tuple(x.shape)})")

    def flops(
        self, input_shapes: tuple[tuple[int, ...], ...], output_shape: tuple[int, ...]
    ) -> int:
        return 2 * math.prod(output_shape)

    def _describe(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class _BatchNorm(ChannelNorm):
    """What batch normalisation of every dimension shares."""

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        self._check_rank(x)
        if training or not self.track_running_stats:
            return self._by_batch(batch_standardised, x, training)
        y, pullback = ops.vjp(ops.batch_norm, x, *self._state, False, 0.0, self.eps)
        return y, self._way_back(pullback)

    def _rectified(self, x: Array, training: bool, activation: str) -> tuple[Array, Backward]:
        """Do what ``forward`` does, with one of the `ACTIVATIONS` after it."""
        if training or not self.track_running_stats:
            self._check_rank(x)
            return self._by_batch(partial(batch_rectified, activation), x, training)
        y, back = self.forward(x)
        z, pullback = ops.vjp(RECTIFIERS[activation], y)
        return z, lambda dz: back(pullback(dz)[0])

    def _by_batch(
        self, standardise: Callable[..., Standardised], x: Array, training: bool
    ) -> tuple[Array, Backward]:
        y, pullback, mean, var = standardise(x, self.weight, self.bias, self.eps)
        if training and self.track_running_stats:
            self._track(mean, var, math.prod(x.shape) // self.num_features)
        return y, self._way_back(pullback)

    def _way_back(self, pullback: Pullback) -> Backward:
        def backward(dy: Array) -> tuple[Array | None, dict[str, Array]]:
            dx, *_, dweight, dbias = pullback(dy)
            return dx, self._named(dweight, dbias)

        return backward

    def infer(self, x: Array) -> Array:
        self._check_rank(x)
        training = not self.track_running_stats
        return ops.batch_norm(x, *self._state, training, 0.0, self.eps)

    def _track(self, mean: Array, var: Array, count: int) -> None:
        xp = array_namespace(mean)
        number = self.num_batches_tracked + 1  # NumPy makes a scalar of it
        self.num_batches_tracked = xp.asarray(number, dtype=xp.int64, device=device(mean))
        if count == 0:
            return
        share = self.momentum
        if share is None:  # the plain average of all batches so far
            share = 1 / xp.astype(self.num_batches_tracked, mean.dtype)
        self._move(mean, var, count, share)

    def _check_rank(self, x: Array) -> None:
        super()._check_rank(x)
        if x.shape[1] != self.num_features:
            raise ValueError(
                f"expected {self.num_features} channels, got {x.shape[1]} in x of shape "
                f"{tuple(x.shape)}"
            )


class BatchNorm1d(_BatchNorm):
    """Normalise the channels of (N, C) or (N, C, L); see `BatchNorm2d`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, bias
        As in `BatchNorm2d`.
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalise the channels of images (N, C, H, W); see `xpconv.ops.batch_norm`.

    Parameters
    ----------
    num_features : int
        C.
    eps : float, default 1e-5
        Added to the variance.
    momentum : float or None, default 0.1
        Share of the newest batch in the running statistics; None averages all batches.
    affine : bool, default True
        Whether to learn a scale and a shift for each channel.
    track_running_stats : bool, default True
        Whether to keep running statistics for inference; without them the batch's own are used.
    bias : bool, default True
        Whether to learn the shift, too, where there is a scale.

    Attributes
    ----------
    weight, bias : array, shape (num_features,), or None
        Scale and shift, at first 1 and 0.
    running_mean, running_var : array, shape (num_features,), or None
        Buffers; the variance is the unbiased one.
    num_batches_tracked : array of int64, shape (), or None
        Buffer.

    Notes
    -----
    A training forward pass replaces the running statistics by new arrays. Counterpart of
    ``torch.nn.BatchNorm2d``.
    """

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalise the channels of volumes (N, C, D, H, W); see `BatchNorm2d`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, bias
        As in `BatchNorm2d`.
    """

    _ranks = (5,)
