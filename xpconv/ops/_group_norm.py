"""Normalisation of groups of channels within each sample."""

from __future__ import annotations

import math

from .._shapes import integer
from .._typing import Array, Pullback
from ._layout import channels_first, channels_last
from ._registry import differentiable
from ._sample_norm import channel_groups, fused_sample_norm
from ._standardise import check_norm, standardised_view


def _group_norm_vjp(
    x: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, Pullback]:
    xp = check_norm(x, weight=weight, bias=bias)
    groups = integer(num_groups, "num_groups")
    shape = tuple(x.shape)
    if x.ndim < 2:
        raise ValueError(f"Expected at least 2 dimensions (N, C, ...) for x, got shape {shape}")
    if groups < 1:
        raise ValueError(f"Expected num groups to be greater than 0, got {groups}")
    samples, channels, *spatial = shape
    if channels % groups:
        raise ValueError(
            "Expected number of channels in input to be divisible by num_groups, but got x of "
            f"shape {shape} and num_groups={groups}"
        )
    if samples * (channels // groups) * math.prod(spatial) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {shape} with "
            f"num_groups={groups}"
        )
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None and tuple(array.shape) != (channels,):
            raise ValueError(
                f"Expected {name} to be a vector of size equal to the number of channels in x, "
                f"but got {name} of shape {tuple(array.shape)} and x of shape {shape}"
            )
    fused = fused_sample_norm(x, weight, bias, eps, channel_groups(x, groups))
    if fused is not None:
        return fused.y, fused.pullback
    split = (groups, channels // groups)

    def view(array: Array) -> Array:  # (N, C, H, W) -> (N, H, W, G, C/G)
        return xp.reshape(channels_last(xp, array), (samples, *spatial, *split))

    def unview(array: Array) -> Array:
        return channels_first(xp, xp.reshape(array, (samples, *spatial, channels)))

    axes = (*range(len(spatial), 0, -1), len(spatial) + 2)
    y, pullback, _, _ = standardised_view(
        xp, x, view, unview, axes, weight, bias, eps, parameters=split
    )
    return y, pullback


@differentiable(_group_norm_vjp)
def group_norm(
    x: Array,
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """Bring every group of channels of every sample to mean 0 and variance 1.

    Parameters
    ----------
    x : array, shape (N, C, ...)
        Input, real floating dtype.
    num_groups : int
        Number of groups; it divides C.
    weight, bias : array, shape (C,), optional
        Scale and shift of each channel. Of the dtype of ``x``, or of float32 where ``x`` is of half
        precision.
    eps : float, default 1e-5
        Added to the variance.

    Returns
    -------
    array
        Of the shape and dtype of ``x``.

    Raises
    ------
    ValueError
        If sizes do not fit, or a single sample has a single value in each group.

    Notes
    -----
    Wu and He, "Group normalization" (2018). Counterpart of ``torch.nn.functional.group_norm``.
    """
    return _group_norm_vjp(x, num_groups, weight, bias, eps)[0]
