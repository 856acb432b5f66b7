"""Instance normalisation layers."""

from __future__ import annotations

import math

from array_api_compat import array_namespace

from .. import ops
from .._typing import Array
from ..ops._norm import instance_standardised
from ._module import Backward
from ._norm import ChannelNorm


class _InstanceNorm(ChannelNorm):
    """What instance normalisation of every dimension shares."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias=bias)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Backward]:
        self._check_rank(x)
        batch = x if x.ndim == self._ranks[1] else x[None, ...]
        if training or not self.track_running_stats:
            y, pullback, mean, var = instance_standardised(batch, self.weight, self.bias, self.eps)
            count = math.prod(batch.shape[2:])
            if training and self.track_running_stats and batch.shape[0] * count:
                # PyTorch counts no batches here, so that no momentum means no movement.
                self._move(mean, var, count, self.momentum or 0.0)
        else:
            y, pullback = ops.vjp(ops.instance_norm, batch, *self._state, False, 0.0, self.eps)

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            xp = array_namespace(dy)
            dx, *_, dweight, dbias = pullback(xp.reshape(dy, batch.shape))
            return xp.reshape(dx, x.shape), self._named(dweight, dbias)

        return array_namespace(x).reshape(y, x.shape), backward

    def infer(self, x: Array) -> Array:
        self._check_rank(x)
        batch = x if x.ndim == self._ranks[1] else x[None, ...]
        own = not self.track_running_stats
        y = ops.instance_norm(batch, *self._state, own, 0.0, self.eps)
        return array_namespace(x).reshape(y, x.shape)

    def _check_rank(self, x: Array) -> None:
        super()._check_rank(x)
        dim = x.ndim - self._ranks[0]
        needed = self.affine or self.track_running_stats
        if needed and x.shape[dim] != self.num_features:  # else PyTorch does not care
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features ({self.num_features}), "
                f"but got: {x.shape[dim]} in x of shape {tuple(x.shape)}"
            )


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each sample of (N, C, L) or (C, L); see `InstanceNorm2d`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, bias
        As in `InstanceNorm2d`.
    """

    _ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each image of (N, C, H, W) or (C, H, W).

    See `xpconv.ops.instance_norm`.

    Parameters
    ----------
    num_features : int
        C.
    eps : float, default 1e-5
        Added to the variance.
    momentum : float or None, default 0.1
        Share of the newest batch in the running statistics; with None they stay as they are.
    affine : bool, default False
        Whether to learn a scale and a shift for each channel.
    track_running_stats : bool, default False
        Whether to keep running statistics, and to normalise by them in inference.
    bias : bool, default True
        Whether to learn the shift, too, where there is a scale.

    Attributes
    ----------
    weight, bias : array, shape (num_features,), or None
        Scale and shift, at first 1 and 0.
    running_mean, running_var : array, shape (num_features,), or None
        Buffers; the variance is the unbiased one.
    num_batches_tracked : array of int64, shape (), or None
        Buffer; as in PyTorch it stays 0.

    Notes
    -----
    Counterpart of ``torch.nn.InstanceNorm2d``.
    """

    _ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Normalise each channel of each volume of (N, C, D, H, W) or (C, D, H, W).

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, bias
        As in `InstanceNorm2d`.
    """

    _ranks = (4, 5)
